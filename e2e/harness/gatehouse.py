"""The built binary with a configuration of the test's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from harness.net import free_ports, wait_until_good
from harness.process import Process
from harness.provider import Provider

CONFIGURATION = """\
listen: 127.0.0.1:{port}
public_url: http://{host}:{port}
admin:
  listen: 127.0.0.1:{admin_port}
descope:
  issuer: {issuer}
  project_id: {project_id}
  client_id: {client_id}
  client_secret: {client_secret}
  session_tokens: {session_tokens}
session:
  secret: end-to-end-tests-write-no-real-sessions
  cookie_domain: "{cookie_domain}"
log:
  level: debug
routes:
{routes}"""


def two_dashboards(admin_port: int, user_port: int) -> str:
    """The routes of most tests: one for Acme's administrators, one for everybody."""
    return f"""\
  - path: /gradio/admin
    title: Admin dashboard
    upstream: http://127.0.0.1:{admin_port}
    allow:
      - tenant: T2acme
        roles: [Tenant Admin]
  - path: /gradio/user
    title: User dashboard
    upstream: http://127.0.0.1:{user_port}
    allow: authenticated
"""


def open_dashboards(admin_port: int, user_port: int) -> str:
    """The same two for scripts and agents too, and with the account menu in their pages."""
    more = "    bearer: true\n    account_menu: true\n"
    admin, user = two_dashboards(admin_port, user_port).split("  - path: /gradio/user\n")
    return f"{admin}{more}  - path: /gradio/user\n{user}{more}"


@dataclass(frozen=True)
class Gatehouse:
    """A running instance. url has no slash at its end."""

    process: Process
    url: str
    admin_url: str
    cookie: str = "gatehouse"  # always its name on plain http


@contextmanager
def running_gatehouse(
    binary: Path,
    folder: Path,
    provider: Provider,
    routes: str,
    *,
    host: str = "localhost",
    cookie_domain: str = "",
    session_tokens: bool = False,
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[Gatehouse]:
    """`gatehouse serve`, ready to sign people in. With a certificate and its key, over TLS."""
    port, admin_port = free_ports(2)
    file = folder / f"gatehouse-{port}.yaml"
    file.write_text(
        CONFIGURATION.format(
            port=port,
            host=host,
            cookie_domain=cookie_domain,
            admin_port=admin_port,
            issuer=provider.issuer,
            project_id=provider.project_id,
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            session_tokens=str(session_tokens).lower(),
            routes=routes,
        )
    )
    url, env = f"http://{host}:{port}", {}
    if certificate:
        url = f"https://{host}:{port}"
        env = {
            "GATEHOUSE_PUBLIC_URL": url,
            "GATEHOUSE_TLS_CERT_FILE": str(certificate[0]),
            "GATEHOUSE_TLS_KEY_FILE": str(certificate[1]),
        }
    with _served(binary, file, url, admin_port, env) as started:
        yield started


@contextmanager
def serving(
    binary: Path, file: Path, public_url: str, *, env: Mapping[str, str]
) -> Iterator[Gatehouse]:
    """`gatehouse serve` with a file that says all but where to listen."""
    (admin_port,) = free_ports(1)
    more = {
        **env,
        "GATEHOUSE_LISTEN": f"127.0.0.1:{urlsplit(public_url).port}",
        "GATEHOUSE_ADMIN_LISTEN": f"127.0.0.1:{admin_port}",
        "GATEHOUSE_LOG_LEVEL": "debug",
    }
    with _served(binary, file, public_url, admin_port, more) as started:
        yield started


@contextmanager
def _served(
    binary: Path, file: Path, url: str, admin_port: int, env: Mapping[str, str]
) -> Iterator[Gatehouse]:
    process = Process("gatehouse", [binary, "serve", "-c", file], env=env)
    try:
        admin_url = f"http://127.0.0.1:{admin_port}"
        wait_until_good(f"{admin_url}/readyz", process, within=20)
        yield Gatehouse(process, url, admin_url)
    finally:
        process.stop()
