"""Tornado's ways to read a path, as Jupyter's server has them.

    python tornado_app.py tornado=8001 tornado-files=8002:/some/tree

Every answer says which part served it: `part: admin` or `part: members`.
"""

from __future__ import annotations

import asyncio
import sys

from tornado.web import Application, RequestHandler, StaticFileHandler


class Part(RequestHandler):
    def initialize(self, part: str) -> None:
        self.part = part

    def get(self, rest: str | None) -> None:
        # The pattern matches what was sent; its argument is decoded, and counts too.
        inside = (rest or "").split("/")[0] == "admin"
        self.write("part: " + ("admin" if inside else self.part))

    post = get


def routed(name: str, _: str) -> Application:
    return Application(
        [
            (rf"/{name}/admin(?:/(.*))?", Part, {"part": "admin"}),
            (r"/admin(?:/(.*))?", Part, {"part": "admin"}),
            (rf"/{name}/(.*)", Part, {"part": "members"}),
            (r"/(.*)", Part, {"part": "members"}),
        ]
    )


def files(_: str, tree: str) -> Application:
    settings = {"path": tree, "default_filename": "index.html"}
    return Application([(r"/(.*)", StaticFileHandler, settings)])


MAKERS = {"tornado": routed, "tornado-files": files}


async def serve(*orders: str) -> None:
    for order in orders:
        name, _, where = order.partition("=")
        port, _, tree = where.partition(":")
        MAKERS[name](name, tree).listen(int(port), "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
