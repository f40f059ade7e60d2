"""The formats, found by name: each is one module with ``render(job)`` and ``supports(launch)``."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Protocol, cast

from servespec.errors import RenderError
from servespec.render import formats
from servespec.render.artefact import Artefact
from servespec.render.header import stamp
from servespec.render.job import Job

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.engines.launch import Launch


class Format(Protocol):
    """A module of ``render/formats``. ``NEEDS`` words for people what ``supports`` asks for."""

    NEEDS: str

    def render(self, job: Job) -> tuple[Artefact, ...]:
        """The artefacts, each with a header whose hash is still zeros. Raises RenderError."""
        ...

    def supports(self, launch: Launch) -> bool:
        """Whether this engine and this number of nodes can be written in the format."""
        ...


@lru_cache(maxsize=1)
def format_names() -> tuple[str, ...]:
    """All formats, sorted."""
    return tuple(sorted(module.name.replace("_", "-") for module in iter_modules(formats.__path__)))


def available_formats(launch: Launch) -> tuple[str, ...]:
    """The formats in which this launch can be written."""
    return tuple(name for name in format_names() if _format(name).supports(launch))


def render(
    deployment: Deployment,
    format_name: str,
    *,
    launch: Launch | None = None,
    spec_file: str | None = None,
    templates: Path | None = None,
    folder: Path | None = None,
) -> tuple[Artefact, ...]:
    """Write a deployment in one format.

    ``launch`` is worked out from the deployment unless given. ``spec_file`` is the name that the
    header gives as the source; ``templates`` a folder whose templates go before servespec's own. ``folder`` is where the artefacts
    will lie, to which paths in compose files are relative.
    Raises RenderError when there is no such format, or when the engine cannot be written in it.
    """
    if format_name not in format_names():
        raise RenderError(f"no format {format_name!r}; there are {', '.join(format_names())}")
    if launch is None:
        from servespec.engines import get_engine

        launch = get_engine(deployment.engine).lower(deployment)
    chosen = _format(format_name)
    if not chosen.supports(launch):
        raise RenderError(
            f"{launch.engine} cannot be rendered as {format_name}, which needs {chosen.NEEDS}; "
            f"there are {', '.join(available_formats(launch))}"
        )
    job = Job(
        deployment=deployment,
        launch=launch,
        format=format_name,
        spec_file=spec_file or f"{deployment.spec.name}.yaml",
        templates=templates,
        folder=folder or Path(),
    )
    return tuple(
        Artefact(path=made.path, text=stamp(made.text), executable=made.executable)
        for made in chosen.render(job)
    )


def _format(name: str) -> Format:
    return cast("Format", import_module(f"{formats.__name__}.{name.replace('-', '_')}"))
