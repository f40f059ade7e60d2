"""LoRA limits of vLLM."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from servespec.diagnostics import Change, Fix, Severity
from servespec.engines.vllm.rules.view import has_adapters, speculation, speculation_key
from servespec.rules.base import Finding, rule
from servespec.rules.divide import listed
from servespec.rules.subject import Subject
from servespec.rules.versions import holds, release

# Ranks that LoRAConfig takes: vllm/config.py of 0.3.3, 0.5.5, 0.8.4 and vllm/config/lora.py of 0.13.0 and 0.32.0.
RANKS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("<0.5.5", (8, 16, 32, 64)),
    (">=0.5.5,<0.7", (8, 16, 32, 64, 128, 256)),
    (">=0.7,<0.13", (8, 16, 32, 64, 128, 256, 320, 512)),
    (">=0.13", (1, 8, 16, 32, 64, 128, 256, 320, 512)),
)


@cache
def _without_adapters() -> tuple[tuple[str, ...], Mapping[str, tuple[str, ...]]]:
    """The releases that were read, and by architecture those whose model takes no adapters."""
    data = json.loads(Path(__file__).with_name("lora.json").read_bytes())
    return tuple(data["releases"]), {name: tuple(found) for name, found in data["architectures"].items()}


def takes_no_adapters(architecture: str, version: str) -> bool:
    """Whether the model takes no adapters in the releases read next to ``version`` on both sides."""
    releases, without = _without_adapters()
    lacking = without.get(architecture, ())
    before = [each for each in releases if release(each) <= release(version)]
    after = [each for each in releases if release(each) >= release(version)]
    return bool(before) and before[-1] in lacking and (not after or after[0] in lacking)


@rule(
    code="SV249",
    name="vllm-model-without-adapters",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.8.5",
    summary="This model takes no LoRA adapters in this release.",
    explanation="vLLM's class of a model has to support adapters. Where it does not, the server stops once the weights are "
    "loaded.",
    error_text="ValueError: A does not support LoRA yet.",
    fix="Merge the adapter into the checkpoint, or take a release whose model takes adapters.",
    source="SupportsLoRA among the bases of vLLM's models, 0.8.5 to 0.32.0 (servespec/engines/vllm/rules/lora.json, "
    "scripts/vllm_lora.py); vllm/v1/worker/lora_model_runner_mixin.py",
    triggers=("model.adapters", "args.enable_lora"),
)
def model_without_adapters(subject: Subject) -> Iterable[Finding]:
    """LoRA on, and the class is no SupportsLoRA."""
    if has_adapters(subject) and takes_no_adapters(subject.model.architecture, subject.version):
        yield Finding(
            message=f"{subject.model.architecture} takes no LoRA adapters in vLLM {subject.version}",
            key="model.adapters" if subject.spec.model.adapters else subject.key("enable_lora"),
        )


@rule(
    code="SV240",
    name="vllm-lora-rank-not-offered",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.3.3",
    summary="max_lora_rank takes a few values only.",
    explanation="The LoRA kernels are built for certain ranks. An adapter of rank 24 is served with "
    "max_lora_rank 32.",
    error_text="max_lora_rank (A) must be one of (8, 16, 32, 64, 128, 256, 320, 512).",
    fix="Take the next higher rank of the list.",
    source="vLLM 0.3.3, 0.5.5, 0.8.4, 0.13.0, 0.32.0 LoRAConfig",
    triggers=("model.adapters", "args.max_lora_rank"),
)
def lora_rank_not_offered(subject: Subject) -> Iterable[Finding]:
    """max_lora_rank outside the release's list."""
    adapters = subject.spec.model.adapters
    rank = subject.integer("max_lora_rank") or (adapters.max_rank if adapters else None)
    if rank is None or not has_adapters(subject):
        return
    if (subject.key("max_lora_rank") or "").startswith("targets.") and holds(">=0.13", subject.version):
        return  # the parser's own choices say it: SV203
    for versions, ranks in RANKS:
        if holds(versions, subject.version) and rank not in ranks:
            above = next((value for value in ranks if value > rank), None)
            key = subject.key("max_lora_rank") or "model.adapters.max_rank"
            yield Finding(
                message=f"max_lora_rank is {rank}; vLLM {subject.version} takes {listed(ranks)}",
                key=key,
                fix=Fix(f"take {above}", changes=(Change(key, above),)) if above else None,
            )


