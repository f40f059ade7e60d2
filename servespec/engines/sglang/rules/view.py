"""What several of SGLang's rules read: ranks, attention data parallelism, speculation."""

from __future__ import annotations

from servespec.rules.subject import Subject

ALGORITHMS = {"ngram": "NGRAM", "eagle": "EAGLE", "eagle3": "EAGLE3", "mtp": "NEXTN", "draft": "STANDALONE"}
"""The spec's methods of speculation in SGLang's words."""


def tensor_parallel(subject: Subject) -> int:
    """Tensor-parallel ranks (SGLang's tp_size counts those of attention data parallelism in)."""
    return max(1, subject.integer("tp_size") or subject.spec.parallel.tensor)


def tensor_parallel_key(subject: Subject) -> str:
    """The key that decides the tensor-parallel ranks."""
    return subject.key("tp_size") or "parallel.tensor"


def pipeline_parallel(subject: Subject) -> int:
    """Pipeline stages."""
    return max(1, subject.integer("pp_size") or subject.spec.parallel.pipeline)


def data_parallel(subject: Subject) -> int:
    """Data-parallel replicas, of the whole model or of attention."""
    return max(1, subject.integer("dp_size") or subject.spec.parallel.data)


def attention_parallel(subject: Subject) -> int:
    """Groups of attention data parallelism inside of the tensor-parallel ranks; 1: none."""
    own = subject.integer("attn_dp_size")
    if own is not None:
        return max(1, own)
    return data_parallel(subject) if subject.flag("enable_dp_attention") else 1


def nodes(subject: Subject) -> int:
    """Nodes of the launch."""
    return subject.integer("nnodes") or subject.spec.hardware.nodes


def algorithm(subject: Subject) -> str | None:
    """The algorithm of speculation in SGLang's own word; None: none."""
    found = subject.text("speculative_algorithm")
    if found is None and subject.spec.speculative is not None:
        method = subject.spec.speculative.method
        return ALGORITHMS.get(method, method.upper())
    return found.upper() if found else None


def algorithm_key(subject: Subject) -> str:
    """The key that decides the algorithm of speculation."""
    if subject.spec.speculative is not None:
        return "speculative.method"
    return subject.key("speculative_algorithm") or "speculative"


def has_adapters(subject: Subject) -> bool:
    """Whether LoRA is on."""
    return (
        subject.flag("enable_lora")
        or bool(subject.value("lora_paths"))
        or subject.spec.model.adapters is not None
    )
