"""DeepSeek V2, V3, V3.2 and what is built like them: Kimi-K2, GLM-5.

Multi-head latent attention: one compressed vector a token, and experts in all but the first layers. V3.2 and
GLM-5 choose the tokens that they attend to with an indexer (vLLM 0.32.0 models/deepseek_v2.py, deepseek_mtp.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servespec.models.config import MOST_EXPERTS, Config
from servespec.models.facts import KVKind, KVLayers, MoE, Part, RopeTable, Split, Stage, TensorKind
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    Layers,
    experts_mlp,
    linear,
    mlp,
    norm,
    norms,
    parameter,
    router,
)
from servespec.models.rope import YARN, rope_parameters, rope_table, rope_type

ARCHITECTURES = (
    "DeepseekV2ForCausalLM",
    "DeepseekV3ForCausalLM",
    "DeepseekV32ForCausalLM",
    "GlmMoeDsaForCausalLM",
    "Glm4MoeLiteForCausalLM",
)
MODEL_TYPES = ("deepseek_v2", "deepseek_v3", "deepseek_v32", "kimi_k2", "glm_moe_dsa", "glm4_moe_lite")

INDEXER_BLOCK = 128  # vLLM deepseek_v2.py Indexer.quant_block_size: one float32 scale for each 128 fp8 values


def latent_attention(
    config: Config, size: Dimensions, block: str, layers: Layers, part: Part = Part.decoder
) -> Groups:
    """The projections of MLA; ``block`` ends in ``self_attn``."""
    nope = config.size("qk_nope_head_dim")
    rotary = config.integer("qk_rope_head_dim")
    value = config.size("v_head_dim")
    latent = config.size("kv_lora_rank")
    query_latent = config.optional("q_lora_rank")
    heads, hidden = size.heads, size.hidden
    bias = config.flag("attention_bias")
    query_width = heads * (nope + rotary)
    query: Groups
    if query_latent:
        query = (
            *linear(f"{block}.q_a_proj", query_latent, hidden, layers, bias=bias, part=part),
            *norm(f"{block}.q_a_layernorm", query_latent, layers, part=part),
            *linear(
                f"{block}.q_b_proj", query_width, query_latent, layers, Split.heads, heads=heads, part=part
            ),
        )
    else:
        query = linear(f"{block}.q_proj", query_width, hidden, layers, Split.heads, heads=heads, part=part)
    return (
        *query,
        *linear(f"{block}.kv_a_proj_with_mqa", latent + rotary, hidden, layers, bias=bias, part=part),
        *norm(f"{block}.kv_a_layernorm", latent, layers, part=part),
        *linear(
            f"{block}.kv_b_proj", heads * (nope + value), latent, layers, Split.heads, heads=heads, part=part
        ),
        *linear(f"{block}.o_proj", hidden, heads * value, layers, Split.columns, bias=bias, part=part),
    )


def indexed_layers(config: Config, layers: Layers) -> Layers:
    """The layers that choose tokens for themselves; the others reuse the choice of one before them."""
    if not config.optional("index_topk"):
        return ()
    kinds = config.words("indexer_types") if config.has("indexer_types") else ()
    if kinds:
        return tuple(layer for layer, kind in zip(layers, kinds, strict=False) if kind == "full")
    pattern = config.raw("index_topk_pattern")
    if isinstance(pattern, str | list):
        return tuple(layer for layer in layers if layer >= len(pattern) or pattern[layer] != "S")
    every = max(1, config.integer("index_topk_freq", default=1))
    offset = config.integer("index_skip_topk_offset", default=2)
    return tuple(layer for layer in layers if max(layer - offset + 1, 0) % every == 0)


def indexer(
    config: Config, size: Dimensions, block: str, layers: Layers, part: Part = Part.decoder
) -> Groups:
    """The sparse attention's indexer, on every rank; ``block`` ends in ``self_attn``."""
    if not layers:
        return ()
    heads, width = config.size("index_n_heads"), config.size("index_head_dim")
    rank = config.size("q_lora_rank")
    own = f"{block}.indexer"
    return (
        *linear(f"{own}.wq_b", heads * width, rank, layers, part=part),
        *linear(f"{own}.wk", width, size.hidden, layers, part=part),
        *norm(f"{own}.k_norm", width, layers, bias=True, part=part, dtype="float32"),
        # kept in the model's type whatever the quantization (vLLM merges it with wk in one bf16 layer)
        *linear(f"{own}.weights_proj", heads, size.hidden, layers, kind=TensorKind.router, part=part),
    )


