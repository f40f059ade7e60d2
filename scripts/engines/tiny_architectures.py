"""Configurations and tensors of tiny models, one function per architecture, by checkpoint names.

The names and shapes are those of the published checkpoints, as transformers' modules of the same
``model_type`` save them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shape:
    """Sizes of a tiny model."""

    layers: int = 2
    hidden: int = 128
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 32
    intermediate: int = 256
    vocab: int = 512
    max_position: int = 2048
    experts: int = 4
    experts_per_token: int = 2
    sliding_window: int = 128
    kv_lora_rank: int = 512
    rope_dim: int = 64
    tied: bool = False


@dataclass(frozen=True)
class Tensor:
    """A tensor's shape, and the constant it is filled with; None: random."""

    shape: tuple[int, ...]
    fill: int | None = None


Config = dict[str, Any]
Tensors = dict[str, Tensor]


def common_config(architecture: str, model_type: str, shape: Shape) -> Config:
    return {
        "architectures": [architecture],
        "model_type": model_type,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "max_position_embeddings": shape.max_position,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": shape.tied,
        "attention_bias": False,
    }


def embeddings(shape: Shape, tied: bool, norm_fill: int = 1) -> Tensors:
    tensors = {
        "model.embed_tokens.weight": Tensor((shape.vocab, shape.hidden)),
        "model.norm.weight": Tensor((shape.hidden,), norm_fill),
    }
    if not tied:
        tensors["lm_head.weight"] = Tensor((shape.vocab, shape.hidden))
    return tensors


def attention(prefix: str, shape: Shape, qkv_bias: bool = False, output_bias: bool = False) -> Tensors:
    widths = {"q": shape.heads, "k": shape.kv_heads, "v": shape.kv_heads}
    tensors: Tensors = {}
    for name, heads in widths.items():
        tensors[f"{prefix}.{name}_proj.weight"] = Tensor((heads * shape.head_dim, shape.hidden))
        if qkv_bias:
            tensors[f"{prefix}.{name}_proj.bias"] = Tensor((heads * shape.head_dim,), 0)
    tensors[f"{prefix}.o_proj.weight"] = Tensor((shape.hidden, shape.heads * shape.head_dim))
    if output_bias:
        tensors[f"{prefix}.o_proj.bias"] = Tensor((shape.hidden,), 0)
    return tensors


def gated_mlp(prefix: str, shape: Shape) -> Tensors:
    return {
        f"{prefix}.gate_proj.weight": Tensor((shape.intermediate, shape.hidden)),
        f"{prefix}.up_proj.weight": Tensor((shape.intermediate, shape.hidden)),
        f"{prefix}.down_proj.weight": Tensor((shape.hidden, shape.intermediate)),
    }


def norms(layer: str, shape: Shape, *names: str, fill: int = 1) -> Tensors:
    return {f"{layer}.{name}.weight": Tensor((shape.hidden,), fill) for name in names}


def head_norms(layer: str, shape: Shape, fill: int = 1) -> Tensors:
    return {f"{layer}.self_attn.{x}_norm.weight": Tensor((shape.head_dim,), fill) for x in "qk"}


def layer_names(shape: Shape) -> list[str]:
    return [f"model.layers.{index}" for index in range(shape.layers)]


def alternating(shape: Shape, full_every: int) -> list[str]:
    """Sliding layers with every n-th one full; at least one full layer."""
    kinds = ["full" if (i + 1) % full_every == 0 else "sliding" for i in range(shape.layers)]
    if "full" not in kinds:
        kinds[-1] = "full"
    return [f"{kind}_attention" for kind in kinds]


def dense(architecture: str, model_type: str, shape: Shape, qkv_bias: bool = False) -> tuple[Config, Tensors]:
    tensors = embeddings(shape, shape.tied)
    for layer in layer_names(shape):
        tensors |= attention(f"{layer}.self_attn", shape, qkv_bias)
        tensors |= gated_mlp(f"{layer}.mlp", shape)
        tensors |= norms(layer, shape, "input_layernorm", "post_attention_layernorm")
    return common_config(architecture, model_type, shape), tensors


def llama(shape: Shape) -> tuple[Config, Tensors]:
    return dense("LlamaForCausalLM", "llama", shape)


def mistral(shape: Shape) -> tuple[Config, Tensors]:
    config, tensors = dense("MistralForCausalLM", "mistral", shape)
    return config | {"sliding_window": None}, tensors


def granite(shape: Shape) -> tuple[Config, Tensors]:
    config, tensors = dense("GraniteForCausalLM", "granite", shape)
    multipliers = {
        "attention_multiplier": 1 / shape.head_dim,
        "embedding_multiplier": 12.0,
        "logits_scaling": 8.0,
        "residual_multiplier": 0.22,
        "mlp_bias": False,
    }
    return config | multipliers, tensors


