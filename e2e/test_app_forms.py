"""The forms that a Gradio app comes in: root paths, mounted apps, a host of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness.browser import Visitor
from harness.gatehouse import Gatehouse, running_gatehouse
from harness.net import free_ports
from harness.process import Process
from harness.provider import Provider
from harness.sampler import NEWEST, SamplerPage, wait_for_sampler

# The first test of a module waits for its programs, on a busy machine for long.
pytestmark = pytest.mark.timeout(240)

DOMAIN = "lab.localhost"


@dataclass(frozen=True)
class Form:
    """How an app is started, and the route that suits it."""

    name: str
    path: str = "/"  # of its page
    host: str = ""
    strip: bool = True
    root_path: str = ""
    mount: str = ""
    variable: str = ""  # GRADIO_ROOT_PATH

    def start(self, port: int) -> Process:
        arguments: list[str] = []
        if self.root_path:
            arguments += ["--root-path", self.root_path]
        if self.mount:
            arguments += ["--mount", self.mount]
        environment = {"GRADIO_ROOT_PATH": self.variable} if self.variable else {}
        return NEWEST.start(port, *arguments, **environment)

    def routes(self, port: int) -> str:
        return f"""\
  - path: {self.path}
    host: "{self.host}"
    upstream: http://127.0.0.1:{port}
    strip_path: {str(self.strip).lower()}
    allow: authenticated
"""

    def url(self, house: Gatehouse) -> str:
        origin = house.url
        if self.host:
            origin = origin.replace(f"portal.{DOMAIN}", self.host)
        return origin + self.path.rstrip("/") + "/"


FORMS = (
    Form("gradio_root_path", path="/forms/variable", variable="/forms/variable"),
    Form("root_path_argument", path="/forms/argument", root_path="/forms/argument"),
    Form("mounted_at_the_prefix", path="/forms/mounted", mount="/forms/mounted", strip=False),
    # Gradio puts the path where it is mounted before what X-Forwarded-Host says, so a
    # mounted app behind a prefix that is stripped has to be told where it stands.
    Form("mounted_at_the_root", path="/forms/stripped", mount="/", root_path="/forms/stripped"),
    Form("on_its_own_host", host=f"app.{DOMAIN}"),
)


@pytest.fixture(scope="module")
def house(
    gatehouse_binary: Path, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gatehouse]:
    ports = dict(zip(FORMS, free_ports(len(FORMS))))
    processes: list[Process] = []
    try:
        for form, port in ports.items():
            processes.append(form.start(port))
        for process, (form, port) in zip(processes, ports.items()):
            wait_for_sampler(process, port, form.mount.rstrip("/"))
        with running_gatehouse(
            gatehouse_binary,
            tmp_path_factory.mktemp("forms"),
            provider,
            "".join(form.routes(port) for form, port in ports.items()),
            host=f"portal.{DOMAIN}",
            cookie_domain=DOMAIN,
        ) as started:
            yield started
    finally:
        for process in processes:
            process.stop()


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_everything_works(
    new_visitor: Callable[..., Visitor],
    house: Gatehouse,
    provider: Provider,
    form: Form,
    tmp_path: Path,
) -> None:
    url = form.url(house)
    visitor = new_visitor(house.url, provider.issuer, url)

    visitor.open(url.rstrip("/") + "?deep=link" if form.path != "/" else url + "?deep=link")
    visitor.start_sign_in()
    visitor.choose("bob")
    visitor.page.wait_for_url(url + "?deep=link")

    app = SamplerPage(visitor)
    app.wait_until_loaded()
    assert app.person() == "bob@acme.example"
    app.greet("bob@acme.example")
    app.count_to(2)
    app.walk()
    app.download()
    app.see_picture()
    app.upload(tmp_path)
    app.page.reload()
    app.wait_until_loaded()
