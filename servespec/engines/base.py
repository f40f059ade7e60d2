"""What an engine is to the rest of servespec: one Protocol, and the values that pass through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from servespec.calibration.model import Conditions
    from servespec.deployment import Deployment, Settings
    from servespec.diagnostics import Diagnostic
    from servespec.engines.launch import Launch
    from servespec.engines.observed import LogReader, Observed
    from servespec.hardware.gpu import GPU
    from servespec.memory.budget import MemoryBudget
    from servespec.models.facts import ModelFacts
    from servespec.rules.base import Rule
    from servespec.smoke.probe import Probe, Server
    from servespec.spec.model import Spec, Target


class Inputs(NamedTuple):
    """What an engine needs to work out its settings."""

    spec: Spec
    target: Target
    version: str
    model: ModelFacts
    gpu: GPU
    draft: ModelFacts | None = None
    directory: Path = Path()


class Resolved(NamedTuple):
    """Settings of one engine and what is to be said about how they came about."""

    settings: Settings
    diagnostics: tuple[Diagnostic, ...] = ()


class Engine(Protocol):
    """One serving engine. Implementations are stateless; every method imports what it needs."""

    @property
    def name(self) -> str:
        """As written under ``targets``: ``vllm``."""
        ...

    @property
    def title(self) -> str:
        """As its own project writes it: ``vLLM``."""
        ...

    def known_versions(self) -> tuple[str, ...]:
        """All versions of the flag catalogue, oldest first."""
        ...

    def newest_version(self) -> str:
        """The version taken when the spec names none."""
        ...

    def nearest_version(self, asked: str) -> str:
        """The catalogue's version that is followed for one that it may not have."""
        ...

    def resolve(self, inputs: Inputs) -> Resolved:
        """Work out every effective setting of this version: spec key, then args, then default."""
        ...

    def budget(self, deployment: Deployment) -> MemoryBudget:
        """Predict what the engine allocates. Raises UnmodelledError."""
        ...

    def conditions(self, deployment: Deployment) -> Conditions:
        """What has to be alike for a measured term of this engine to hold for another start."""
        ...

    def lower(self, deployment: Deployment) -> Launch:
        """The launch configuration that means the deployment: argv, environment, image, health."""
        ...

    def inexpressible(self, deployment: Deployment) -> tuple[Diagnostic, ...]:
        """A diagnostic for every key of the spec that this version has no flag for."""
        ...

    def lift(self, argv: Sequence[str], environment: Mapping[str, str], version: str) -> Mapping[str, object]:
        """The inverse of lower: the spec (as plain data) that a published command means."""
        ...

    def rules(self) -> Sequence[Rule]:
        """Rules that hold for this engine alone."""
        ...

    def random_weights_args(self) -> Mapping[str, object] | None:
        """Arguments that start it on random weights, for calibration; None where it cannot."""
        ...

    def log_reader(self, version: str) -> LogReader:
        """A reader of this version's start-up log, line by line."""
        ...

    def observe(self, log: str, version: str | None) -> Observed:
        """What a whole start-up log says was allocated."""
        ...

    def probes(self, deployment: Deployment) -> Sequence[Probe]:
        """Smoke probes that go beyond the OpenAI-compatible ones, or replace those of their name."""
        ...

    def structured_probes(self, deployment: Deployment) -> Sequence[Probe]:
        """Probes of constrained generation: asked by the engine's own parameters, or skipped with a reason."""
        ...

    def observe_server(self, server: Server) -> Observed:
        """What a running server says over HTTP of what it allocated. Raises ProbeFailed."""
        ...