def qwen2(shape: Shape) -> tuple[Config, Tensors]:
    config, tensors = dense("Qwen2ForCausalLM", "qwen2", shape, qkv_bias=True)
    return config | {"use_sliding_window": False}, tensors


def qwen3(shape: Shape) -> tuple[Config, Tensors]:
    config, tensors = dense("Qwen3ForCausalLM", "qwen3", shape)
    for layer in layer_names(shape):
        tensors |= head_norms(layer, shape)
    return config | {"use_sliding_window": False}, tensors


def phi3(shape: Shape) -> tuple[Config, Tensors]:
    config = common_config("Phi3ForCausalLM", "phi3", shape)
    config |= {"original_max_position_embeddings": shape.max_position, "sliding_window": None}
    tensors = embeddings(shape, shape.tied)
    for layer in layer_names(shape):
        heads = shape.heads + 2 * shape.kv_heads
        tensors[f"{layer}.self_attn.qkv_proj.weight"] = Tensor((heads * shape.head_dim, shape.hidden))
        tensors[f"{layer}.self_attn.o_proj.weight"] = Tensor((shape.hidden, shape.heads * shape.head_dim))
        tensors[f"{layer}.mlp.gate_up_proj.weight"] = Tensor((2 * shape.intermediate, shape.hidden))
        tensors[f"{layer}.mlp.down_proj.weight"] = Tensor((shape.hidden, shape.intermediate))
        tensors |= norms(layer, shape, "input_layernorm", "post_attention_layernorm")
    return config, tensors


def gemma(architecture: str, model_type: str, shape: Shape, full_every: int) -> tuple[Config, Tensors]:
    """Gemma 2 and 3: tied embeddings, four norms a layer stored as an offset from one."""
    config = common_config(architecture, model_type, shape) | {
        "sliding_window": shape.sliding_window,
        "query_pre_attn_scalar": shape.head_dim,
        "layer_types": alternating(shape, full_every),
        "hidden_activation": "gelu_pytorch_tanh",
        "tie_word_embeddings": True,
    }
    del config["hidden_act"]
    tensors = embeddings(shape, tied=True, norm_fill=0)
    around = [f"{place}_layernorm" for place in ("input", "post_attention")]
    around += [f"{place}_feedforward_layernorm" for place in ("pre", "post")]
    for layer in layer_names(shape):
        tensors |= attention(f"{layer}.self_attn", shape)
        tensors |= gated_mlp(f"{layer}.mlp", shape)
        tensors |= norms(layer, shape, *around, fill=0)
    return config, tensors


def gemma2(shape: Shape) -> tuple[Config, Tensors]:
    config, tensors = gemma("Gemma2ForCausalLM", "gemma2", shape, full_every=2)
    return config | {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}, tensors


def gemma3(shape: Shape) -> tuple[Config, Tensors]:
    config, tensors = gemma("Gemma3ForCausalLM", "gemma3_text", shape, full_every=6)
    for layer in layer_names(shape):
        tensors |= head_norms(layer, shape, fill=0)
    return config | {"rope_local_base_freq": 10000.0}, tensors


def mixtral(shape: Shape) -> tuple[Config, Tensors]:
    config = common_config("MixtralForCausalLM", "mixtral", shape)
    config |= {"num_local_experts": shape.experts, "num_experts_per_tok": shape.experts_per_token}
    config |= {"sliding_window": None}
    tensors = embeddings(shape, shape.tied)
    for layer in layer_names(shape):
        tensors |= attention(f"{layer}.self_attn", shape)
        tensors |= norms(layer, shape, "input_layernorm", "post_attention_layernorm")
        moe = f"{layer}.block_sparse_moe"
        tensors[f"{moe}.gate.weight"] = Tensor((shape.experts, shape.hidden))
        for expert in range(shape.experts):
            for name in ("w1", "w3"):
                tensors[f"{moe}.experts.{expert}.{name}.weight"] = Tensor((shape.intermediate, shape.hidden))
            tensors[f"{moe}.experts.{expert}.w2.weight"] = Tensor((shape.hidden, shape.intermediate))
    return config, tensors


def routed_experts(layer: str, shape: Shape) -> Tensors:
    tensors = {f"{layer}.mlp.gate.weight": Tensor((shape.experts, shape.hidden))}
    for expert in range(shape.experts):
        tensors |= gated_mlp(f"{layer}.mlp.experts.{expert}", shape)
    return tensors


