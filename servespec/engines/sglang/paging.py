"""Which attention backend SGLang takes by itself, and the page size that follows.

Source: server_args.py _get_default_attn_backend and _handle_attention_backend_compatibility of 0.5.5
to 0.5.18; arg_groups/overrides.py and attention_hook.py since; model_runner.py before.
"""

from __future__ import annotations

from servespec.engines.sglang.builder import Builder
from servespec.engines.sglang.graphs import is_mla
from servespec.models.facts import KVKind

TRTLLM_MHA_BY_DEFAULT = "0.5.6"
TRTLLM_MLA_BY_DEFAULT = "0.5.2"
FA3_BY_DEFAULT = "0.4.6"

# Pages that a backend's kernels insist on (arg_groups/overrides.py); the first is taken where another was asked for.
PAGES = {
    "flashmla": (64,),
    "cutlass_mla": (128,),
    "trtllm_mla": (64, 32),
    "tokenspeed_mla": (64, 32),
    "cutedsl_mla": (64, 32),
    "trtllm_mha": (64, 16, 32, 128),
    "fa4": (128,),
    "dsa": (64,),
    "nsa": (64,),
    "dsv4": (256,),
}


def attention_backend(builder: Builder) -> str:
    """The backend where no flag says one."""
    inputs = builder.inputs
    model, gpu = inputs.model, inputs.gpu
    if gpu.is_cpu:
        return "torch_native" if not builder.is_since("0.5.2") else "intel_amx"
    if "DeepseekV4" in model.architecture:
        return "dsv4"
    if any(layers.kind is KVKind.indexer for layers in model.kv):
        return "dsa" if builder.is_since("0.5.10") else "nsa"
    if gpu.kind == "rocm":
        return "aiter" if builder.is_since("0.5.2") else "triton"
    capability = gpu.compute_capability or (0, 0)
    if capability[0] == 9 and builder.is_since(FA3_BY_DEFAULT):
        return "fa3"
    if capability[0] == 10:
        if is_mla(model):
            return "trtllm_mla" if builder.is_since(TRTLLM_MLA_BY_DEFAULT) else "flashinfer"
        if builder.is_since(TRTLLM_MHA_BY_DEFAULT) and builder.value("speculative_algorithm") is None:
            return "trtllm_mha"
    return "triton" if is_mla(model) else "flashinfer"


def page_size(builder: Builder) -> int:
    """Tokens of a page where no flag says it, else what the backend makes of the flag."""
    backend = str(builder.value("attention_backend"))
    asked = builder.inputs.spec.kv_cache.block_size or builder.arguments.get("page_size")
    asked = None if isinstance(asked, bool) else asked
    if backend not in PAGES or (backend == "fa4" and is_mla(builder.inputs.model)):
        return asked if isinstance(asked, int) and asked >= 1 else 1
    allowed = PAGES[backend]
    return asked if isinstance(asked, int) and asked in allowed else allowed[0]
