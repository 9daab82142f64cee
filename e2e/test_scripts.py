"""Gradio's own clients, in Python and in JavaScript, with a bearer token of Descope's."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from gradio_client import Client
from harness.browser import Visitor
from harness.dashboards import ADMIN, USER, Dashboard
from harness.docs import run_node, run_python, run_shell, shown
from harness.gatehouse import Gatehouse
from harness.lab import Lab, opened
from harness.net import ask
from harness.provider import Provider
from harness.sampler import GENERATIONS, installed

PAGE = "scripts.md"

Run = Callable[[str, Path, Mapping[str, str]], subprocess.CompletedProcess[str]]

in_both_languages = pytest.mark.parametrize(
    ("language", "run"), [("python", run_python), ("javascript", run_node)], ids=["python", "js"]
)

# The least that a script does. It ends well when the app let it in.
CONNECT = {
    "python": """
import os
from gradio_client import Client
app = Client(os.environ["APP_URL"], headers=eval(os.environ["HEADERS"]), verbose=False)
print(app.predict(api_name="/whoami"))
""",
    "javascript": """
import { Client } from "@gradio/client";
const headers = JSON.parse(process.env.HEADERS);
try {
  const app = await Client.connect(process.env.APP_URL, { headers });
  console.log((await app.predict("/whoami", [])).data[0]);
  app.close();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
""",
}


def connecting(
    gatehouse: Gatehouse, dashboard: Dashboard, authorization: str | None
) -> dict[str, str]:
    headers = f'{{"Authorization": "{authorization}"}}' if authorization else "{}"
    return {"APP_URL": f"{gatehouse.url}{dashboard.prefix}/", "HEADERS": headers}


def machine_token(provider: Provider, *roles: str) -> str:
    """What an access key with these roles in Acme is exchanged for."""
    return provider.order("accesskey", tenants={"T2acme": {"roles": list(roles)}})["token"]


@in_both_languages
def test_what_the_page_shows_leads_from_access_key_to_result(
    language: str, run: Run, open_gatehouse: Gatehouse, provider: Provider, tmp_path: Path
) -> None:
    """Connect, predict, submit and cancel, upload, download."""
    made = provider.order("accesskey", tenants={"T2acme": {"roles": ["Member"]}})
    at = urlsplit(provider.issuer)
    env = {
        "APP_URL": f"{open_gatehouse.url}{USER.prefix}/",
        "DESCOPE_PROJECT_ID": provider.project_id,
        "DESCOPE_ACCESS_KEY": made["key"],
        "DESCOPE_URL": f"{at.scheme}://{at.netloc}",
    }
    (program,) = [block for block in shown(PAGE, language) if "accesskey" in block]

    done = run(program, tmp_path, env)

    assert done.returncode == 0, done.stderr
    name = made["key_id"]
    assert done.stdout.split() == (
        f"Hello {name} (no address), today you feel fine. "
        "one two three "
        "numbers.csv: 6 bytes "
        f"Notes of {name} Buy milk"
    ).split(), done.stdout + done.stderr
    # One story at a time: this one comes only because the cancelled one ended.
    bearer = {"Authorization": f"Bearer {made['token']}"}
    app = Client(env["APP_URL"], headers=bearer, verbose=False)
    assert app.submit("The end", api_name="/tell").result(timeout=20) == "The end"
    assert made["token"] not in open_gatehouse.process.output


@in_both_languages
def test_a_key_with_the_role_reaches_the_admin_app(
    language: str, run: Run, open_gatehouse: Gatehouse, provider: Provider, tmp_path: Path
) -> None:
    token = machine_token(provider, "Tenant Admin")

    done = run(CONNECT[language], tmp_path, connecting(open_gatehouse, ADMIN, f"Bearer {token}"))

    assert done.returncode == 0, done.stderr
    assert "T2acme" in done.stdout and "Tenant Admin" in done.stdout, done.stdout


REFUSED = {
    "python": r"AuthenticationError: Could not load \S+ as credentials were not provided",
    "javascript": r"Login credentials are required",
}
FORBIDDEN = {
    "python": r"ValueError: Could not fetch config for \S+",
    "javascript": r"Could not resolve app config.*403",
}


def expired(provider: Provider) -> str:
    then = int(time.time()) - 3600
    life = {"iat": then - 600, "exp": then}
    return provider.order("session-token", person="ada", override=life)["token"]


def for_others(provider: Provider) -> str:
    audience = {"aud": ["https://elsewhere.example"]}
    return provider.order("access-token", person="ada", override=audience)["token"]


@in_both_languages
@pytest.mark.parametrize(
    ("token", "words", "detail"),
    [
        (None, REFUSED, "not signed in"),
        (lambda _: "rubbish", REFUSED, "not valid"),
        (expired, REFUSED, "expired"),
        (for_others, REFUSED, "not valid"),
        (lambda provider: machine_token(provider, "Member"), FORBIDDEN, "Tenant Admin"),
    ],
    ids=["no_token", "rubbish", "an_expired_one", "one_for_others", "one_without_the_role"],
)
def test_a_script_that_may_not_is_told_so_and_never_led_to_a_page(
    language: str,
    run: Run,
    token: Callable[[Provider], str] | None,
    words: Mapping[str, str],
    detail: str,
    open_gatehouse: Gatehouse,
    provider: Provider,
    tmp_path: Path,
) -> None:
    authorization = token and f"Bearer {token(provider)}"

    done = run(CONNECT[language], tmp_path, connecting(open_gatehouse, ADMIN, authorization))

    assert done.returncode == 1, done.stdout
    assert re.search(words[language], done.stderr.strip().splitlines()[-1]), done.stderr
    sent = {"Authorization": authorization} if authorization else {}
    answer = ask("GET", f"{open_gatehouse.url}{ADMIN.prefix}/config", headers=sent)
    assert answer.status == (403 if words is FORBIDDEN else 401)
    assert detail in answer.json()["detail"]


def test_curl_shows_why_a_script_may_not(
    open_gatehouse: Gatehouse, provider: Provider, tmp_path: Path
) -> None:
    (command,) = [block for block in shown(PAGE, "sh") if block.startswith("curl")]
    app = f"{open_gatehouse.url}{ADMIN.prefix}/"

    done = run_shell(
        command, tmp_path, {"APP_URL": app, "TOKEN": machine_token(provider, "Member")}
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("HTTP/1.1 403")
    assert "Tenant Admin" in done.stdout


def test_a_bad_token_is_refused_whatever_cookie_stands_beside_it(
    new_visitor: Callable[..., Visitor], open_gatehouse: Gatehouse, provider: Provider
) -> None:
    ada = new_visitor(open_gatehouse.url, provider.issuer)
    ada.sign_in("ada")
    config = f"{open_gatehouse.url}{ADMIN.prefix}/config"
    cookie = {"Cookie": ada.cookie_header()}
    assert ask("GET", config, headers=cookie).status == 200

    answer = ask("GET", config, headers={**cookie, "Authorization": "Bearer rubbish"})

    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


# Everything that a script does, with the sampler.
WORK = {
    "python": """
import os
from pathlib import Path
from gradio_client import Client, handle_file
headers = {"Authorization": os.environ["AUTHORIZATION"]}
app = Client(os.environ["APP_URL"], headers=headers, verbose=False)
print(app.predict("Grace", api_name="/greet"))
job = app.submit(api_name="/crawl")
for step in job:
    if step.startswith("step 3 "):
        job.cancel()
        break
print(step)
Path("numbers.csv").write_text("1,2,3\\n")
print(app.predict(handle_file("numbers.csv"), api_name="/measure"))
print(len(Path(app.predict(api_name="/export")).read_text()))
""",
    "javascript": """
import { File } from "node:buffer";
import { Client, handle_file } from "@gradio/client";
const headers = { Authorization: process.env.AUTHORIZATION };
const app = await Client.connect(process.env.APP_URL, { headers });
console.log((await app.predict("/greet", ["Grace"])).data[0]);
const numbers = handle_file(new File(["1,2,3\\n"], "numbers.csv"));
console.log((await app.predict("/measure", [numbers])).data[0]);
const report = (await app.predict("/export", [])).data[0].url;
console.log((await (await fetch(report, { headers })).text()).length);
// Last: half of what is asked of 5 after a cancelled job never comes, with a proxy or without.
const job = app.submit("/crawl", []);
for await (const event of job) {
  if (event.type === "data" && event.data[0].startsWith("step 3 ")) {
    console.log(event.data[0]);
    await job.cancel();
    break;
  }
}
process.exit();
""",
}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("language", "run"),
    [
        ("python", run_python),
        ("python", lambda *program: run_python(*program, python=installed("gradio5"))),
        ("javascript", run_node),
    ],
    ids=["newest_python", "python_of_5", "newest_js"],
)
def test_gradio_5_is_used_by_scripts_as_6_is(
    language: str, run: Run, lab: Lab, provider: Provider, tmp_path: Path
) -> None:
    (generation,) = [one for one in GENERATIONS if one.name == "5.49"]
    token = provider.order("session-token", person="bob")["token"]
    url = f"{lab.house.url}{opened(generation)}/"

    done = run(WORK[language], tmp_path, {"APP_URL": url, "AUTHORIZATION": f"Bearer {token}"})

    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()[-4:]) == [
        str(len("a report\n") * 20_000),
        "Hello Grace, you are U2bob",
        "numbers.csv: 6 bytes",
        "step 3 of 40",
    ], done.stdout + done.stderr
    refused = run(CONNECT[language], tmp_path, {"APP_URL": url, "HEADERS": "{}"})
    assert refused.returncode == 1, refused.stdout
    assert "credentials" in refused.stderr.strip().splitlines()[-1], refused.stderr