def qwen3_moe(shape: Shape) -> tuple[Config, Tensors]:
    config = common_config("Qwen3MoeForCausalLM", "qwen3_moe", shape) | {
        "num_experts": shape.experts,
        "num_experts_per_tok": shape.experts_per_token,
        "moe_intermediate_size": shape.intermediate,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
        "norm_topk_prob": True,
    }
    tensors = embeddings(shape, shape.tied)
    for layer in layer_names(shape):
        tensors |= attention(f"{layer}.self_attn", shape)
        tensors |= head_norms(layer, shape)
        tensors |= routed_experts(layer, shape)
        tensors |= norms(layer, shape, "input_layernorm", "post_attention_layernorm")
    return config, tensors


def gpt_oss(shape: Shape) -> tuple[Config, Tensors]:
    config = common_config("GptOssForCausalLM", "gpt_oss", shape) | {
        "num_local_experts": shape.experts,
        "num_experts_per_tok": shape.experts_per_token,
        "sliding_window": shape.sliding_window,
        "layer_types": alternating(shape, 2),
        "attention_bias": True,
        "swiglu_limit": 7.0,
    }
    hidden, inner, experts = shape.hidden, shape.intermediate, shape.experts
    tensors = embeddings(shape, shape.tied)
    for layer in layer_names(shape):
        tensors |= attention(f"{layer}.self_attn", shape, qkv_bias=True, output_bias=True)
        tensors[f"{layer}.self_attn.sinks"] = Tensor((shape.heads,), 0)
        tensors |= {
            f"{layer}.mlp.router.weight": Tensor((experts, hidden)),
            f"{layer}.mlp.router.bias": Tensor((experts,), 0),
            f"{layer}.mlp.experts.gate_up_proj": Tensor((experts, hidden, 2 * inner)),
            f"{layer}.mlp.experts.gate_up_proj_bias": Tensor((experts, 2 * inner), 0),
            f"{layer}.mlp.experts.down_proj": Tensor((experts, inner, hidden)),
            f"{layer}.mlp.experts.down_proj_bias": Tensor((experts, hidden), 0),
        }
        tensors |= norms(layer, shape, "input_layernorm", "post_attention_layernorm")
    return config, tensors


def deepseek_v2(shape: Shape) -> tuple[Config, Tensors]:
    """Multi-head latent attention without a query latent, a dense first layer, one shared expert."""
    config = common_config("DeepseekV2ForCausalLM", "deepseek_v2", shape) | {
        "num_key_value_heads": shape.heads,
        "kv_lora_rank": shape.kv_lora_rank,
        "q_lora_rank": None,
        "qk_rope_head_dim": shape.rope_dim,
        "qk_nope_head_dim": shape.head_dim,
        "v_head_dim": shape.head_dim,
        "n_routed_experts": shape.experts,
        "n_shared_experts": 1,
        "num_experts_per_tok": shape.experts_per_token,
        "moe_intermediate_size": shape.intermediate,
        "first_k_dense_replace": 1,
        "moe_layer_freq": 1,
        "topk_method": "greedy",
        "scoring_func": "softmax",
        "n_group": 1,
        "topk_group": 1,
        "routed_scaling_factor": 1.0,
        "norm_topk_prob": False,
    }
    del config["head_dim"]
    rank, rope, heads, hidden = shape.kv_lora_rank, shape.rope_dim, shape.heads, shape.hidden
    tensors = embeddings(shape, shape.tied)
    for index, layer in enumerate(layer_names(shape)):
        tensors |= {
            f"{layer}.self_attn.q_proj.weight": Tensor((heads * (shape.head_dim + rope), hidden)),
            f"{layer}.self_attn.kv_a_proj_with_mqa.weight": Tensor((rank + rope, hidden)),
            f"{layer}.self_attn.kv_a_layernorm.weight": Tensor((rank,), 1),
            f"{layer}.self_attn.kv_b_proj.weight": Tensor((heads * 2 * shape.head_dim, rank)),
            f"{layer}.self_attn.o_proj.weight": Tensor((hidden, heads * shape.head_dim)),
        }
        if index == 0:
            tensors |= gated_mlp(f"{layer}.mlp", shape)
        else:
            tensors |= routed_experts(layer, shape) | gated_mlp(f"{layer}.mlp.shared_experts", shape)
        tensors |= norms(layer, shape, "input_layernorm", "post_attention_layernorm")
    return config, tensors


ARCHITECTURES: dict[str, Callable[[Shape], tuple[Config, Tensors]]] = {
    "deepseek_v2": deepseek_v2,
    "gemma2": gemma2,
    "gemma3": gemma3,
    "gpt_oss": gpt_oss,
    "granite": granite,
    "llama": llama,
    "mistral": mistral,
    "mixtral": mixtral,
    "phi3": phi3,
    "qwen2": qwen2,
    "qwen3": qwen3,
    "qwen3_moe": qwen3_moe,
}
