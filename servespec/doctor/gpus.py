"""The driver, the GPUs and what is free on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from servespec.doctor.need import Need, State
from servespec.doctor.place import Place
from servespec.errors import ServespecError
from servespec.hardware.nvml import as_catalogue_row
from servespec.hardware.visible import local_gpu, visible
from servespec.rules.versions import holds, version_key

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.engines.launch import Launch
    from servespec.hardware.gpu import GPU
    from servespec.hardware.machine import Machine
    from servespec.hardware.nvml import Inventory
    from servespec.rules.base import Rule
    from servespec.spec.model import Spec

GIB = 2**30
LEAST_DRIVER = {11: "450", 12: "525", 13: "580"}
"""The oldest driver for a major release of CUDA (NVIDIA CUDA Compatibility, "Minor Version Compatibility", table 1)."""


def gpu_needs(deployment: Deployment, launch: Launch, machine: Machine, place: Place) -> Iterator[Need]:
    """Driver, GPUs, and their free memory by the engine's own budget."""
    if deployment.gpu.kind != "cuda":
        message = (
            f"the spec is for {deployment.gpu.name}: what is free on AMD GPUs is not read here, see rocm-smi"
        )
        yield Need("GPUs", State.unsure, message)
        return
    seen = machine.inventory
    if seen is None:
        yield Need("driver", State.lacking, f"{machine.problem}: the spec is for {deployment.gpu.name}")
        return
    yield _driver(deployment, seen, place)
    yield from _gpus(deployment, launch, seen)


def cpu_needs(deployment: Deployment, launch: Launch, machine: Machine, place: Place) -> Iterator[Need]:
    """The memory of the host, where an engine for CPUs keeps everything."""
    needed, there = deployment.gpu.total_bytes, machine.host_bytes
    if not needed or not there:
        return
    message = f"hardware.memory_gib says {needed / GIB:,.1f} GiB, this host has {there / GIB:,.1f} GiB"
    yield Need("host memory", State.lacking if needed > there else State.met, message)


def _driver(deployment: Deployment, seen: Inventory, place: Place) -> Need:
    from servespec.engines.published import published

    engine, asked = deployment.engine, deployment.asked_version
    releases = published()[engine].cuda
    major = next((number for versions, number in releases if holds(versions, asked)), None)
    has = f"NVIDIA driver {seen.driver_version}"
    if major is None:
        return Need("driver", State.unsure, f"{has}; for which CUDA {engine} {asked} is built is not known")
    least = LEAST_DRIVER[major]
    built = f"{engine} {asked} is built for CUDA {major}, which needs {least} or newer"
    if version_key(seen.driver_version) >= version_key(least):
        return Need("driver", State.met, f"{has}: {built}")
    if place is Place.container:
        compatible = "an image with CUDA's compatibility package may do on a data-centre GPU, on no other"
        return Need("driver", State.unsure, f"{has} is too old: {built}; update the driver ({compatible})")
    return Need("driver", State.lacking, f"{has} is too old: {built}; update the driver")


def _gpus(deployment: Deployment, launch: Launch, seen: Inventory) -> Iterator[Need]:
    count, wanted = launch.gpus_per_node, deployment.gpu.name
    devices = launch.environment.get("CUDA_VISIBLE_DEVICES")
    used = visible(seen, devices)[:count]
    names = [as_catalogue_row(gpu).name for gpu in used]
    shown = _counted(names) or "none"
    if len(used) < count:
        yield Need(
            "GPUs", State.lacking, f"{count} × {wanted} {_are(count)} needed, this machine shows {shown}"
        )
        return
    if set(names) != {wanted}:
        advice = "what check says of memory does not hold here; write the GPU that is there, or local, as hardware.gpu"
        message = f"{count} × {wanted} {_are(count)} needed, the server would use {shown}: {advice}"
        yield Need("GPUs", State.lacking, message)
        return
    yield Need("GPUs", State.met, shown)
    yield _memory(deployment, count, devices)


def _memory(deployment: Deployment, count: int, devices: str | None) -> Need:
    """What the engine would say of the fullest of the GPUs, as it is now."""
    from servespec.engines import get_engine
    from servespec.memory.budget import Verdict
    from servespec.resolve import Facts, resolve_target
    from servespec.rules.registry import find_card
    from servespec.rules.subject import Subject

    name = "GPU memory"
    try:
        gpu = local_gpu(count, devices)
        facts = Facts(model=deployment.model, gpu=gpu, draft=deployment.draft)
        spec = _with_what_is_still_to_come(deployment.spec, gpu)
        here = resolve_target(spec, deployment.engine, facts, deployment.directory).deployment
        budget = get_engine(here.engine).budget(here)
    except ServespecError as error:
        return Need(name, State.unsure, str(error))
    free = gpu.total_bytes - gpu.held_bytes
    if budget.verdict is Verdict.fits:
        message = f"{free / GIB:,.1f} of {gpu.total_bytes / GIB:,.1f} GiB are free: {budget.kv_tokens:,} tokens of KV cache"
        return Need(name, State.met, message)
    subject = Subject(spec=here.spec, deployment=here, budget=budget, directory=here.directory)
    found = [
        finding.message
        for code in ("SV101", "SV102")
        for finding in cast("Rule", find_card(code)).diagnose(subject)
    ]
    state = State.unsure if budget.verdict is Verdict.tight else State.lacking
    message = "; ".join(found) or "the engine's start lies within the uncertainty of the prediction"
    return Need(name, state, f"{free / GIB:,.1f} of {gpu.total_bytes / GIB:,.1f} GiB are free: {message}")


def _with_what_is_still_to_come(spec: Spec, gpu: GPU) -> Spec:
    """What others hold already is no longer to be reserved for them."""
    reserved_gib = max(0.0, spec.hardware.reserved_gib - gpu.held_bytes / GIB)
    hardware = spec.hardware.model_copy(update={"reserved_gib": reserved_gib})
    return spec.model_copy(update={"hardware": hardware})


def _counted(names: list[str]) -> str:
    return ", ".join(f"{names.count(name)} × {name}" for name in dict.fromkeys(names))


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
