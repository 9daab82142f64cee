"""Starts a demo dashboard the way any Gradio app is started."""

from __future__ import annotations

import argparse

import gradio as gr

from person import CARD_CSS


def launch(app: gr.Blocks, hue: str) -> None:
    """Serves app until it is stopped. Without --port, Gradio's own GRADIO_SERVER_PORT counts."""
    parser = argparse.ArgumentParser(description=app.title)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=None, help="port to listen on")
    args = parser.parse_args()
    app.launch(
        server_name=args.host,
        server_port=args.port,
        theme=gr.themes.Soft(primary_hue=hue, font=["system-ui", "sans-serif"]),
        css=CARD_CSS,
        footer_links=[],
        quiet=True,
    )
