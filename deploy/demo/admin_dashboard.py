"""A dashboard for the administrators of a tenant: a plain Gradio app.

    python admin_dashboard.py --port 7861
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pandas as pd

from launch import launch
from person import Person, card

MEMBERS = pd.DataFrame(
    [
        ("Ada Lovelace", "Tenant Admin", 42),
        ("Bob Stone", "Member", 17),
        ("Dora Finch", "Member", 9),
        ("Emil Sand", "Auditor", 4),
    ],
    columns=["Name", "Role", "Runs this week"],
)
RUNS = pd.DataFrame(
    {"Day": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], "Runs": [12, 19, 15, 22, 28, 7, 4]}
)


def greet(note: str, request: gr.Request) -> str:
    """Answers the person who clicked, by the name that the proxy sent."""
    person = Person.of(request)
    roles = ", ".join(person.roles) or "no roles"
    answer = f"Hello {person.called}, you act with {roles} in {person.tenant or 'no tenant'}."
    return f"{answer} You wrote: {note}" if note else answer


def rebuild_index(steps: float) -> Iterator[str]:
    """A slow job that tells how far it is after every step."""
    total = int(steps)
    lines: list[str] = []
    for step in range(1, total + 1):
        time.sleep(0.4)
        lines.append(f"Step {step} of {total} done")
        yield "\n".join(lines)
    yield "\n".join([*lines, "The index is fresh."])


def export_members() -> str:
    """Writes the members to a file and hands Gradio its path."""
    path = Path(tempfile.mkdtemp()) / "members.csv"
    MEMBERS.to_csv(path, index=False)
    return str(path)


def count_members(path: str | None) -> str:
    """Says how large an uploaded list is."""
    if path is None:
        return "Choose a file first."
    file = Path(path)
    with file.open(newline="", encoding="utf-8", errors="replace") as lines:
        rows = sum(1 for _ in csv.reader(lines))
    return f"{file.name}: {file.stat().st_size:,} bytes, {rows:,} rows"


def build() -> gr.Blocks:
    """Lays out the page."""
    with gr.Blocks(title="Admin dashboard", analytics_enabled=False) as app:
        gr.Markdown("# Admin dashboard\nMembers, runs and chores of your tenant.")
        who = gr.HTML(elem_id="person")
        app.load(card, outputs=who, api_name="whoami")

        with gr.Row():
            gr.Dataframe(MEMBERS, label="Members", interactive=False, scale=3)
            gr.BarPlot(
                RUNS,
                x="Day",
                y="Runs",
                title="Runs this week",
                sort=list(RUNS["Day"]),
                y_lim=[0, 30],
                height=240,
                scale=2,
            )

        with gr.Tab("Greet"):
            note = gr.Textbox(label="A note to yourself", placeholder="optional", elem_id="note")
            answer = gr.Textbox(label="Answer", interactive=False, elem_id="answer")
            gr.Button("Greet me", variant="primary").click(greet, note, answer, api_name="greet")

        with gr.Tab("Rebuild index"):
            steps = gr.Slider(1, 20, value=5, step=1, label="Steps", elem_id="steps")
            log = gr.Textbox(label="Log", lines=8, interactive=False, elem_id="log")
            with gr.Row():
                start = gr.Button("Start", variant="primary")
                stop = gr.Button("Stop", variant="stop")
            running = start.click(rebuild_index, steps, log, api_name="rebuild")
            stop.click(None, cancels=[running])

        with gr.Tab("Export"):
            export = gr.File(label="Members as CSV", interactive=False, elem_id="export")
            gr.Button("Export members", variant="primary").click(
                export_members, None, export, api_name="export"
            )

        with gr.Tab("Import"):
            upload = gr.File(label="A list of members", type="filepath", elem_id="upload")
            size = gr.Textbox(label="Size", interactive=False, elem_id="size")
            upload.upload(count_members, upload, size, api_name="import")
    return app


if __name__ == "__main__":
    launch(build(), "indigo")
