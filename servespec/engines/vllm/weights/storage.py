"""Bytes of a module's parameters after vLLM has made them ready for its kernels.

Source: vllm/model_executor/layers/quantization/*.py (create_weights and
process_weights_after_loading), fused_moe/oracle/*.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from servespec.engines.vllm.quantization import effective_quantization
from servespec.engines.vllm.weights.kernels import Kernel, kernel_for, mxfp4_experts_kernel
from servespec.engines.vllm.weights.modules import Module
from servespec.memory.elements import element_bytes
from servespec.memory.shards import ceil_div, elements_of, round_up
from servespec.models.facts import TensorKind, WeightFormat
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

SCALAR_BYTES = 4
MULTIPROCESSORS = 132
"""Marlin's workspace is one int32 for each multiprocessor; where the GPU's count is not known, Hopper's."""

TRITON_PADS_INPUTS = "<0.13"
"""triton_kernels of that time stores MXFP4 values in rows of whole 128 bytes: llmd622 on 0.11, gpt-oss-20b 13.47 GiB
and gpt-oss-120b 64.38; on 0.25.1 (exact) it does not."""

FLOAT32_GATES = {
    "Glm4MoeForCausalLM": ".mlp.gate.weight",
    "MiniMaxM2ForCausalLM": ".block_sparse_moe.gate.weight",
}
"""models/glm4_moe.py, minimax_m2.py: the router's ``params_dtype`` whatever the checkpoint has; so is A_log of recurrent
layers (layers/mamba/mamba_mixer.py, mamba_mixer2.py, qwen3_next.py)."""

AWQ_KEEPS_SCALES = ">=0.24"
"""auto_awq.py: the scales count twice (h100-vllm-0.25.1 llama31-8b-awq-eager: 104 MiB above the packed
weights, scales and zero points; compressed-tensors of the same shape does not show it)."""


def all_stored_sizes(
    deployment: Deployment, modules: Sequence[Module]
) -> Iterator[tuple[Module, tuple[int, ...]]]:
    """Each module with :func:`stored_sizes`, worked out once for those of one kind and the same pieces."""
    known: dict[tuple[TensorKind, int, int], tuple[int, ...]] = {}
    for module in modules:
        key = (module.kind, id(module.form), id(module.pieces))
        if key not in known:
            known[key] = stored_sizes(deployment, module)
        yield module, known[key]


def stored_sizes(deployment: Deployment, module: Module) -> tuple[int, ...]:
    """Bytes of each tensor that the module keeps, one copy of it."""
    dtype = str(deployment.settings.value("dtype"))
    if module.form is None:
        pieces = module.pieces
        if _is_bias_of_triton_experts(deployment, module) or _is_float32(deployment, module):
            dtype = "float32"
        return (sum(elements_of(p.shape) * p.experts * element_bytes(p.dtype or dtype) for p in pieces),)
    kernel = kernel_for(deployment, module, module.form)
    if module.form.name == "mxfp4" and module.kind is TensorKind.expert:
        return _mxfp4_experts(deployment, module, kernel)
    if module.form.name == "nvfp4":
        return _nvfp4(module, module.form, kernel)
    if module.form.name == "bitsandbytes":
        return _bitsandbytes(module, module.form)
    if module.form.name == "fp8":
        return _fp8(deployment, module, module.form, kernel)
    return _integers(deployment, module, module.form, kernel)


def _is_float32(deployment: Deployment, module: Module) -> bool:
    gate = FLOAT32_GATES.get(deployment.model.architecture)
    return module.name.endswith(".A_log") or (gate is not None and module.name.endswith(gate))


def _is_bias_of_triton_experts(deployment: Deployment, module: Module) -> bool:
    """Triton's MXFP4 experts take their biases in float32 (quantization/mxfp4.py process_weights_after_loading)."""
    quantization = effective_quantization(deployment)
    if quantization is None or module.kind is not TensorKind.bias or module.experts == 1:
        return False
    form = quantization.formats[0][1]
    return form.name == "mxfp4" and mxfp4_experts_kernel(deployment) is Kernel.triton_mxfp4


def quantized_bytes(module: Module, form: WeightFormat) -> int:
    """Bytes of the packed weight alone."""
    return ceil_div(module.experts * module.outputs * module.inputs * form.bits, 8)


def scale_count(outputs: int, inputs: int, form: WeightFormat) -> int:
    """Scales of one (outputs, inputs) weight."""
    if form.per_tensor_scale:
        return 1
    if form.block is not None:
        return ceil_div(outputs, form.block[0]) * ceil_div(inputs, form.block[1])
    return outputs * (ceil_div(inputs, form.group_size) if form.group_size else 1)


def _workspace(deployment: Deployment) -> int:
    return (deployment.gpu.multiprocessors or MULTIPROCESSORS) * 4


