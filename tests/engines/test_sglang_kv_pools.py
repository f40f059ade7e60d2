"""What SGLang's own memory pools take for tiny models on a CPU, against the prediction: equal to the byte."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from servespec.deployment import Deployment
from servespec.engines.base import Inputs
from servespec.engines.sglang import ENGINE
from servespec.engines.sglang.states import bytes_per_state
from servespec.hardware import find
from servespec.models.build import facts_from_config
from servespec.spec.model import Spec

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "engines"))
from tiny_architectures import ARCHITECTURES, Shape  # noqa: E402

pytestmark = pytest.mark.engine

VERSION = "0.5.23"
TOKENS = 4096

BASE: Mapping[str, Any] = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": 512,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "rope_theta": 10000.0,
    "torch_dtype": "bfloat16",
}
MLA: Mapping[str, Any] = {
    **BASE,
    "num_key_value_heads": 4,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 32,
    "v_head_dim": 32,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 64,
    "first_k_dense_replace": 1,
    "moe_layer_freq": 1,
    "n_group": 1,
    "topk_group": 1,
    "routed_scaling_factor": 1.0,
    "norm_topk_prob": True,
    "rope_scaling": {
        "type": "yarn",
        "factor": 4,
        "original_max_position_embeddings": 512,
        "beta_fast": 32,
        "beta_slow": 1,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
    },
}

# Architectures whose layers keep something else than the tiny models of scripts/engines do.
OTHERS: Mapping[str, Mapping[str, Any]] = {
    "deepseek_v2": {
        **MLA,
        "architectures": ["DeepseekV2ForCausalLM"],
        "model_type": "deepseek_v2",
        "q_lora_rank": None,
        "topk_method": "greedy",
        "scoring_func": "softmax",
    },
    "deepseek_v3": {
        **MLA,
        "architectures": ["DeepseekV3ForCausalLM"],
        "model_type": "deepseek_v3",
        "q_lora_rank": 64,
        "topk_method": "noaux_tc",
        "scoring_func": "sigmoid",
    },
    "mimo_v2_flash": {
        **BASE,
        "architectures": ["MiMoV2FlashForCausalLM"],
        "model_type": "mimo_v2_flash",
        "num_hidden_layers": 4,
        "head_dim": 48,
        "v_head_dim": 32,
        "num_key_value_heads": 1,
        "swa_num_key_value_heads": 2,
        "swa_num_attention_heads": 4,
        "swa_head_dim": 48,
        "swa_v_head_dim": 32,
        "sliding_window": 128,
        "sliding_window_size": 128,
        "attention_chunk_size": 128,
        "hybrid_layer_pattern": [0, 1, 1, 1],
        "moe_layer_freq": [0, 1, 1, 1],
        "moe_intermediate_size": 64,
        "n_routed_experts": 4,
        "n_shared_experts": None,
        "num_experts_per_tok": 2,
        "norm_topk_prob": True,
        "scoring_func": "sigmoid",
        "n_group": 1,
        "topk_group": 1,
        "topk_method": "noaux_tc",
        "routed_scaling_factor": None,
        "layernorm_epsilon": 1e-5,
        "partial_rotary_factor": 0.334,
        "swa_rope_theta": 10000,
        "attention_bias": False,
        "add_swa_attention_sink_bias": True,
        "add_full_attention_sink_bias": False,
    },
    "olmo2": {**BASE, "architectures": ["Olmo2ForCausalLM"], "model_type": "olmo2", "num_key_value_heads": 4},
    "glm4": {
        **BASE,
        "architectures": ["Glm4ForCausalLM"],
        "model_type": "glm4",
        "partial_rotary_factor": 0.5,
    },
    "starcoder2": {
        **BASE,
        "architectures": ["Starcoder2ForCausalLM"],
        "model_type": "starcoder2",
        "norm_epsilon": 1e-5,
        "hidden_act": "gelu_pytorch_tanh",
    },
    "glm4_moe": {
        **BASE,
        "architectures": ["Glm4MoeForCausalLM"],
        "model_type": "glm4_moe",
        "n_routed_experts": 4,
        "n_shared_experts": 1,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 64,
        "first_k_dense_replace": 1,
        "n_group": 1,
        "topk_group": 1,
        "routed_scaling_factor": 1.0,
        "norm_topk_prob": True,
        "partial_rotary_factor": 0.5,
        "use_qk_norm": True,
        "attention_bias": True,
    },
    "cohere2": {
        **BASE,
        "architectures": ["Cohere2ForCausalLM"],
        "model_type": "cohere2",
        "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
        "sliding_window": 128,
        "logit_scale": 0.25,
        "layer_norm_eps": 1e-5,
    },
    "llama4_text": {
        **BASE,
        "architectures": ["Llama4ForCausalLM"],
        "model_type": "llama4_text",
        "num_hidden_layers": 4,
        "attention_chunk_size": 128,
        "intermediate_size_mlp": 256,
        "interleave_moe_layer_step": 1,
        "num_local_experts": 4,
        "num_experts_per_tok": 1,
        "use_qk_norm": True,
        "no_rope_layers": [1, 1, 1, 0],
    },
    "gpt_neox": {
        "architectures": ["GPTNeoXForCausalLM"],
        "model_type": "gpt_neox",
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "vocab_size": 512,
        "max_position_embeddings": 2048,
        "rotary_pct": 0.25,
        "rotary_emb_base": 10000,
        "use_parallel_residual": True,
        "layer_norm_eps": 1e-5,
        "hidden_act": "gelu",
        "torch_dtype": "bfloat16",
        "tie_word_embeddings": False,
    },
}

# Layers that keep a state for each sequence beside those that keep keys and values.
RECURRENT: Mapping[str, Mapping[str, Any]] = {
    "nemotron_h": {
        **BASE,
        "architectures": ["NemotronHForCausalLM"],
        "model_type": "nemotron_h",
        "num_hidden_layers": 4,
        "hybrid_override_pattern": "M-M*",
        "mamba_num_heads": 8,
        "mamba_head_dim": 32,
        "n_groups": 2,
        "ssm_state_size": 16,
        "conv_kernel": 4,
        "chunk_size": 128,
        "expand": 2,
        "mamba_hidden_act": "silu",
        "mlp_hidden_act": "relu2",
        "use_conv_bias": True,
        "use_bias": False,
        "mlp_bias": False,
        "attention_bias": False,
        "mamba_proj_bias": False,
        "layer_norm_epsilon": 1e-5,
        "residual_in_fp32": False,
        "time_step_limit": [0.0, 1e9],
    },
    "qwen3_next": {
        **BASE,
        "architectures": ["Qwen3NextForCausalLM"],
        "model_type": "qwen3_next",
        "num_hidden_layers": 4,
        "full_attention_interval": 4,
        "layer_types": ["linear_attention", "linear_attention", "linear_attention", "full_attention"],
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "linear_key_head_dim": 32,
        "linear_value_head_dim": 32,
        "linear_conv_kernel_dim": 4,
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 64,
        "shared_expert_intermediate_size": 64,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
        "partial_rotary_factor": 0.25,
        "norm_topk_prob": True,
        "attention_bias": False,
    },
    "granitemoehybrid": {
        **BASE,
        "architectures": ["GraniteMoeHybridForCausalLM"],
        "model_type": "granitemoehybrid",
        "num_hidden_layers": 4,
        "layer_types": ["mamba", "mamba", "attention", "mamba"],
        "mamba_n_heads": 8,
        "mamba_d_head": 32,
        "mamba_d_state": 16,
        "mamba_n_groups": 1,
        "mamba_d_conv": 4,
        "mamba_expand": 2,
        "mamba_chunk_size": 128,
        "mamba_conv_bias": True,
        "mamba_proj_bias": False,
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "shared_intermediate_size": 64,
        "embedding_multiplier": 1.0,
        "residual_multiplier": 1.0,
        "attention_multiplier": 1.0,
        "logits_scaling": 1.0,
        "position_embedding_type": "nope",
    },
    "falcon_h1": {
        **BASE,
        "architectures": ["FalconH1ForCausalLM"],
        "model_type": "falcon_h1",
        "mamba_n_heads": 8,
        "mamba_d_head": 32,
        "mamba_d_state": 16,
        "mamba_n_groups": 1,
        "mamba_d_conv": 4,
        "mamba_expand": 2,
        "mamba_d_ssm": 256,
        "mamba_chunk_size": 128,
    },
    "kimi_linear": {
        **MLA,
        "architectures": ["KimiLinearForCausalLM"],
        "model_type": "kimi_linear",
        "num_hidden_layers": 4,
        "q_lora_rank": None,
        "linear_attn_config": {
            "full_attn_layers": [4],
            "kda_layers": [1, 2, 3],
            "head_dim": 32,
            "num_heads": 4,
            "short_conv_kernel_size": 4,
        },
        "num_experts": 4,
        "num_experts_per_token": 2,
        "num_shared_experts": 1,
        "moe_renormalize": True,
        "moe_router_activation_func": "sigmoid",
        "num_expert_group": 1,
        "use_grouped_topk": True,
        "mla_use_nope": True,
        "num_nextn_predict_layers": 0,
        "rope_scaling": None,
    },
}


def configurations() -> dict[str, dict[str, Any]]:
    """Name → config.json."""
    found: dict[str, dict[str, Any]] = {}
    for name, build in ARCHITECTURES.items():
        config, _ = build(Shape())
        # SGLang reads hidden_act where Gemma's own configuration has hidden_activation.
        found[name] = {
            **config,
            "torch_dtype": "bfloat16",
            "hidden_act": config.get("hidden_act", "gelu_pytorch_tanh"),
        }
    return {**found, **{name: dict(config) for name, config in {**OTHERS, **RECURRENT}.items()}}


CONFIGURATIONS = configurations()
# gpt-oss is refused with the backend that all others take (model_hook.py).
BACKENDS = {"gpt_oss": "intel_amx"}


# What SGLang wants on a platform that keeps no snapshots of states.
WITHOUT_SNAPSHOTS = {"mamba_radix_cache_strategy": "no_buffer", "disable_overlap_schedule": True}


def arguments(name: str) -> dict[str, Any]:
    return {
        "max_total_tokens": TOKENS,
        "attention_backend": BACKENDS.get(name, "torch_native"),
        **(WITHOUT_SNAPSHOTS if name in RECURRENT else {}),
    }


@pytest.fixture(scope="module")
def measured(
    sglang_python: Path, one_engine_at_a_time: None, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What the real pools take, all architectures in one run."""
    lines = []
    for name, config in CONFIGURATIONS.items():
        folder = tmp_path_factory.mktemp(name)
        (folder / "config.json").write_text(json.dumps(config))
        lines.append(json.dumps({"name": name, "folder": str(folder), "args": arguments(name)}))
    done = subprocess.run(
        [sglang_python, Path(__file__).with_name("kv_sglang.py")],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    answers = [
        json.loads(line.removeprefix("ANSWER "))
        for line in done.stdout.splitlines()
        if line.startswith("ANSWER ")
    ]
    assert answers, done.stderr[-2000:]
    return {answer["name"]: answer for answer in answers}


def deployment(name: str) -> Deployment:
    spec = Spec.model_validate(
        {
            "servespec": "v1",
            "name": "tiny",
            "model": {"id": f"tiny/{name}"},
            "hardware": {"gpu": "cpu"},
            "targets": {"sglang": {"version": VERSION, "args": arguments(name)}},
        }
    )
    inputs = Inputs(
        spec=spec,
        target=spec.targets["sglang"],
        version=ENGINE.nearest_version(VERSION),
        model=facts_from_config(CONFIGURATIONS[name], id=f"tiny/{name}", source="test"),
        gpu=find("cpu"),
    )
    return Deployment(
        spec=spec,
        engine="sglang",
        version=inputs.version,
        asked_version=VERSION,
        target=inputs.target,
        model=inputs.model,
        gpu=inputs.gpu,
        settings=ENGINE.resolve(inputs).settings,
    )


@pytest.mark.parametrize("name", RECURRENT)
def test_a_state_takes_what_was_predicted_to_the_byte(name: str, measured: dict[str, dict[str, Any]]) -> None:
    answer = measured[name]
    assert "error" not in answer, answer["error"]
    assert bytes_per_state(deployment(name), 0) * (answer["state_slots"] + 1) == answer["state_bytes"]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_pools_take_what_was_predicted_to_the_byte(
    name: str, measured: dict[str, dict[str, Any]]
) -> None:
    answer = measured[name]
    if "error" in answer:
        pytest.skip(f"SGLang {VERSION} cannot run it on a CPU: {answer['error'][:200]}")
    found = ENGINE.budget(deployment(name))
    table = next(term for term in found.outside if term.name == "request table")
    assert found.kv_tokens == answer["tokens"]
    assert found.kv_cache_bytes == answer["kv_bytes"]
    assert found.block_size == answer["page_size"]
    assert found.details["max_running_requests"] == answer["max_running_requests"]
    assert table.size_bytes == answer["request_table_bytes"]


def test_at_least_ten_architectures_run_on_a_cpu(measured: dict[str, dict[str, Any]]) -> None:
    assert sum("error" not in answer for answer in measured.values()) >= 10
