"""A configuration becomes facts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from servespec.errors import SourceError
from servespec.models.config import Config
from servespec.models.facts import ModelFacts, Quantization
from servespec.models.families import family_of
from servespec.models.rope import YARN, context_tokens, rope_parameters, rope_type

# Where a configuration may speak of its quantization; without any of these its parsers need not be imported.
QUANTIZED = ("quantization_config", "compression_config", "text_config", "language_config", "llm_config")
DTYPES = frozenset({"bfloat16", "float16", "float32", "float64"})


def checkpoint_dtype(config: Config) -> str | None:
    """The type that the configuration names, as vLLM looks for it: whole model, language model, vision."""
    parts = [
        config,
        config.language,
        *(sub for key in ("vision_config", "encoder_config") if (sub := config.sub(key))),
    ]
    for part in parts:
        name = part.values.get("dtype") or part.values.get("torch_dtype")
        if isinstance(name, str) and (name := name.removeprefix("torch.")) in DTYPES:
            return name
    return None


def _quantization(config: Mapping[str, Any], beside: Mapping[str, Any] | None) -> Quantization | None:
    if beside is None and not any(key in config for key in QUANTIZED):
        return None
    from servespec.models.quantization.declared import parse

    return parse(config, beside)


def _rope_extra(language: Config) -> dict[str, int | float | str | bool]:
    """What versions of an engine that derive the context differently need to know."""
    extra: dict[str, int | float | str | bool] = {}
    positions = language.optional("max_position_embeddings", "n_positions", "seq_length")
    if positions:
        extra["max_position_embeddings"] = positions
    for parameters in rope_parameters(language):
        kind = rope_type(parameters)
        if kind != "default":
            extra["rope_type"] = kind
        for key in ("factor", "original_max_position_embeddings"):
            value = parameters.get(key)
            if kind in YARN | {"longrope"} and isinstance(value, int | float) and not isinstance(value, bool):
                extra[f"rope_{key}"] = value
    original = language.values.get("original_max_position_embeddings")
    if isinstance(original, int) and not isinstance(original, bool):
        extra["rope_original_max_position_embeddings"] = original
    return extra


def facts_from_config(
    config: Mapping[str, Any],
    *,
    id: str,
    source: str,
    hf_quant_config: Mapping[str, Any] | None = None,
    revision: str | None = None,
    tensor_bytes: int | None = None,
) -> ModelFacts:
    """Facts of a parsed config.json; ``hf_quant_config`` is ModelOpt's file beside it.

    ``source`` says where it came from (``catalogue``, a file, ``Hub``). Where no type is named the checkpoint is
    taken to be bfloat16 (``extra["dtype_assumed"]``). Raises SourceError when the configuration makes no sense,
    UnmodelledError when the architecture or its quantization is not modelled.
    """
    if not isinstance(config, Mapping):
        raise SourceError(f"{source}: the model configuration is no JSON object")
    whole = Config(config)
    name, family = family_of(whole)
    architecture = family.build(whole)
    language = whole.language
    size = architecture.size
    # a kind of layer that this model does not have leaves groups of no layer behind
    tensors = tuple(group for group in architecture.tensors if group.layers or "{layer}" not in group.name)
    empty = next((group for group in tensors if group.elements < 1), None)
    if empty is not None:
        shape = " × ".join(map(str, empty.shape))
        raise SourceError(
            f"{source}: the model configuration makes {empty.name} {shape}: a size is missing or 0"
        )
    dtype = checkpoint_dtype(whole)
    extra: dict[str, int | float | str | bool] = {**_rope_extra(language), **architecture.extra}
    if dtype is None:
        extra["dtype_assumed"] = True
    return ModelFacts(
        id=id,
        source=source,
        architecture=name,
        model_type=whole.model_type,
        family=architecture.family,
        dtype=dtype or "bfloat16",
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        layers=size.layers,
        attention_heads=size.heads,
        kv_heads=size.kv_heads,
        head_dim=size.head_dim,
        vocab_size=size.vocab,
        context_tokens=architecture.context_tokens or context_tokens(language),
        tensors=tensors,
        kv=tuple(keep for keep in architecture.kv if keep.layers),
        revision=revision,
        tied_embeddings=architecture.tied_embeddings,
        sliding_window=architecture.sliding_window,
        moe=architecture.moe,
        vision=architecture.vision,
        rope=architecture.rope,
        quantization=_quantization(config, hf_quant_config),
        has_audio=architecture.has_audio,
        is_encoder_decoder=architecture.is_encoder_decoder,
        unmodelled=architecture.unmodelled,
        tensor_bytes=tensor_bytes,
        extra=MappingProxyType(extra),
    )
