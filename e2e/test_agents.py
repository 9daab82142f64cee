"""An agent that knows nothing but the URL of an app's MCP endpoint finds its way in."""

from __future__ import annotations

import httpx
import pytest
from harness.agent import Agent, Person, mcp_session, run
from harness.dashboards import ADMIN, USER, Dashboard
from harness.gatehouse import Gatehouse
from harness.net import ask
from harness.provider import Provider
from mcp import ClientSession


def endpoint(gatehouse: Gatehouse, dashboard: Dashboard) -> str:
    return f"{gatehouse.url}{dashboard.prefix}/gradio_api/mcp/"


async def call(session: ClientSession, tool: str, **arguments: str) -> str:
    told = await session.call_tool(tool, arguments)
    assert not told.isError, told
    return told.content[0].text


def test_an_agent_finds_the_sign_in_registers_and_its_tool_sees_who_it_is(
    open_gatehouse: Gatehouse, provider: Provider
) -> None:
    agent = Agent(endpoint(open_gatehouse, USER), Person("bob"))

    async def visit() -> tuple[list[str], str]:
        async with agent.visit() as session:
            tools = [tool.name for tool in (await session.list_tools()).tools]
            return tools, await call(session, "greet", mood="Curious")

    tools, said = run(visit())

    assert {"greet", "tell", "measure"} <= set(tools)
    assert said == "Hello Bob Member (bob@acme.example), today you feel curious."
    at = open_gatehouse.url
    issuer, _, project = provider.issuer.rpartition("/")
    assert agent.asked[:6] == [
        f"POST {agent.url}",  # 401, and where to read on
        f"GET {at}/.well-known/oauth-protected-resource{USER.prefix}/gradio_api/mcp/",
        f"GET {issuer}/.well-known/oauth-authorization-server/{project}",
        f"POST {issuer}/oauth2/v1/register",
        f"POST {issuer}/oauth2/v1/token",
        f"POST {agent.url}",
    ]


def test_an_agent_comes_again_without_asking_anybody(open_gatehouse: Gatehouse) -> None:
    agent = Agent(endpoint(open_gatehouse, USER), Person("bob"))

    async def visit() -> str:
        async with agent.visit() as session:
            return await call(session, "greet", mood="Tired")

    first = run(visit())
    agent.asked.clear()

    assert run(visit()) == first
    assert {asked.partition(" ")[2] for asked in agent.asked} == {agent.url}


def test_the_token_of_an_agent_is_for_its_app_alone(open_gatehouse: Gatehouse) -> None:
    """Even Ada's, who may open both: the app that it was made for cannot use it next door."""
    agent = Agent(endpoint(open_gatehouse, USER), Person("ada"))

    async def visit() -> None:
        async with agent.visit():
            pass

    run(visit())

    assert agent.person.asked["resource"] == [agent.url]
    assert agent.memory.tokens
    sent = {"Authorization": f"Bearer {agent.memory.tokens.access_token}"}
    for dashboard, status in ((USER, 200), (ADMIN, 401)):
        answer = ask("GET", f"{open_gatehouse.url}{dashboard.prefix}/config", headers=sent)
        assert answer.status == status, dashboard.prefix


def test_an_agent_may_what_its_person_may(open_gatehouse: Gatehouse) -> None:
    ada, bob = (Agent(endpoint(open_gatehouse, ADMIN), Person(name)) for name in ("ada", "bob"))

    async def visit(agent: Agent) -> str:
        async with agent.visit() as session:
            return await call(session, "greet", note="")

    assert run(visit(ada)) == "Hello Ada Admin, you act with Tenant Admin in T2acme."
    with pytest.raises(ExceptionGroup) as refused:
        run(visit(bob))
    (why,) = leaves(refused.value)
    assert isinstance(why, httpx.HTTPStatusError) and why.response.status_code == 403, why


def leaves(group: BaseExceptionGroup) -> list[BaseException]:
    """What really went wrong, out of however many task groups."""
    return [
        leaf
        for one in group.exceptions
        for leaf in (leaves(one) if isinstance(one, BaseExceptionGroup) else [one])
    ]


def test_an_agent_with_an_access_key_needs_nobody(
    open_gatehouse: Gatehouse, provider: Provider
) -> None:
    made = provider.order("accesskey", tenants={"T2acme": {"roles": ["Member"]}})
    headers = {"Authorization": f"Bearer {made['token']}"}

    async def visit() -> str:
        async with mcp_session(endpoint(open_gatehouse, USER), headers=headers) as session:
            return await call(session, "greet", mood="Fine")

    assert run(visit()) == f"Hello {made['key_id']} (no address), today you feel fine."
