"""The target of lowering: how one engine is started, before any artefact is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from servespec.deployment import SettingValue


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the image that is not root."""

    user: int
    group: int
    home: str


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
    account: Account | None = None
    """The account that the image is made to run as, where there is one besides root."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A word that is known only where the server starts: a variable of that environment, and a fixed suffix."""

    name: str
    suffix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """How the nodes of one deployment find each other; there is one only where ``nodes`` > 1.

    ``node_flags`` go to every node after the other flags, ``worker_flags`` to all but the first.
    ``rank`` and ``head`` are the variables that they speak of. Where ``head_start`` is set the
    engine relies on a cluster manager: it is run on the first node before the server, and the
    other nodes run ``worker_start`` in the server's place.
    """

    rank: str
    head: str
    port: int
    node_flags: tuple[str | Variable, ...] = ()
    worker_flags: tuple[str, ...] = ()
    head_start: tuple[str | Variable, ...] = ()
    worker_start: tuple[str | Variable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One server process: what to run and how to tell that it is up.

    ``command`` is the program (``("vllm", "serve")``), ``flags`` all that follows. ``environment``
    are plain values; ``secrets`` map a variable to the variable of the caller's environment that
    holds it (never a value). ``config`` is what the engine's own configuration file would say,
    None where the engine has none; ``config_flags`` are those that the file cannot hold.
    ``load_seconds`` is the longest that loading should take and decides start periods and time-outs.
    ``stop_seconds`` is the grace it needs to shut down.
    ``mounts`` are host paths (local models, adapters) that a container has to see; inside it the
    server gets ``container_flags``, which name those paths as the container does and bind every
    address. ``secret_flags`` are flags whose value is a secret, each with the variable that holds
    it, for engines that read it nowhere else. ``offline`` are the keyword arguments of the
    engine's Python class, None where it has none. ``flags_environment`` says the same as the flags
    in environment variables, empty where the engine reads none. ``own_flags`` are the flags without model,
    address and name, for orchestrators that set those themselves; ``orchestrators`` are those that know the engine.
    ``batch_command`` answers the requests of a file, empty where the engine has no such program.
    ``mig_profile`` (``3g.40gb``) is set where each GPU is a part of one. ``metrics_path`` is where Prometheus finds metrics, None where the server exposes none.
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
    config_flags: tuple[str, ...] = ()
    mounts: tuple[tuple[str, str], ...] = ()
    shm_bytes: int = 0
    gpus_per_node: int = 0
    nodes: int = 1
    gpu_kind: str = "cuda"
    mig_profile: str | None = None
    container_flags: tuple[str, ...] = ()
    secret_flags: tuple[tuple[str, str], ...] = ()
    offline: Mapping[str, SettingValue] | None = None
    flags_environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    cluster: Cluster | None = None
    own_flags: tuple[str, ...] = ()
    orchestrators: frozenset[str] = frozenset()
    metrics_path: str | None = None
    batch_command: tuple[str, ...] = ()

    @property
    def argv(self) -> tuple[str, ...]:
        """Program and flags, as for ``exec``; secret flags and those of a cluster's node are not in it."""
        return (*self.command, *self.flags)

    def argv_with_secrets(self, environment: Mapping[str, str]) -> tuple[str, ...]:
        """``argv`` and the secret flags with their values. Raises KeyError when a variable is not set."""
        return (*self.argv, *(word for flag, name in self.secret_flags for word in (flag, environment[name])))
