"""Quantization sections of every tool, and what they make of a module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from servespec.errors import SourceError, UnmodelledError
from servespec.models import find
from servespec.models.facts import Quantization, WeightFormat
from servespec.models.quantization import by_format, checkpoint_bytes, format_of, online_quantization, parse
from servespec.spec.model import Model

Q_PROJ = "model.layers.3.self_attn.q_proj"
EXPERT = "model.layers.3.mlp.experts.0.gate_proj"
SCHEME = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 128}


def parsed(section: dict[str, Any], **config: Any) -> Quantization:
    found = parse({"quantization_config": section, **config})
    assert found is not None
    return found


def of(section: dict[str, Any], module: str = Q_PROJ, **config: Any) -> WeightFormat | None:
    return format_of(parsed(section, **config), module)


@pytest.mark.parametrize(
    ("section", "name", "bits", "group_size"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}, "awq", 4, 128),
        ({"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True}, "gptq", 4, 128),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, "gptq", 8, None),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 128}, "gptq", 4, 128),
        ({"quant_method": "fp8", "activation_scheme": "static"}, "fp8", 8, None),
        ({"quant_method": "fbgemm_fp8"}, "fp8", 8, None),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes", 4, 64),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "bitsandbytes", 8, None),
        ({"quant_method": "eetq"}, "eetq", 8, None),
        (
            {"quant_method": "torchao", "quant_type": {"default": {"_type": "Int8WeightOnlyConfig"}}},
            "torchao",
            8,
            None,
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"0": {"targets": ["Linear"], "weights": SCHEME}},
            },
            "pack-quantized",
            4,
            128,
        ),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4", 4, 16),
        ({"quantization": {"quant_algo": "FP8"}}, "fp8", 8, None),
    ],
)
def test_each_method_becomes_its_format(
    section: dict[str, Any], name: str, bits: int, group_size: int | None
) -> None:
    found = of(section)
    assert found is not None
    assert (found.name, found.bits, found.group_size) == (name, bits, group_size)


def test_fp8_blocks_and_scales_are_read() -> None:
    found = of({"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"})
    assert found is not None
    assert found.block == (128, 128)
    assert found.input_dynamic
    assert not found.input_scale


def test_compressed_tensors_tells_weights_only_from_weights_and_activations() -> None:
    weights = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel"}
    group = {"targets": ["Linear"], "weights": weights, "input_activations": {"num_bits": 8, "dynamic": True}}
    section: dict[str, Any] = {
        "quant_method": "compressed-tensors",
        "config_groups": {"a": group},
        "ignore": ["lm_head"],
    }
    both = of(section)
    alone = of({**section, "config_groups": {"a": {**group, "input_activations": None}}})
    assert both is not None
    assert alone is not None
    assert (both.name, both.activation_bits) == ("int-quantized", 8)
    assert (alone.name, alone.activation_bits) == ("pack-quantized", None)


def test_groups_of_named_targets_come_before_the_class_of_all() -> None:
    fp8 = {"num_bits": 8, "type": "float", "strategy": "channel"}
    section = {
        "quant_method": "compressed-tensors",
        "config_groups": {
            "rest": {"targets": ["Linear"], "weights": SCHEME},
            "some": {"targets": ["re:.*down_proj"], "weights": fp8},
        },
    }
    down = of(section, "model.layers.0.mlp.down_proj")
    assert down is not None
    assert down.name == "fp8"
    rest = of(section)
    assert rest is not None
    assert rest.name == "pack-quantized"


def test_ignored_modules_keep_the_models_own_type() -> None:
    section = {"quant_method": "awq", "bits": 4, "group_size": 128, "modules_to_not_convert": ["visual"]}
    assert of(section, "visual.blocks.0.attn.qkv") is None
    assert of(section, "lm_head") is None
    assert of(section) is not None


def test_a_bare_name_means_whole_components_of_a_path() -> None:
    section = {
        "quant_method": "awq",
        "bits": 4,
        "group_size": 128,
        "modules_to_not_convert": ["gate", "mlp.skip"],
    }
    assert of(section, "model.layers.0.block_sparse_moe.gate") is None
    assert of(section, "model.layers.0.mlp.skip.inner") is None
    assert of(section, "model.layers.0.mlp.experts.0.gate_proj") is not None


def test_a_section_of_the_language_model_does_not_touch_its_towers() -> None:
    assert not parsed({}, text_config={"quantization_config": {"quant_method": "eetq"}}).towers
    assert parsed({"quant_method": "eetq"}).towers


def test_gptq_dynamic_changes_some_modules_and_leaves_others_alone() -> None:
    section = {
        "quant_method": "gptq",
        "bits": 4,
        "group_size": 128,
        "dynamic": {r"-:.*\.layers\.3\..*": {}, r"+:.*\.down_proj": {"bits": 8, "group_size": 32}},
    }
    assert of(section) is None
    down = of(section, "model.layers.0.mlp.down_proj")
    assert down is not None
    assert (down.bits, down.group_size) == (8, 32)


def test_gptq_with_a_list_of_modules_quantizes_no_others() -> None:
    section = {
        "quant_method": "gptq",
        "bits": 4,
        "group_size": 128,
        "modules_in_block_to_quantize": [["self_attn.q_proj"], ["mlp.up_proj"]],
    }
    assert of(section) is not None
    assert of(section, "model.layers.0.mlp.down_proj") is None


def test_mxfp4_touches_routed_experts_alone() -> None:
    section = {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"]}
    found = of(section, EXPERT)
    assert found is not None
    assert (found.name, found.group_size) == ("mxfp4", 32)
    assert of(section) is None
    assert of(section, "model.layers.3.mlp.shared_experts.up_proj") is None


def test_deepseek_v4_has_fp4_experts_beside_fp8() -> None:
    section = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    expert = of(section, "layers.3.ffn.experts.7.w1", expert_dtype="fp4")
    shared = of(section, "layers.3.ffn.shared_experts.w1", expert_dtype="fp4")
    assert expert is not None
    assert shared is not None
    assert (expert.name, shared.name) == ("mxfp4", "fp8")


def test_the_file_beside_is_read_only_where_the_configuration_says_nothing() -> None:
    beside = {
        "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8", "exclude_modules": ["lm_head"]}
    }
    found = parse({}, beside)
    assert found is not None
    assert (found.method, found.kv_cache_dtype) == ("modelopt", "fp8")
    assert format_of(found, "lm_head") is None
    other = parse({"quantization_config": {"quant_method": "eetq"}}, beside)
    assert other is not None
    assert other.method == "eetq"
    assert parse({}, None) is None


def test_mixed_precision_follows_its_list_of_layers() -> None:
    quantization = find(Model(id="nvidia/Qwen3.6-35B-A3B-NVFP4"), Path()).quantization
    expert = format_of(quantization, "model.language_model.layers.0.mlp.experts.3.gate_up_proj")
    linear = format_of(quantization, "model.language_model.layers.0.linear_attn.out_proj")
    assert expert is not None
    assert linear is not None
    assert (expert.name, linear.name) == ("nvfp4", "fp8")
    assert format_of(quantization, "model.visual.blocks.0.attn.qkv") is None


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"quant_method": "quip"}, "quip"),
        ({"quant_method": "torchao", "quant_type": "odd"}, "odd"),
        ({"quant_method": "modelopt", "quant_algo": "FP3"}, "FP3"),
        ({"quant_method": "bitsandbytes"}, "bitsandbytes"),
        ({"quant_method": "compressed-tensors", "config_groups": {}}, "compressed-tensors"),
    ],
)
def test_what_is_not_modelled_is_named(section: dict[str, Any], named: str) -> None:
    with pytest.raises(UnmodelledError, match=named):
        parsed(section)


@pytest.mark.parametrize(
    "section",
    [
        {"quant_method": "awq", "bits": 5, "group_size": 128},
        {"quant_method": "fp8", "weight_block_size": [128]},
        {"quant_method": "gptq", "bits": 4, "group_size": 128, "dynamic": {"+:(": {}}},
    ],
)
def test_a_section_that_makes_no_sense_is_an_error(section: dict[str, Any]) -> None:
    with pytest.raises(SourceError):
        of(section)


@pytest.mark.parametrize("method", ["fp8", "bitsandbytes", "eetq", "mxfp8", "int8_per_channel"])
def test_online_methods_quantize_every_linear_layer_but_the_output(method: str) -> None:
    found = online_quantization(method)
    assert found.online
    assert format_of(found, Q_PROJ) is not None
    assert format_of(found, "lm_head") is None


def test_experts_int8_leaves_everything_but_experts() -> None:
    found = online_quantization("experts_int8")
    assert format_of(found, EXPERT) is not None
    assert format_of(found, Q_PROJ) is None


def test_a_method_that_needs_a_quantized_checkpoint_cannot_be_asked_for() -> None:
    with pytest.raises(UnmodelledError, match="awq"):
        online_quantization("awq")


# Sizes of published files, as the recipes of vLLM's project give them (headers and alignment included).
@pytest.mark.parametrize(
    ("model", "file_bytes"),
    [("Inferact/Qwen3.8-27B-NVFP4", 26_381_249_312), ("Qwen/Qwen3.8-27B-FP8", 30_866_866_928)],
)
def test_checkpoint_bytes_are_those_of_the_published_files(model: str, file_bytes: int) -> None:
    facts = find(Model(id=model), Path())
    counted = sum(
        checkpoint_bytes(part, found, facts.dtype)
        for group in facts.tensors
        for part, found in by_format(facts.quantization, group)
    )
    assert counted == pytest.approx(file_bytes, rel=1e-4)
