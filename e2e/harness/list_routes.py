"""Prints every route that a running Gradio app has registered, one JSON object a line.

    python list_routes.py deploy/demo/admin_dashboard.py

The app is launched as any Gradio app is, by the Gradio of the Python that runs
this, so whatever a release of Gradio adds is in the list.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import fastapi.routing
from starlette.routing import BaseRoute


def nested_routes_of(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[dict[str, object]]:
    """Walks routes and mounted apps, as FastAPI kept them before it had route contexts."""
    for route in routes:
        path = prefix + route.path  # type: ignore[attr-defined]  # every kind of route has one
        yield {"path": path or "/", "methods": sorted(getattr(route, "methods", None) or [])}
        yield from nested_routes_of(getattr(route, "routes", None) or [], path)


def routes_of(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[dict[str, object]]:
    """Walks routes, included routers and mounted apps. A route without methods takes any."""
    for route in fastapi.routing.iter_route_contexts(routes):
        if route.path is None:
            raise TypeError(f"{route.original_route!r} has no path: teach this walk to read it")
        path = prefix + route.path
        yield {"path": path or "/", "methods": sorted(route.methods or [])}
        yield from routes_of(getattr(route.original_route, "routes", None) or [], path)


def main() -> None:
    script = Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(script.parent))
    module = importlib.import_module(script.stem)
    app, _, _ = module.build().launch(prevent_thread_lock=True, quiet=True)
    walk = routes_of if hasattr(fastapi.routing, "iter_route_contexts") else nested_routes_of
    for route in walk(app.routes):
        print(json.dumps(route))


if __name__ == "__main__":
    main()
