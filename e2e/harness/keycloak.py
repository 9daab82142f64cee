"""Keycloak, a provider that nobody here wrote, and what its page of the docs says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page

from harness.dashboards import ADMIN, ROOT, USER
from harness.docs import shown
from harness.gatehouse import Gatehouse, serving
from harness.net import ask, free_ports, wait_until_good
from harness.process import Process

HOME = ROOT / ".cache" / "keycloak"  # e2e/keycloak.sh puts it there
PAGE = "other-providers.md"
REALM = "acme"
TOKEN_LIFE = 6  # seconds; Gatehouse refreshes in the last fifth
PASSWORD = "correct horse battery staple"
SECRET = "what-the-console-would-make-up"
ENVIRONMENT = {  # what the page's configuration expands
    "KEYCLOAK_CLIENT_SECRET": SECRET,
    "GATEHOUSE_SESSION_SECRET": "end-to-end-tests-write-no-real-sessions",
}
ADMINISTRATOR = ("administrator", "of-a-server-that-lives-for-one-run")


@dataclass(frozen=True)
class Keycloak:
    """A running server. url has no slash at its end."""

    process: Process
    url: str

    @property
    def issuer(self) -> str:
        return f"{self.url}/realms/{REALM}"

    @property
    def wiki(self) -> str:
        """Where the realm's other app would be: a page that needs no app."""
        return f"{self.url}/realms/master"

    def token(self, realm: str, client: str, secret: str) -> str:
        """An access token of a client for itself."""
        answer = ask(
            "POST",
            f"{self.url}/realms/{realm}/protocol/openid-connect/token",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(
                {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
            ).encode(),
            timeout=60,
        )
        assert answer.status == 200, answer.body
        token: str = answer.json()["access_token"]
        return token

    def order(self, method: str, path: str, body: Any = None) -> Any:
        """Does what the admin console does, by the REST API below /admin/realms."""
        answer = ask(
            method,
            f"{self.url}/admin/realms{path}",
            headers={
                "Authorization": f"Bearer {self.token('master', *ADMINISTRATOR)}",
                "Content-Type": "application/json",
            },
            body=None if body is None else json.dumps(body).encode(),
            timeout=60,
        )
        assert 200 <= answer.status < 300, (method, path, answer.status, answer.body)
        return json.loads(answer.body) if answer.body else None

    def user(self, name: str) -> str:
        """The path of a user of the realm."""
        (found,) = self.order("GET", f"/{REALM}/users?exact=true&username={name}")
        return f"/{REALM}/users/{found['id']}"

    def client(self, name: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = self.order("GET", f"/{REALM}/clients?clientId={name}")
        return found[0]

    def sessions(self, name: str) -> list[dict[str, Any]]:
        """The user's sign-ins that Keycloak knows of, the oldest first."""
        found: list[dict[str, Any]] = self.order("GET", f"{self.user(name)}/sessions")
        return sorted(found, key=lambda session: session["start"])

    def events(self, kind: str, name: str) -> list[dict[str, Any]]:
        """What happened to the user, of this kind or, as Keycloak logs it, with _ERROR."""
        user = self.user(name).rpartition("/")[2]
        found: list[dict[str, Any]] = self.order("GET", f"/{REALM}/events?type={kind}&user={user}")
        return found

    def take_role(self, name: str) -> None:
        """Takes the role Admin of acme from the user."""
        acme = self.client("acme")["id"]
        role = self.order("GET", f"/{REALM}/clients/{acme}/roles/Admin")
        self.order("DELETE", f"{self.user(name)}/role-mappings/clients/{acme}", [role])

    def take_group(self, name: str) -> None:
        """Takes the user out of the group staff."""
        user = self.user(name)
        (group,) = self.order("GET", f"{user}/groups")
        self.order("DELETE", f"{user}/groups/{group['id']}")


def start_keycloak() -> Process:
    """Starts the server without waiting: it boots while other tests run.

    It finds a port by itself when it has booted: one found now would be free no more.

    The distribution comes built, for a database in files. kc.sh would still build it anew
    at its first start, half a minute's work, unless it is told that this was just done;
    and of the database only the address is left to say, which is one in memory.
    """
    client, secret = ADMINISTRATOR
    return Process(
        "keycloak",
        [
            *("bash", HOME / "bin" / "kc.sh", "-Dkc.config.built=true", "start"),
            *("--http-enabled=true", "--http-host=127.0.0.1", "--http-port=0"),
            *("--hostname-strict=false", "--cache=local"),
            "--db-url=jdbc:h2:mem:keycloak;NON_KEYWORDS=VALUE;DB_CLOSE_DELAY=-1",
        ],
        env={
            "KC_BOOTSTRAP_ADMIN_CLIENT_ID": client,
            "KC_BOOTSTRAP_ADMIN_CLIENT_SECRET": secret,
            "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1",  # it runs for a minute or two
        },
    )


def wait_for_keycloak(process: Process) -> Keycloak:
    url = process.wait_for_line(r"Listening on: (http://127\.0\.0\.1:\d+)", within=300).group(1)
    wait_until_good(f"{url}/realms/master", process)
    return Keycloak(process, url)


# The page's words for what only a test knows.


def as_here(text: str, public_url: str, keycloak: Keycloak) -> str:
    text = text.replace("https://apps.example.com", public_url)
    return text.replace("https://keycloak.example.com", keycloak.url)


@contextmanager
def gatehouse_of_the_page(
    binary: Path, file: Path, keycloak: Keycloak, dashboards: dict[str, int]
) -> Iterator[Gatehouse]:
    """Makes the realm with the page's clients, and serves the page's configuration from file."""
    (port,) = free_ports(1)
    public_url = f"http://localhost:{port}"
    (configuration,) = (as_here(text, public_url, keycloak) for text in shown(PAGE, "yaml"))
    clients = [json.loads(as_here(text, public_url, keycloak)) for text in shown(PAGE, "json")]
    clients.append({"clientId": "wiki", "publicClient": True, "redirectUris": [keycloak.wiki]})
    keycloak.order("POST", "", realm(clients))
    for upstream, dashboard in ((":7861", ADMIN), (":7862", USER)):
        assert upstream in configuration
        configuration = configuration.replace(upstream, f":{dashboards[dashboard.prefix]}")
    file.write_text(configuration)
    with serving(binary, file, public_url, env=ENVIRONMENT) as started:
        yield started


def realm(clients: list[dict[str, Any]]) -> dict[str, Any]:
    """Short-lived tokens, refresh tokens that are good once, and a few people."""
    return {
        "realm": REALM,
        "enabled": True,
        "accessTokenLifespan": TOKEN_LIFE,
        "revokeRefreshToken": True,
        "refreshTokenMaxReuse": 0,
        "eventsEnabled": True,
        "enabledEventTypes": ["REFRESH_TOKEN", "REFRESH_TOKEN_ERROR"],
        "roles": {"client": {"acme": [{"name": "Admin"}]}},
        "groups": [{"name": "staff"}],
        "clients": [
            {"clientId": "acme", "standardFlowEnabled": False},
            {"clientId": "stranger", "serviceAccountsEnabled": True, "secret": SECRET},
            *({"secret": SECRET, **client} for client in clients),
        ],
        "users": [
            person("ada", "Ada", "Admin", admin=True),
            person("bob", "Bob", "Member", staff=True),
            person("cleo", "Cleo", "Clerk", admin=True, staff=True),
            person("dora", "Dora", "Doer", admin=True),
            person("emil", "Emil", "Early", staff=True),
            {
                "username": "service-account-nightly",
                "enabled": True,
                "serviceAccountClientId": "nightly",
                "clientRoles": {"acme": ["Admin"]},
            },
        ],
    }


def person(
    name: str, first: str, last: str, *, admin: bool = False, staff: bool = False
) -> dict[str, Any]:
    return {
        "username": name,
        "email": f"{name}@acme.example",
        "emailVerified": True,
        "firstName": first,
        "lastName": last,
        "enabled": True,
        "credentials": [{"type": "password", "value": PASSWORD}],
        "clientRoles": {"acme": ["Admin"]} if admin else {},
        "groups": ["staff"] if staff else [],
    }


class KeycloakPage:
    """Keycloak's own pages in a tab."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        self.page.locator("#username").fill(name)
        self.page.locator("#password").fill(password)
        self.page.locator("#kc-login").click()
