"""The public functions; the command line has no logic beyond them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.report.model import CheckReport
    from servespec.spec.loader import LoadedSpec
    from servespec.spec.model import Spec

Specs = str | Path | Iterable["str | Path | LoadedSpec"]


def load(path: str | Path) -> LoadedSpec:
    """Read one spec: the frozen model, nodes with places, and what is wrong with it. Raises nothing."""
    from servespec.spec.loader import load as load_spec

    return load_spec(path)


def resolve(
    spec: Spec, engine: str, directory: str | Path = ".", *, online: bool = False, is_up: bool = False
) -> Deployment:
    """The spec for one engine with every blank filled in.

    ``directory`` is the spec's folder, against which relative paths hold; ``online`` lets model
    facts come from the Hub. ``is_up``: the server runs already (or has run), so that of ``gpu: local`` what
    processes hold now says nothing about the start, and the GPU is taken as idle. Raises UsageError for an
    engine that there is not, UnknownGPUError, UnknownModelError, SourceError, UnmodelledError.
    """
    from servespec.resolve import find_facts_or_raise, resolve_target

    folder = Path(directory)
    facts = find_facts_or_raise(spec, folder, online=online, is_up=is_up)
    return resolve_target(spec, engine, facts, folder).deployment


def check(
    specs: Specs,
    *,
    targets: Sequence[str] = (),
    online: bool = False,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> CheckReport:
    """Check files (paths as they are, no globs) or loaded specs, as their project's configuration wants it.

    ``targets`` narrows the engines; ``select`` and ``ignore`` are codes or beginnings of codes. What
    is wrong with a spec is in the report. Raises UsageError for an engine that there is not, or a
    configuration file that makes no sense.
    """
    from servespec.check import Options, check_files
    from servespec.control.govern import Selection
    from servespec.spec.loader import LoadedSpec
    from servespec.spec.loader import load as load_spec

    wanted = (specs,) if isinstance(specs, str | Path) else specs
    loaded = (one if isinstance(one, LoadedSpec) else load_spec(one) for one in wanted)
    selection = Selection(tuple(select), tuple(ignore))
    return check_files(loaded, Options(targets=tuple(targets), online=online, selection=selection))


def render(*arguments: Any, **options: Any) -> Any:
    """The launch artefacts of one deployment; see :func:`servespec.render.render`."""
    return _later("render", "render")(*arguments, **options)


def run(*arguments: Any, **options: Any) -> Any:
    """Start a server and follow it until it ends; see :func:`servespec.runtime.run`."""
    return _later("runtime", "run")(*arguments, **options)


def smoke(*arguments: Any, **options: Any) -> Any:
    """Probe a server and compare memory with the prediction; see :func:`servespec.smoke.smoke`."""
    return _later("smoke", "smoke")(*arguments, **options)


def _later(package: str, name: str) -> Any:
    """A function of a stage that needs extras, imported when it is called."""
    from importlib import import_module

    return getattr(import_module(f"servespec.{package}"), name)
