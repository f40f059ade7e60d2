"""Nemotron-H and Nemotron 3: Mamba 2, attention, feed-forward and expert layers, one of them a layer.

vLLM 0.32.0: models/nemotron_h.py, nemotron_h_mtp.py, layers/mamba/mamba_mixer2.py.
"""

from __future__ import annotations

from dataclasses import replace

from servespec.errors import UnmodelledError
from servespec.models.config import MOST_EXPERTS, MOST_LAYERS, Config
from servespec.models.facts import KVLayers, MoE, Part, Stage, TensorKind
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    Layers,
    attention,
    embedding,
    experts_mlp,
    linear,
    lm_head,
    mlp,
    norm,
    parameter,
    router,
)
from servespec.models.families.mamba import Mamba2, chunk_extra, mamba2_states, mamba2_tensors

ARCHITECTURES = ("NemotronHForCausalLM",)
MODEL_TYPES = ("nemotron_h",)

# The letters of hybrid_override_pattern (transformers configuration_nemotron_h.py).
LETTERS = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
STATE_DTYPE = "float32"  # vLLM models/config.py NemotronHForCausalLMConfig.DEFAULT_MAMBA_SSM_CACHE_DTYPE


def layer_kinds(config: Config, names: tuple[str, ...], pattern: str) -> tuple[str, ...]:
    """What each layer is: listed by word, or by letter."""
    kinds = config.words(*names) if any(config.has(name) for name in names) else ()
    if not kinds:
        letters = config.text(pattern)
        if len(letters) > MOST_LAYERS:
            raise config.wrong((pattern,), letters, f"at most {MOST_LAYERS} letters")
        kinds = tuple(LETTERS.get(letter, letter) for letter in letters)
    kinds = tuple({"full_attention": "attention"}.get(kind, kind) for kind in kinds)
    unknown = sorted(set(kinds) - set(LETTERS.values()))
    if unknown:
        raise UnmodelledError(f"Nemotron-H layers of kind {unknown[0][:40]}")
    return kinds


def experts(config: Config, size: Dimensions, block: str, layers: Layers, part: Part) -> tuple[Groups, MoE]:
    """Experts without a gate projection, in a narrower latent space where there is one; with shared ones."""
    count = config.size("n_routed_experts", most=MOST_EXPERTS)
    width = config.size("moe_intermediate_size")
    latent = config.optional("moe_latent_size")
    inner = latent or size.hidden
    shared = config.size("moe_shared_expert_intermediate_size") * config.integer(
        "n_shared_experts", default=0
    )
    groups: Groups = (
        *router(f"{block}.gate", count, size.hidden, layers, part=part),
        *parameter(f"{block}.gate.e_score_correction_bias", (count,), layers, dtype="float32", part=part),
        *experts_mlp(
            f"{block}.experts.{{expert}}",
            count,
            inner,
            width,
            layers,
            names=("up_proj", "down_proj"),
            part=part,
        ),
    )
    if shared:
        groups += mlp(
            f"{block}.shared_experts", size.hidden, shared, layers, names=("up_proj", "down_proj"), part=part
        )
    if latent:
        groups += linear(f"{block}.fc1_latent_proj", latent, size.hidden, layers, part=part)
        groups += linear(f"{block}.fc2_latent_proj", size.hidden, latent, layers, part=part)
    return groups, MoE(
        experts=count,
        experts_per_token=config.size("num_experts_per_tok"),
        intermediate_size=width,
        layers=layers,
        shared_intermediate_size=shared,
        gated=False,
    )


def of_kind(kinds: tuple[str, ...], kind: str, first: int = 0) -> Layers:
    """The layers of one kind, numbered from ``first``."""
    return tuple(first + layer for layer, own in enumerate(kinds) if own == kind)


