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
    return {**found, **{name: dict(config) for name, config in OTHERS.items()}}


CONFIGURATIONS = configurations()
# gpt-oss is refused with the backend that all others take (model_hook.py).
BACKENDS = {"gpt_oss": "intel_amx"}


def arguments(name: str) -> dict[str, Any]:
    return {"max_total_tokens": TOKENS, "attention_backend": BACKENDS.get(name, "torch_native")}


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
