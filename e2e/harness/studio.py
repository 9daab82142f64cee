"""The studio app's further tabs, and what a person does on them."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, TimeoutError, expect

from harness.sampler import SamplerPage

# A browser on a busy machine has other things to do than to play on time.
TO_THE_END = 40_000  # milliseconds


class StudioPage(SamplerPage):
    """The app in a tab."""

    def open_tab(self, name: str) -> None:
        """Gradio 3 calls its tabs buttons."""
        buttons = self.page.get_by_role("button", name=name, exact=True)
        self.page.get_by_role("tab", name=name).or_(buttons).first.click()
        # The parts of a tab arrive when it is opened, and an output that comes before its
        # player is there stays unseen (Gradio 5.49).
        self.visitor.settle()

    def hear_sound(self) -> None:
        """A sound that has come knows how long it is."""
        self.click("play")
        try:
            self.page.wait_for_function(
                """() => {
                    const shown = document.querySelector('#sound #duration')?.textContent;
                    return shown === '0:01' || document.querySelector('#sound audio')?.duration === 1;
                }""",
            )
        except TimeoutError as error:
            raise AssertionError(f"the sound did not come: {self.state_of_player('sound')}") from error

    def play_to_the_end(self, element: str, seconds: float) -> None:
        """Waits until the stream in element has played this long, step by step."""
        try:
            self.page.wait_for_function(
                """([element, seconds]) => {
                    const player = document.querySelector(`#${element} :is(audio, video)`);
                    if (player?.error) throw new Error(player.error.message);
                    return player && player.currentTime >= seconds;
                }""",
                arg=[element, seconds],
                timeout=TO_THE_END,
            )
        except TimeoutError as error:
            raise AssertionError(f"{element} did not play: {self.state_of_player(element)}") from error

    def state_of_player(self, element: str) -> Any:
        return self.page.evaluate(
            """element => {
                const player = document.querySelector(`#${element} :is(audio, video)`);
                if (!player) return document.querySelector(`#${element}`)?.outerHTML;
                const { currentTime, duration, paused, ended, seeking, readyState, networkState, currentSrc } = player;
                const buffered = [...Array(player.buffered.length).keys()].map(i => [player.buffered.start(i), player.buffered.end(i)]);
                return { currentTime, duration, paused, ended, seeking, readyState, networkState, currentSrc, buffered };
            }""",
            element,
        )

    def chat(self, message: str, answer: str) -> None:
        box = self.page.locator("textarea:visible").last
        box.fill(message)
        box.press("Enter")
        expect(self.page.get_by_text(answer)).to_be_visible()

    def render(self, boxes: int, person: str) -> None:
        """Asks for so many boxes, which are not there before, and fills the last one."""
        number = self.page.locator("#many input[type=number]")
        number.fill(str(boxes))
        number.press("Enter")
        self.click(f"fill-{boxes}")
        expect(self.output(f"box-{boxes}")).to_have_value(f"box {boxes} of {person}")

    def share(self) -> str:
        """Presses the button that makes a deep link, and returns the link."""
        self.page.evaluate("navigator.clipboard.writeText('')")
        self.page.get_by_role("button", name="Share via Link").click()
        expect(self.page.get_by_role("button", name="Link Copied!")).to_be_visible()
        # The button says so before the clipboard has it. wait_for_function would take
        # the promise for the text.
        return self.page.evaluate(
            """async () => {
                const last = performance.now() + 10_000;
                for (;;) {
                    const text = await navigator.clipboard.readText();
                    if (text || performance.now() > last) return text;
                    await new Promise(requestAnimationFrame);
                }
            }"""
        )


def greet_on_the_second_page(page: Page, person: str) -> None:
    expect(page.get_by_role("heading", name="The second page")).to_be_visible()
    page.locator("#second-name textarea, #second-name input").fill("Grace")
    page.locator("#second-greet").click()
    answer = page.locator("#second-answer textarea, #second-answer input")
    expect(answer).to_have_value(f"Hello Grace on page two, you are {person}")
