"""What several of vLLM's rules read: ranks, speculation, and the quantization that holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servespec.rules.subject import Subject


def tensor_parallel(subject: Subject) -> int:
    """Tensor-parallel ranks."""
    return max(1, subject.integer("tensor_parallel_size") or subject.spec.parallel.tensor)


def pipeline_parallel(subject: Subject) -> int:
    """Pipeline stages."""
    return max(1, subject.integer("pipeline_parallel_size") or subject.spec.parallel.pipeline)


def data_parallel(subject: Subject) -> int:
    """Data-parallel replicas."""
    return max(1, subject.integer("data_parallel_size") or subject.spec.parallel.data)


def tensor_parallel_key(subject: Subject) -> str:
    """The key that decides the tensor-parallel ranks."""
    return subject.key("tensor_parallel_size") or "parallel.tensor"


def pipeline_parallel_key(subject: Subject) -> str:
    """The key that decides the pipeline stages."""
    return subject.key("pipeline_parallel_size") or "parallel.pipeline"


def expert_parallel(subject: Subject) -> bool:
    """Whether whole experts are spread over the ranks."""
    return subject.flag("enable_expert_parallel") or subject.spec.parallel.expert


def speculation(subject: Subject) -> Mapping[str, Any]:
    """speculative_config as vLLM gets it, from the flag or from the spec's own section; empty: none."""
    config = subject.mapping("speculative_config")
    if config:
        return config
    section = subject.spec.speculative
    if section is None:
        return {}
    method = "draft_model" if section.method == "draft" else section.method
    found: dict[str, Any] = {"method": method, "num_speculative_tokens": section.tokens}
    if section.model:
        found["model"] = section.model
    return found


def speculation_key(subject: Subject, name: str = "") -> str:
    """The key of the speculation, or of one part of it where the spec's own section gives it."""
    if subject.spec.speculative is not None:
        return f"speculative.{name}" if name else "speculative"
    return subject.key("speculative_config") or "speculative"


def has_adapters(subject: Subject) -> bool:
    """Whether LoRA is on."""
    return subject.flag("enable_lora") or subject.spec.model.adapters is not None


def asked_quantization(subject: Subject) -> str | None:
    """The quantization method that a person asks for; None leaves it to the checkpoint."""
    pair = subject.args.get("quantization")
    asked = subject.spec.model.quantization or (pair[1] if pair else None)
    return asked.lower() if isinstance(asked, str) else None


def quantization(subject: Subject) -> str | None:
    """The quantization method that holds: what is asked for, else what the checkpoint says."""
    facts = subject.model.quantization
    return asked_quantization(subject) or (facts.method.lower() if facts else None)


def quantization_key(subject: Subject) -> str:
    """The key that decides the quantization, the model itself where the checkpoint does."""
    if subject.spec.model.quantization:
        return "model.quantization"
    return subject.key("quantization") or "model.id"


def dtype(subject: Subject) -> str | None:
    """The type of activations where a person chose one: bfloat16, float16, float32; None for auto."""
    names = {"half": "float16", "float": "float32"}
    asked = subject.text("dtype") if subject.key("dtype") else None
    if asked is None and subject.spec.model.dtype != "auto":
        asked = subject.spec.model.dtype
    return None if asked in (None, "auto") else names.get(asked, asked)


def dtype_key(subject: Subject) -> str:
    """The key that decides the type of activations."""
    return subject.key("dtype") or "model.dtype"


def capability(subject: Subject) -> int | None:
    """Compute capability as vLLM prints it, 89 for 8.9; None for other than CUDA."""
    found = subject.target.gpu.compute_capability
    return found[0] * 10 + found[1] if found and subject.target.gpu.kind == "cuda" else None
