"""All needs of one deployment, in the order in which a start would meet them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from servespec.doctor.gpus import cpu_needs, gpu_needs
from servespec.doctor.host import host_needs
from servespec.doctor.programs import place_of, program_needs

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.doctor.need import Need
    from servespec.hardware.machine import Machine


def examine(deployment: Deployment, machine: Machine, environment: Mapping[str, str]) -> tuple[Need, ...]:
    """What the deployment needs of the machine. ``environment`` is what the server would be started from.

    Nothing is started, and nothing is asked of the network. Raises ServespecError where the deployment cannot be
    lowered.
    """
    from servespec.engines import get_engine

    launch = get_engine(deployment.engine).lower(deployment)
    place = place_of(launch, machine)
    needs = cpu_needs if deployment.gpu.is_cpu else gpu_needs
    return (
        *needs(deployment, launch, machine, place),
        *program_needs(deployment, launch, machine, place, environment),
        *host_needs(deployment, launch, machine, place, environment),
    )
