"""The TGI engine: the door to this package, one import per question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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


class TGIEngine:
    """See :class:`servespec.engines.base.Engine`."""

    name = "tgi"
    title = "TGI"

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
        from servespec.engines.tgi.defaults import resolve

        return resolve(inputs)

    def budget(self, deployment: Deployment) -> MemoryBudget:
        """What this version allocates. Raises UnmodelledError."""
        from servespec.engines.tgi.memory import budget

        return budget(deployment)

    def conditions(self, deployment: Deployment) -> Conditions:
        """Ranks alone."""
        from servespec.calibration.model import Conditions

        return Conditions(eager=False, tensor_parallel=deployment.settings.integer("num_shard"))

    def lower(self, deployment: Deployment) -> Launch:
        """argv, environment, image and health of the server."""
        from servespec.engines.tgi.lower import lower

        return lower(deployment)

    def inexpressible(self, deployment: Deployment) -> tuple[Diagnostic, ...]:
        """Keys of the spec that this version has no flag for."""
        from servespec.engines.tgi.keys import inexpressible

        return inexpressible(deployment)

    def lift(self, argv: Sequence[str], environment: Mapping[str, str], version: str) -> Mapping[str, object]:
        """The spec that a published command means."""
        from servespec.engines.tgi.lift import lift

        return lift(argv, environment, version)

    def rules(self) -> Sequence[Rule]:
        """Rules that hold for this engine alone."""
        from servespec.engines.tgi.rules import RULES

        return RULES

    def random_weights_args(self) -> Mapping[str, object] | None:
        """None: it starts with a checkpoint only."""
        return None

    def log_reader(self, version: str) -> LogReader:
        """A reader of this version's start-up log."""
        from servespec.engines.tgi.logs import Reader

        return Reader(version)

    def observe(self, log: str, version: str | None) -> Observed:
        """What a whole start-up log says."""
        from servespec.engines.tgi.logs import Reader

        reader = Reader(version)
        for line in log.splitlines():
            reader.feed(line)
        return reader.observed()

    def probes(self, deployment: Deployment) -> Sequence[Probe]:
        """Smoke probes of this engine's own interface."""
        from servespec.engines.tgi.probes import probes

        return probes(deployment)

    def observe_server(self, server: Server) -> Observed:
        """What a running server says over HTTP."""
        from servespec.engines.tgi.probes import observe_server

        return observe_server(server)


ENGINE = TGIEngine()
