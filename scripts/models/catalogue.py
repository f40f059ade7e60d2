"""Add configurations to the catalogue: servespec/models/catalogue/ and its index.

    python scripts/models/catalogue.py FOLDER

FOLDER holds ``ORG--NAME_config.json`` and, for ModelOpt checkpoints, ``ORG--NAME_hf_quant_config.json``.
Every file becomes one minified JSON of ``{"config": …, "hf_quant_config": …}``; keys that can have no influence on
memory are left out, and lists that name every expert of a layer one by one are folded into a glob.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[2] / "servespec" / "models" / "catalogue"
UNUSED = re.compile(
    r"(label|_token_id$|_token_ids$|^(image|video|audio)_token$|^auto_map$|initializer|dropout|placeholder|beams|^bad_words|^begin_supp|"
    r"^suppress|^do_sample|^temperature$|^top_[kp]$|^typical_p$|penalty$|^max_length$|^min_length$|^output_(att|hid|sco)|"
    r"^return_dict|early_stopping|pruned_heads|ngram_size|^prefix$|problem_type|task_specific|tokenizer_class|torchscript|"
    r"^remove_invalid|^tf_legacy|^use_cache$|^use_bfloat16$|chunk_size_feed_forward|finetuning_task|_name_or_path|"
    r"^transformers_version$|observer|pretraining_tp)"
)


def slim(value: Any) -> Any:
    """Without the keys that cannot matter to memory."""
    if isinstance(value, dict):
        return {key: slim(item) for key, item in value.items() if not UNUSED.search(key)}
    if isinstance(value, list):
        return [slim(item) for item in value]
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return None  # time_step_limit of Mamba: no size, and no JSON
    return value


def fold_experts(layers: dict[str, Any], experts: int) -> dict[str, Any]:
    """``….experts.0.up_proj`` … ``….experts.N.up_proj`` with one recipe become ``….experts.*.up_proj``."""
    groups: dict[str, dict[str, Any]] = {}
    folded: dict[str, Any] = {}
    for module, recipe in layers.items():
        match = re.fullmatch(r"(.*\.experts)\.(\d+)\.(.*)", module)
        if match is None:
            folded[module] = recipe
            continue
        pattern = f"{match[1]}.*.{match[3]}"
        groups.setdefault(pattern, {})[match[2]] = recipe
        folded.setdefault(pattern, None)
    for pattern, members in groups.items():
        recipes = {json.dumps(recipe, sort_keys=True) for recipe in members.values()}
        if len(recipes) != 1 or len(members) != experts:
            raise SystemExit(
                f"{pattern} cannot be folded: {len(members)} of {experts} experts, {len(recipes)} recipes"
            )
        folded[pattern] = next(iter(members.values()))
    return folded


def experts_of(config: dict[str, Any]) -> int:
    """Number of routed experts."""
    text = config.get("text_config") or config
    return int(text.get("n_routed_experts") or text.get("num_local_experts") or text.get("num_experts") or 0)


def entry(path: Path) -> dict[str, Any]:
    """What is stored for one configuration."""
    config = json.loads(path.read_text(encoding="utf-8"))
    beside = path.with_name(path.name.replace("_config.json", "_hf_quant_config.json"))
    document = {"config": slim(config)}
    if beside.exists():
        document["hf_quant_config"] = json.loads(beside.read_text(encoding="utf-8"))
        if "quantization_config" in config:  # what config.json says comes first, so the other is never read
            del document["hf_quant_config"]
    for part in (
        document["config"].get("quantization_config"),
        document.get("hf_quant_config", {}).get("quantization"),
    ):
        if part and part.get("quantized_layers"):
            part["quantized_layers"] = fold_experts(part["quantized_layers"], experts_of(config))
            part.pop("config_groups", None)
    return document


def main() -> None:
    """Write the entries and the index of ids."""
    OUT.mkdir(exist_ok=True)
    for path in sorted(Path(sys.argv[1]).glob("*_config.json")):
        if path.name.endswith("_hf_quant_config.json"):
            continue
        name = path.name.removesuffix("_config.json")
        text = json.dumps(entry(path), separators=(",", ":"), allow_nan=False)
        (OUT / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
