"""Bytes of a group of tensors as the checkpoint stores it."""

from __future__ import annotations

from servespec.errors import UnmodelledError
from servespec.models.facts import TensorGroup, WeightFormat

ELEMENT_BYTES = {
    "float64": 8,
    "int64": 8,
    "float32": 4,
    "int32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int8": 1,
    "uint8": 1,
    "float8_e4m3fn": 1,
    "float8_e8m0fnu": 1,
}


def element_bytes(dtype: str) -> int:
    """Bytes of one element of a type, by torch's name for it. Raises UnmodelledError."""
    try:
        return ELEMENT_BYTES[dtype.removeprefix("torch.")]
    except KeyError:
        raise UnmodelledError(f"element type {dtype}") from None


def _ceil(value: int, divisor: int) -> int:
    return -(-value // divisor)


def scale_count(outputs: int, inputs: int, found: WeightFormat) -> int:
    """Number of scales of one (outputs, inputs) weight."""
    if found.block is not None:
        return _ceil(outputs, found.block[0]) * _ceil(inputs, found.block[1])
    if found.per_tensor_scale:
        return 1
    if found.group_size is not None:
        return outputs * _ceil(inputs, found.group_size)
    return outputs


def checkpoint_bytes(group: TensorGroup, found: WeightFormat | None, dtype: str) -> int:
    """Bytes of all tensors of the group with their scales, zero points and indices.

    ``dtype`` is the model's own. AutoAWQ packs zero points as the weights are packed; AutoGPTQ stores
    ``qzeros`` and an int32 ``g_idx`` whether they are needed or not; bitsandbytes' NF4 stores a byte of
    absmax for each 64 weights and a float32 for each 256 of those (double quantization).
    """
    if found is None:
        return group.elements * group.count * element_bytes(group.dtype or dtype)
    *outer, outputs, inputs = group.shape
    repeats = group.count
    for size in outer:
        repeats *= size
    if found.name == "bitsandbytes":
        weights = outputs * inputs
        if found.bits == 4:
            blocks = _ceil(weights, 64)
            return repeats * (_ceil(weights, 2) + blocks + _ceil(blocks, 256) * 4 + 4 + 16 * 4 + 256 * 4)
        return repeats * (weights + outputs * 4)
    size = _ceil(outputs * inputs * found.bits, 8)
    scales = scale_count(outputs, inputs, found)
    size += scales * element_bytes(found.scale_dtype)
    if found.zero_points or found.name == "gptq":
        size += _ceil(scales * found.bits, 8)
    if found.name == "gptq" or found.act_order:
        size += inputs * 4
    size += 4 * (found.global_scale + found.input_scale)
    return repeats * size
