"""From a deployment to a running server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from servespec.engines import get_engine
from servespec.errors import UsageError
from servespec.runtime.host import Host
from servespec.runtime.running import Enough, Running, Watcher, start

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.runtime.place import Place


def run(
    deployment: Deployment,
    place: Place | None = None,
    *,
    limit_seconds: float | None = None,
    watcher: Watcher | None = None,
    enough: Enough | None = None,
) -> Running:
    """Start a deployment's server and wait until its model answers (or its log says ``enough``); use it in a ``with`` block, which stops it.

    ``place`` is this host with what PATH has, unless given. ``limit_seconds`` is the longest that loading
    should take, unless given.

    Raises:
        StartFailed: the server ended or was not ready in time; nothing of it is left.
        StartError: it could not be tried: no such program, or the port is taken.
        UsageError: a secret that the spec refers to is not set.
    """
    engine = get_engine(deployment.engine)
    return start(
        engine.lower(deployment),
        engine.log_reader(deployment.version),
        Host() if place is None else place,
        limit_seconds=limit_seconds,
        api_key=api_key_of(deployment),
        watcher=watcher,
        enough=enough,
    )


def api_key_of(deployment: Deployment) -> str | None:
    """The key that the spec refers to, from this environment. Raises UsageError when it is not set."""
    name = deployment.spec.server.api_key_env
    if name is None:
        return None
    if name not in os.environ:
        raise UsageError(f"server.api_key_env refers to {name}, which this environment does not set")
    return os.environ[name]
