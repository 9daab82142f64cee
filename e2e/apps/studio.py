"""The sampler and all that a generation of Gradio has beyond it, a tab each.

    python studio.py --port 7861

Sound and film are made by ffmpeg, which Gradio itself needs to stream them.
"""

from __future__ import annotations

import argparse
import inspect
import math
import struct
import subprocess
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from sampler import desk

RATE = 22_050  # samples a second
HAS_PAGES = hasattr(gr.Blocks, "route")  # since 5.0
HAS_RENDER = hasattr(gr, "render")  # since 4.30
HAS_UNLOAD = hasattr(gr.Blocks, "unload")  # since 4.0
HAS_DEEP_LINKS = hasattr(gr, "DeepLinkButton")  # since 5.23
HAS_HLS = "streaming" in inspect.signature(gr.Video.__init__).parameters  # since 5.0


def tone(seconds: float) -> str:
    """Writes a WAV file of a quiet note."""
    path = Path(tempfile.mkdtemp()) / "tone.wav"
    samples = (int(3_000 * math.sin(i / RATE * 440 * math.tau)) for i in range(int(RATE * seconds)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return str(path)


def play() -> str:
    return tone(1)


def sing() -> Iterator[str]:
    """Gives a note a second at a time."""
    for _ in range(3):
        yield tone(1)


def clip() -> str:
    """Has ffmpeg draw a second of film with sound."""
    path = Path(tempfile.mkdtemp()) / "clip.mp4"
    subprocess.run(
        [
            *("ffmpeg", "-loglevel", "error"),
            *("-f", "lavfi", "-i", "testsrc=duration=1:size=160x120:rate=10"),
            *("-f", "lavfi", "-i", "sine=frequency=440:duration=1"),
            *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "10"),
            *("-c:a", "aac", "-shortest", str(path)),
        ],
        check=True,
    )
    return str(path)


def film() -> Iterator[str]:
    """Gives a film a second at a time."""
    for _ in range(3):
        yield clip()


def talk(message: str, history: Any, request: gr.Request) -> Iterator[str]:
    """Answers word by word."""
    said = f"{request.headers['x-forwarded-email']} said {message}"
    words = said.split()
    for end in range(1, len(words) + 1):
        time.sleep(0.05)
        yield " ".join(words[:end])


def goodbye(request: gr.Request) -> None:
    """Runs when a page is closed, and says whose it was."""
    print(f"goodbye {request.headers['x-forwarded-email']}", flush=True)


def media() -> None:
    sound = gr.Audio(label="Sound", elem_id="sound")
    gr.Button("Play", elem_id="play").click(play, None, sound)

    song = gr.Audio(label="Song", elem_id="song", streaming=True, autoplay=True)
    gr.Button("Sing", elem_id="sing").click(sing, None, song)

    if HAS_HLS:
        screen = gr.Video(label="Film", elem_id="film", streaming=True, autoplay=True)
        gr.Button("Roll", elem_id="roll").click(film, None, screen)


def rendered() -> None:
    many = gr.Number(value=0, precision=0, label="How many", elem_id="many")

    # Once a change: who clicks between two layouts clicks what Gradio no longer has, a 500.
    @gr.render(inputs=many, triggers=[many.submit])
    def lay_out(count: float) -> None:
        for number in range(1, int(count) + 1):
            box = gr.Textbox(label=f"Box {number}", elem_id=f"box-{number}")
            gr.Button(f"Fill {number}", elem_id=f"fill-{number}").click(filler(number), None, box)


def filler(number: int) -> Callable[[gr.Request], str]:
    def fill(request: gr.Request) -> str:
        return f"box {number} of {request.headers['x-forwarded-email']}"

    return fill


def build() -> gr.Blocks:
    """Lays out the pages."""
    with gr.Blocks(title="Studio") as app:
        gr.Markdown("# Sampler")
        with gr.Tab("Desk"):
            desk(app)
        with gr.Tab("Media"):
            media()
        with gr.Tab("Chat"):
            gr.ChatInterface(talk)
        if HAS_RENDER:
            with gr.Tab("Rendered"):
                rendered()
        if HAS_DEEP_LINKS:
            gr.DeepLinkButton()
        if HAS_UNLOAD:
            app.unload(goodbye)
    if HAS_PAGES:
        with app.route("Second", "/second"):
            gr.Markdown("# The second page")
            name = gr.Textbox(label="Name", elem_id="second-name")
            answer = gr.Textbox(label="Answer", elem_id="second-answer")
            gr.Button("Greet", elem_id="second-greet").click(second, name, answer)
    return app.queue()


def second(name: str, request: gr.Request) -> str:
    return f"Hello {name} on page two, you are {request.headers['x-forwarded-email']}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    build().launch(server_port=parser.parse_args().port)


if __name__ == "__main__":
    main()
