"""How the model is run: engine and runner generation, compilation, speculation."""

from __future__ import annotations

from collections.abc import Mapping

from servespec.deployment import SettingValue
from servespec.engines.vllm.policies import (
    ENGINE_V1,
    V2_ARCHITECTURES,
    V2_LACKS_METHODS,
    by_version,
)
from servespec.engines.vllm.resolution.builder import Builder
from servespec.models.facts import KVKind


def settle(builder: Builder) -> None:
    """Speculation, engine, runner, eager mode, offload."""
    _speculative(builder)
    builder.choose("enforce_eager", False)
    builder.choose("compilation_config", None)
    if isinstance(builder.value("compilation_config"), str):
        parsed = builder.arguments.mapping("compilation_config")
        builder.derive("compilation_config", plain_mapping(parsed), "the JSON given")
    builder.choose("cpu_offload_gb", 0)
    builder.choose("attention_backend", None)
    builder.put("engine", _engine(builder), f"derived from vllm {builder.inputs.version}")
    builder.put("model_runner", *_runner(builder))


def _speculative(builder: Builder) -> None:
    """speculative_config, as the spec's section or the flag gives it."""
    section = builder.inputs.spec.speculative
    if section is not None:
        method = "draft_model" if section.method == "draft" else section.method
        value: dict[str, SettingValue] = {
            "method": method,
            "num_speculative_tokens": section.tokens,
            "model": section.model,
        }
        builder.put("speculative_config", value, "spec", "speculative")
        return
    given = builder.arguments.mapping("speculative_config")
    if given:
        builder.put(
            "speculative_config", plain_mapping(given), "args", builder.arguments.key("speculative_config")
        )
    else:
        builder.put("speculative_config", None, builder.default_source)


def plain_mapping(given: Mapping[str, object]) -> Mapping[str, SettingValue]:
    """The plain values of a JSON object, lists as tuples; deeper objects are left out."""
    plain: dict[str, SettingValue] = {}
    for key, value in given.items():
        if isinstance(value, str | int | float | bool):
            plain[key] = value
        elif isinstance(value, list | tuple):
            plain[key] = tuple(item for item in value if isinstance(item, str | int | float | bool))
    return plain


def _engine(builder: Builder) -> str:
    """V0 before 0.8, and where 0.8–0.10 fall back to it (capability below 8.0, VLLM_USE_V1=0)."""
    if not builder.is_version(ENGINE_V1):
        return "v0"
    capability = builder.inputs.gpu.compute_capability
    if builder.is_version("<0.11") and (
        builder.environment.get("VLLM_USE_V1") == "0" or (capability is not None and capability < (8, 0))
    ):
        return "v0"
    return "v1"


def _runner(builder: Builder) -> tuple[str, str]:
    """Model runner V1 or V2 (vllm/config/vllm.py, use_v2_model_runner)."""
    inputs = builder.inputs
    asked = builder.environment.get("VLLM_USE_V2_MODEL_RUNNER")
    if inputs.gpu.is_cpu or builder.is_version("<0.22"):
        return str(builder.value("engine")), f"derived from vllm {inputs.version}"
    if asked in ("0", "1"):
        return ("v2" if asked == "1" else "v1"), "derived from VLLM_USE_V2_MODEL_RUNNER"
    if _is_unsupported(builder):
        return "v1", "derived from what model runner V2 lacks"
    model = inputs.model
    listed = model.architecture in by_version(V2_ARCHITECTURES, inputs.version, frozenset())
    is_moe = model.moe is not None
    hybrid = any(layers.kind is KVKind.recurrent for layers in model.kv)
    if builder.is_version(">=0.29"):
        is_v2 = True
    elif builder.is_version(">=0.25"):
        is_v2 = (listed or not is_moe) and (listed or not hybrid)
    elif builder.is_version(">=0.24"):
        is_v2 = listed
    else:
        is_v2 = listed and not is_moe and builder.value("quantization") is None
    return ("v2" if is_v2 else "v1"), f"derived from {model.architecture}"


def _is_unsupported(builder: Builder) -> bool:
    speculative = builder.value("speculative_config")
    method = speculative.get("method") if isinstance(speculative, dict) else None
    lacking = by_version(V2_LACKS_METHODS, builder.inputs.version, frozenset())
    return method in lacking or builder.value("enable_dbo") is True
