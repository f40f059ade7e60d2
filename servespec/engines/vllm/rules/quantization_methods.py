"""The quantization methods that each release of vLLM knows.

Read from ``QUANTIZATION_METHODS`` in vllm/model_executor/layers/quantization/__init__.py of every release on PyPI
from 0.6.0 to 0.33.0: (method, first release, first release without it). No first release: in 0.6.0 already.
"""

from __future__ import annotations

from servespec.rules.versions import release

METHODS: tuple[tuple[str, str, str], ...] = (
    ("aqlm", "", "0.10.1"),
    ("auto-round", "0.9.0", "0.15.0"),
    ("auto_awq", "0.24.0", ""),
    ("auto_gptq", "0.22.0", ""),
    ("awq", "", ""),
    ("awq_marlin", "", ""),
    ("bitblas", "0.8.5", "0.16.0"),
    ("bitsandbytes", "", "0.28.0"),
    ("compressed-tensors", "", ""),
    ("cpu_awq", "0.12.0", "0.23.0"),
    ("cpu_gptq", "0.12.0", "0.14.0"),
    ("deepseek_v4_fp8", "0.20.0", ""),
    ("deepspeedfp", "", "0.15.0"),
    ("experts_int8", "", ""),
    ("fbgemm_fp8", "", ""),
    ("fp8", "", ""),
    ("fp8_per_block", "0.20.0", ""),
    ("fp8_per_channel", "0.24.0", ""),
    ("fp8_per_tensor", "0.20.0", ""),
    ("fp_quant", "0.11.1", ""),
    ("gguf", "", "0.24.0"),
    ("gpt_oss_mxfp4", "0.20.0", ""),
    ("gptq", "", ""),
    ("gptq_bitblas", "0.8.5", "0.16.0"),
    ("gptq_marlin", "", ""),
    ("gptq_marlin_24", "", "0.16.0"),
    ("hqq", "0.6.5", "0.15.0"),
    ("humming", "0.20.0", ""),
    ("inc", "0.10.0", ""),
    ("int8_per_channel_weight_only", "0.20.0", ""),
    ("ipex", "0.6.3", "0.16.0"),
    ("marlin", "", "0.10.2"),
    ("modelopt", "0.6.1", ""),
    ("modelopt_fp4", "0.9.0", ""),
    ("modelopt_mixed", "0.17.0", ""),
    ("modelopt_mxfp8", "0.16.0", ""),
    ("moe_wna16", "0.8.4", ""),
    ("mxfp4", "0.10.1", ""),
    ("mxfp8", "0.19.0", ""),
    ("neuron_quant", "", "0.10.2"),
    ("nvfp4", "0.8.0", "0.9.0"),
    ("nvfp4_per_token", "0.26.0", ""),
    ("online", "0.20.0", ""),
    ("petit_nvfp4", "0.10.2", "0.20.0"),
    ("ptpc_fp8", "0.7.3", "0.19.0"),
    ("qqq", "", "0.10.2"),
    ("quark", "0.7.1", ""),
    ("rtn", "0.9.2", "0.15.0"),
    ("squeezellm", "", "0.6.1"),
    ("torchao", "0.8.4", ""),
    ("tpu_int8", "", "0.14.0"),
)


def known_methods(version: str) -> frozenset[str]:
    """The methods that a release knows."""
    number = release(version)
    return frozenset(
        name
        for name, since, until in METHODS
        if (not since or release(since) <= number) and (not until or number < release(until))
    )


def lifetime(method: str) -> tuple[str, str] | None:
    """The last stretch of releases that know a method, as (first, first without); None for no method of any."""
    stretches = [(since, until) for name, since, until in METHODS if name == method]
    return stretches[-1] if stretches else None
