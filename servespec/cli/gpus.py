"""``servespec gpus``: the GPUs that servespec knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from servespec.cli._parameters import TextOrJson, choice

if TYPE_CHECKING:
    from servespec.hardware.gpu import GPU

GIB = 2**30


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Only those whose name or alias has all of these."),
    ] = None,
    kind: Annotated[
        str | None,
        choice("--kind", names=lambda: ("cuda", "rocm"), metavar="KIND", help="Only cuda or rocm."),
    ] = None,
    mig: Annotated[bool, typer.Option("--mig", help="MIG profiles too.")] = False,
    format_name: TextOrJson = "text",
) -> int:
    """List the GPUs that a spec can name.

    Memory is what the engine calls the device's total, which is less than the card's name says; cc is the compute
    capability.
    """
    from servespec.errors import UsageError
    from servespec.hardware.catalogue import gpus

    wanted = [word.lower() for word in words or ()]
    shown = [
        gpu
        for gpu in gpus()
        if kind in (None, gpu.kind) and (mig or wanted or "-MIG-" not in gpu.name) and _has_all(gpu, wanted)
    ]
    if not shown:
        raise UsageError(
            f"no GPU of the catalogue has {' and '.join(map(repr, words or ()))} in its name "
            "(`servespec gpus` lists them all, `--mig` their MIG profiles too)"
        )
    print(
        json.dumps([_row(gpu) for gpu in shown], indent=2)
        if format_name == "json"
        else "\n".join(_table(shown))
    )
    return 0


def _has_all(gpu: GPU, words: list[str]) -> bool:
    names = " ".join((gpu.name, *gpu.aliases)).lower()
    return all(word in names for word in words)


def _row(gpu: GPU) -> dict[str, Any]:
    capability = gpu.compute_capability
    return {
        "name": gpu.name,
        "aliases": list(gpu.aliases),
        "kind": gpu.kind,
        "architecture": gpu.architecture,
        "compute_capability": f"{capability[0]}.{capability[1]}" if capability else None,
        "total_bytes": gpu.total_bytes,
        "total_spread_bytes": gpu.total_spread_bytes,
        "used_bytes": gpu.used_bytes,
        "driver_total_bytes": gpu.driver_total_bytes or None,
        "unified_memory": gpu.unified_memory,
        "multiprocessors": gpu.multiprocessors,
        "bandwidth_bytes_per_second": gpu.bandwidth_bytes_per_second,
        "flops": {
            "bf16": gpu.bf16_flops,
            "fp16": gpu.fp16_flops,
            "fp8": gpu.fp8_flops,
            "fp4": gpu.fp4_flops,
            "int8": gpu.int8_flops,
        },
        "interconnect": gpu.interconnect,
        "interconnect_bytes_per_second": gpu.interconnect_bytes_per_second,
        "source": gpu.source,
    }


def _table(shown: list[GPU]) -> list[str]:
    width = max(len(gpu.name) for gpu in shown)
    lines = [f"{'name':<{width}}  {'GiB seen':>8}  {'GB/s':>5}  {'TFLOP/s':>7}  {'fp8':>5}  {'cc':>4}  also"]
    for gpu in shown:
        capability = gpu.compute_capability
        compute = f"{capability[0]}.{capability[1]}" if capability and gpu.kind == "cuda" else gpu.kind
        half = gpu.bf16_flops or gpu.fp16_flops
        eight = f"{gpu.fp8_flops / 1e12:.0f}" if gpu.fp8_flops else "-"
        lines.append(
            f"{gpu.name:<{width}}  {gpu.total_bytes / GIB:8.2f}  {gpu.bandwidth_bytes_per_second / 1e9:5.0f}  "
            f"{half / 1e12:7.0f}  {eight:>5}  {compute:>4}  {gpu.aliases[0] if gpu.aliases else ''}"
        )
    return lines
