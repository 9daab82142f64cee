"""A dashboard for everybody: a plain Gradio app.

    python user_dashboard.py --port 7862
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from launch import launch
from person import Person, card


def greet(mood: str, request: gr.Request) -> str:
    """Answers the person who clicked, by the name that the proxy sent."""
    person = Person.of(request)
    return f"Hello {person.called} ({person.email or 'no address'}), today you feel {mood.lower()}."


def tell(text: str) -> Iterator[str]:
    """Gives the words back one at a time, as a language model would."""
    said: list[str] = []
    for word in text.split():
        time.sleep(0.2)
        said.append(word)
        yield " ".join(said)


def save_notes(notes: str, request: gr.Request) -> str:
    """Writes the notes to a file and hands Gradio its path."""
    path = Path(tempfile.mkdtemp()) / "notes.txt"
    path.write_text(f"Notes of {Person.of(request).called}\n\n{notes}\n", encoding="utf-8")
    return str(path)


def measure(path: str | None) -> str:
    """Says how large an uploaded file is."""
    if path is None:
        return "Choose a file first."
    file = Path(path)
    return f"{file.name}: {file.stat().st_size:,} bytes"


def build() -> gr.Blocks:
    """Lays out the page."""
    with gr.Blocks(title="User dashboard", analytics_enabled=False) as app:
        gr.Markdown("# User dashboard\nYour own corner: say hello, listen, keep notes.")
        who = gr.HTML(elem_id="person")
        app.load(card, outputs=who, api_name="whoami")

        with gr.Tab("Greet"):
            mood = gr.Radio(["Fine", "Curious", "Tired"], value="Curious", label="Mood")
            answer = gr.Textbox(label="Answer", interactive=False, elem_id="answer")
            gr.Button("Greet me", variant="primary").click(greet, mood, answer, api_name="greet")

        with gr.Tab("Listen"):
            text = gr.Textbox(
                "The quick brown fox jumps over the lazy dog and comes home in time for tea.",
                label="What to say",
                lines=2,
                elem_id="text",
            )
            story = gr.Textbox(label="Word by word", lines=3, interactive=False, elem_id="log")
            with gr.Row():
                start = gr.Button("Start", variant="primary")
                stop = gr.Button("Stop", variant="stop")
            running = start.click(tell, text, story, api_name="tell")
            stop.click(None, cancels=[running])

        with gr.Tab("Notes"):
            notes = gr.Textbox(label="Notes", lines=4, elem_id="notes")
            saved = gr.File(label="Your notes", interactive=False, elem_id="export")
            gr.Button("Save as file", variant="primary").click(
                save_notes, notes, saved, api_name="save"
            )

        with gr.Tab("Upload"):
            upload = gr.File(label="Any file", type="filepath", elem_id="upload")
            size = gr.Textbox(label="Size", interactive=False, elem_id="size")
            upload.upload(measure, upload, size, api_name="measure")
    return app


if __name__ == "__main__":
    launch(build(), "emerald")
