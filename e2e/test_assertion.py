"""What docs/assertion.md shows an app to do, against what Gatehouse signs for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import run
from threading import Thread

import pytest
from harness.docs import run_python, shown
from harness.gatehouse import Gatehouse, running_gatehouse
from harness.net import ask
from harness.provider import Provider

ROUTES = """\
  - path: /gradio/admin
    upstream: http://127.0.0.1:{port}
    bearer: true
    allow: authenticated
  - path: /gradio/user
    upstream: http://127.0.0.1:{port}
    bearer: true
    allow: authenticated
assertion:
  key_file: {key}
"""


class Parrot(BaseHTTPRequestHandler):
    """An app that says what it was told."""

    def do_GET(self) -> None:
        said = self.headers.get("X-Gatehouse-Assertion", "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def signing(gatehouse_binary: Path, provider: Provider, tmp_path: Path) -> Iterator[Gatehouse]:
    key = tmp_path / "assertion.pem"
    key.write_bytes(
        run([gatehouse_binary, "keygen", "--assertion"], capture_output=True, check=True).stdout
    )
    app = ThreadingHTTPServer(("127.0.0.1", 0), Parrot)
    Thread(target=app.serve_forever, daemon=True).start()
    try:
        routes = ROUTES.format(port=app.server_port, key=key)
        with running_gatehouse(
            gatehouse_binary, tmp_path, provider, routes, session_tokens=True
        ) as started:
            yield started
    finally:
        app.shutdown()
        app.server_close()


def test_the_five_lines_of_the_page_say_who_it_is_and_take_nothing_else(
    signing: Gatehouse, provider: Provider, tmp_path: Path
) -> None:
    token = provider.order("session-token", person="ada")["token"]

    def asserted(path: str) -> str:
        answer = ask("GET", signing.url + path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status == 200, answer.body
        return answer.body.decode()

    ours, theirs = asserted("/gradio/admin/"), asserted("/gradio/user/")
    head, claims, signature = ours.split(".")
    forged = f"{head}.{theirs.split('.')[1]}.{signature}"
    checking = shown("assertion.md", "python")[0].replace("https://apps.example.com", signing.url)
    assert signing.url in checking
    program = f"""{checking}
person = who({ours!r})
print(person["sub"], person["roles"], list(person["tenants"]))
for bad in {[theirs, forged, f"{head}.{claims}.", ""]!r}:
    try:
        print("taken:", who(bad))
    except jwt.PyJWTError:
        pass
"""
    done = run_python(program, tmp_path, {}, Path(sys.executable))
    assert done.stdout.split() == ["U2ada", "['Tenant", "Admin']", "['T2acme']"], done.stderr
