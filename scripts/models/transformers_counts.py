"""Renew tests/data/models/transformers.json: parameters of transformers' own classes, counted on the meta device.

Run it with the Python of an environment that has transformers and torch:

    /path/to/vllm/bin/python scripts/models/transformers_counts.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

OUT = Path(__file__).parents[2] / "tests" / "data" / "models" / "transformers.json"

LLAVA = {"text_config": {"model_type": "llama"}, "vision_config": {"model_type": "clip_vision_model"}}

# (architecture, model type, what differs from the class's defaults)
CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("LlamaForCausalLM", "llama", {}),
    ("LlamaForCausalLM", "llama", {"attention_bias": True, "mlp_bias": True, "num_key_value_heads": 8}),
    ("MistralForCausalLM", "mistral", {}),
    ("MixtralForCausalLM", "mixtral", {}),
    ("Qwen2ForCausalLM", "qwen2", {}),
    ("Qwen2ForCausalLM", "qwen2", {"tie_word_embeddings": True, "num_key_value_heads": 4}),
    ("Qwen3ForCausalLM", "qwen3", {}),
    ("Qwen2MoeForCausalLM", "qwen2_moe", {}),
    ("Qwen2MoeForCausalLM", "qwen2_moe", {"mlp_only_layers": [0, 3], "decoder_sparse_step": 2}),
    ("Qwen3MoeForCausalLM", "qwen3_moe", {}),
    ("Qwen3NextForCausalLM", "qwen3_next", {}),
    ("Qwen3_5ForCausalLM", "qwen3_5_text", {}),
    ("Qwen3_5MoeForCausalLM", "qwen3_5_moe_text", {}),
    ("GraniteForCausalLM", "granite", {}),
    ("SeedOssForCausalLM", "seed_oss", {}),
    ("SmolLM3ForCausalLM", "smollm3", {}),
    ("ArceeForCausalLM", "arcee", {}),
    ("Ernie4_5ForCausalLM", "ernie4_5", {}),
    ("Ernie4_5ForCausalLM", "ernie4_5", {"use_bias": True}),
    ("GemmaForCausalLM", "gemma", {}),
    ("Gemma2ForCausalLM", "gemma2", {}),
    ("Gemma3ForCausalLM", "gemma3_text", {}),
    ("Gemma3ForConditionalGeneration", "gemma3", {}),
    ("Phi3ForCausalLM", "phi3", {}),
    ("PhiForCausalLM", "phi", {}),
    ("PhiForCausalLM", "phi", {"qk_layernorm": True}),
    ("StableLmForCausalLM", "stablelm", {}),
    (
        "StableLmForCausalLM",
        "stablelm",
        {"use_qkv_bias": True, "qk_layernorm": True, "use_parallel_residual": True},
    ),
    ("PhimoeForCausalLM", "phimoe", {}),
    ("GptOssForCausalLM", "gpt_oss", {}),
    ("DeepseekV2ForCausalLM", "deepseek_v2", {"num_experts_per_tok": 6}),
    ("DeepseekV3ForCausalLM", "deepseek_v3", {"num_nextn_predict_layers": 0}),
    ("GlmMoeDsaForCausalLM", "glm_moe_dsa", {"num_nextn_predict_layers": 0}),
    ("GlmForCausalLM", "glm", {}),
    ("Glm4ForCausalLM", "glm4", {}),
    (
        "Glm4MoeForCausalLM",
        "glm4_moe",
        {"use_qk_norm": True, "attention_bias": True, "num_nextn_predict_layers": 0},
    ),
    ("MiniMaxM2ForCausalLM", "minimax_m2", {}),
    ("Llama4ForCausalLM", "llama4_text", {}),
    ("Llama4ForConditionalGeneration", "llama4", {}),
    (
        "MllamaForConditionalGeneration",
        "mllama",
        {"text_config": {"model_type": "mllama_text_model", "cross_attention_layers": [3, 8, 13]}},
    ),
    (
        "Mistral3ForConditionalGeneration",
        "mistral3",
        {
            "tie_word_embeddings": False,
            "text_config": {"model_type": "mistral"},
            "vision_config": {"model_type": "pixtral"},
        },
    ),
    ("Qwen2VLForConditionalGeneration", "qwen2_vl", {}),
    ("Qwen2_5_VLForConditionalGeneration", "qwen2_5_vl", {}),
    ("Qwen3VLForConditionalGeneration", "qwen3_vl", {}),
    ("Qwen3VLMoeForConditionalGeneration", "qwen3_vl_moe", {"tie_word_embeddings": False}),
    ("Qwen3_5ForConditionalGeneration", "qwen3_5", {}),
    ("Qwen3_5MoeForConditionalGeneration", "qwen3_5_moe", {}),
    ("LlavaForConditionalGeneration", "llava", LLAVA),
    ("LlavaNextForConditionalGeneration", "llava_next", LLAVA),
    (
        "NemotronHForCausalLM",
        "nemotron_h",
        {"layers_block_type": ["mamba", "moe", "attention", "mlp"] * 3, "num_nextn_predict_layers": 0},
    ),
    ("NemotronForCausalLM", "nemotron", {"num_key_value_heads": 8}),
    ("GraniteMoeForCausalLM", "granitemoe", {}),
    ("GraniteMoeSharedForCausalLM", "granitemoeshared", {"shared_intermediate_size": 1024}),
    ("GraniteMoeHybridForCausalLM", "granitemoehybrid", {"layer_types": ["mamba", "attention"] * 16}),
    ("OlmoForCausalLM", "olmo", {}),
    ("Olmo2ForCausalLM", "olmo2", {}),
    ("Olmo3ForCausalLM", "olmo3", {}),
    ("OlmoeForCausalLM", "olmoe", {}),
    ("CohereForCausalLM", "cohere", {}),
    ("CohereForCausalLM", "cohere", {"use_qk_norm": True}),
    ("Cohere2ForCausalLM", "cohere2", {}),
    ("Starcoder2ForCausalLM", "starcoder2", {}),
    ("GPTBigCodeForCausalLM", "gpt_bigcode", {}),
    ("FalconForCausalLM", "falcon", {}),
    (
        "FalconForCausalLM",
        "falcon",
        {"new_decoder_architecture": True, "num_kv_heads": 8, "num_attention_heads": 64, "hidden_size": 4096},
    ),
    ("FalconForCausalLM", "falcon", {"parallel_attn": False, "bias": True, "multi_query": False}),
    ("GPT2LMHeadModel", "gpt2", {}),
    ("GPTJForCausalLM", "gptj", {}),
    ("GPTNeoXForCausalLM", "gpt_neox", {}),
    ("BloomForCausalLM", "bloom", {}),
    ("OPTForCausalLM", "opt", {}),
    (
        "OPTForCausalLM",
        "opt",
        {
            "word_embed_proj_dim": 512,
            "hidden_size": 1024,
            "do_layer_norm_before": False,
            "num_attention_heads": 16,
        },
    ),
    ("MambaForCausalLM", "mamba", {}),
    ("FalconMambaForCausalLM", "falcon_mamba", {}),
    ("Mamba2ForCausalLM", "mamba2", {}),
    ("JambaForCausalLM", "jamba", {}),
    ("BambaForCausalLM", "bamba", {"attn_layer_indices": [9, 18, 27]}),
    ("FalconH1ForCausalLM", "falcon_h1", {}),
    ("FalconH1ForCausalLM", "falcon_h1", {"mamba_rms_norm": True}),
    ("Exaone4ForCausalLM", "exaone4", {}),
    ("WhisperForConditionalGeneration", "whisper", {}),
    ("Gemma3nForCausalLM", "gemma3n_text", {"num_kv_shared_layers": 0}),
    ("Glm4MoeLiteForCausalLM", "glm4_moe_lite", {"first_k_dense_replace": 1, "num_nextn_predict_layers": 0}),
    ("Glm4vForConditionalGeneration", "glm4v", {}),
    ("Glm4vMoeForConditionalGeneration", "glm4v_moe", {}),
    ("ApertusForCausalLM", "apertus", {}),
    ("Ernie4_5_MoeForCausalLM", "ernie4_5_moe", {}),
    ("Lfm2ForCausalLM", "lfm2", {"layer_types": ["conv", "conv", "full_attention", "conv"] * 8}),
]


def parameters(architecture: str, model_type: str, changes: dict[str, Any]) -> int:
    """Parameters and persistent buffers, tied ones once."""
    config = CONFIG_MAPPING[model_type].from_dict(dict(changes))
    with torch.device("meta"):
        model = getattr(transformers, architecture)(config)
    persistent = set(model.state_dict())
    buffers = sum(tensor.numel() for name, tensor in model.named_buffers() if name in persistent)
    return sum(tensor.numel() for tensor in model.parameters()) + buffers


def main() -> None:
    """Write the counts."""
    rows = []
    for architecture, model_type, changes in CASES:
        config = {"architectures": [architecture], "model_type": model_type, **changes}
        rows.append({"config": config, "parameters": parameters(architecture, model_type, changes)})
    document = {"source": f"transformers {transformers.__version__}", "rows": rows}
    OUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
