"""The order in which a model is built and loaded, played through PyTorch's allocator.

Source: vllm/model_executor/model_loader/*.py and rotary_embedding/base.py; what it explains was seen
on the exact rows: 16 MiB of Llama-3.1-8B are a block that the first rope table left behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from servespec.engines.vllm.kv.turboquant import scratch_buffers
from servespec.engines.vllm.placement import loads_towers
from servespec.engines.vllm.quantization import effective_quantization
from servespec.engines.vllm.weights.allocator import CachingAllocator
from servespec.engines.vllm.weights.kernels import Kernel, kernel_for
from servespec.engines.vllm.weights.latent import latent_copies
from servespec.engines.vllm.weights.lora import adapter_sizes
from servespec.engines.vllm.weights.modules import Module
from servespec.engines.vllm.weights.storage import all_stored_sizes, stored_sizes
from servespec.memory.elements import element_bytes
from servespec.models.facts import Part, RopeTable, TensorKind
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

MIB = 2**20
BLOCKS_STAY_WHOLE = ">=0.21"
"""v1/worker/gpu_worker.py load_model: max_split_size_mb:20 while loading."""

ATTENTION_SCALARS = 4
"""float32 buffers of an attention layer: key, value, query and probability scales
(model_executor/layers/attention/attention.py set_default_quant_scales)."""

ROCM_READS_FREE_MEMORY = "<0.21"
"""platforms/rocm.py get_current_memory_usage: total less free memory; later what PyTorch has allocated."""

CUBLAS_WORKSPACE_BYTES = 32 * MIB
FP8_TAKES_WORKSPACE = ">=0.22"
"""Making fp8 weights or fp8 KV scales ready takes cuBLAS's workspace before the profile run does
(h200-vllm-0.25.1 llama31-70b-fp8, qwen3-30b-a3b-fp8, h100 llama31-8b-fp8-online: 32 MiB each)."""

STREAMED_ONLINE = ">=0.16"
"""Online quantization makes each weight when it arrives (quantization/fp8.py, device="meta"); before it the whole
model is in GPU memory in its own type first."""


def new_allocator(deployment: Deployment) -> CachingAllocator:
    """The allocator as this version sets it up for loading."""
    never_split_from = 20 * MIB if holds(BLOCKS_STAY_WHOLE, deployment.version) else None
    return CachingAllocator(never_split_from)


def allocated_bytes(deployment: Deployment, modules: tuple[Module, ...], ropes: tuple[RopeTable, ...]) -> int:
    """Bytes that the platform counts once the modules and rope tables are there.

    That is what the allocator gave out, on ROCm before 0.21 what it took from the device.
    """
    online = deployment.model.quantization is None and effective_quantization(deployment) is not None
    allocator = new_allocator(deployment)
    allocator.allocate(4)  # a scalar that every exact row shows beyond those of its layers
    dtype = str(deployment.settings.value("dtype"))
    pending = list(ropes)
    previous: int | None = None
    for module, sizes in all_stored_sizes(deployment, modules):
        starts_layer = module.layer is not None and module.layer != previous
        if starts_layer and module.part is Part.decoder:
            for _ in range(ATTENTION_SCALARS):
                allocator.allocate(4)
        if pending and _comes_after_attention(module):
            for table in pending:
                _build_rope(allocator, table, dtype)
            pending = []
        previous = module.layer
        for _ in range(module.copies):
            if not (online and module.form is not None):
                for size in sizes:
                    allocator.allocate(size)
    for table in pending:
        _build_rope(allocator, table, dtype)
    if takes_workspace(deployment, modules):
        allocator.allocate(CUBLAS_WORKSPACE_BYTES)
    if online:
        _quantize_while_loading(deployment, allocator, modules, dtype)
    for size in (*model_buffers(deployment, modules), *adapter_sizes(deployment, modules)):
        allocator.allocate(size)
    reads_free_memory = deployment.gpu.kind == "rocm" and holds(ROCM_READS_FREE_MEMORY, deployment.version)
    return allocator.reserved_bytes if reads_free_memory else allocator.allocated_bytes


def model_buffers(deployment: Deployment, modules: tuple[Module, ...]) -> Iterator[int]:
    """Buffers that models make beside their parameters: of a batch's tokens by towers, of its decodes by
    packed caches.

    Gemma 3n and 4 keep the per-layer embeddings of a whole batch (models/gemma4_mm.py per_layer_embeddings;
    fluffy-4, idx-l4-gemma4e2b), Qwen3-VL an embedding for each level that the tower feeds in
    (models/qwen3_vl.py deepstack_input_embeds; its tower takes 1.28 GiB on 0.25.1).
    """
    yield from scratch_buffers(
        deployment, {module.layer for module in modules if module.part is Part.decoder}
    )
    yield from latent_copies(deployment, modules)
    if not deployment.model.is_multimodal:
        return
    extra = deployment.model.extra
    batch = deployment.settings.integer("max_num_batched_tokens")
    batch *= element_bytes(str(deployment.settings.value("dtype")))
    if width := int(extra.get("hidden_size_per_layer_input", 0)):
        yield batch * deployment.model.layers * width
    if loads_towers(deployment):
        yield from [batch * deployment.model.hidden_size] * int(extra.get("deepstack_layers", 0))


def takes_workspace(deployment: Deployment, modules: tuple[Module, ...]) -> bool:
    """Whether cuBLAS's workspace is counted with the weights rather than with the activations."""
    if deployment.gpu.kind != "cuda" or not holds(FP8_TAKES_WORKSPACE, deployment.version):
        return False
    if str(deployment.settings.value("kv_cache_dtype")).startswith("fp8"):
        return True
    return any(
        module.form is not None
        and module.form.name == "fp8"
        and kernel_for(deployment, module, module.form) is Kernel.plain
        for module in modules
    )


