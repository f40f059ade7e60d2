"""Tables of sines and cosines, and the context that rope scaling allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from servespec.models.config import Config
from servespec.models.facts import RopeTable

# Kinds of scaling that leave max_position_embeddings as it stands (vLLM 0.32.0 vllm/config/model.py
# _get_and_verify_max_len); yarn is handled apart, since versions differ.
UNSCALED = frozenset({"su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling", "mrope"})
YARN = frozenset({"yarn", "deepseek_yarn", "deepseek_llama_scaling"})

# vLLM 0.32.0 vllm/transformers_utils/model_arch_config_convertor.py derive_max_model_len_and_key.
LENGTH_KEYS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "model_max_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
NO_LENGTH_TOKENS = 2048  # what vLLM assumes when no key gives a length (same file, default_max_len)


def rope_parameters(config: Config) -> Iterator[Mapping[str, Any]]:
    """The rope settings of each kind of layer: old and new spelling, one mapping or one per layer type."""
    found = config.mapping("rope_scaling") or config.mapping("rope_parameters")
    nested = [value for value in found.values() if isinstance(value, Mapping)]
    for parameters in nested or ([found] if found else []):
        if parameters:
            yield parameters


def rope_type(parameters: Mapping[str, Any]) -> str:
    """The kind of scaling by today's name."""
    kind = str(parameters.get("rope_type") or parameters.get("type") or "default")
    return {"su": "longrope", "mrope": "default"}.get(kind, kind)


def _number(parameters: Mapping[str, Any], key: str) -> float | None:
    value = parameters.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1 << 40:
        return None
    return float(value)


def context_tokens(config: Config) -> int:
    """The longest context that a language model's configuration allows, rope scaling included.

    As vLLM 0.32.0 derives it, but yarn counts as ``original_max_position_embeddings × factor`` where that is
    more than ``max_position_embeddings`` (what versions before the change did).
    """
    lengths = [n for key in LENGTH_KEYS if config.has(key) and (n := config.optional(key))]
    if not lengths and (default := config.optional("max_position_embeddings", "n_positions")):
        lengths = [default]
    if config.has("model_max_length"):
        lengths = [config.size("model_max_length")]
    length = float(min(lengths, default=NO_LENGTH_TOKENS))
    factor = 1.0
    extended = 0.0
    for parameters in rope_parameters(config):
        kind = rope_type(parameters)
        scale = _number(parameters, "factor")
        if scale is None:
            continue
        if kind not in UNSCALED and "gemma3" not in config.model_type:
            factor = scale
        if kind in YARN:
            original = _number(parameters, "original_max_position_embeddings") or length
            extended = original * scale
    return int(max(length * factor, extended))


def rope_table(
    parameters: Mapping[str, Any], head_dim: int, positions: int, fraction: float = 1.0
) -> RopeTable | None:
    """The table that vLLM 0.32.0 builds (layers/rotary_embedding/__init__.py get_rope and the classes it names).

    ``positions`` is max_position_embeddings, ``fraction`` the share of ``head_dim`` that rotates.
    """
    kind = rope_type(parameters)
    fraction = _number(parameters, "partial_rotary_factor") or fraction
    rotary = int(head_dim * fraction)
    if kind == "proportional":  # gemma4_rope.py: zeros stand where nothing rotates
        rotary = head_dim
    factor = _number(parameters, "factor") or 1.0
    original = int(_number(parameters, "original_max_position_embeddings") or positions)
    if rotary <= 0:
        return None
    if "mrope_section" in parameters or "xdrope_section" in parameters:
        # mrope.py: four times the positions, since images take positions of their own
        if kind in YARN:
            return RopeTable(int(original * 4 * factor), rotary, kind="mrope")
        return RopeTable(positions * 4, rotary, kind="mrope")
    if kind == "yarn":
        return RopeTable(int(original * factor), rotary, kind=kind)
    if kind in YARN:  # deepseek_scaling_rope.py: flashinfer's kernel takes it unrounded
        return RopeTable(int(original * factor), rotary, dtype="float32", kind=kind)
    if kind == "linear":
        return RopeTable(int(positions * factor), rotary, kind=kind)
    if kind == "longrope":  # phi3_long_rope_scaled_rope.py: the short table and the long one, in one
        return RopeTable(original + positions, rotary, kind=kind)
    return RopeTable(positions, rotary, kind=kind)


def rope_tables(config: Config, head_dim: int, fraction: float | None = None) -> tuple[RopeTable, ...]:
    """The distinct tables of a decoder whose layers all have heads of ``head_dim``."""
    positions = config.integer("max_position_embeddings", "n_positions", "seq_length", default=8192)
    share = config.number("partial_rotary_factor", "rotary_pct", "rotary_emb_fraction", default=1.0)
    tables = [
        rope_table(parameters, head_dim, positions, share if fraction is None else fraction)
        for parameters in (tuple(rope_parameters(config)) or ({},))
    ]
    return tuple(table for table in dict.fromkeys(tables) if table is not None)
