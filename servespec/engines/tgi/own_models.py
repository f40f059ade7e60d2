"""Which architectures TGI implements itself, by the model_type of their configuration."""

from __future__ import annotations

# ModelType in server/text_generation_server/models/__init__.py of 3.3.7: what has a model of TGI's own. Others run by
# transformers' classes, on one GPU.
OWN_MODELS = frozenset(
    {
        "deepseek_v2",
        "deepseek_v3",
        "idefics2",
        "idefics3",
        "llava_next",
        "llama",
        "llama4",
        "phi3",
        "granite",
        "gemma",
        "paligemma",
        "gemma2",
        "gemma3",
        "gemma3_text",
        "cohere",
        "dbrx",
        "mamba",
        "mistral",
        "mixtral",
        "gpt_bigcode",
        "phi",
        "phimoe",
        "baichuan",
        "falcon",
        "starcoder2",
        "qwen2",
        "qwen2_vl",
        "qwen2_5_vl",
        "opt",
        "t5",
        "galactica",
        "santacoder",
        "bloom",
        "mpt",
        "gpt2",
        "gpt_neox",
        "gptj",
        "idefics",
        "mllama",
        "RefinedWeb",
        "RefinedWebModel",
        "phi-msft",
        "mistral3",
    }
)
