"""Starting and stopping engines: ``run(deployment)`` gives a ``Running`` server that stops at exit."""

from servespec.runtime.compose import Compose
from servespec.runtime.host import Host
from servespec.runtime.place import Backend, Place
from servespec.runtime.run import api_key_of, run
from servespec.runtime.running import Running, StartFailed, Watcher, start

__all__ = [
    "Backend",
    "Compose",
    "Host",
    "Place",
    "Running",
    "StartFailed",
    "Watcher",
    "api_key_of",
    "run",
    "start",
]