def loads_whole_first(deployment: Deployment) -> bool:
    """Whether the whole model is in GPU memory in its own type before it is quantized."""
    if deployment.model.quantization is not None or holds(STREAMED_ONLINE, deployment.version):
        return False
    return effective_quantization(deployment) is not None


def whole_bytes(deployment: Deployment, modules: tuple[Module, ...]) -> int:
    """Bytes of the modules in the model's own type."""
    size = element_bytes(str(deployment.settings.value("dtype")))
    return sum(module.elements * module.copies for module in modules) * size


def _comes_after_attention(module: Module) -> bool:
    """The rotary embedding is made after the projections of the first attention layer."""
    return module.layer is not None and any(word in module.name for word in (".mlp", "norm", "experts"))


def _build_rope(allocator: CachingAllocator, table: RopeTable, dtype: str) -> None:
    """_compute_cos_sin_cache: angles, cosines and sines in float32, put together, cast."""
    half = table.positions * table.rotary_dim * 2
    temporaries = [allocator.allocate(size) for size in (table.positions * 4, half, half, half)]
    both = allocator.allocate(2 * half)
    for block in temporaries:
        allocator.release(block)
    allocator.allocate(table.positions * table.rotary_dim * element_bytes(table.dtype or dtype))
    allocator.release(both)


def _quantize_while_loading(
    deployment: Deployment, allocator: CachingAllocator, modules: tuple[Module, ...], dtype: str
) -> None:
    """Each weight arrives in full precision, is quantized, and goes; the checkpoint's order is alphabetical."""
    quantized = [module for module in modules if module.form is not None]
    ordered = sorted(
        quantized, key=lambda module: (module.layer or 0, module.kind is TensorKind.linear, module.name)
    )
    for module in ordered:
        for _ in range(module.copies):
            whole = allocator.allocate(module.elements * element_bytes(dtype))
            for size in stored_sizes(deployment, module):
                allocator.allocate(size)
            allocator.release(whole)
