"""``servespec doctor``: what this machine has to run engines on, and what a spec needs that it lacks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from servespec.cli._parameters import Online, Targets, TextOrJson

if TYPE_CHECKING:
    from servespec.doctor import Need
    from servespec.hardware.machine import Found, Machine
    from servespec.hardware.nvml import LocalGPU

GIB, MIB = 2**30, 2**20


def command(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="A spec: say what it needs and this machine lacks.",
            show_default=False,
            readable=False,
        ),
    ] = None,
    target: Targets = None,
    format_name: TextOrJson = "text",
    online: Online = False,
) -> int:
    """Show what this machine has, and what a spec lacks on it.

    With a spec: the driver for the engine's CUDA, the GPUs and what other processes leave free on them, the engine or
    what runs its container, secrets, the port, disk for the weights, /dev/shm. Nothing is started. Exits with 1 where
    something is lacking. Figures of a GPU are the driver's in MiB, rounded up as nvidia-smi rounds them (--format json
    has the bytes); "seen by engines" is CUDA's total.
    """
    from servespec.doctor import State
    from servespec.engines.published import published
    from servespec.hardware.machine import survey

    machine = survey({name: how.programs[0][0] for name, how in published().items() if how.programs})
    found = _needs(file, target, machine, online=online) if file is not None else {}
    if format_name == "json":
        needs = {engine: [asdict(need) for need in of_engine] for engine, of_engine in found.items()}
        print(json.dumps(_data(machine) | ({"needs": needs} if file is not None else {}), indent=2))
    else:
        lines = _lines(machine)
        for engine, of_engine in found.items():
            lines += [
                f"{file} on {engine}",
                *(f"  {need.state:<8} {need.name}: {need.message}" for need in of_engine),
            ]
        print("\n".join(lines))
    return int(any(need.state is State.lacking for of_engine in found.values() for need in of_engine))


def _needs(
    file: Path, targets: list[str] | None, machine: Machine, *, online: bool
) -> dict[str, tuple[Need, ...]]:
    """By engine. A GPU that ``gpu: local`` does not find is a need of its own."""
    import os

    from servespec.api import resolve
    from servespec.cli._inputs import load_one, unreadable
    from servespec.doctor import Need, State, examine
    from servespec.hardware.nvml import NoDriverError, TooFewGPUsError
    from servespec.resolve import engines_of

    loaded = load_one(file)
    if loaded.spec is None:
        raise unreadable(loaded)
    found: dict[str, tuple[Need, ...]] = {}
    for engine in targets or engines_of(loaded.spec):
        try:
            deployment = resolve(loaded.spec, engine, loaded.directory, online=online)
        except (NoDriverError, TooFewGPUsError) as error:
            found[engine] = (Need("GPUs", State.lacking, str(error)),)
        else:
            found[engine] = examine(deployment, machine, os.environ)
    return found


def _data(machine: Machine) -> dict[str, Any]:
    from servespec.hardware.machine import catalogue_difference_bytes
    from servespec.hardware.nvml import as_catalogue_row

    data = asdict(machine)
    if machine.inventory is not None:
        for shown, gpu in zip(data["inventory"]["gpus"], machine.inventory.gpus, strict=True):
            shown["catalogue_name"] = as_catalogue_row(gpu).name
            shown["catalogue_difference_bytes"] = catalogue_difference_bytes(gpu)
    return data


def _lines(machine: Machine) -> list[str]:
    lines = ["GPUs"]
    seen = machine.inventory
    if seen is None:
        lines.append(f"  none: {machine.problem}")
    else:
        lines.append(f"  NVIDIA driver {seen.driver_version}, CUDA {seen.cuda_version}")
        for gpu in seen.gpus:
            lines += _gpu_lines(gpu)
    memory = f"{machine.host_bytes / GIB:.1f} GiB" if machine.host_bytes else "unknown"
    lines += ["Host", f"  {machine.cpus} processors, {memory} of memory"]
    lines.append(f"  /dev/shm {_size(machine.shm_bytes)}; {_limits(machine)}")
    return [*lines, *_found("Engines", machine.engines), *_found("Containers", machine.runtimes)]


def _size(size_bytes: int) -> str:
    return f"{size_bytes / GIB:.1f} GiB" if size_bytes else "is not there"


def _limits(machine: Machine) -> str:
    files = "unlimited" if machine.open_files is None else f"{machine.open_files:,}"
    locked = "unlimited" if machine.locked_bytes is None else f"{machine.locked_bytes // 1024:,} KiB"
    return f"open files {files}, locked memory {locked}"


def _gpu_lines(gpu: LocalGPU) -> list[str]:
    from servespec.hardware.machine import catalogue_difference_bytes

    kind = " (MIG instance)" if gpu.is_mig_instance else " (split by MIG)" if gpu.mig_enabled else ""
    ecc = "" if gpu.ecc is None else f", ECC {'on' if gpu.ecc else 'off'}"
    major, minor = gpu.compute_capability
    lines = [
        f"  {gpu.index}: {gpu.name}{kind}, compute capability {major}.{minor}{ecc}",
        f"     {_whole_mib(gpu.total_bytes)} total, {_whole_mib(gpu.used_bytes)} used, "
        f"{_whole_mib(gpu.free_bytes)} free, {_whole_mib(gpu.reserved_bytes)} reserved",
    ]
    if gpu.usable_bytes is not None:
        difference = catalogue_difference_bytes(gpu)
        catalogue = (
            "not in the catalogue"
            if difference is None
            else "as in the catalogue"
            if abs(difference) < MIB
            else f"{difference / MIB:+,.0f} MiB against the catalogue"
        )
        lines.append(f"     {_mib(gpu.usable_bytes)} seen by engines, {catalogue}")
    for process in gpu.processes:
        held = "an unknown amount" if process.used_bytes is None else _mib(process.used_bytes)
        name = f" ({process.name})" if process.name else ""
        lines.append(f"     process {process.pid}{name} holds {held}")
    return lines


def _whole_mib(size_bytes: int) -> str:
    """Rounded up: nvidia-smi shows 644,939,776 reserved bytes, 615.06 MiB, as 616 MiB (docs/evidence)."""
    return f"{-(-size_bytes // MIB):,} MiB"


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / MIB:,.0f} MiB"


def _found(title: str, programs: tuple[Found, ...]) -> list[str]:
    if not programs:
        return [title, "  none"]
    return [
        title,
        *(
            f"  {each.name} {each.version or '(version not known)'} in {each.path}"
            + (f": {each.problem}" if each.problem else "")
            for each in programs
        ),
    ]
