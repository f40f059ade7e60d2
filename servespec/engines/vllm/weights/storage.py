"""Bytes of a module's parameters after vLLM has made them ready for its kernels.

Source: vllm/model_executor/layers/quantization/*.py (create_weights and
process_weights_after_loading), fused_moe/oracle/*.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from servespec.engines.vllm.weights.modules import Module
from servespec.memory.elements import element_bytes
from servespec.memory.shards import ceil_div
from servespec.models.facts import WeightFormat

if TYPE_CHECKING:
    from servespec.deployment import Deployment

SCALAR_BYTES = 4


def stored_sizes(deployment: Deployment, module: Module) -> tuple[int, ...]:
    """Bytes of each tensor that the module keeps, one copy of it."""
    dtype = str(deployment.settings.value("dtype"))
    if module.form is None:
        pieces = module.pieces
        return (sum(_elements(p.shape) * p.experts * element_bytes(p.dtype or dtype) for p in pieces),)
    return _quantized(module, module.form)


def _elements(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def _quantized(module: Module, form: WeightFormat) -> tuple[int, ...]:
    outputs, inputs, experts = module.outputs, module.inputs, module.experts
    weight = ceil_div(experts * outputs * inputs * form.bits, 8)
    sizes = [weight, experts * scale_count(outputs, inputs, form) * element_bytes(form.scale_dtype)]
    if form.zero_points:
        sizes.append(ceil_div(experts * scale_count(outputs, inputs, form) * form.bits, 8))
    sizes.extend([experts * SCALAR_BYTES] * (form.global_scale + form.input_scale))
    return tuple(sizes)


def scale_count(outputs: int, inputs: int, form: WeightFormat) -> int:
    """Scales of one (outputs, inputs) weight."""
    if form.per_tensor_scale:
        return 1
    if form.block is not None:
        return ceil_div(outputs, form.block[0]) * ceil_div(inputs, form.block[1])
    return outputs * (ceil_div(inputs, form.group_size) if form.group_size else 1)
