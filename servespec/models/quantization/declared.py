"""The quantization part of a configuration, whichever tool wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

from servespec.errors import UnmodelledError
from servespec.models.config import Config
from servespec.models.facts import Quantization

# The word in a configuration → module and function that read it; only the one in question is imported.
METHODS: Mapping[str, tuple[str, str]] = {
    "awq": ("integer", "awq"),
    "auto_awq": ("integer", "awq"),
    "gptq": ("integer", "gptq"),
    "auto-round": ("integer", "auto_round"),
    "intel/auto-round": ("integer", "auto_round"),
    "fbgemm_fp8": ("plain", "fbgemm_fp8"),
    "mxfp4": ("plain", "mxfp4"),
    "bitsandbytes": ("plain", "bitsandbytes"),
    "torchao": ("plain", "torchao"),
    "eetq": ("plain", "eetq"),
    "compressed-tensors": ("compressed_tensors", "parse"),
    "compressed_tensors": ("compressed_tensors", "parse"),
    "modelopt": ("modelopt", "parse"),
    "modelopt_fp4": ("modelopt", "parse"),
    "modelopt_mixed": ("modelopt", "parse"),
}


def section(config: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, bool]:
    """The quantization mapping of a configuration, and whether it is of the language model alone."""
    parts = [config, *(config.get(key) for key in ("text_config", "language_config", "llm_config"))]
    for part in parts:
        for key in ("quantization_config", "compression_config"):
            found = part.get(key) if isinstance(part, Mapping) else None
            if isinstance(found, Mapping) and found:
                return found, part is not config
    return None, False


def method_of(found: Mapping[str, Any]) -> str:
    """The method's name; where the file leaves it out, by the keys that only one method has."""
    method = str(found.get("quant_method") or "").lower()
    if method:
        return method
    if "quant_algo" in found or "quantization" in found:
        return "modelopt"
    if "config_groups" in found:
        return "compressed-tensors"
    if "load_in_4bit" in found or "load_in_8bit" in found:
        return "bitsandbytes"
    return ""


def parse(config: Mapping[str, Any], hf_quant_config: Mapping[str, Any] | None = None) -> Quantization | None:
    """What the checkpoint says of its quantization; None when it has none.

    ``hf_quant_config`` is ModelOpt's file beside config.json; what config.json itself says comes first, as in
    vLLM. Raises UnmodelledError for a method that is not modelled, SourceError for one that makes no sense.
    """
    found, language_only = section(config)
    if found is None:
        if not hf_quant_config or not hf_quant_config.get("quantization"):
            return None
        return _read("modelopt", Config(hf_quant_config, path="hf_quant_config."))
    own = Config(found, path="quantization_config.")
    method = method_of(found)
    if method == "fp8":
        quantization = _fp8(own, fp4_experts=config.get("expert_dtype") == "fp4")
    else:
        quantization = _read(method, own)
    return replace(quantization, towers=False) if language_only else quantization


def _read(method: str, own: Config) -> Quantization:
    if method not in METHODS:
        raise UnmodelledError(f"quantization {method[:60] or 'without a quant_method'}")
    module, function = METHODS[method]
    reader = getattr(import_module(f"servespec.models.quantization.{module}"), function)
    quantization: Quantization = reader(own)
    return quantization


def _fp8(own: Config, *, fp4_experts: bool) -> Quantization:
    from servespec.models.quantization import plain

    base = plain.fp8_with_fp4_experts(own) if fp4_experts else plain.fp8(own)
    if not own.has("quantized_layers"):
        return base
    from servespec.models.quantization.modelopt import layer_formats

    # DeepSeek-V4 whose experts ModelOpt has made NVFP4: its lists override the fp8
    return replace(base, formats=(*layer_formats(own.mapping("quantized_layers")), *base.formats))
