"""LoRA limits of SGLang."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Severity
from servespec.engines.sglang.rules.view import has_adapters
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject


@rule(
    code="SV297",
    name="sglang-lora-without-modules",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.4.9",
    summary="LoRA without adapters at start needs max_lora_rank and lora_target_modules.",
    explanation="SGLang sizes its buffers by the adapters it loads; when none is loaded at start both must "
    "be said.",
    error_text="When no initial --lora-paths is provided, you need to specify both --max-lora-rank and "
    "--lora-target-modules for LoRA initialization.",
    fix="Add max_lora_rank and lora_target_modules, or name an adapter in model.adapters.modules.",
    source="SGLang 0.5.2 to 0.5.23 check_lora_server_args",
    triggers=("model.adapters", "args.enable_lora"),
)
def lora_without_modules(subject: Subject) -> Iterable[Finding]:
    """enable_lora, no adapter, and no rank or modules."""
    adapters = subject.spec.model.adapters
    if not has_adapters(subject) or subject.value("lora_paths") or (adapters and adapters.modules):
        return
    rank = subject.value("max_lora_rank") or (adapters.max_rank if adapters else None)
    if not rank or not subject.value("lora_target_modules"):
        missing = "lora_target_modules" if rank else "max_lora_rank and lora_target_modules"
        yield Finding(
            message=f"no adapter is loaded at start, so {missing} must be given",
            key=subject.key("enable_lora") or "model.adapters",
        )


@rule(
    code="SV298",
    name="sglang-loaded-loras",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.4.10",
    summary="max_loaded_loras may not be below max_loras_per_batch or the adapters given.",
    explanation="Adapters of a batch, and those given at start, must all be loaded.",
    error_text="max_loaded_loras should be greater than or equal to max_loras_per_batch.",
    fix="Raise max_loaded_loras.",
    source="SGLang 0.5.2 to 0.5.23 check_lora_server_args",
    triggers=("args.max_loaded_loras",),
)
def loaded_loras(subject: Subject) -> Iterable[Finding]:
    """max_loaded_loras < max_loras_per_batch or < number of adapters."""
    loaded, adapters = subject.integer("max_loaded_loras"), subject.spec.model.adapters
    if loaded is None or not has_adapters(subject):
        return
    batch = subject.integer("max_loras_per_batch") or 8
    paths = subject.value("lora_paths")
    given = len(paths) if isinstance(paths, list | tuple) else len(adapters.modules) if adapters else 0
    key = subject.key("max_loaded_loras")
    if loaded < batch:
        yield Finding(message=f"max_loaded_loras is {loaded}, below max_loras_per_batch {batch}", key=key)
    elif given > loaded:
        yield Finding(message=f"{given} adapters are given, max_loaded_loras is {loaded}", key=key)
