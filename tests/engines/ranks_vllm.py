"""Run by the engine's own Python: what each rank of vLLM on CPU loads and keeps of a tiny model.

Reads {"id", "config", "arguments"} objects, one a line; prints ``ANSWER`` and one JSON object for each. vLLM is
imported once; every case is a fork, and every rank a fork of that: vLLM's own configuration, worker, model and KV
cache functions, joined by gloo as its executor joins them. Parameters are counted as the model is built, before a
CPU kernel repacks them.
"""

import json
import logging
import os
import sys
import tempfile
import traceback
from pathlib import Path

os.environ.update(
    HF_HUB_OFFLINE="1",
    VLLM_NO_USAGE_STATS="1",
    VLLM_LOGGING_LEVEL="ERROR",
    VLLM_CPU_KVCACHE_SPACE="1",
    OMP_NUM_THREADS="1",
    GLOO_SOCKET_IFNAME="lo",
)

import torch
from vllm.engine.arg_utils import EngineArgs
from vllm.model_executor.model_loader import base_loader
from vllm.platforms import current_platform
from vllm.v1.attention.backends.utils import resolve_kv_cache_layout
from vllm.v1.core import kv_cache_utils
from vllm.v1.worker.cpu_worker import CPUWorker

logging.disable(logging.CRITICAL)


def sizes(tensors):
    """Name to bytes; a tensor that several modules share counts once."""
    seen, found = set(), {}
    for name, tensor in tensors:
        if tensor.data_ptr() not in seen or not tensor.nbytes:
            found[name] = tensor.nbytes
        seen.add(tensor.data_ptr())
    return found


def leave_as_built(model, *_):
    return model


def rank(config, number, method):
    """One rank, up to the KV cache that it would allocate."""
    base_loader.process_weights_after_loading = leave_as_built
    from vllm.config import set_current_vllm_config

    with set_current_vllm_config(config):
        worker = CPUWorker(config, number, number, method, is_driver_worker=number == 0)
        worker.init_device()
        worker.load_model()
        current_platform.update_block_size_for_backend(config)
        model = worker.model_runner.get_model()
        seen = [None] * config.parallel_config.world_size
        torch.distributed.all_gather_object(
            seen, (worker.get_kv_cache_spec(), worker.get_supported_kv_cache_layouts())
        )
        specs, layouts = map(list, zip(*seen, strict=True))
        resolve_kv_cache_layout(config, layouts, [kept for each in specs for kept in each.values()])
        available = [config.cache_config.kv_cache_memory_bytes] * len(specs)
        kept = kv_cache_utils.get_kv_cache_configs(config, specs, available)[number]
    tokens, concurrency = kv_cache_utils.get_kv_cache_capacity(config, kept)
    return {
        "rank": number,
        "parameters": sizes(model.named_parameters()),
        "buffers": sizes(model.named_buffers()),
        "num_blocks": kept.num_blocks,
        "tokens": tokens,
        "concurrency": concurrency,
        "kv_bytes": sum(tensor.size for tensor in kept.kv_cache_tensors),
    }


def forked(function, *arguments):
    """Run in a child; returns a function that waits for its JSON answer."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            answer = function(*arguments)
        except BaseException as error:
            answer = {
                "error": f"{type(error).__name__}: {error}"[:600],
                "where": traceback.format_exc()[-1500:],
            }
        with os.fdopen(writing, "w") as pipe:
            pipe.write(json.dumps(answer))
        os._exit(0)
    os.close(writing)

    def wait():
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        os.waitpid(child, 0)
        return json.loads(text) if text else {"error": "the process ended without an answer"}

    return wait


def case(row):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(row["config"]), encoding="utf-8")
        config = EngineArgs(
            model=folder,
            load_format="dummy",
            skip_tokenizer_init=True,
            **row["arguments"],
        ).create_engine_config()
        method = f"file://{folder}/{Path(folder).name}"  # by the file's name the ranks name what they share
        waiting = [
            forked(rank, config, number, method) for number in range(config.parallel_config.world_size)
        ]
        ranks = [wait() for wait in waiting]
        for left in Path("/dev/shm").glob(f"{Path(folder).name}-*"):
            left.unlink()
    errors = [each["error"] for each in ranks if "error" in each]
    return {"ranks": ranks, **({"error": errors[0]} if errors else {})}


def main():
    for line in sys.stdin:
        row = json.loads(line)
        print("ANSWER " + json.dumps({"id": row["id"], **forked(case, row)()}), flush=True)


if __name__ == "__main__":
    main()
