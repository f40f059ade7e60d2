"""DeepSeek V4: one latent vector a token in a window, compressed ones beyond it (vLLM 0.32.0 models/deepseek_v4/).

Every layer keeps a window of latent vectors; a layer with ``compress_ratios`` 4 or 128 keeps also one vector for so
many tokens, the state of its compressor, and with 4 an indexer that chooses among them. Hyper-connections
multiply the residual stream.
"""

from __future__ import annotations

from servespec.models.config import MOST_EXPERTS, Config
from servespec.models.facts import KVKind, KVLayers, MoE, Part, RopeTable, Split, Stage, TensorKind
from servespec.models.families.architecture import Architecture
from servespec.models.families.blocks import (
    Dimensions,
    Groups,
    Layers,
    counted_apart,
    embedding,
    experts_mlp,
    linear,
    lm_head,
    mlp,
    norm,
    parameter,
    router,
)
from servespec.models.rope import rope_parameters, rope_table

ARCHITECTURES = ("DeepseekV4ForCausalLM",)
MODEL_TYPES = ("deepseek_v4",)

OVERLAP_RATIO = 4  # compressor.py: layers of this ratio overlap their windows, so they keep everything twice
INDEXER_SCALE_BYTES = 4  # one float32 for each 128 values (attention.py DeepseekV4Indexer.quant_block_size)
FLOAT32_BYTES = 4


def ratios(config: Config, layers: Layers) -> dict[int, Layers]:
    """Compression ratio → the layers that have it; 1 stands for none."""
    found = config.integers("compress_ratios")
    by_ratio: dict[int, list[int]] = {}
    for layer in layers:
        ratio = max(1, found[layer]) if layer < len(found) else 1
        by_ratio.setdefault(ratio, []).append(layer)
    return {ratio: tuple(places) for ratio, places in sorted(by_ratio.items())}


