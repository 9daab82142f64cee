"""An agent: the MCP SDK's own client, which is given a URL and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

# Where the agent would listen for the browser to come back. Nobody does: the
# person below reads the code from the address that they are sent to.
REDIRECT_URI = "http://127.0.0.1:9/callback"

LONGEST_VISIT = 30.0  # seconds

T = TypeVar("T")


def run(visit: Coroutine[Any, Any, T]) -> T:
    """Runs a visit to its end, on a thread of its own: Playwright's loop has this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, asyncio.wait_for(visit, LONGEST_VISIT)).result()


class Memory:
    """What an agent keeps between its visits: its registration and its tokens."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Person:
    """Whoever the agent sends to the sign-in page, and what the page was asked for."""

    def __init__(self, person: str) -> None:
        self.person = person
        self.asked: dict[str, list[str]] = {}
        self._came_back = ""

    async def sign_in(self, url: str) -> None:
        """Opens the page, presses the person's button, and follows until it leads back."""
        self.asked = parse_qs(urlsplit(url).query)
        async with httpx.AsyncClient(follow_redirects=True) as browser:
            page = await browser.get(url)
            assert f'data-person="{self.person}"' in page.text, page.text
            browser.follow_redirects = False
            answer = await browser.post(page.url, data={"person": self.person})
            while answer.has_redirect_location:
                to = urljoin(str(answer.url), answer.headers["Location"])
                if to.startswith(REDIRECT_URI):
                    self._came_back = to
                    return
                answer = await browser.get(to)
        raise AssertionError(f"the sign-in ended at {answer.url}: {answer.status_code}")

    async def code_and_state(self) -> tuple[str, str | None]:
        query = parse_qs(urlsplit(self._came_back).query)
        return query["code"][0], query["state"][0]


class Agent:
    """It remembers its registration, its tokens, and whom it asked for what."""

    def __init__(self, url: str, person: Person) -> None:
        self.url = url
        self.person = person
        self.memory = Memory()
        self.asked: list[str] = []

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[ClientSession]:
        """A session, for which the person signs in when the app wants it."""
        metadata = {
            "client_name": "An agent",
            "redirect_uris": [REDIRECT_URI],
            "token_endpoint_auth_method": "none",
        }
        auth = OAuthClientProvider(
            server_url=self.url,
            client_metadata=OAuthClientMetadata.model_validate(metadata),
            storage=self.memory,
            redirect_handler=self.person.sign_in,
            callback_handler=self.person.code_and_state,
        )
        async with mcp_session(self.url, auth=auth, event_hooks={"request": [self._note]}) as session:
            yield session

    async def _note(self, request: httpx.Request) -> None:
        self.asked.append(f"{request.method} {request.url}")


@asynccontextmanager
async def mcp_session(url: str, **options: Any) -> AsyncIterator[ClientSession]:
    """A session over an HTTP client with these options."""
    async with (
        httpx.AsyncClient(timeout=30, follow_redirects=True, **options) as http,
        streamable_http_client(url, http_client=http) as (read, write, *_),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session