@rule(
    code="SV241",
    name="vllm-cpu-loras-below-loras",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.4",
    summary="max_cpu_loras may not be below max_loras.",
    explanation="Adapters in use on the GPU are kept in host memory too, so the host must have room for at "
    "least as many.",
    error_text="max_cpu_loras (A) must be >= max_loras (B).",
    fix="Raise max_cpu_loras or leave it out.",
    source="vLLM 0.32.0 vllm/config/lora.py _validate_lora_config",
    triggers=("args.max_cpu_loras",),
)
def cpu_loras_below_loras(subject: Subject) -> Iterable[Finding]:
    """max_cpu_loras < max_loras."""
    adapters = subject.spec.model.adapters
    host = subject.integer("max_cpu_loras")
    gpu = subject.integer("max_loras") or (adapters.max_loras if adapters else None) or 1
    if host is not None and 0 < host < gpu and has_adapters(subject):
        key = subject.key("max_cpu_loras")
        yield Finding(
            message=f"max_cpu_loras is {host}, below max_loras {gpu}: vLLM refuses",
            key=key,
            fix=Fix(f"raise it to {gpu}", changes=(Change(key, gpu),) if key else ()),
        )


@rule(
    code="SV242",
    name="vllm-lora-speculation-batch",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.11",
    summary="LoRA with speculation: the batch must hold all drafts of all sequences.",
    explanation="With adapters each sequence brings its drafts and one token into a batch; vLLM refuses a "
    "batch smaller than max_num_seqs × (num_speculative_tokens + 1).",
    error_text="Consider increasing max_num_batched_tokens or decreasing num_speculative_tokens",
    fix="Raise limits.max_batched_tokens, or lower limits.max_concurrent_requests or speculative.tokens.",
    source="vLLM 0.11.2, 0.32.0 vllm/engine/arg_utils.py create_engine_config",
    triggers=("speculative", "args.speculative_config"),
)
def lora_speculation_batch(subject: Subject) -> Iterable[Finding]:
    """max_num_batched_tokens < max_num_seqs * (k + 1) with LoRA."""
    tokens = speculation(subject).get("num_speculative_tokens")
    batched, sequences = subject.integer("max_num_batched_tokens"), subject.integer("max_num_seqs")
    if not has_adapters(subject) or not isinstance(tokens, int) or batched is None or sequences is None:
        return
    needed = sequences * (tokens + 1)
    if batched < needed:
        yield Finding(
            message=f"with LoRA and {tokens} draft tokens a batch needs {sequences:,} × {tokens + 1} = {needed:,} "
            f"tokens, max_num_batched_tokens is {batched:,}",
            key=subject.key("max_num_batched_tokens")
            or subject.key("max_num_seqs")
            or speculation_key(subject, "tokens"),
        )


@rule(
    code="SV243",
    name="vllm-modality-lora-on-text-model",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.10",
    summary="default_mm_loras needs a multimodal model.",
    explanation="The flag names an adapter for each modality; a text model has none.",
    error_text="Default modality-specific LoRA(s) were provided for a non multimodal model",
    fix="Remove default_mm_loras.",
    source="vLLM 0.32.0 vllm/engine/arg_utils.py create_engine_config",
    triggers=("args.default_mm_loras",),
)
def modality_lora_on_text_model(subject: Subject) -> Iterable[Finding]:
    """default_mm_loras on a text model."""
    if subject.value("default_mm_loras") and not subject.model.is_multimodal:
        key = subject.key("default_mm_loras")
        yield Finding(
            message=f"default_mm_loras is refused: {subject.model.architecture} takes text alone",
            key=key,
            fix=Fix("remove it", changes=(Change(key, remove=True),) if key else ()),
        )