def _integers(deployment: Deployment, module: Module, form: WeightFormat, kernel: Kernel) -> tuple[int, ...]:
    """AWQ, GPTQ, compressed-tensors integers: packed weights, scales of a group, zero points where used.

    Marlin keeps scales in the model's type and drops the zero points of symmetric formats; int8 with
    int8 activations keeps float32 scales of each channel.
    """
    scales = module.experts * scale_count(module.outputs, module.inputs, form)
    if form.name == "int-quantized":
        return (quantized_bytes(module, form), scales * 4)
    dtype = str(deployment.settings.value("dtype"))
    sizes = [quantized_bytes(module, form), scales * element_bytes(dtype)]
    if form.zero_points:
        sizes.append(ceil_div(scales * form.bits, 8))
    if form.act_order:
        sizes.extend([module.experts * module.inputs * 4] * 2)
    if kernel is Kernel.marlin:
        sizes.append(_workspace(deployment))
    if (
        form.name == "awq"
        and module.kind is not TensorKind.expert
        and holds(AWQ_KEEPS_SCALES, deployment.version)
    ):
        sizes.append(scales * element_bytes(dtype))
    return tuple(sizes)


def _fp8(deployment: Deployment, module: Module, form: WeightFormat, kernel: Kernel) -> tuple[int, ...]:
    """fp8: float32 scales of tensor, channel or block.

    Marlin (GPUs without fp8, below 8.9) keeps scales of each channel, or of each output feature and
    128 inputs, in the model's type (utils/marlin_utils_fp8.py prepare_fp8_layer_for_marlin).
    """
    experts, outputs, inputs = module.experts, module.outputs, module.inputs
    weight = quantized_bytes(module, form)
    if kernel is Kernel.marlin:
        dtype = element_bytes(str(deployment.settings.value("dtype")))
        groups = ceil_div(inputs, form.block[1]) if form.block is not None else 1
        return (weight, experts * outputs * groups * dtype, _workspace(deployment))
    if form.per_tensor_scale:
        scales = experts
    else:
        scales = experts * sum(scale_count(piece.shape[0], inputs, form) for piece in module.pieces)
    sizes = [weight, scales * 4]
    if form.input_scale:
        sizes.append(experts * SCALAR_BYTES)
    return tuple(sizes)


def _nvfp4(module: Module, form: WeightFormat, kernel: Kernel) -> tuple[int, ...]:
    """NVFP4: 4-bit weights, an fp8 scale for each 16, global scales.

    CUTLASS and FlashInfer want the scales swizzled: rows to multiples of 128, columns of 4
    (quantization/utils/nvfp4_utils.py swizzle_blockscale).
    """
    group = form.group_size or 16
    rows, columns = module.outputs, ceil_div(module.inputs, group)
    if kernel is Kernel.cutlass_fp4:
        rows, columns = round_up(rows, 128), round_up(columns, 4)
    scalars = module.experts * SCALAR_BYTES
    return (quantized_bytes(module, form), module.experts * rows * columns, scalars, scalars, scalars)


def _mxfp4_experts(deployment: Deployment, module: Module, kernel: Kernel) -> tuple[int, ...]:
    """MXFP4 experts, padded as the kernel wants them.

    mxfp4_round_up_hidden_size_and_intermediate_size: (intermediate, hidden) to multiples of (128, 256)
    by Marlin, (256, 256) by TRT-LLM and on ROCm, (64, 1) by Triton, whose scales are swizzled with
    outputs padded to 256 (triton_kernels hopper_scale.py).
    """
    is_down = module.name.endswith("w2_weight")
    outputs, inputs = module.outputs, module.inputs
    intermediate, hidden = {
        Kernel.marlin: (128, 256),
        Kernel.trtllm: (256, 256),
        Kernel.rocm_mxfp4: (256, 256),
        Kernel.cutlass_fp4: (128, 128),
        Kernel.triton_mxfp4: (64, 1),
    }.get(kernel, (1, 1))
    if is_down:
        outputs, inputs = round_up(outputs, hidden), round_up(inputs, intermediate)
    else:
        outputs, inputs = 2 * round_up(outputs // 2, intermediate), round_up(inputs, hidden)
    scale_rows, scale_columns = outputs, ceil_div(inputs, 32)
    if kernel is Kernel.triton_mxfp4 and holds(TRITON_PADS_INPUTS, deployment.version):
        inputs = round_up(inputs, 256)
    if kernel is Kernel.triton_mxfp4:
        scale_rows, scale_columns = round_up(outputs, 256), round_up(scale_columns, 2)
    return (module.experts * outputs * inputs // 2, module.experts * scale_rows * scale_columns)


def _bitsandbytes(module: Module, form: WeightFormat) -> tuple[int, ...]:
    """bitsandbytes: NF4 with a float32 absmax for each 64 weights, int8 with a float32 for each row.

    bitsandbytes_loader.py dequantizes the nested absmax when it loads.
    """
    weight = quantized_bytes(module, form)
    elements = module.experts * module.outputs * module.inputs
    if form.bits == 4:
        return (weight, ceil_div(elements, 64) * 4, 16 * 4)
    return (weight, module.experts * module.outputs * 4)
