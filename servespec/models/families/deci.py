"""Nemotron NAS (DeciLM): Llama whose blocks differ, and may be missing (vLLM 0.32.0 models/nemotron_nas.py)."""

from __future__ import annotations

from dataclasses import replace

from servespec.models.config import Config
from servespec.models.families import llama
from servespec.models.families.architecture import Architecture, full_attention
from servespec.models.families.blocks import Dimensions, Groups, attention, mlp, norm
from servespec.models.rope import rope_tables

ARCHITECTURES = ("DeciLMForCausalLM",)
MODEL_TYPES = ("nemotron-nas",)


def feed_forward_width(block: Config, hidden: int) -> int:
    """``ffn_mult`` × hidden × 2/3, rounded up to a multiple of 256; or the size itself."""
    if block.has("ffn_mult"):
        width = int(2 * block.number("ffn_mult", default=0.0) * hidden / 3)
        return -(-width // 256) * 256
    return block.size("intermediate_size")


def build(config: Config) -> Architecture:
    """Facts of one configuration."""
    hidden = config.size("hidden_size")
    heads = config.size("num_attention_heads")
    kv_layers: dict[int, list[int]] = {}
    widths: dict[int, list[int]] = {}
    blocks = config.items("block_configs")
    for layer, entry in enumerate(blocks):
        block = Config(entry if isinstance(entry, dict) else {}, path=f"block_configs.{layer}.")
        kept, forward = block.sub("attention"), block.sub("ffn")
        for part, name in ((kept, "attention"), (forward, "ffn")):
            if part is None or part.flag("replace_with_linear"):
                raise block.wrong(
                    (name,), entry, "an attention or feed-forward block that is no linear layer"
                )
        if kept is not None and not kept.flag("no_op"):
            kv_layers.setdefault(heads // kept.size("n_heads_in_group"), []).append(layer)
        if forward is not None and not forward.flag("no_op"):
            widths.setdefault(feed_forward_width(forward, hidden), []).append(layer)
    size = Dimensions(
        hidden=hidden,
        intermediate=max(widths, default=0),
        layers=len(blocks),
        heads=heads,
        kv_heads=max(kv_layers, default=heads),
        head_dim=config.optional("head_dim") or hidden // heads,
        vocab=config.size("vocab_size"),
    )
    groups: list[Groups] = [llama.frame(size, tied=config.tied)]
    keeps = []
    block_name = "model.layers.{layer}"
    bias = config.flag("attention_bias", "bias")
    for kv_heads, indices in sorted(kv_layers.items()):
        layers = tuple(indices)
        own = replace(size, kv_heads=kv_heads)
        groups.append(attention(f"{block_name}.self_attn", own, layers, bias=bias, output_bias=bias))
        groups.append(norm(f"{block_name}.input_layernorm", hidden, layers))
        keeps.append(full_attention(own, layers))
    for width, indices in sorted(widths.items()):
        layers = tuple(indices)
        groups.append(mlp(f"{block_name}.mlp", hidden, width, layers, bias=config.flag("mlp_bias")))
        groups.append(norm(f"{block_name}.post_attention_layernorm", hidden, layers))
    return Architecture(
        family="deci",
        size=size,
        tensors=tuple(group for part in groups for group in part),
        kv=tuple(keeps),
        rope=rope_tables(config, size.head_dim),
        tied_embeddings=config.tied,
    )
