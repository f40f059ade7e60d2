"""The engine or what runs its container, secrets, and the port."""

from __future__ import annotations

import errno
import shutil
import socket
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from servespec.doctor.need import Need, State
from servespec.doctor.place import Place

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.engines.launch import Launch
    from servespec.hardware.machine import Found, Machine

CONTAINERS = ("docker", "podman")
TOOLKIT = "nvidia-container-toolkit"


def place_of(launch: Launch, machine: Machine) -> Place:
    """Where the server would start: the engine's program here, else a container engine that answers."""
    if any(found.name == launch.engine for found in machine.engines) or shutil.which(launch.command[0]):
        is_python = launch.command[0].startswith("python")
        if not is_python or any(found.name == launch.engine for found in machine.engines):
            return Place.host
    return Place.container if _containers(machine) else Place.none


def program_needs(
    deployment: Deployment, launch: Launch, machine: Machine, place: Place, environment: Mapping[str, str]
) -> Iterator[Need]:
    """What starts the server, and what it is started with."""
    yield from _starter(deployment, machine, place)
    holders = sorted({*launch.secrets.values(), *(name for _, name in launch.secret_flags)})
    missing = [name for name in holders if name not in environment]
    if missing:
        message = f"the spec refers to {', '.join(missing)}, which this environment does not set: export it"
        yield Need("secrets", State.lacking, message)
    elif holders:
        yield Need("secrets", State.met, f"{', '.join(holders)} {'is' if len(holders) == 1 else 'are'} set")
    yield _port(launch, place)


def _containers(machine: Machine) -> list[Found]:
    return [found for found in machine.runtimes if found.name in CONTAINERS and found.version is not None]


def _starter(deployment: Deployment, machine: Machine, place: Place) -> Iterator[Need]:
    engine, asked = deployment.engine, deployment.asked_version
    if place is Place.host:
        found = next((each for each in machine.engines if each.name == engine), None)
        if found is None or found.version is None:
            yield Need(
                "engine", State.unsure, f"{engine} is here, its version is not known; the spec is for {asked}"
            )
        elif found.version.partition("+")[0] != asked:
            message = (
                f"{engine} {found.version} is installed, the spec is for {asked}: flags and memory may differ"
            )
            yield Need("engine", State.unsure, message)
        else:
            yield Need("engine", State.met, f"{engine} {found.version} in {found.path}")
        return
    if place is Place.none:
        silent = [each for each in machine.runtimes if each.name in CONTAINERS]
        problems = "".join(f"; {each.name} does not answer: {each.problem}" for each in silent)
        message = f"neither {engine} nor a container engine is here: install one of them{problems}"
        yield Need("engine", State.lacking, message)
        return
    names = ", ".join(f"{each.name} {each.version}" for each in _containers(machine))
    yield Need("container engine", State.met, f"{names} (no {engine} outside of containers)")
    if deployment.gpu.kind == "cuda":
        toolkit = next((each for each in machine.runtimes if each.name == TOOLKIT), None)
        if toolkit is None:
            message = f"{TOOLKIT} is not here: without it containers get no GPU; install it"
            yield Need("container toolkit", State.lacking, message)
        else:
            yield Need("container toolkit", State.met, f"{toolkit.version or TOOLKIT} in {toolkit.path}")


def _port(launch: Launch, place: Place) -> Need:
    """Whether the address can be bound now; a container publishes it on the host."""
    shown = f"{launch.host}:{launch.port}"
    host = launch.host.strip("[]")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, launch.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        return Need("port", State.unsure, f"{host} is no address that is known here ({error.strerror})")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"{shown} is taken by another process: stop it, or change server.port"
        elif error.errno == errno.EACCES and place is not Place.host:
            return Need(
                "port", State.unsure, f"{shown} may only be bound by root, which container engines often are"
            )
        else:
            message = f"{shown} cannot be bound: {error.strerror}"
        return Need("port", State.lacking, message)
    return Need("port", State.met, f"{shown} is free")
