"""Gemma 4's vision and audio towers (transformers 5.19.0 modeling_gemma4.py, vLLM 0.32.0 models/gemma4_mm.py)."""

from __future__ import annotations

from servespec.models.config import Config
from servespec.models.facts import Part, Split, TensorKind, Vision
from servespec.models.families.blocks import Groups, linear, norm, parameter


def _clips(name: str, config: Config, copies: int, part: Part) -> Groups:
    """Four bounds beside each clipped linear layer."""
    if not config.flag("use_clipped_linears"):
        return ()
    return tuple(
        group
        for bound in ("input_min", "input_max", "output_min", "output_max")
        for group in parameter(f"{name}.{bound}", (1,), copies=copies, part=part)
    )


def _linear(
    name: str, outputs: int, inputs: int, split: Split, config: Config, copies: int, part: Part
) -> Groups:
    return (
        *linear(f"{name}.linear", outputs, inputs, (), split, copies=copies, part=part),
        *_clips(name, config, copies, part),
    )


def vision(config: Config, text_hidden: int, prefix: str, embedder: str) -> Groups:
    """The vision tower and its projection."""
    width, intermediate = config.size("hidden_size"), config.size("intermediate_size")
    heads = config.size("num_attention_heads")
    kv_heads = config.size("num_key_value_heads", default=heads)
    head_dim = config.size("head_dim", default=width // heads)
    count = config.layers
    patch = config.size("patch_size")
    part = Part.vision
    block = f"{prefix}.encoder.layers.{{block}}"
    groups: Groups = (
        *parameter(
            f"{prefix}.patch_embedder.position_embedding_table",
            (2, config.size("position_embedding_size"), width),
            part=part,
            kind=TensorKind.embedding,
        ),
        *linear(f"{prefix}.patch_embedder.input_proj", width, 3 * patch * patch, (), part=part),
    )
    for name, own in (("q_proj", heads), ("k_proj", kv_heads), ("v_proj", kv_heads)):
        groups += _linear(f"{block}.self_attn.{name}", own * head_dim, width, Split.rows, config, count, part)
    groups += _linear(
        f"{block}.self_attn.o_proj", width, heads * head_dim, Split.columns, config, count, part
    )
    for name in ("gate_proj", "up_proj"):
        groups += _linear(f"{block}.mlp.{name}", intermediate, width, Split.rows, config, count, part)
    groups += _linear(f"{block}.mlp.down_proj", width, intermediate, Split.columns, config, count, part)
    for name in ("self_attn.q_norm", "self_attn.k_norm"):
        groups += norm(f"{block}.{name}", head_dim, part=part, copies=count)
    for name in ("input", "post_attention", "pre_feedforward", "post_feedforward"):
        groups += norm(f"{block}.{name}_layernorm", width, part=part, copies=count)
    if config.flag("standardize"):
        groups += parameter(f"{prefix}.std_bias", (width,), part=part)
        groups += parameter(f"{prefix}.std_scale", (width,), part=part)
    return (*groups, *linear(f"{embedder}.embedding_projection", text_hidden, width, (), part=Part.projector))


def audio(config: Config, text_hidden: int, prefix: str, embedder: str) -> Groups:
    """The audio tower (a conformer) and its projection."""
    width = config.size("hidden_size")
    heads = config.size("num_attention_heads")
    count = config.layers
    kernel = config.size("conv_kernel_size")
    out = config.size("output_proj_dims")
    part = Part.audio
    block = f"{prefix}.layers.{{block}}"
    groups: Groups = ()
    channels = (1, *config.integers("subsampling_conv_channels"))
    first = f"{prefix}.subsample_conv_projection"
    for place in range(len(channels) - 1):
        groups += parameter(
            f"{first}.layer{place}.conv.weight",
            (channels[place + 1], channels[place], 3, 3),
            part=part,
            kind=TensorKind.conv,
        )
        groups += norm(f"{first}.layer{place}.norm", channels[place + 1], part=part)
    groups += linear(f"{first}.input_proj_linear", width, width, (), part=part)
    for feed in ("feed_forward1", "feed_forward2"):
        groups += _linear(f"{block}.{feed}.ffw_layer_1", 4 * width, width, Split.rows, config, count, part)
        groups += _linear(f"{block}.{feed}.ffw_layer_2", width, 4 * width, Split.columns, config, count, part)
        for name in ("pre_layer_norm", "post_layer_norm"):
            groups += norm(f"{block}.{feed}.{name}", width, part=part, copies=count)
    for name in ("q_proj", "k_proj", "v_proj", "post"):
        groups += _linear(f"{block}.self_attn.{name}", width, width, Split.replicated, config, count, part)
    groups += linear(f"{block}.self_attn.relative_k_proj", width, width, (), copies=count, part=part)
    groups += parameter(f"{block}.self_attn.per_dim_scale", (width // heads,), copies=count, part=part)
    groups += _linear(
        f"{block}.lconv1d.linear_start", 2 * width, width, Split.replicated, config, count, part
    )
    groups += _linear(f"{block}.lconv1d.linear_end", width, width, Split.replicated, config, count, part)
    groups += parameter(
        f"{block}.lconv1d.depthwise_conv1d.weight",
        (width, 1, kernel),
        copies=count,
        part=part,
        kind=TensorKind.conv,
    )
    for name in (
        "lconv1d.pre_layer_norm",
        "lconv1d.conv_norm",
        "norm_pre_attn",
        "norm_post_attn",
        "norm_out",
    ):
        groups += norm(f"{block}.{name}", width, part=part, copies=count)
    return (
        *groups,
        *linear(f"{prefix}.output_proj", out, width, (), bias=True, part=part),
        *linear(f"{embedder}.embedding_projection", text_hidden, out, (), part=Part.audio),
    )


def facts(config: Config, tokens: int | None) -> Vision:
    """What the profile run needs to know of the vision tower."""
    return Vision(
        hidden_size=config.size("hidden_size"),
        intermediate_size=config.size("intermediate_size"),
        layers=config.layers,
        heads=config.size("num_attention_heads"),
        patch_size=config.size("patch_size"),
        tokens_per_image=tokens,
        spatial_merge=config.size("pooling_kernel_size", default=1),
    )