def sparse_layers(config: Config, layers: Layers) -> Layers:
    """The layers that have experts."""
    kinds = config.words("mlp_layer_types") if config.has("mlp_layer_types") else ()
    if kinds:
        return tuple(layer for layer, kind in zip(layers, kinds, strict=False) if kind == "sparse")
    if not config.raw("n_routed_experts", "num_experts", "num_local_experts"):
        return ()
    frequency = config.raw("moe_layer_freq")
    if isinstance(frequency, list):
        return tuple(layer for layer, sparse in zip(layers, frequency, strict=False) if sparse)
    first = config.integer("first_k_dense_replace", default=0)
    every = max(1, config.integer("moe_layer_freq", default=1))
    return tuple(layer for layer in layers if layer >= first and layer % every == 0)


def mixture(config: Config, layers: Layers) -> MoE | None:
    """Sizes of the experts."""
    if not layers:
        return None
    width = config.size("moe_intermediate_size")
    shared = config.integer("n_shared_experts", "num_shared_experts", default=0)
    return MoE(
        experts=config.size("n_routed_experts", "num_experts", "num_local_experts", most=MOST_EXPERTS),
        experts_per_token=config.size("num_experts_per_tok", "num_experts_per_token"),
        intermediate_size=width,
        layers=layers,
        shared_intermediate_size=width * shared,
    )


def experts(
    config: Config, size: Dimensions, block: str, moe: MoE, layers: Layers, part: Part = Part.decoder
) -> Groups:
    """Router, experts and shared experts of ``layers``; ``block`` ends in ``mlp``."""
    groups: Groups = (
        *router(f"{block}.gate", moe.experts, size.hidden, layers, part=part),
        *experts_mlp(
            f"{block}.experts.{{expert}}", moe.experts, size.hidden, moe.intermediate_size, layers, part=part
        ),
    )
    # the first generation scores without a correction; later ones name noaux_tc, or take it for granted
    if (
        config.text("topk_method", default="" if config.model_type == "deepseek_v2" else "noaux_tc")
        == "noaux_tc"
    ):
        groups += parameter(
            f"{block}.gate.e_score_correction_bias", (moe.experts,), layers, dtype="float32", part=part
        )
    if moe.shared_intermediate_size:
        groups += mlp(f"{block}.shared_experts", size.hidden, moe.shared_intermediate_size, layers, part=part)
    return groups


def rope(config: Config) -> tuple[RopeTable, ...]:
    """Only the rotary part of a head has a table; yarn is DeepSeek's own, in float32."""
    positions = config.size("max_position_embeddings")
    tables = []
    for parameters in tuple(rope_parameters(config)) or ({},):
        own: Mapping[str, Any] = parameters
        if rope_type(parameters) in YARN:
            plain = parameters.get("attention_factor") == 1.0
            own = {**parameters, "rope_type": "deepseek_llama_scaling" if plain else "deepseek_yarn"}
        tables.append(rope_table(own, config.integer("qk_rope_head_dim"), positions))
    return tuple(table for table in tables if table is not None)


def keeps(config: Config, layers: Layers, indexed: Layers, part: Part = Part.decoder) -> tuple[KVLayers, ...]:
    """One latent vector a token; the indexer's keys in fp8 beside it."""
    latent = KVLayers(
        kind=KVKind.latent,
        layers=layers,
        kv_heads=1,
        key_dim=config.size("kv_lora_rank") + config.integer("qk_rope_head_dim"),
        part=part,
    )
    if not indexed:
        return (latent,)
    width = config.size("index_head_dim")
    return (
        latent,
        KVLayers(
            kind=KVKind.indexer,
            layers=indexed,
            kv_heads=1,
            key_dim=width,
            token_bytes=width + width // INDEXER_BLOCK * 4,
            part=part,
        ),
    )


