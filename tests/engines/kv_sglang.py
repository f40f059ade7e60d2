"""Runs in SGLang's own Python: reads a case a line, answers what SGLang's memory pools take for it.

The steps are those of sglang/benchmark/one_batch.py (load_model) up to the pools, with dummy weights and
without a tokenizer: SGLang's own configuration, model and pool classes, in a process of its own for each.
"""

import json
import logging
import os
import sys
import traceback
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

import sglang.benchmark.one_batch as one_batch  # noqa: E402
from sglang.srt.configs.model_config import ModelConfig  # noqa: E402
from sglang.srt.distributed import bootstrap  # noqa: E402
from sglang.srt.model_executor.model_runner import ModelRunner  # noqa: E402
from sglang.srt.server_args import PortArgs, ServerArgs  # noqa: E402


def answer(case: dict[str, object]) -> dict[str, object]:
    """Sizes of the pools of one configuration."""
    given: dict[str, object] = {"device": "cpu", "load_format": "dummy", "skip_tokenizer_init": True}
    server_args = ServerArgs(model_path=case["folder"], **given, **case["args"])
    server_args.resolve_once()
    one_batch._set_envs_and_config(server_args)
    rank = one_batch.spawn_world_rank(server_args, tp_rank=0, pp_rank=0)
    one_batch.publish(server_args, role="scheduler", ranks=one_batch.SpawnRanks(world_rank=rank, gpu_id=0))
    one_batch._init_process_global_configs()
    ports = PortArgs.init_new(server_args)
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
    pool = runner.token_to_kv_pool
    sizes = pool.get_kv_size_bytes()
    table = runner.req_to_token_pool
    return {
        "tokens": int(runner.max_total_num_tokens),
        "kv_bytes": int(sum(sizes) if isinstance(sizes, tuple) else sizes),
        "page_size": runner.page_size,
        "request_table_bytes": int(table.req_to_token.nbytes),
        "max_running_requests": int(runner.max_running_requests),
        "pool": type(pool).__name__,
        **state_sizes(getattr(table, "mamba_pool", None)),
    }


def state_sizes(states: object) -> dict[str, object]:
    """Slots and bytes of the pool of recurrent states, where the model has one."""
    if states is None:
        return {}
    cache = states.mamba_cache
    return {
        "state_slots": int(states.size),
        "state_bytes": int(sum(tensor.nbytes for tensor in [*cache.conv, cache.temporal])),
    }


def main() -> None:
    """One child for each case: SGLang is imported once, and leaves nothing from one case to the next."""
    for line in sys.stdin:
        case = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                found = answer(case)
            except BaseException as error:
                found = {"error": f"{type(error).__name__}: {error}", "where": traceback.format_exc()[-1500:]}
            print("ANSWER " + json.dumps({"name": case["name"], **found}), flush=True)
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