def attention(
    config: Config, size: Dimensions, block: str, layers: Layers, part: Part = Part.decoder
) -> Groups:
    """The projections that every layer has; ``block`` ends in ``attn``."""
    query = config.size("q_lora_rank")
    groups, rank = config.size("o_groups"), config.size("o_lora_rank")
    hidden, heads, dim = size.hidden, size.heads, size.head_dim
    return (
        *linear(f"{block}.wq_a", query, hidden, layers, part=part),
        *norm(f"{block}.q_norm", query, layers, part=part),
        *linear(f"{block}.wq_b", heads * dim, query, layers, Split.heads, heads=heads, part=part),
        *linear(f"{block}.wkv", dim, hidden, layers, part=part),
        *norm(f"{block}.kv_norm", dim, layers, part=part),
        *linear(f"{block}.wo_a", groups * rank, heads * dim // groups, layers, Split.rows, part=part),
        *linear(f"{block}.wo_b", hidden, groups * rank, layers, Split.columns, part=part),
        *parameter(
            f"{block}.attn_sink", (heads,), layers, split=Split.heads, heads=heads, dtype="float32", part=part
        ),
    )


def compressor(prefix: str, hidden: int, dim: int, ratio: int, layers: Layers) -> Groups:
    """A compressor's tensors, on every rank and never quantized."""
    width = dim * (2 if ratio == OVERLAP_RATIO else 1)
    return (
        *linear(f"{prefix}.wkv", width, hidden, layers, kind=TensorKind.router),
        *linear(f"{prefix}.wgate", width, hidden, layers, kind=TensorKind.router),
        *parameter(f"{prefix}.ape", (ratio, width), layers, dtype="float32"),
        *norm(f"{prefix}.norm", dim, layers),
    )


def compressed(config: Config, size: Dimensions, block: str, by_ratio: dict[int, Layers]) -> Groups:
    """Compressors of the layers that have one, and indexers; ``block`` ends in ``attn``."""
    groups: Groups = ()
    for ratio, layers in by_ratio.items():
        if ratio == 1:
            continue
        groups += compressor(f"{block}.compressor", size.hidden, size.head_dim, ratio, layers)
        if ratio == OVERLAP_RATIO:
            heads, width = config.size("index_n_heads"), config.size("index_head_dim")
            groups += linear(f"{block}.indexer.wq_b", heads * width, config.size("q_lora_rank"), layers)
            groups += linear(
                f"{block}.indexer.weights_proj", heads, size.hidden, layers, kind=TensorKind.router
            )
            groups += compressor(f"{block}.indexer.compressor", size.hidden, width, ratio, layers)
    return groups


def state(dim: int, ratio: int, layers: Layers) -> KVLayers:
    """What a compressor keeps of the tokens that it has not compressed yet: keys and scores in float32."""
    overlap = 2 if ratio == OVERLAP_RATIO else 1
    return KVLayers(
        kind=KVKind.sliding,
        layers=layers,
        kv_heads=1,
        key_dim=2 * overlap * dim,
        window=overlap * ratio,
        state_type="compressor",
        token_bytes=2 * overlap * dim * FLOAT32_BYTES,
    )


def keeps(config: Config, size: Dimensions, by_ratio: dict[int, Layers]) -> tuple[KVLayers, ...]:
    """Windows of latent vectors, compressed vectors, indexer keys and compressor states."""
    window = config.size("sliding_window")
    dim = size.head_dim
    found = [KVLayers(kind=KVKind.sliding, layers=size.every_layer, kv_heads=1, key_dim=dim, window=window)]
    for ratio, layers in by_ratio.items():
        if ratio == 1:
            continue
        found.append(
            KVLayers(kind=KVKind.latent, layers=layers, kv_heads=1, key_dim=dim, compress_ratio=ratio)
        )
        found.append(state(dim, ratio, layers))
        if ratio == OVERLAP_RATIO:
            width = config.size("index_head_dim")
            found.append(
                KVLayers(
                    kind=KVKind.indexer,
                    layers=layers,
                    kv_heads=1,
                    key_dim=width,
                    token_bytes=width + width // 128 * INDEXER_SCALE_BYTES,
                    compress_ratio=ratio,
                )
            )
            found.append(state(width, ratio, layers))
    return tuple(found)


def feed_forward(
    config: Config, size: Dimensions, block: str, moe: MoE, layers: Layers, part: Part
) -> Groups:
    """Router, experts and shared experts; ``block`` ends in ``ffn``."""
    groups: Groups = (
        *router(f"{block}.gate", moe.experts, size.hidden, layers, part=part),
        *experts_mlp(
            f"{block}.experts.{{expert}}",
            moe.experts,
            size.hidden,
            moe.intermediate_size,
            layers,
            names=("w1", "w3", "w2"),
            part=part,
        ),
    )
    hashed = tuple(layer for layer in layers if layer < config.integer("num_hash_layers", default=0))
    scored = tuple(layer for layer in layers if layer not in set(hashed))
    if hashed:
        groups += parameter(
            f"{block}.gate.tid2eid", (size.vocab, moe.experts_per_token), hashed, dtype="int64", part=part
        )
    if scored and config.text("topk_method") == "noaux_tc":
        groups += parameter(f"{block}.gate.bias", (moe.experts,), scored, dtype="float32", part=part)
    if moe.shared_intermediate_size:
        groups += mlp(
            f"{block}.shared_experts",
            size.hidden,
            moe.shared_intermediate_size,
            layers,
            names=("w1", "w3", "w2"),
            part=part,
        )
    return groups


def connections(config: Config, hidden: int, block: str, layers: Layers, part: Part) -> Groups:
    """Norms and hyper-connections around attention and feed-forward block."""
    streams = config.size("hc_mult")
    mixes = streams * (2 + streams)
    groups: Groups = ()
    for name in ("attn", "ffn"):
        groups += norm(f"{block}.{name}_norm", hidden, layers, part=part)
        groups += parameter(
            f"{block}.hc_{name}_fn", (mixes, streams * hidden), layers, dtype="float32", part=part
        )
        groups += parameter(f"{block}.hc_{name}_base", (mixes,), layers, dtype="float32", part=part)
        groups += parameter(f"{block}.hc_{name}_scale", (3,), layers, dtype="float32", part=part)
    return groups


def hyper_head(config: Config, hidden: int, prefix: str, layers: Layers, part: Part) -> Groups:
    """What folds the residual streams into one before the output layer."""
    streams = config.size("hc_mult")
    last = Stage.last
    return (
        *parameter(
            f"{prefix}hc_head_fn", (streams, streams * hidden), layers, dtype="float32", part=part, stage=last
        ),
        *parameter(f"{prefix}hc_head_base", (streams,), layers, dtype="float32", part=part, stage=last),
        *parameter(f"{prefix}hc_head_scale", (1,), layers, dtype="float32", part=part, stage=last),
    )


def mtp(config: Config, size: Dimensions, moe: MoE) -> tuple[Groups, tuple[KVLayers, ...]]:
    """Layers that predict further tokens; they share embedding and output layer."""
    count = config.integer("num_nextn_predict_layers", default=0, most=64)
    if not count:
        return (), ()
    layers = tuple(range(size.layers, size.layers + count))
    part, hidden = Part.mtp, size.hidden
    block = "mtp.{layer}"
    groups: Groups = (
        *linear(f"{block}.e_proj", hidden, hidden, layers, part=part),
        *linear(f"{block}.h_proj", hidden, hidden, layers, part=part),
        *norm(f"{block}.enorm", hidden, layers, part=part),
        *norm(f"{block}.hnorm", hidden, layers, part=part),
        *norm(f"{block}.norm", hidden, layers, part=part),
        *attention(config, size, f"{block}.attn", layers, part),
        *feed_forward(config, size, f"{block}.ffn", moe, layers, part),
        *connections(config, hidden, block, layers, part),
        *hyper_head(config, hidden, f"{block}.", layers, part),
    )
    window = config.size("sliding_window")
    keep = KVLayers(
        kind=KVKind.sliding, layers=layers, kv_heads=1, key_dim=size.head_dim, window=window, part=part
    )
    return counted_apart(groups, count), (keep,)


def rope(config: Config) -> tuple[RopeTable, ...]:
    """One table for layers without compression, one of another base for those with it; both float32."""
    positions = config.size("max_position_embeddings")
    width = config.size("qk_rope_head_dim")
    tables = [
        RopeTable(positions, width, dtype="float32"),
        *(
            rope_table({**parameters, "rope_type": "deepseek_yarn"}, width, positions)
            for parameters in rope_parameters(config)
        ),
    ]
    return tuple(table for table in tables if table is not None)


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    heads = config.size("num_attention_heads")
    hidden = config.size("hidden_size")
    width = config.size("moe_intermediate_size")
    size = Dimensions(
        hidden=hidden,
        intermediate=width,
        layers=config.layers,
        heads=heads,
        kv_heads=1,
        head_dim=config.size("head_dim"),
        vocab=config.size("vocab_size"),
    )
    layers = size.every_layer
    by_ratio = ratios(config, layers)
    unknown = sorted(set(by_ratio) - {1, 4, 128})
    moe = MoE(
        experts=config.size("n_routed_experts", most=MOST_EXPERTS),
        experts_per_token=config.size("num_experts_per_tok"),
        intermediate_size=width,
        layers=layers,
        shared_intermediate_size=width * config.integer("n_shared_experts", default=0),
    )
    drafts, draft_keeps = mtp(config, size, moe)
    block = "layers.{layer}"
    return Architecture(
        family="deepseek_v4",
        size=size,
        tensors=(
            *embedding("embed", size.vocab, hidden),
            *attention(config, size, f"{block}.attn", layers),
            *compressed(config, size, f"{block}.attn", by_ratio),
            *feed_forward(config, size, f"{block}.ffn", moe, layers, Part.decoder),
            *connections(config, hidden, block, layers, Part.decoder),
            *hyper_head(config, hidden, "", (), Part.decoder),
            *norm("norm", hidden, stage=Stage.last),
            *lm_head("head", size.vocab, hidden),
            *drafts,
        ),
        kv=(*keeps(config, size, by_ratio), *draft_keeps),
        rope=rope(config),
        sliding_window=config.size("sliding_window"),
        moe=moe,
        unmodelled=tuple(f"DeepSeek-V4 compression of {ratio} tokens" for ratio in unknown)
        + (("DeepSeek-V4's vision tower",) if config.integer("vision_n_layers", default=0) else ()),
        extra={
            "qk_rope_head_dim": config.size("qk_rope_head_dim"),
            "index_topk": config.integer("index_topk", default=0),
            "sparse_attention": True,
            "hc_mult": config.size("hc_mult"),
        },
    )