def mtp(config: Config, size: Dimensions, model: str, moe: MoE | None) -> tuple[Groups, tuple[KVLayers, ...]]:
    """Layers that predict further tokens, numbered on from the decoder's.

    DeepSeek's and Kimi's repeat the embedding and the output layer; GLM's do not.
    """
    count = config.integer("num_nextn_predict_layers", default=0, most=64)
    if not count or moe is None:
        return (), ()
    part = Part.mtp
    layers = tuple(range(size.layers, size.layers + count))
    block = f"{model}.layers.{{layer}}"
    hidden = size.hidden
    indexed = layers if config.optional("index_topk") else ()
    groups: Groups = (
        *norm(f"{block}.enorm", hidden, layers, part=part),
        *norm(f"{block}.hnorm", hidden, layers, part=part),
        *linear(f"{block}.eh_proj", hidden, 2 * hidden, layers, part=part, kind=TensorKind.router),
        *norm(f"{block}.shared_head.norm", hidden, layers, part=part),
        *latent_attention(config, size, f"{block}.self_attn", layers, part),
        *indexer(config, size, f"{block}.self_attn", indexed, part),
        *experts(config, size, f"{block}.mlp", moe, layers, part),
        *norm(f"{block}.input_layernorm", hidden, layers, part=part),
        *norm(f"{block}.post_attention_layernorm", hidden, layers, part=part),
    )
    if not config.model_type.startswith("glm"):
        for name, kind in (("embed_tokens", TensorKind.embedding), ("shared_head.head", TensorKind.lm_head)):
            groups += parameter(
                f"{block}.{name}.weight",
                (size.vocab, hidden),
                layers,
                kind=kind,
                split=Split.vocabulary,
                part=part,
                stage=Stage.last,
            )
    return groups, keeps(config, layers, indexed, part)


def text_decoder(config: Config, model: str = "model", head: str = "lm_head") -> Architecture:
    """A whole decoder whose tensors begin with ``model``; ``config`` may nest the language model."""
    tied = config.tied
    text = config.language
    nope, rotary = text.size("qk_nope_head_dim"), text.integer("qk_rope_head_dim")
    heads = text.size("num_attention_heads")
    size = Dimensions(
        hidden=text.size("hidden_size"),
        intermediate=text.size("intermediate_size"),
        layers=text.layers,
        heads=heads,
        kv_heads=heads,
        head_dim=nope + rotary,
        vocab=text.size("vocab_size"),
    )
    layers = size.every_layer
    sparse = sparse_layers(text, layers)
    dense = tuple(layer for layer in layers if layer not in set(sparse))
    moe = mixture(text, sparse)
    indexed = indexed_layers(text, layers)
    block = f"{model}.layers.{{layer}}"
    drafts, draft_keeps = mtp(text, size, model, moe)
    return Architecture(
        family="deepseek",
        size=size,
        tensors=(
            *llama.frame(size, model, head, tied=tied),
            *latent_attention(text, size, f"{block}.self_attn", layers),
            *indexer(text, size, f"{block}.self_attn", indexed),
            *norms((f"{block}.input_layernorm", f"{block}.post_attention_layernorm"), size.hidden, layers),
            *(mlp(f"{block}.mlp", size.hidden, size.intermediate, dense) if dense else ()),
            *(experts(text, size, f"{block}.mlp", moe, sparse) if moe else ()),
            *drafts,
        ),
        kv=(*keeps(text, layers, indexed), *draft_keeps),
        rope=rope(text),
        tied_embeddings=tied,
        moe=moe,
        extra={
            "kv_lora_rank": text.size("kv_lora_rank"),
            "qk_rope_head_dim": rotary,
            "qk_nope_head_dim": nope,
            "v_head_dim": text.size("v_head_dim"),
            "q_lora_rank": text.integer("q_lora_rank", default=0),
            "sparse_attention": bool(text.optional("index_topk")),
            "index_topk": text.integer("index_topk", default=0),
        },
    )


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    return text_decoder(config)
