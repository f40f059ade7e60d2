"""Quantization that an engine does while it loads a checkpoint of full precision."""

from __future__ import annotations

from functools import lru_cache

from servespec.errors import UnmodelledError
from servespec.models.facts import Quantization, WeightFormat

# vLLM 0.32.0 quantization/online/*.py and config/quantization.py _ONLINE_SHORTHANDS; TGI 3.3.7
# launcher --quantize; SGLang 0.5.23 --quantization.
FP8_TENSOR = WeightFormat(
    name="fp8", bits=8, scale_dtype="float32", per_tensor_scale=True, activation_bits=8, input_dynamic=True
)
FP8_CHANNEL = WeightFormat(name="fp8", bits=8, scale_dtype="float32", activation_bits=8, input_dynamic=True)
FP8_BLOCK = WeightFormat(
    name="fp8", bits=8, block=(128, 128), scale_dtype="float32", activation_bits=8, input_dynamic=True
)
INT8_CHANNEL = WeightFormat(
    name="int-quantized", bits=8, scale_dtype="float32", activation_bits=8, input_dynamic=True
)
METHODS: dict[str, WeightFormat] = {
    "fp8": FP8_TENSOR,
    "fp8_per_tensor": FP8_TENSOR,
    "fp8_per_channel": FP8_CHANNEL,
    "ptpc_fp8": FP8_CHANNEL,
    "w8a8_fp8": FP8_CHANNEL,
    "fbgemm_fp8": FP8_CHANNEL,
    "fp8_per_block": FP8_BLOCK,
    "int8_per_channel": INT8_CHANNEL,
    "w8a8_int8": INT8_CHANNEL,
    "experts_int8": WeightFormat(name="int-quantized", bits=8, scale_dtype="float32"),
    "mxfp8": WeightFormat(name="mxfp8", bits=8, group_size=32, scale_dtype="uint8", activation_bits=8),
    "mxfp4": WeightFormat(name="mxfp4", bits=4, group_size=32, scale_dtype="uint8"),
    "nvfp4": WeightFormat(
        name="nvfp4", bits=4, group_size=16, scale_dtype="float8_e4m3fn", global_scale=True
    ),
    "bitsandbytes": WeightFormat(name="bitsandbytes", bits=4, group_size=64, scale_dtype="float32"),
    "bitsandbytes-nf4": WeightFormat(name="bitsandbytes", bits=4, group_size=64, scale_dtype="float32"),
    "bitsandbytes-fp4": WeightFormat(name="bitsandbytes", bits=4, group_size=64, scale_dtype="float32"),
    "bitsandbytes-8bit": WeightFormat(name="bitsandbytes", bits=8, scale_dtype="float32", activation_bits=8),
    "eetq": WeightFormat(name="eetq", bits=8, scale_dtype="float16"),
    "torchao": WeightFormat(name="torchao", bits=8, scale_dtype="float32"),
    "int8wo": WeightFormat(name="torchao", bits=8, scale_dtype="bfloat16"),
    "int4wo": WeightFormat(name="torchao", bits=4, group_size=128, scale_dtype="bfloat16", zero_points=True),
}
EXPERTS_ONLY = frozenset({"experts_int8", "mxfp4", "nvfp4"})


@lru_cache(maxsize=64)
def online_quantization(method: str) -> Quantization:
    """What the engines make of ``--quantization method`` for a checkpoint that is not quantized.

    Every linear layer and expert of the decoder and its towers; never embeddings, norms, routers or the output
    layer (vLLM's ParallelLMHead is no LinearBase). Raises UnmodelledError for a method that needs a
    quantized checkpoint or that is not known.
    """
    found = METHODS.get(method.lower().replace("_", "-")) or METHODS.get(method.lower().replace("-", "_"))
    if found is None:
        raise UnmodelledError(f"quantization {method} of a checkpoint that is not quantized")
    key = method.lower().replace("-", "_")
    pattern = "*.experts.*" if key in EXPERTS_ONLY else "*"
    return Quantization(method=method, formats=((pattern, found),), ignored=("lm_head",), online=True)
