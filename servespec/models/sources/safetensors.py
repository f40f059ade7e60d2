"""Headers of safetensors files: exact bytes of every tensor, without reading a weight.

The format: eight bytes with the header's length (little endian), the header as JSON, then the data. A header is not
trusted: its length, every offset against every shape, and the file's end are checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from stat import S_ISREG
from typing import Any

from servespec.errors import SourceError
from servespec.models.sources.found import read_json

MOST_HEADER_BYTES = 100_000_000  # the limit of the safetensors library itself
MOST_DIMENSIONS = 16
INDEX = "model.safetensors.index.json"

# Bits of one element by the header's name for its type (safetensors' own list).
TYPE_BITS = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "U8": 8,
    "I8": 8,
    "U16": 16,
    "I16": 16,
    "F16": 16,
    "BF16": 16,
    "U32": 32,
    "I32": 32,
    "F32": 32,
    "U64": 64,
    "I64": 64,
    "F64": 64,
    "C64": 64,
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as the header gives it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


def _natural(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def read_header(path: Path) -> tuple[Tensor, ...]:
    """The tensors of one file. Raises SourceError for a file that is cut short or whose header lies."""
    try:
        status = path.stat()
        size = status.st_size
        if not S_ISREG(status.st_mode):  # reading a named pipe would wait
            raise SourceError(f"cannot read {path}: it is no regular file")
        with path.open("rb") as file:
            prefix = file.read(8)
            length = int.from_bytes(prefix, "little")
            if len(prefix) < 8 or length > size - 8:
                raise SourceError(f"{path} is cut short: {size:,} bytes do not hold its header")
            if length > MOST_HEADER_BYTES:
                raise SourceError(f"{path} has a header of {length:,} bytes: no safetensors file has")
            header = json.loads(file.read(length))
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise SourceError(f"the header of {path} is no JSON: it is no safetensors file") from None
    if not isinstance(header, dict):
        raise SourceError(f"the header of {path} is no JSON object: it is no safetensors file")
    return _tensors(header, path, size - 8 - length)


def _tensors(header: Mapping[str, Any], path: Path, data_bytes: int) -> tuple[Tensor, ...]:
    tensors = []
    spans = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        dtype, shape, offsets = (
            (entry.get("dtype"), entry.get("shape"), entry.get("data_offsets"))
            if isinstance(entry, dict)
            else (None, None, None)
        )
        if (
            dtype not in TYPE_BITS
            or not isinstance(shape, list)
            or len(shape) > MOST_DIMENSIONS
            or not all(_natural(size) for size in shape)
            or not isinstance(offsets, list)
            or len(offsets) != 2
            or not all(_natural(offset) for offset in offsets)
        ):
            raise SourceError(f"{path}: tensor {name[:100]} has no valid type, shape and offsets")
        begin, end = offsets
        if end < begin or end - begin != -(-prod(shape) * TYPE_BITS[dtype] // 8):
            raise SourceError(
                f"{path}: tensor {name[:100]} claims {end - begin:,} bytes, its shape says otherwise"
            )
        if end > data_bytes:
            raise SourceError(
                f"{path} is cut short: tensor {name[:100]} ends {end - data_bytes:,} bytes behind it"
            )
        spans.append((begin, end, name))
        tensors.append(Tensor(name, dtype, tuple(shape), end - begin))
    spans.sort()
    for (_, end, first), (begin, _, second) in pairwise(spans):
        if begin < end:
            raise SourceError(f"{path}: tensors {first[:100]} and {second[:100]} overlap")
    return tuple(tensors)


def files(folder: Path) -> tuple[Path, ...]:
    """The files that hold the model: those of the index, else all but adapters and Mistral's second copy."""
    index = folder / INDEX
    if index.is_file():
        weight_map = read_json(index).get("weight_map")
        if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
            raise SourceError(f"{index} has no weight_map from tensors to files")
        names = sorted(set(weight_map.values()))
        if any("/" in name or "\\" in name or name.startswith(".") for name in names):
            raise SourceError(f"{index} names a file outside its folder")
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise SourceError(
                f"{folder} lacks {missing[0]} ({len(missing)} of {len(names)} files of its index)"
            )
        return tuple(folder / name for name in names)
    found = sorted(folder.glob("*.safetensors"))
    own = [path for path in found if not path.name.startswith(("consolidated", "adapter_"))]
    return tuple(own or [path for path in found if path.name.startswith("consolidated")])


def read_folder(folder: Path) -> tuple[Tensor, ...]:
    """The tensors of all the model's files; empty where the folder has none. Raises SourceError."""
    tensors: dict[str, Tensor] = {}
    for path in files(folder):
        for tensor in read_header(path):
            if tensor.name in tensors:
                raise SourceError(f"{path}: tensor {tensor.name[:100]} is in another file too")
            tensors[tensor.name] = tensor
    return tuple(tensors.values())
