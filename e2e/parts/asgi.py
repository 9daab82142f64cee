"""Starlette's and Gradio's ways to read a path, by uvicorn's parsers.

    python asgi.py starlette=8001 gradio=8002 starlette-files=8003:/some/tree

Every answer says which part served it: `part: admin` or `part: members`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

METHODS = ["GET", "POST"]


def routed(name: str, _: str) -> Starlette:
    """Routes with path parameters, which match what uvicorn has decoded."""
    routes = []
    for part, below in (("admin", f"/{name}/admin"), ("admin", "/admin"), ("members", "")):

        def say(_: Request, part: str = part) -> PlainTextResponse:
            return PlainTextResponse(f"part: {part}")

        routes.append(Route(below + "/{rest:path}", say, methods=METHODS))
        if below:
            routes.append(Route(below, say, methods=METHODS))
    return Starlette(routes=routes)


def files(_: str, tree: str) -> Starlette:
    return Starlette(routes=[Mount("/", StaticFiles(directory=tree, html=True))])


def gradio(name: str, _: str) -> FastAPI:
    """Gradio apps mounted below each other, each of which marks its answers."""
    app = FastAPI()
    for part, below in (("admin", f"/{name}/admin"), ("admin", "/admin"), ("members", f"/{name}")):
        with gr.Blocks(analytics_enabled=False) as blocks:
            gr.Markdown(part)
        gr.mount_gradio_app(app, blocks, path=below)
        mount = next(route for route in app.routes if getattr(route, "path", "") == below)
        assert isinstance(mount, Mount)
        mount.app = marked(mount.app, part)
    app.mount("/", routed(name, ""))
    return app


def marked(app: Any, part: str) -> Any:
    async def mark(scope: Any, receive: Any, send: Any) -> None:
        async def send_marked(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-part", part.encode())]
            await send(message)

        await app(scope, receive, send_marked)

    return mark


MAKERS = {"starlette": routed, "starlette-files": files, "gradio": gradio}


async def serve(*orders: str) -> None:
    servers = []
    for order in orders:
        name, _, where = order.partition("=")
        port, _, tree = where.partition(":")
        app = MAKERS[name](name, tree)
        # Redirects go to the Host asked under, and no proxy is believed: the path is all.
        config = uvicorn.Config(
            app, host="127.0.0.1", port=int(port), log_level="warning", proxy_headers=False
        )
        servers.append(uvicorn.Server(config).serve())
    await asyncio.gather(*servers)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
