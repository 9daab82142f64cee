"""A Gradio app that runs on every generation from 3.50 on, a little of everything.

    python sampler.py --port 7861
    python sampler.py --port 7861 --root-path /lab/app
    python sampler.py --port 7861 --mount /lab/app

Nothing in it knows of a proxy, but for what it reads from the identity headers.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

STEPS = 8


def person(request: gr.Request) -> str:
    """Says who it is: a token has no address, and on a public route nobody is anybody."""
    for name in ("x-forwarded-email", "x-forwarded-user"):
        try:
            return request.headers[name]
        except KeyError:  # Gradio 3 has no get
            pass
    return "nobody"


def greet(name: str, request: gr.Request) -> str:
    """Answers with who the event's request speaks for."""
    return f"Hello {name}, you are {person(request)}"


def introduce(request: gr.Request) -> str:
    """Says on load who opened the page, and which process answers."""
    return f"{person(request)} at {os.getpid()}"


def count(so_far: int) -> tuple[int, str]:
    """Counts this page's clicks in the page's own state."""
    return so_far + 1, f"clicked {so_far + 1}"


def walk() -> Iterator[str]:
    """Gives one step after the other."""
    for step in range(1, STEPS + 1):
        time.sleep(0.2)
        yield " ".join(str(number) for number in range(1, step + 1))


def crawl() -> Iterator[str]:
    """Like walk, long enough for something to happen meanwhile."""
    for step in range(1, 41):
        time.sleep(0.2)
        yield f"step {step} of 40"


def export() -> str:
    """Writes a file and hands Gradio its path."""
    path = Path(tempfile.mkdtemp()) / "report.txt"
    path.write_text("a report\n" * 20_000)
    return str(path)


def paint() -> Any:
    """Draws a red square."""
    from PIL import Image

    return Image.new("RGB", (40, 40), (200, 30, 30))


def measure(upload: Any) -> str:
    """Says how large an uploaded file is. Gradio 3 gives a file object, later ones a path."""
    path = Path(getattr(upload, "name", upload))
    return f"{path.name}: {path.stat().st_size} bytes"


def desk(app: gr.Blocks) -> None:
    """Lays out the sampler's parts where the caller is laying out."""
    who = gr.Textbox(label="Who", elem_id="who")
    app.load(introduce, None, who)

    name = gr.Textbox("World", label="Name", elem_id="name")
    answer = gr.Textbox(label="Answer", elem_id="answer")
    gr.Button("Greet", elem_id="greet").click(greet, name, answer, api_name="greet")

    clicks = gr.State(0)
    counted = gr.Textbox(label="Counted", elem_id="counted")
    gr.Button("Count", elem_id="count").click(count, clicks, [clicks, counted])

    steps = gr.Textbox(label="Steps", elem_id="steps")
    gr.Button("Walk", elem_id="walk").click(walk, None, steps)
    gr.Button("Crawl", elem_id="crawl").click(crawl, None, steps)

    file = gr.File(label="Report", elem_id="file")
    gr.Button("Export", elem_id="export").click(export, None, file)

    picture = gr.Image(label="Picture", elem_id="picture")
    gr.Button("Paint", elem_id="paint").click(paint, None, picture)

    upload = gr.File(label="Upload", elem_id="upload")
    size = gr.Textbox(label="Size", elem_id="size")
    upload.upload(measure, upload, size)


def build() -> gr.Blocks:
    """Lays out the page."""
    with gr.Blocks(title="Sampler") as app:
        gr.Markdown("# Sampler")
        desk(app)
    return app.queue()  # Gradio 3 runs generators only with it; it is the default since


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--root-path")
    parser.add_argument("--mount", help="serve it from an application of FastAPI, at this path")
    args = parser.parse_args()
    if args.mount:
        import fastapi
        import uvicorn

        app = gr.mount_gradio_app(
            fastapi.FastAPI(), build(), path=args.mount, root_path=args.root_path
        )
        uvicorn.run(app, host="127.0.0.1", port=args.port, log_level="warning")
    elif args.root_path:
        build().launch(server_port=args.port, root_path=args.root_path)
    else:
        build().launch(server_port=args.port)


if __name__ == "__main__":
    main()
