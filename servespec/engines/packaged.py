"""The engine that a package of this folder is: its modules, imported when they are asked something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from servespec.calibration.model import Conditions
    from servespec.deployment import Deployment
    from servespec.diagnostics import Diagnostic
    from servespec.engines.base import Inputs, Resolved
    from servespec.engines.launch import Launch
    from servespec.engines.observed import LogReader, Observed
    from servespec.memory.budget import MemoryBudget
    from servespec.rules.base import Rule
    from servespec.smoke.probe import Probe, Server


@cache
def _module(engine: str, name: str) -> Any:
    """What is imported is found in a tenth of the time that it takes to ask the import system again."""
    return import_module(f"servespec.engines.{engine}.{name}")


@dataclass(frozen=True, slots=True)
class PackagedEngine:
    """See :class:`servespec.engines.base.Engine`, which this satisfies for a package ``servespec/engines/<name>``.

    Its modules have these functions: ``defaults.resolve``, ``memory.budget`` and ``memory.conditions``,
    ``lower.lower``, ``keys.inexpressible``, ``lift.lift``, ``logs.Reader``, ``probes.probes`` and
    ``probes.observe_server``, ``structured.probes``, and ``rules.RULES``; its flags are data under ``flags/``. ``title`` is how
    its own project writes the name; ``random_weights`` are the arguments that start it without a checkpoint,
    None where it cannot.
    """

    name: str
    title: str
    random_weights: Mapping[str, object] | None = None

    def _part(self, module: str) -> Any:
        return _module(self.name, module)

    def known_versions(self) -> tuple[str, ...]:
        """All versions of the flag catalogue, oldest first."""
        from servespec.engines.flag_catalogue import known_versions

        return known_versions(self.name)

    def newest_version(self) -> str:
        """The newest version of the flag catalogue."""
        from servespec.engines.flag_catalogue import newest

        return newest(self.name)

    def nearest_version(self, asked: str) -> str:
        """The version that is followed for one that the catalogue may not have."""
        from servespec.engines.flag_catalogue import load

        return load(self.name, asked).version

    def resolve(self, inputs: Inputs) -> Resolved:
        """Every effective setting of this version."""
        found: Resolved = self._part("defaults").resolve(inputs)
        return found

    def budget(self, deployment: Deployment) -> MemoryBudget:
        """What this version allocates. Raises UnmodelledError."""
        found: MemoryBudget = self._part("memory").budget(deployment)
        return found

    def conditions(self, deployment: Deployment) -> Conditions:
        """Eager or with graphs, and ranks."""
        found: Conditions = self._part("memory").conditions(deployment)
        return found

    def lower(self, deployment: Deployment) -> Launch:
        """argv, environment, image and health of the server."""
        found: Launch = self._part("lower").lower(deployment)
        return found

    def inexpressible(self, deployment: Deployment) -> tuple[Diagnostic, ...]:
        """Keys of the spec that this version has no flag for."""
        found: tuple[Diagnostic, ...] = self._part("keys").inexpressible(deployment)
        return found

    def lift(self, argv: Sequence[str], environment: Mapping[str, str], version: str) -> Mapping[str, object]:
        """The spec that a published command means."""
        found: Mapping[str, object] = self._part("lift").lift(argv, environment, version)
        return found

    def rules(self) -> Sequence[Rule]:
        """Rules that hold for this engine alone."""
        found: Sequence[Rule] = self._part("rules").RULES
        return found

    def random_weights_args(self) -> Mapping[str, object] | None:
        """Arguments that start it without a checkpoint."""
        return self.random_weights

    def log_reader(self, version: str) -> LogReader:
        """A reader of this version's start-up log."""
        found: LogReader = self._part("logs").Reader(version)
        return found

    def observe(self, log: str, version: str | None) -> Observed:
        """What a whole start-up log says."""
        reader: LogReader = self._part("logs").Reader(version)
        for line in log.splitlines():
            reader.feed(line)
        return reader.observed()

    def probes(self, deployment: Deployment) -> Sequence[Probe]:
        """Smoke probes of this engine's own interface."""
        found: Sequence[Probe] = self._part("probes").probes(deployment)
        return found

    def structured_probes(self, deployment: Deployment) -> Sequence[Probe]:
        """Probes of constrained generation, by this version's own parameters."""
        found: Sequence[Probe] = self._part("structured").probes(deployment)
        return found

    def observe_server(self, server: Server) -> Observed:
        """What a running server says over HTTP."""
        found: Observed = self._part("probes").observe_server(server)
        return found
