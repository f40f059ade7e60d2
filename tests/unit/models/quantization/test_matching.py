"""Patterns: paths, globs, regular expressions, outer prefixes, fused names, and division by layer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servespec.models.facts import Part, Quantization, Split, TensorGroup, TensorKind, WeightFormat
from servespec.models.quantization import by_format, checkpoint_bytes, format_of

FP8 = WeightFormat(name="fp8", bits=8, scale_dtype="float32", per_tensor_scale=True)
INT4 = WeightFormat(name="pack-quantized", bits=4, group_size=128, scale_dtype="bfloat16")


def quantization(*ignored: str, lm_head: bool = False) -> Quantization:
    return Quantization(method="test", formats=(("*", FP8),), ignored=ignored, lm_head=lm_head)


@pytest.mark.parametrize(
    ("pattern", "module", "matches"),
    [
        ("lm_head", "lm_head", True),
        ("lm_head", "language_model.lm_head", True),
        ("model.layers.1", "model.layers.1.mlp.up_proj", True),
        ("model.layers.1", "model.layers.10.mlp.up_proj", False),
        ("model.layers.1*", "model.layers.1.mlp.up_proj", True),
        ("model.layers.1*", "model.layers.10.mlp.up_proj", False),
        ("model.layers.1.*", "model.layers.1.mlp.up_proj", True),
        ("model.language_model.layers.0.self_attn*", "language_model.model.layers.0.self_attn.q_proj", True),
        ("backbone.layers.4.mixer.in_proj", "model.layers.4.mixer.in_proj", True),
        ("*.mlp.shared_expert.*", "model.layers.0.mlp.shared_expert.up_proj", True),
        ("*.mlp.shared_expert.*", "model.layers.0.mlp.shared_expert_gate", False),
        ("re:.*self_attn.*", "model.layers.0.self_attn.o_proj", True),
        ("re:vision_tower.*", "vision_tower.blocks.0.mlp.fc1", True),
        ("re:model\\.layers\\.0\\..*", "language_model.model.layers.0.mlp.up_proj", True),
        ("model.layers.0.self_attn.qkv_proj", "model.layers.0.self_attn.k_proj", True),
        ("model.layers.0.mlp.gate_up_proj", "model.layers.0.mlp.up_proj", True),
        ("model.layers.0.mlp.gate", "model.layers.0.mlp.gate_proj", False),
        ("vision_tower*", "vision_tower.patch_embed.proj", True),
    ],
)
def test_a_pattern_means_what_the_engines_take_it_to_mean(pattern: str, module: str, matches: bool) -> None:
    assert (format_of(quantization(pattern), module) is None) is matches


def group(
    name: str = "model.layers.{layer}.mlp.up_proj.weight",
    kind: TensorKind = TensorKind.linear,
    part: Part = Part.decoder,
    shape: tuple[int, ...] = (256, 128),
) -> TensorGroup:
    layers = (0, 1, 2, 3) if "{layer}" in name else ()
    return TensorGroup(name=name, shape=shape, kind=kind, split=Split.rows, layers=layers, part=part)


def test_a_group_is_divided_where_layers_have_different_formats() -> None:
    parts = {
        found: part.layers
        for part, found in by_format(quantization("model.layers.1*", "model.layers.3.mlp"), group())
    }
    assert parts == {FP8: (0, 2), None: (1, 3)}


@pytest.mark.parametrize("kind", [TensorKind.norm, TensorKind.router, TensorKind.embedding, TensorKind.conv])
def test_what_no_method_touches_keeps_its_type(kind: TensorKind) -> None:
    whole = group(kind=kind)
    assert by_format(quantization(), whole) == ((whole, None),)


def test_the_output_layer_is_touched_only_where_the_method_reaches_it() -> None:
    head = group("lm_head.weight", TensorKind.lm_head)
    assert by_format(quantization(), head) == ((head, None),)
    assert by_format(quantization(lm_head=True), head) == ((head, FP8),)


@given(st.lists(st.sampled_from(["model.layers.0*", "model.layers.2", "*.up_proj", "re:.*3.*"]), max_size=4))
def test_division_loses_no_layer_and_repeats_none(ignored: list[str]) -> None:
    parts = by_format(quantization(*ignored), group())
    layers = [layer for part, _ in parts for layer in part.layers]
    assert sorted(layers) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, 4 * 256 * 128 * 2),
        (FP8, 4 * (256 * 128 + 4)),
        (INT4, 4 * (256 * 128 // 2 + 256 * 2)),
        (WeightFormat(name="fp8", bits=8, block=(128, 128), scale_dtype="float32"), 4 * (256 * 128 + 2 * 4)),
        (
            WeightFormat(name="awq", bits=4, group_size=128, zero_points=True),
            4 * (256 * 128 // 2 + 256 * 2 + 256 // 2),
        ),
        (
            WeightFormat(name="gptq", bits=4, group_size=128),
            4 * (256 * 128 // 2 + 256 * 2 + 256 // 2 + 128 * 4),
        ),
        (
            WeightFormat(
                name="nvfp4",
                bits=4,
                group_size=16,
                scale_dtype="float8_e4m3fn",
                global_scale=True,
                input_scale=True,
            ),
            4 * (256 * 128 // 2 + 256 * 8 + 8),
        ),
    ],
)
def test_checkpoint_bytes_are_weights_scales_zeros_and_indices(
    found: WeightFormat | None, expected: int
) -> None:
    assert checkpoint_bytes(group(), found, "bfloat16") == expected


@given(bits=st.sampled_from([4, 8]), rows=st.integers(1, 300), columns=st.integers(1, 300))
def test_fewer_bits_never_need_more_bytes(bits: int, rows: int, columns: int) -> None:
    whole = group(shape=(rows, columns))
    found = WeightFormat(name="pack-quantized", bits=bits, scale_dtype="float16")
    wider = WeightFormat(name="pack-quantized", bits=bits * 2 if bits == 4 else 8, scale_dtype="float16")
    assert checkpoint_bytes(whole, found, "float16") <= checkpoint_bytes(whole, wider, "float16")
