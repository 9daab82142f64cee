"""What Gradio has beyond boxes and buttons, on each generation that has it."""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from harness.browser import Visitor
from harness.lab import Lab, everybodys, somebody
from harness.net import ask
from harness.provider import Provider
from harness.sampler import GENERATIONS, NEWEST, Generation
from harness.stream import open_stream
from harness.studio import StudioPage, greet_on_the_second_page
from playwright.sync_api import expect

# The first test of a module waits for its programs, on a busy machine for long.
pytestmark = pytest.mark.timeout(240)

BOB = "bob@acme.example"

# What the player of playlists says, and goes on, where a piece comes later than it is due.
PLAYER_WAITS = r"HLS error: hlsError \{type: mediaError, details: buffer(NudgeOnStall|StalledError)\b"


def generations(*names: str) -> pytest.MarkDecorator:
    """Those that have the feature; the others have nothing to test."""
    these = [generation for generation in GENERATIONS if generation.name in names]
    return pytest.mark.parametrize(
        "generation", these, ids=lambda generation: f"gradio_{generation.name}"
    )


since_4 = generations("4.44", "5.49", "6")
since_5 = generations("5.49", "6")


def test_sound_and_film_come_whole_and_as_streams(
    app: StudioPage, bob: Visitor, generation: Generation
) -> None:
    """A stream is one long answer before 5.0, and a playlist (HLS) with its pieces since."""
    bob.overlook(PLAYER_WAITS)
    answers: list[str] = []
    app.page.on("response", lambda answer: answers.append(urlsplit(answer.url).path))
    app.open_tab("Media")

    app.hear_sound()
    app.click("sing")
    app.play_to_the_end("song", 2.9)

    streams = [path for path in answers if path.startswith(everybodys(generation) + generation.api + "/stream/")]
    if not generation.api:
        assert len(set(streams)) == 1, streams
        return
    assert any(path.endswith("/playlist.m3u8") for path in streams), streams
    assert len({path for path in streams if path.endswith(".aac")}) >= 3, streams
    app.click("roll")
    app.play_to_the_end("film", 2.9)
    assert len({path for path in answers if path.endswith(".ts")}) >= 3, answers


def test_a_chat_answers_word_by_word_and_knows_who_it_is(app: StudioPage) -> None:
    app.open_tab("Chat")

    app.chat("good morning to you", f"{BOB} said good morning to you")
    app.chat("and good night", f"{BOB} said and good night")


@since_4
def test_what_is_laid_out_on_the_fly_works(app: StudioPage) -> None:
    app.open_tab("Rendered")

    app.render(3, BOB)


@since_5
def test_every_page_of_an_app_has_its_address(
    app: StudioPage, bob: Visitor, generation: Generation
) -> None:
    address = bob.url + everybodys(generation) + "/second"

    app.page.get_by_role("link", name="Second", exact=True).click()

    greet_on_the_second_page(app.page, BOB)
    assert app.page.url == address
    app.page.reload()
    greet_on_the_second_page(app.page, BOB)
    if generation is NEWEST:  # 5.49 answers an address with a slash, too, but with an empty page
        bob.open(address + "/")
        greet_on_the_second_page(app.page, BOB)
        assert app.page.url == address
    app.page.get_by_role("link", name="Home", exact=True).click()
    app.wait_until_loaded()


@since_5
def test_a_deep_link_shows_another_person_what_this_one_saw(
    app: StudioPage,
    bob: Visitor,
    new_visitor: Callable[..., Visitor],
    lab: Lab,
    provider: Provider,
    generation: Generation,
) -> None:
    bob.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=bob.url)
    app.page.locator("#name textarea, #name input").fill("Linda")
    app.click("greet")
    expect(app.output("answer")).to_have_value(f"Hello Linda, you are {BOB}")

    link = app.share()

    assert link.startswith(f"{bob.url}{everybodys(generation)}/?deep_link="), link
    ada = somebody(new_visitor, lab, provider, generation)
    ada.open(link)
    ada.start_sign_in()
    ada.choose("ada")
    ada.page.wait_for_url(link)
    hers = StudioPage(ada)
    hers.wait_until_loaded()
    assert hers.person() == "ada@acme.example"
    expect(ada.page.locator("#name textarea, #name input")).to_have_value("Linda")
    expect(hers.output("answer")).to_have_value(f"Hello Linda, you are {BOB}")


@since_4
def test_closing_the_page_runs_what_the_app_does_then(
    app: StudioPage, lab: Lab, bob: Visitor, generation: Generation
) -> None:
    """Gradio learns it from its heartbeat's end, and whose page it was from its headers."""
    process = lab.apps[generation]
    before = process.output.count(f"goodbye {BOB}")

    app.page.close()

    process.wait_until(lambda output: output.count(f"goodbye {BOB}") > before)


@since_4
def test_the_progress_of_an_upload_is_told_while_it_goes_on(
    bob: Visitor, generation: Generation
) -> None:
    """Held back on the way, it would have been unknown until it had ended."""
    bob.sign_in("bob", everybodys(generation) + "/theme.css")
    prefix = everybodys(generation) + generation.api
    boundary, half = "frontier", b"x" * 300_000
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="half.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    upload = HTTPConnection("127.0.0.1", urlsplit(bob.url).port, timeout=30)
    upload.putrequest("POST", f"{prefix}/upload?upload_id=slow", skip_host=True)
    for name, value in {
        "Host": urlsplit(bob.url).netloc,
        "Cookie": bob.cookie_header(),
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(len(head) + 2 * len(half) + len(tail)),
    }.items():
        upload.putheader(name, value)
    upload.endheaders(head + half)

    with open_stream(bob, f"{prefix}/upload_progress?upload_id=slow", timeout=30) as progress:
        told = b""
        while b"half.bin" not in told:  # in the middle: the rest has not been sent
            line = progress.readline()
            assert line, told
            told += line
        upload.send(half + tail)
        while b'"done"' not in told:
            line = progress.readline()
            assert line, told
            told += line
    answer = upload.getresponse()
    assert answer.status == 200 and b"half.bin" in answer.read()
    upload.close()


@since_4
def test_a_range_of_a_file_tells_nothing_of_the_request(
    bob: Visitor, generation: Generation
) -> None:
    """Gradio answers it with the headers that it was asked with, the proxy's own included."""
    bob.sign_in("bob", everybodys(generation) + "/theme.css")
    api = bob.url + everybodys(generation) + generation.api
    cookie = {"Cookie": bob.cookie_header()}
    form = (
        b'--frontier\r\nContent-Disposition: form-data; name="files"; filename="abc.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\nabcdefgh\r\n--frontier--\r\n"
    )
    kind = {"Content-Type": "multipart/form-data; boundary=frontier"}
    uploaded = ask("POST", f"{api}/upload", headers={**cookie, **kind}, body=form)
    (path,) = uploaded.json()
    sent = {**cookie, "Range": "bytes=2-4", "Authorization": "Secret 1", "X-Mine": "secret-2"}

    part = ask("GET", f"{api}/file={path}", headers=sent)

    assert (part.status, part.body) == (206, b"cde")
    assert part.headers["content-range"] == "bytes 2-4/8"
    told = " ".join(f"{name}: {value}" for name, value in part.headers.items()).lower()
    for secret in ("gatehouse=", "secret", "bob@acme.example", "x-forwarded", "x-mine"):
        assert secret not in told, part.headers
