"""Models and adapters that are folders: their names on the host, and in a container that has them mounted."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from servespec.deployment import Deployment
from servespec.models.local import expand_home, is_local

CONTAINER_MODELS = "/models"
"""Where local models and adapters are mounted in a container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Names of models as the server's process sees them: on the host, or mounted in a container."""

    deployment: Deployment
    container: bool

    def __call__(self, name: str) -> str:
        """A Hub id as it is; a folder as a path."""
        if not is_local(name):
            return name if not name.startswith("-") else f"./{name}"
        if self.container:
            return str(PurePosixPath(CONTAINER_MODELS) / PurePosixPath(self.host(name)).name)
        return self.host(name)

    def host(self, name: str) -> str:
        """The folder relative to where servespec was called; the spec's own is relative to the spec."""
        path = Path(os.path.normpath(self.deployment.directory / expand_home(name))).as_posix()
        return path if path.startswith(("/", "../")) else f"./{path}"

    def mounts(self) -> tuple[tuple[str, str], ...]:
        """(path on the host, path in the container) of every model and adapter that is a folder."""
        inside = Paths(deployment=self.deployment, container=True)
        return tuple(
            dict.fromkeys(
                (self.host(name), inside(name)) for name in model_names(self.deployment) if is_local(name)
            )
        )


def model_names(deployment: Deployment) -> tuple[str, ...]:
    """Every model and adapter that the spec names."""
    spec = deployment.spec
    adapters = spec.model.adapters.modules.values() if spec.model.adapters else ()
    draft = (spec.speculative.model,) if spec.speculative and spec.speculative.model else ()
    return (spec.model.id, *adapters, *draft)
