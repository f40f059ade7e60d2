"""Which weight format a module has: the patterns of quantization configurations, matched as vLLM does.

A pattern is one of

- a module's path: it holds for the module and for all below it (``model.visual``, ``…mlp.experts``);
- a glob (``*.mlp.gate``, ``model.layers.0*``): a star at the end of a component means the module and all
  below it, not other modules whose names begin alike (vLLM 0.32.0 modelopt.py apply_vllm_mapper);
- a regular expression after ``re:``, matched from the start of the path (compressed-tensors, GPTQ's dynamic).

Checkpoints and lists disagree on the outer prefix (``model.language_model.``, ``language_model.model.``,
``backbone.``), which vLLM's weight mappers even out: it is left out on both sides here. A list may name a
fused module (``qkv_proj``) where the checkpoint has its parts; that counts for each part.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import replace
from fnmatch import translate

from servespec.errors import SourceError
from servespec.models.facts import Part, Quantization, TensorGroup, TensorKind, WeightFormat

OUTER = ("model.", "language_model.", "backbone.", "transformer.", "thinker.")

# Parts and the fused module of vLLM that holds them (packed_modules_mapping of its model classes).
FUSED = {
    "q_proj": "qkv_proj",
    "k_proj": "qkv_proj",
    "v_proj": "qkv_proj",
    "gate_proj": "gate_up_proj",
    "up_proj": "gate_up_proj",
    "in_proj_qkv": "in_proj_qkvz",
    "in_proj_z": "in_proj_qkvz",
    "in_proj_b": "in_proj_ba",
    "in_proj_a": "in_proj_ba",
    "q_a_proj": "fused_qkv_a_proj",
    "kv_a_proj_with_mqa": "fused_qkv_a_proj",
}
QUANTIZABLE = frozenset({TensorKind.linear, TensorKind.expert})
LONGEST_PATTERN = 500
# Experts of one layer have one format: that of the first stands for all.
EXPERT = re.compile(r"\.experts\.(?:\d+|\*)\.")


def canonical(path: str) -> str:
    """The path without the outer prefixes that differ between checkpoint layouts."""
    while True:
        for prefix in OUTER:
            if path.startswith(prefix):
                path = path[len(prefix) :]
                break
        else:
            return path


def anywhere(name: str) -> str:
    """The pattern for a list that names modules by a part of their path (``visual``, ``mlp.gate``).

    AWQ, GPTQ and bitsandbytes leave alone every path that contains the name (vLLM 0.32.0 is_layer_skipped); whole
    components are meant, so ``gate`` is the router and no ``gate_proj``.
    """
    if canonical(name) != name or name.startswith("layers."):
        return name
    return rf"re:(.*\.)?{re.escape(name)}(\.|$)"


class _Patterns:
    """Patterns in their order; answers with the place of the first that matches."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._exact: dict[str, int] = {}
        self._globs: list[tuple[int, re.Pattern[str]]] = []
        self._expressions: list[tuple[int, re.Pattern[str]]] = []
        self._any: int | None = None
        for place, pattern in enumerate(patterns):
            if pattern == "*":
                self._any = place if self._any is None else self._any
            elif pattern.startswith("re:"):
                self._expressions.append((place, _regex(pattern[3:])))
            else:
                # a trailing star means the module and all below it, which a path alone means too
                path = EXPERT.sub(".experts.0.", canonical(pattern).removesuffix("*").removesuffix("."))
                if any(character in path for character in "*?["):
                    self._globs.append((place, _regex(translate(path))))
                else:
                    self._exact.setdefault(path, place)

    def first(self, module: str) -> int | None:
        """The place of the first pattern that matches the module's path or one above it."""
        found = [] if self._any is None else [self._any]
        path = EXPERT.sub(".experts.0.", canonical(module))
        head, _, last = path.rpartition(".")
        paths = [path]
        if last in FUSED:
            paths.append(f"{head}.{FUSED[last]}" if head else FUSED[last])
        for candidate in paths:
            above = candidate
            while above:
                if above in self._exact:
                    found.append(self._exact[above])
                for place, pattern in self._globs:
                    if pattern.match(above):
                        found.append(place)
                above = above.rpartition(".")[0]
            if self._expressions:
                spellings = (module, candidate, f"model.{candidate}", f"language_model.model.{candidate}")
                found += [
                    place for place, one in self._expressions if any(one.match(path) for path in spellings)
                ]
        return min(found, default=None)


def _regex(pattern: str) -> re.Pattern[str]:
    if len(pattern) > LONGEST_PATTERN:
        raise SourceError(f"a pattern of the quantization configuration is {len(pattern):,} characters long")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise SourceError(
            f"{pattern!r} in the quantization configuration is no regular expression: {error}"
        ) from None


class _Matcher:
    """The formats of one quantization by module; what was asked once is not matched again."""

    def __init__(self, quantization: Quantization) -> None:
        self._formats = quantization.formats
        self._places = _Patterns(tuple(pattern for pattern, _ in quantization.formats))
        self._ignored = _Patterns(quantization.ignored)
        self._found: dict[str, WeightFormat | None] = {}

    def format_of(self, module: str) -> WeightFormat | None:
        if module not in self._found:
            place = None if self._ignored.first(module) is not None else self._places.first(module)
            self._found[module] = None if place is None else self._formats[place][1]
        return self._found[module]


def _matcher(quantization: Quantization) -> _Matcher:
    """Kept for the few quantizations in use.

    Found by identity: hashing a list of thousands of modules for every tensor would cost more than matching it.
    """
    for known, matcher in _RECENT:
        if known is quantization:
            return matcher
    made = _Matcher(quantization)
    _RECENT.append((quantization, made))
    return made


_RECENT: deque[tuple[Quantization, _Matcher]] = deque(maxlen=8)


def format_of(quantization: Quantization | None, module: str) -> WeightFormat | None:
    """The format of the linear layer at that path; None where it keeps the model's own type."""
    return None if quantization is None else _matcher(quantization).format_of(module)


def touches(quantization: Quantization, group: TensorGroup) -> bool:
    """Whether the method can touch such a tensor at all, whatever its lists say.

    Biases, norms, embeddings, routers and convolutions never; the output layer and towers as the method has it.
    """
    if not group.name.endswith(".weight") and group.kind is not TensorKind.expert:
        return False
    if group.part in (Part.vision, Part.audio, Part.projector) and not quantization.towers:
        return False
    if group.kind is TensorKind.lm_head:
        return quantization.lm_head
    return group.kind in QUANTIZABLE and len(group.shape) == 2


def by_format(
    quantization: Quantization | None, group: TensorGroup
) -> tuple[tuple[TensorGroup, WeightFormat | None], ...]:
    """The group, divided by layer where layers have different formats, each part with its format.

    Experts of one layer have the format of the first of them.
    """
    if quantization is None or not touches(quantization, group):
        return ((group, None),)
    if not group.layers:
        return ((group, format_of(quantization, group.module.format(layer=0, expert=0, block=0))),)
    layers: dict[WeightFormat | None, list[int]] = {}
    for layer in group.layers:
        path = group.module.format(layer=layer, expert=0, block=0)
        layers.setdefault(format_of(quantization, path), []).append(layer)
    if len(layers) == 1:
        return ((group, next(iter(layers))),)
    return tuple((replace(group, layers=tuple(places)), found) for found, places in layers.items())
