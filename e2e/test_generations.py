"""Four generations of Gradio, launched as they are: as if no proxy were there."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.browser import Visitor
from harness.lab import admins, everybodys
from harness.net import ask
from harness.routes import body_of, registered_routes, requests_to
from harness.sampler import STUDIO, Generation
from harness.studio import StudioPage

# The first test of a module waits for its programs, on a busy machine for long.
pytestmark = pytest.mark.timeout(240)


def test_the_page_loads_runs_events_keeps_state_and_loads_again(app: StudioPage) -> None:
    assert app.person() == "bob@acme.example"
    app.greet("bob@acme.example")
    app.count_to(3)

    app.page.reload()

    app.wait_until_loaded()
    assert app.person() == "bob@acme.example"
    app.count_to(1)  # a page loaded anew has a state of its own
    app.greet("bob@acme.example")


def test_a_generator_streams_step_by_step(app: StudioPage) -> None:
    app.walk()
    app.walk()


def test_files_and_pictures_come_and_go(app: StudioPage, tmp_path: Path) -> None:
    app.download()
    app.see_picture()
    app.upload(tmp_path)


def test_the_queue_takes_the_way_that_the_generation_has(
    bob: Visitor, generation: Generation
) -> None:
    """Else the other tests might pass with a Gradio that they do not mean."""
    requests: list[str] = []
    bob.context.on("request", lambda request: requests.append(request.url))

    bob.sign_in("bob", everybodys(generation) + "/")
    StudioPage(bob).wait_until_loaded()

    prefix = bob.url + everybodys(generation)
    if generation.name == "3.50":
        (joined,) = {socket.url for socket in bob.web_sockets}
        assert joined == prefix.replace("http:", "ws:") + "/queue/join"
    else:
        assert not bob.web_sockets
        joined = f"{prefix}{generation.api}/queue/join"
        assert any(url.startswith(joined) for url in requests), requests


def test_a_member_is_denied_every_route_of_the_running_admin_app(
    bob: Visitor, generation: Generation
) -> None:
    routes = registered_routes(STUDIO, generation.python)
    api = generation.api
    # Where the walk over the app's routers breaks, these would be the first to miss.
    paths = {route.path for route in routes}
    assert paths >= {"/", "/config", f"{api}/queue/join", f"{api}/upload", f"{api}/info"}, paths
    assert any(path.startswith(f"{api}/file={{") for path in paths), paths
    if api:
        assert f"{api}/mcp" in paths, paths
    bob.sign_in("bob", everybodys(generation) + "/")
    cookie = {"Cookie": bob.cookie_header()}

    wrong: list[str] = []
    for method, path in requests_to(routes, admins(generation)):
        answer = ask(method, bob.url + path, headers=cookie, body=body_of(method))
        if answer.status != 403 or not (method == "HEAD" or "request_id" in answer.json()):
            wrong.append(f"{method} {path}: {answer.status} {answer.body[:200]!r}")

    assert not wrong, "\n".join(wrong)
    # The same requests reach the app below the prefix that is open to members.
    assert ask("GET", bob.url + everybodys(generation) + "/config", headers=cookie).status == 200
