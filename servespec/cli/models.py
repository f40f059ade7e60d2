"""``servespec models``: the models that servespec knows, and what it makes of a configuration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from servespec.cli._parameters import TextOrJson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from servespec.models.facts import ModelFacts


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Only those whose id has all of these; or a config.json or folder, starting with '.', '/' or '~'.",
        ),
    ] = None,
    format_name: TextOrJson = "text",
) -> int:
    """List the models that need no configuration, or show one.

    One model alone is shown in full: its tensors, what its layers keep, and how it is quantized.
    """

    shown = _wanted(words or [])
    if format_name == "json":
        rows = [_row(facts) for facts in shown]
        print(
            json.dumps([{**row, **_detail(shown[0])} for row in rows] if len(shown) == 1 else rows, indent=2)
        )
    else:
        print("\n".join(_portrait(shown[0]) if len(shown) == 1 else _table(shown)))
    return 0


def _wanted(words: list[str]) -> Sequence[ModelFacts]:
    from pathlib import Path

    from servespec.models.local import is_local
    from servespec.models.lookup import find, unknown
    from servespec.models.sources import catalogue
    from servespec.spec.model import Model

    if len(words) == 1 and is_local(words[0]):
        return [find(Model(id=words[0]), Path())]
    if len(words) == 1 and catalogue.resolve(words[0]):
        return [find(Model(id=words[0]), Path())]
    listed = catalogue.names() if words else catalogue.ids()
    known = [name for name in listed if all(word.lower() in name.lower() for word in words)]
    if not known:
        raise unknown(" ".join(words))
    return [find(Model(id=name), Path()) for name in known]


def _row(facts: ModelFacts) -> dict[str, Any]:
    return {
        "id": facts.id,
        "source": facts.source,
        "architecture": facts.architecture,
        "model_type": facts.model_type,
        "parameters": facts.parameters,
        "dtype": facts.dtype,
        "quantization": facts.quantization.method if facts.quantization else None,
        "layers": facts.layers,
        "hidden_size": facts.hidden_size,
        "attention_heads": facts.attention_heads,
        "kv_heads": facts.kv_heads,
        "head_dim": facts.head_dim,
        "vocab_size": facts.vocab_size,
        "context_tokens": facts.context_tokens,
        "experts": facts.moe.experts if facts.moe else None,
        "multimodal": facts.is_multimodal,
        "checkpoint_bytes": _bytes(facts),
        "unmodelled": list(facts.unmodelled),
    }


def _bytes(facts: ModelFacts) -> int:
    from servespec.models.quantization import by_format, checkpoint_bytes

    if facts.tensor_bytes is not None:
        return facts.tensor_bytes
    return sum(
        checkpoint_bytes(part, found, facts.dtype)
        for group in facts.tensors
        for part, found in by_format(facts.quantization, group)
    )


def _detail(facts: ModelFacts) -> dict[str, Any]:
    from servespec.models.quantization import by_format

    return {
        "kv": [
            {
                "kind": keep.kind.value,
                "state_type": keep.state_type or None,
                "part": keep.part.value,
                "layers": list(keep.layers),
                "kv_heads": keep.kv_heads,
                "key_dim": keep.key_dim,
                "value_dim": keep.value_dim,
                "window": keep.window,
                "states": [list(state.shape) for state in keep.states],
            }
            for keep in facts.kv
        ],
        "tensors": [
            {
                "name": part.name,
                "shape": list(part.shape),
                "count": part.count,
                "kind": part.kind.value,
                "split": part.split.value,
                "part": part.part.value,
                "format": found.name if found else None,
                "bits": found.bits if found else None,
            }
            for group in facts.tensors
            for part, found in by_format(facts.quantization, group)
        ],
    }


def _amount(parameters: int) -> str:
    return f"{parameters / 1e9:.2f} B" if parameters < 1e12 else f"{parameters / 1e12:.3f} T"


def _table(shown: Sequence[ModelFacts]) -> list[str]:
    width = max(len(facts.id) for facts in shown)
    lines = [f"{'id':<{width}}  {'parameters':>10}  {'context':>10}  quantization"]
    for facts in shown:
        method = facts.quantization.method if facts.quantization else facts.dtype
        lines.append(
            f"{facts.id:<{width}}  {_amount(facts.parameters):>10}  {facts.context_tokens:>10,}  {method}"
        )
    return lines


def _portrait(facts: ModelFacts) -> list[str]:
    from servespec.models.quantization import by_format

    method = facts.quantization.method if facts.quantization else "none"
    lines = [
        f"{facts.id}  ({facts.source})",
        f"  {facts.architecture}, {_amount(facts.parameters)} parameters ({facts.parameters:,}), {facts.dtype}, "
        f"quantization {method}",
        f"  {facts.layers} layers, hidden {facts.hidden_size:,}, {facts.attention_heads} heads, "
        f"{facts.kv_heads} KV heads of {facts.head_dim}, vocabulary {facts.vocab_size:,}, "
        f"context {facts.context_tokens:,} tokens",
        f"  checkpoint {_bytes(facts) / 2**30:.2f} GiB",
        "",
        "what the layers keep:",
    ]
    for keep in facts.kv:
        of = f"{keep.kv_heads} × ({keep.key_dim} + {keep.value_dim}) a token"
        if keep.states:
            of = f"{keep.state_type}: " + ", ".join("×".join(map(str, state.shape)) for state in keep.states)
        window = f", window {keep.window:,}" if keep.window else ""
        lines.append(f"  {len(keep.layers):>3} layers  {keep.kind.value:<9}  {of}{window}")
    lines += ["", "tensors:"]
    for group in facts.tensors:
        for part, found in by_format(facts.quantization, group):
            stored = f"{found.name} {found.bits} bit" if found else part.dtype or facts.dtype
            shape = "×".join(map(str, part.shape))
            lines.append(f"  {part.count:>6} × {shape:<16} {stored:<20} {part.name}")
    lines += [f"not modelled: {what}" for what in facts.unmodelled]
    return lines