def stack(
    config: Config, size: Dimensions, block: str, kinds: tuple[str, ...], first: int, part: Part
) -> tuple[Groups, tuple[KVLayers, ...], MoE | None]:
    """Layers of the given kinds, numbered from ``first``; ``block`` ends in ``{layer}``."""
    mixer = f"{block}.mixer"
    groups: Groups = norm(f"{block}.norm", size.hidden, tuple(range(first, first + len(kinds))), part=part)
    keeps: list[KVLayers] = []
    moe = None
    bias = config.flag("mlp_bias")
    if attending := of_kind(kinds, "attention", first):
        own = config.flag("attention_bias")
        groups += attention(mixer, size, attending, bias=own, output_bias=own, part=part)
        keeps.append(replace(full_attention(size, attending), part=part))
    if recurrent := of_kind(kinds, "mamba", first):
        shape = Mamba2.nemotron(config)
        groups += mamba2_tensors(shape, size.hidden, mixer, recurrent)
        dtype = config.text("mamba_ssm_cache_dtype", default=STATE_DTYPE)
        keeps.append(mamba2_states(shape, recurrent, dtype))
    if plain := of_kind(kinds, "mlp", first):
        groups += mlp(
            mixer, size.hidden, size.intermediate, plain, bias=bias, names=("up_proj", "down_proj"), part=part
        )
    if sparse := of_kind(kinds, "moe", first):
        found, moe = experts(config, size, mixer, sparse, part)
        groups += found
    return groups, tuple(keeps), moe


def mtp(config: Config, size: Dimensions) -> tuple[Groups, tuple[KVLayers, ...]]:
    """Layers that predict further tokens, of the kinds that the configuration lists (nemotron_h_mtp.py)."""
    count = config.integer("num_nextn_predict_layers", default=0, most=64)
    kinds = layer_kinds(config, ("mtp_layers_block_type",), "mtp_hybrid_override_pattern")
    if not count or not kinds:
        return (), ()
    block = "mtp.layers.{layer}"
    hidden = size.hidden
    groups, keeps, _ = stack(config, size, block, kinds, 0, Part.mtp)
    ends: Groups = (
        *norm("mtp.layers.0.enorm", hidden, part=Part.mtp),
        *norm("mtp.layers.0.hnorm", hidden, part=Part.mtp),
        *linear("mtp.layers.0.eh_proj", hidden, 2 * hidden, (), part=Part.mtp, kind=TensorKind.router),
        *norm(f"mtp.layers.{len(kinds) - 1}.final_layernorm", hidden, part=Part.mtp),
    )
    moved = tuple(replace(keep, layers=tuple(size.layers + layer for layer in keep.layers)) for keep in keeps)
    # counted from 0, apart from the decoder; layers of one kind under the name of the first
    apart = tuple(
        replace(
            group,
            name=group.name.replace("{layer}", str(group.layers[0])),
            layers=(),
            copies=len(group.layers),
        )
        for group in groups
    )
    return (*apart, *ends), moved


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    kinds = layer_kinds(config, ("layers_block_type", "layer_types"), "hybrid_override_pattern")
    hidden, heads = config.size("hidden_size"), config.size("num_attention_heads")
    size = Dimensions(
        hidden=hidden,
        intermediate=config.integer("intermediate_size", default=0),
        layers=len(kinds),
        heads=heads,
        kv_heads=config.size("num_key_value_heads", default=heads),
        head_dim=config.optional("attention_head_dim") or config.optional("head_dim") or hidden // heads,
        vocab=config.size("vocab_size"),
    )
    groups, keeps, moe = stack(config, size, "backbone.layers.{layer}", kinds, 0, Part.decoder)
    drafts, draft_keeps = mtp(config, size)
    tied = config.tied
    return Architecture(
        family="nemotron_h",
        size=size,
        tensors=(
            *embedding("backbone.embeddings", size.vocab, hidden),
            *groups,
            *norm("backbone.norm_f", hidden, stage=Stage.last),
            *lm_head("lm_head", size.vocab, hidden, tied=tied),
            *drafts,
        ),
        kv=(*keeps, *draft_keeps),
        tied_embeddings=tied,
        moe=moe,
        extra={
            "moe_latent_size": config.integer("moe_latent_size", default=0),
            **chunk_extra(config),
        },
    )
