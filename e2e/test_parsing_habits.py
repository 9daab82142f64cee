"""However a path is spelled, no server reads the admin's part where a member is let through.

The same server stands behind a member's route and, below it, the admin's: where it
and Gatehouse read a path differently, the member would get what is the admin's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import build
from harness.bytewise import Reply, ask_all
from harness.gatehouse import Gatehouse, running_gatehouse
from harness.parts import PROGRAMS, SERVERS_OF_FILES, running_parts
from harness.provider import Provider
from harness.spellings import Spellings

# The first test waits for all servers, on a busy machine for long.
pytestmark = pytest.mark.timeout(240)

SPELLINGS = 800  # of each server's addresses, in each of two layouts
MEMBERS, ADMIN = "part: members", "part: admin"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    mux = build("./e2e/parts/mux", tmp_path_factory.mktemp("bin"))
    with running_parts(tmp_path_factory.mktemp("tree"), mux) as ports:
        yield ports


def routes_to(name: str, port: int) -> str:
    """A member's route and the admin's below it, with the prefix kept and stripped."""
    written = ""
    for path, strip in ((f"/{name}", "false"), (f"/strip/{name}", "true")):
        where = f"    preset: plain\n    strip_path: {strip}\n    upstream: http://127.0.0.1:{port}\n"
        written += f"  - path: {path}\n{where}    allow: authenticated\n"
        written += f"  - path: {path}/admin\n{where}    allow:\n      - roles: [Tenant Admin]\n"
    return written


@pytest.fixture(scope="module")
def house(
    gatehouse_binary: Path,
    provider: Provider,
    parts: dict[str, int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gatehouse]:
    routes = "".join(routes_to(name, port) for name, port in parts.items())
    folder = tmp_path_factory.mktemp("habits")
    with running_gatehouse(gatehouse_binary, folder, provider, routes) as started:
        yield started


def cookie_of(person: str, house: Gatehouse) -> str:
    with httpx.Client(follow_redirects=True) as browser:
        page = browser.get(house.url + "/auth/login")
        browser.post(page.url, data={"person": person})
        return f"{house.cookie}={browser.cookies[house.cookie]}"


@pytest.fixture(scope="module")
def bob(house: Gatehouse) -> str:
    return cookie_of("bob", house)


@pytest.fixture(scope="module")
def ada(house: Gatehouse) -> str:
    return cookie_of("ada", house)


def part_of(reply: Reply) -> str:
    """The part that an answer is from, and by which reading."""
    found = re.search(rb"part: \w+(?: \(.*\))?", reply.head.replace(b"X-Part", b"part") + reply.body)
    return found.group(0).decode() if found else ""


def ask_on(house: Gatehouse, targets: Sequence[bytes], cookie: str) -> Iterator[tuple[bytes, Reply]]:
    """Asks for all of them, and for wherever the answers lead, as a browser does."""
    where = urlsplit(house.url)
    assert where.port
    for _ in range(3):
        onward: list[bytes] = []
        for target, reply in ask_all(where.port, where.netloc, targets, cookie):
            yield target, reply
            to = reply.header("Location")
            if reply.status // 100 == 3 and (to.startswith("/") or to.startswith(house.url + "/")):
                onward.append(to.removeprefix(house.url).encode("latin-1"))
        targets = onward


def addresses(path: str) -> tuple[str, ...]:
    return tuple(path + end for end in ("/admin/secret", "/admin", "/admin/", "/x/../admin/secret"))


@pytest.mark.parametrize("layout", ["", "/strip"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_no_spelling_leads_a_member_into_the_admins_part(
    house: Gatehouse, bob: str, name: str, layout: str
) -> None:
    path = f"{layout}/{name}"
    seed = sum(path.encode())
    spellings = Spellings(seed, urlsplit(house.url).netloc).of(addresses(path), SPELLINGS)

    seen: dict[str, int] = {}
    for target, reply in ask_on(house, list(spellings), bob):
        part = part_of(reply)
        seen[part or str(reply.status)] = seen.get(part or str(reply.status), 0) + 1
        assert not part.startswith(ADMIN), (target, part)
        assert reply.status != 500, (target, reply)

    print(path, seen)
    # Had nothing passed, nothing would have been tried; of files, few exist.
    assert seen.get(MEMBERS, 0) >= (2 if name in SERVERS_OF_FILES else SPELLINGS // 50), seen


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_spellings_would_lead_past_a_proxy_that_compares_prefixes(
    house: Gatehouse, parts: dict[str, int], ada: str, name: str
) -> None:
    """Each server by itself: what the test above tries is what it would fall for."""
    path = f"/{name}"
    spellings = [s for s in Spellings(1, "localhost").of(addresses(path), SPELLINGS) if s.startswith(b"/")]
    fooled = [
        target
        for target, reply in ask_all(parts[name], "localhost", spellings)
        if part_of(reply).startswith(ADMIN) and not re.match(rf"/{name}/admin(?:[/?]|$)".encode(), target)
    ]
    print(name, len(fooled), fooled[:5])
    assert fooled

    answers = list(ask_on(house, [f"/{name}/admin/secret".encode()], ada))
    assert name == "gradio" or part_of(answers[0][1]).startswith(ADMIN), answers
