"""The element type of SGLang's KV cache.

Source: mem_cache/kv_cache_dtype.py (before 0.5.17 model_executor/model_runner.py,
configure_kv_cache_dtype); arg_groups/overrides.py, _dsa_kv_cache_dtype_default.
"""

from __future__ import annotations

from servespec.engines.sglang.builder import Builder
from servespec.models.facts import KVKind

FROM_CHECKPOINT = "0.5.3"

# The flag's words, and the bits of an element. FP4 keeps a scale of one byte for each 16 elements beside it.
NAMES = {
    "bf16": "bfloat16",
    "fp8": "fp8_e4m3",
    "float16": "float16",
    "nvfp4": "nvfp4",
    "fp4_e2m1": "fp4_mx_block16",
}
FP8 = frozenset({"fp8_e4m3", "fp8_e5m2", "mxfp8"})
FP4 = frozenset({"nvfp4", "fp4_mx_block16"})


def kv_cache_dtype(builder: Builder) -> str:
    """The type that holds once the model is known; ``auto`` takes the checkpoint's, else the model's own."""
    inputs = builder.inputs
    asked = str(builder.value("kv_cache_dtype"))
    if asked != "auto":
        return NAMES.get(asked, asked)
    if "DeepseekV4" in inputs.model.architecture:
        return "fp8_e4m3"
    if any(layers.kind is KVKind.indexer for layers in inputs.model.kv):
        blackwell = (inputs.gpu.compute_capability or (0, 0))[0] >= 10 and inputs.gpu.kind == "cuda"
        return "fp8_e4m3" if blackwell else "bfloat16"
    quantization = inputs.model.quantization
    if (
        builder.is_since(FROM_CHECKPOINT)
        and quantization is not None
        and (quantization.kv_cache_dtype or "").lower().startswith("fp8")
        and quantization.method.startswith("modelopt")
    ):
        return "fp8_e4m3"
    return str(builder.value("dtype"))
