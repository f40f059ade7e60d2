"""Run by the engine's own Python: what each rank of SGLang on CPU loads and keeps of a tiny model.

Reads {"id", "config", "arguments"} objects, one a line; prints ``ANSWER`` and one JSON object for each. SGLang is
imported once; every case is a fork, and every rank a fork of that: the steps of sglang/benchmark/one_batch.py
(load_model) up to the pools, with dummy weights and without a tokenizer.
"""

import json
import logging
import os
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", SGLANG_CPU_OMP_THREADS_BIND="0|1", GLOO_SOCKET_IFNAME="lo")
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

import sglang.benchmark.one_batch as one_batch  # noqa: E402
import torch  # noqa: E402
from sglang.srt.configs.model_config import ModelConfig  # noqa: E402
from sglang.srt.distributed import bootstrap  # noqa: E402
from sglang.srt.model_executor.model_runner import ModelRunner  # noqa: E402
from sglang.srt.server_args import PortArgs, ServerArgs  # noqa: E402


def sizes(model):
    """Bytes of parameters, buffers and tensors that modules keep beside those; each storage counts once."""
    seen = set()

    def new(tensors):
        found = {}
        for name, tensor in tensors:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in seen:
                found[name] = storage.nbytes()
            seen.add(storage.data_ptr())
        return found

    kept = (
        (f"{name}.{key}", value)
        for name, module in model.named_modules()
        for key, value in vars(module).items()
        if isinstance(value, torch.Tensor)
    )
    return {
        "parameters": new(model.named_parameters()),
        "buffers": new(model.named_buffers()),
        "copies": new(kept),
    }


def rank(server_args, ports, tensor, stage):
    """One rank, up to its pools."""
    number = one_batch.spawn_world_rank(server_args, tp_rank=tensor, pp_rank=stage)
    one_batch.publish(server_args, role="scheduler", ranks=one_batch.SpawnRanks(world_rank=number, gpu_id=0))
    one_batch._init_process_global_configs()
    model_config = ModelConfig.from_server_args(server_args)
    bootstrap.init_parallel_runtime(server_args=server_args, device="cpu", dist_port=ports.nccl_port)
    bootstrap.init_layer_runtime(model_config=model_config)
    runner = ModelRunner(
        model_config=model_config,
        mem_fraction_static=one_batch.resolving_view(server_args).mem_fraction_static,
        gpu_id=0,
        nccl_port=ports.nccl_port,
        server_args=server_args,
    )
    runner.alloc_memory_pool()
    kept = runner.token_to_kv_pool.get_kv_size_bytes()
    return {
        "rank": number,
        "stage": stage,
        **sizes(runner.model),
        "tokens": int(runner.max_total_num_tokens),
        "kv_bytes": int(sum(kept) if isinstance(kept, tuple) else kept),
        "page_size": runner.page_size,
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
        given = {"device": "cpu", "load_format": "dummy", "skip_tokenizer_init": True}
        server_args = ServerArgs(model_path=folder, **given, **row["arguments"])
        server_args.resolve_once()
        one_batch._set_envs_and_config(server_args)
        ports = PortArgs.init_new(server_args)
        waiting = [
            forked(rank, server_args, ports, tensor, stage)
            for stage in range(server_args.pp_size)
            for tensor in range(server_args.tp_size)
        ]
        ranks = [wait() for wait in waiting]
    errors = [each["error"] for each in ranks if "error" in each]
    return {"ranks": ranks, **({"error": errors[0]} if errors else {})}


def main():
    for line in sys.stdin:
        row = json.loads(line)
        print("ANSWER " + json.dumps({"id": row["id"], **forked(case, row)()}), flush=True)


if __name__ == "__main__":
    main()
