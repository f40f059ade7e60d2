"""What several of TGI's rules read: shards, lengths, quantization."""

from __future__ import annotations

from servespec.rules.subject import Subject


def shards(subject: Subject) -> int:
    """Shards of the model, one GPU each."""
    return max(1, subject.integer("num_shard") or subject.spec.parallel.tensor)


def shards_key(subject: Subject) -> str:
    """The key that decides the shards."""
    return subject.key("num_shard") or "parallel.tensor"


def input_tokens(subject: Subject) -> int | None:
    """The longest prompt, where a person says one."""
    given = subject.args.get("max_input_tokens") or subject.args.get("max_input_length")
    if given is not None:
        return given[1] if isinstance(given[1], int) else None
    return subject.spec.limits.max_input_tokens


def total_tokens(subject: Subject) -> int | None:
    """The longest request, where a person says one."""
    given = subject.args.get("max_total_tokens")
    if given is not None:
        return given[1] if isinstance(given[1], int) else None
    return subject.spec.limits.max_model_len


def quantize(subject: Subject) -> str | None:
    """The quantization that is asked for, in TGI's word."""
    given = subject.args.get("quantize")
    asked = given[1] if given else subject.spec.model.quantization
    return asked.lower() if isinstance(asked, str) else None


def quantize_key(subject: Subject) -> str:
    """The key that decides the quantization."""
    return subject.key("quantize") or "model.quantization"


def key_of(subject: Subject, name: str, spec_key: str) -> str:
    """The key of a flag where it is given, else of the spec's own."""
    return subject.key(name) or spec_key
