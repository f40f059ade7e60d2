"""What a model's repository on the Hub would say of itself, made from servespec's inventory of its tensors.

The rivals size a model by its safetensors header: names, shapes and types of the tensors. The header made here
has the same tensors with the same bytes as the inventory; it holds no weights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from servespec.models.build import facts_from_config
from servespec.models.facts import ModelFacts, TensorGroup, WeightFormat
from servespec.models.quantization.matching import by_format
from servespec.models.quantization.storage import ELEMENT_BYTES, checkpoint_bytes

# torch's names → safetensors' (https://github.com/huggingface/safetensors, safetensors/src/tensor.rs, Dtype).
SAFETENSORS_DTYPE = {
    "float64": "F64",
    "int64": "I64",
    "float32": "F32",
    "int32": "I32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int8": "I8",
    "uint8": "U8",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e8m0fnu": "F8_E8M0",
}

# The type that a format's packed weights have in a checkpoint.
PACKED_DTYPE = {
    "awq": "int32",
    "gptq": "int32",
    "pack-quantized": "int32",
    "int-quantized": "int8",
    "eetq": "int8",
    "fp8": "float8_e4m3fn",
    "mxfp8": "float8_e4m3fn",
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One entry of a safetensors header."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Size of the tensor's data."""
        return self.elements * ELEMENT_BYTES[self.dtype]


def tensors(facts: ModelFacts, *, quantized: bool = True) -> tuple[Tensor, ...]:
    """The tensors of a checkpoint, each under its own name; ``quantized`` False gives the model before quantization."""
    merged: dict[str, Tensor] = {}
    for group in facts.tensors:
        for part, found in by_format(facts.quantization if quantized else None, group):
            for stored in _stored(part, found, facts.dtype):
                for name in _names(part, stored.name):
                    known = merged.get(name)
                    merged[name] = Tensor(name, stored.dtype, _joined(known, stored))
    return tuple(merged.values())


def _joined(known: Tensor | None, added: Tensor) -> tuple[int, ...]:
    """Parts of a fused tensor have one name: they lie behind one another."""
    if known is None:
        return added.shape
    if known.shape[1:] == added.shape[1:] and known.dtype == added.dtype:
        return (known.shape[0] + added.shape[0], *known.shape[1:])
    return ((known.bytes + added.bytes) // ELEMENT_BYTES[added.dtype],)


def _stored(group: TensorGroup, found: WeightFormat | None, dtype: str) -> Iterator[Tensor]:
    """What one tensor of the group becomes in the file: itself, or packed weights and their scales."""
    if found is None:
        yield Tensor(group.name, group.dtype or dtype, group.shape)
        return
    total = checkpoint_bytes(group, found, dtype) // group.count
    packed_dtype = PACKED_DTYPE.get(found.name, "uint8")
    packed = group.elements * found.bits // 8 // ELEMENT_BYTES[packed_dtype]
    stem = group.name.removesuffix(".weight")
    *outer, outputs, _ = group.shape
    rows = math.prod(outer) * outputs
    shape = (*outer, outputs, packed // rows) if packed % rows == 0 else (packed,)
    weight = Tensor(f"{stem}.weight", packed_dtype, shape)
    yield weight
    rest = total - weight.bytes
    scale_dtype = found.scale_dtype if rest % ELEMENT_BYTES[found.scale_dtype] == 0 else "uint8"
    if rest > 0:
        yield Tensor(f"{stem}.weight_scale", scale_dtype, (rest // ELEMENT_BYTES[scale_dtype],))


def _names(group: TensorGroup, name: str) -> Iterator[str]:
    """Every name that the group's tensors have; repeats that the pattern does not name are numbered."""
    for layer in group.layers or (0,):
        for expert in range(group.experts):
            for block in range(group.copies):
                text = name.format(layer=layer, expert=expert, block=block)
                if group.experts > 1 and "{expert}" not in name:
                    text += f".{expert}"
                if group.copies > 1 and "{block}" not in name:
                    text += f".{block}"
                yield text


@dataclass(frozen=True, slots=True)
class Repository:
    """A model repository as the Hub shows it."""

    id: str
    config: Mapping[str, Any]
    hf_quant_config: Mapping[str, Any] | None
    tensors: tuple[Tensor, ...]

    SHARD = "model-00001-of-00001.safetensors"

    def parameters(self) -> dict[str, int]:
        """Elements by type, as the Hub counts them."""
        counts: dict[str, int] = {}
        for tensor in self.tensors:
            key = SAFETENSORS_DTYPE[tensor.dtype]
            counts[key] = counts.get(key, 0) + tensor.elements
        return counts

    def header(self) -> bytes:
        """Length and JSON header of the one safetensors file."""
        entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        offset = 0
        for tensor in self.tensors:
            end = offset + tensor.bytes
            entries[tensor.name] = {
                "dtype": SAFETENSORS_DTYPE[tensor.dtype],
                "shape": list(tensor.shape),
                "data_offsets": [offset, end],
            }
            offset = end
        text = json.dumps(entries, separators=(",", ":")).encode()
        return len(text).to_bytes(8, "little") + text

    def index(self) -> bytes:
        """``model.safetensors.index.json``."""
        size = sum(tensor.bytes for tensor in self.tensors)
        weight_map = {tensor.name: self.SHARD for tensor in self.tensors}
        return json.dumps({"metadata": {"total_size": size}, "weight_map": weight_map}).encode()


def repository(
    id: str, config: Mapping[str, Any], hf_quant_config: Mapping[str, Any] | None, *, quantized: bool
) -> Repository:
    """The repository of a configuration; ``quantized`` False gives the model that it was quantized from.

    A configuration's ``auto_map`` names Python files that would be downloaded and run: it is left out.
    """
    facts = facts_from_config(dict(config), id=id, source="catalogue", hf_quant_config=hf_quant_config)
    shown = {key: value for key, value in config.items() if key != "auto_map"}
    if not quantized:
        shown.pop("quantization_config", None)
        hf_quant_config = None
    return Repository(id, shown, hf_quant_config, tensors(facts, quantized=quantized))
