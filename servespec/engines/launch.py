"""The target of lowering: how one engine is started, before any artefact is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from servespec.deployment import SettingValue


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerImage:
    """The image of an engine and the conventions that hold inside it."""

    reference: str
    entrypoint_is_server: bool
    """True where the image's entry point is already the server command, so that only flags follow."""
    cache_directory: str
    """Where downloaded weights live inside the container."""
    other_caches: tuple[str, ...] = ()
    """Further folders worth a volume: compile caches."""
    has_curl: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One server process: what to run and how to tell that it is up.

    ``command`` is the program (``("vllm", "serve")``), ``flags`` all that follows. ``environment``
    are plain values; ``secrets`` map a variable to the variable of the caller's environment that
    holds it (never a value). ``config`` is what the engine's own configuration file would say,
    None where the engine has none. ``load_seconds`` is the longest that loading should take and
    decides start periods and time-outs. ``stop_seconds`` is the grace it needs to shut down.
    ``mounts`` are host paths (local models, adapters) that a container has to see.
    """

    engine: str
    version: str
    model: str
    command: tuple[str, ...]
    flags: tuple[str, ...]
    host: str
    port: int
    health_path: str
    served_model_name: str
    image: ContainerImage
    load_seconds: int
    stop_seconds: int
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    secrets: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    config: Mapping[str, SettingValue] | None = None
    mounts: tuple[tuple[str, str], ...] = ()
    shm_bytes: int = 0
    gpus_per_node: int = 0
    nodes: int = 1
    gpu_kind: str = "cuda"

    @property
    def argv(self) -> tuple[str, ...]:
        """Program and flags, as for ``exec``."""
        return (*self.command, *self.flags)
