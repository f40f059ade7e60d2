"""The catalogue: one row of ``catalogue.json`` for each GPU, found by any of its names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from servespec.errors import UnknownGPUError
from servespec.hardware.gpu import GPU

GIB = 2**30
MIB = 2**20
_VENDOR_WORDS = re.compile(r"^(nvidia|amd|geforce|instinct|tesla|radeon)+")


@cache
def gpus() -> tuple[GPU, ...]:
    """Every GPU of the catalogue, MIG profiles after the cards that they are cut from."""
    return tuple(_rows())


@cache
def _by_name() -> Mapping[str, GPU]:
    index: dict[str, GPU] = {}
    for gpu in gpus():
        for spelling in (gpu.name, *gpu.aliases):
            for key in (_key(spelling), _VENDOR_WORDS.sub("", _key(spelling))):
                index.setdefault(key, gpu)
    return index


def named(name: str) -> GPU:
    """The GPU of that name or alias; case, spaces and punctuation make no difference.

    Raises UnknownGPUError with the nearest name there is.
    """
    index = _by_name()
    key = _key(name)
    found = index.get(key) or index.get(_VENDOR_WORDS.sub("", key))
    if found is None:
        raise UnknownGPUError(name, _nearest(key, index))
    return found


def with_memory(gpu: GPU, memory_gib: float) -> GPU:
    """The same GPU with the total that the user says its engines see."""
    return replace(gpu, total_bytes=round(memory_gib * GIB), total_spread_bytes=0)


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", name.lower())


def _nearest(key: str, index: Mapping[str, GPU]) -> str | None:
    from difflib import get_close_matches

    close = get_close_matches(key, index, n=1, cutoff=0.5)
    return index[close[0]].name if close else None


def _rows() -> Iterator[GPU]:
    data = json.loads(Path(__file__).with_name("catalogue.json").read_bytes())
    sources: dict[str, str] = data["sources"]
    cards: dict[str, GPU] = {}
    for row in data["gpus"]:
        cards[row["name"]] = _card(row, sources)
    yield from cards.values()
    for row in data["mig"]:
        yield _mig_profile(row, cards[row["of"]], sources)


def _card(row: Mapping[str, Any], sources: Mapping[str, str]) -> GPU:
    flops = {name: value * 1e12 for name, value in row["tflops"].items()}
    return GPU(
        name=row["name"],
        kind=row["kind"],
        total_bytes=round(row["total_gib"] * GIB),
        total_spread_bytes=round(row["spread_gib"] * GIB),
        used_bytes=round(row["used_gib"] * GIB),
        driver_total_bytes=(row["driver_mib"] or 0) * MIB,
        compute_capability=(row["compute_capability"][0], row["compute_capability"][1]),
        architecture=row["architecture"],
        bandwidth_bytes_per_second=row["bandwidth_gbs"] * 1e9,
        bf16_flops=flops["bf16"],
        fp16_flops=flops["fp16"],
        fp8_flops=flops["fp8"],
        fp4_flops=flops["fp4"],
        int8_flops=flops["int8"],
        interconnect=row["interconnect"],
        interconnect_bytes_per_second=row["interconnect_gbs"] * 1e9,
        unified_memory=row.get("unified_memory", False),
        multiprocessors=row["multiprocessors"],
        aliases=tuple(row["aliases"]),
        source=sources[row["source"]],
    )


def _mig_profile(row: Mapping[str, Any], card: GPU, sources: Mapping[str, str]) -> GPU:
    """A slice of a card: bandwidth goes by eighths of memory, FLOP/s by multiprocessors.

    nvidia-smi prints no total for it, so there is no ``driver_total_bytes``.
    """
    profile = row["profile"]
    compute = row["multiprocessors"] / card.multiprocessors
    return replace(
        card,
        name=f"{card.name}-MIG-{profile}",
        total_bytes=round(row["total_gib"] * GIB),
        total_spread_bytes=round(row["spread_gib"] * GIB),
        driver_total_bytes=0,
        multiprocessors=row["multiprocessors"],
        bandwidth_bytes_per_second=card.bandwidth_bytes_per_second * row["memory_eighths"] / 8,
        bf16_flops=card.bf16_flops * compute,
        fp16_flops=card.fp16_flops * compute,
        fp8_flops=card.fp8_flops * compute,
        fp4_flops=card.fp4_flops * compute,
        int8_flops=card.int8_flops * compute,
        interconnect="none",
        interconnect_bytes_per_second=0.0,
        aliases=(f"{card.name}-{profile}", *(f"{alias} MIG {profile}" for alias in card.aliases)),
        source=sources[row["source"]],
    )
