"""Renew servespec/models/class_defaults/ from the configuration classes of transformers and vLLM.

A config.json leaves out what equals its class's default, so the defaults are part of the model's
facts. Run it with the Python of an environment that has vLLM (and with it transformers):

    /path/to/vllm/bin/python scripts/models/class_defaults.py
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from pathlib import Path
from typing import Any

import transformers
from transformers import AutoConfig, PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

OUT = Path(__file__).parents[2] / "servespec" / "models" / "class_defaults"

# The classes of the model types that the family modules read, and no others: the folder stays small.
MODEL_TYPES = [
    "llama",
    "mistral",
    "whisper",
    "ministral3",
    "mixtral",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "qwen3_next",
    "qwen3_5",
    "qwen3_5_moe",
    "qwen2_vl",
    "qwen2_5_vl",
    "qwen3_vl",
    "qwen3_vl_moe",
    "llama4",
    "mllama",
    "mistral3",
    "gemma",
    "gemma2",
    "gemma3",
    "gemma3_text",
    "gemma4",
    "gemma3n",
    "phi",
    "phi3",
    "phimoe",
    "gpt_oss",
    "deepseek_v2",
    "deepseek_v3",
    "deepseek_v32",
    "deepseek_v4",
    "kimi_k2",
    "kimi_k25",
    "kimi_k3",
    "kimi_linear",
    "kimi_vl",
    "glm",
    "glm4",
    "glm4_moe",
    "glm_moe_dsa",
    "chatglm",
    "minimax_m2",
    "minimax_m3",
    "minimax_m3_vl",
    "nemotron",
    "nemotron_h",
    "mimo",
    "mimo_v2_flash",
    "step3p5",
    "step3p7",
    "granite",
    "granitemoe",
    "granitemoeshared",
    "granitemoehybrid",
    "llava",
    "llava_next",
    "olmo",
    "olmo2",
    "olmo3",
    "olmoe",
    "cohere",
    "cohere2",
    "starcoder2",
    "gpt_bigcode",
    "falcon",
    "gpt2",
    "gpt_neox",
    "opt",
    "dots_ocr",
    "stablelm",
    "internlm2",
    "baichuan",
    "bamba",
    "jamba",
    "mamba",
    "mamba2",
    "falcon_mamba",
    "falcon_h1",
    "smollm3",
    "exaone4",
    "ernie4_5",
    "ernie4_5_moe",
    "seed_oss",
    "hunyuan_v1_dense",
    "bloom",
    "gptj",
    "pixtral",
    "siglip_vision_model",
    "clip_vision_model",
    "apertus",
    "arcee",
    "dbrx",
    "minimax",
    "lfm2",
    "glm4_moe_lite",
    "glm4v",
    "glm4v_moe",
]

UNUSED = re.compile(
    r"(token_id|token_index|initializer|dropout|_coef$|^use_cache$|^output_|^return_|^chunk_size_feed|_jitter|pdrop|"
    r"problem_type|^torchscript|bos_|eos_|pad_token|summary_|_loss|layer_norm_eps|rms_norm_eps|norm_epsilon|"
    r"label|architectures|^name_or_path|transformers_version|^dtype$|logits_to_keep|multiplier|^auto_map$)"
)


def fields(config_class: type[PreTrainedConfig]) -> dict[str, Any]:
    """The class's own defaults, by the names that config.json uses."""
    values: dict[str, Any] = {}
    if dataclasses.is_dataclass(config_class):
        for field in dataclasses.fields(config_class):
            if field.default is not dataclasses.MISSING:
                values[field.name] = field.default
            elif field.default_factory is not dataclasses.MISSING:
                values[field.name] = field.default_factory()
    for name, parameter in inspect.signature(config_class.__init__).parameters.items():
        if name not in values and parameter.default is not inspect.Parameter.empty:
            values[name] = parameter.default
    return values


def kept(name: str, value: Any) -> bool:
    """Whether a default can matter to sizes."""
    if UNUSED.search(name) or value is None or value == {} or value == "":
        return False
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def config_class_of(model_type: str) -> type[PreTrainedConfig] | None:
    """vLLM's class where it brings its own, otherwise that of transformers."""
    from vllm.transformers_utils.config import _CONFIG_REGISTRY

    if model_type in _CONFIG_REGISTRY:
        return _CONFIG_REGISTRY[model_type]
    try:
        return CONFIG_MAPPING[model_type]
    except KeyError:
        return None


def sub_types(config_class: type[PreTrainedConfig]) -> dict[str, str]:
    """The model type of each part that the configuration nests."""
    found = {}
    for key, sub_class in (getattr(config_class, "sub_configs", None) or {}).items():
        if sub_class is AutoConfig:
            try:
                sub = getattr(config_class(), key, None)
            except Exception:  # some classes cannot be made without arguments
                continue
            sub_class = type(sub)
        model_type = getattr(sub_class, "model_type", "")
        if model_type:
            found[key] = model_type
            classes.setdefault(model_type, sub_class)
    return found


classes: dict[str, type[PreTrainedConfig]] = {}


def main() -> None:
    """Write one file per model type."""
    import vllm

    for model_type in MODEL_TYPES:
        config_class = config_class_of(model_type)
        if config_class is None:
            print(f"no class for {model_type}")
            continue
        classes[model_type] = config_class
    done: set[str] = set()
    while todo := sorted(set(classes) - done):
        for model_type in todo:
            done.add(model_type)
            config_class = classes[model_type]
            package = config_class.__module__.split(".")[0]
            version = {"transformers": transformers.__version__, "vllm": vllm.__version__.split("+")[0]}[
                package
            ]
            document = {
                "source": f"{package} {version} {config_class.__module__}.{config_class.__qualname__}",
                "sub": sub_types(config_class),
                "names": {
                    k: v for k, v in (config_class.attribute_map or {}).items() if not UNUSED.search(k)
                },
                "values": {k: v for k, v in fields(config_class).items() if kept(k, v)},
            }
            text = json.dumps(document, indent=1, sort_keys=True) + "\n"
            (OUT / f"{model_type}.json").write_text(text, encoding="utf-8")
    for stale in OUT.glob("*.json"):
        if stale.stem not in done:
            stale.unlink()
    print(f"{len(done)} model types")


if __name__ == "__main__":
    main()
