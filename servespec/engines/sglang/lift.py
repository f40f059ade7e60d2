"""From a command line of SGLang to the spec that means it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from servespec.engines.lifting import DTYPES, UNKNOWN_MODEL, Lifting, Place, positive, switch, text
from servespec.engines.sglang.keys import ALGORITHMS

PLACES = (
    Place("revision", "model.revision", text),
    Place("dtype", "model.dtype", DTYPES.__contains__, DTYPES.__getitem__),
    Place("quantization", "model.quantization", text),
    Place("trust_remote_code", "model.trust_remote_code", switch),
    Place("context_length", "limits.max_model_len", positive),
    Place("max_running_requests", "limits.max_concurrent_requests", positive),
    Place("chunked_prefill_size", "limits.max_batched_tokens", positive),
    Place("tp_size", "parallel.tensor", positive),
    Place("pp_size", "parallel.pipeline", positive),
    Place("dp_size", "parallel.data", positive),
    Place("kv_cache_dtype", "kv_cache.dtype", text),
    Place("disable_radix_cache", "kv_cache.prefix_caching", switch, lambda value: not value),
    Place("page_size", "kv_cache.block_size", positive),
    Place("host", "server.host", text),
    Place("port", "server.port", positive),
    Place("served_model_name", "server.served_model_name", text),
    Place("nnodes", "hardware.nodes", positive),
)
PER_NODE = ("node_rank", "dist_init_addr")
"""What differs between the nodes of one deployment; lowering writes it anew."""
METHODS = {algorithm: method for method, algorithm in ALGORITHMS.items()}


def lift(argv: Sequence[str], environment: Mapping[str, str], version: str) -> Mapping[str, object]:
    """The spec (as plain data) that ``python -m sglang.launch_server ARGV`` of that version means."""
    lifting = Lifting("sglang", argv, environment, version)
    lifting.set("model.id", lifting.take("model_path") or UNKNOWN_MODEL)
    lifting.set("hardware", {})
    # What the server does when nothing is said is not what the spec takes (server_args.py, host and port).
    lifting.set("server", {"host": "127.0.0.1", "port": 30000})
    lifting.carry(PLACES)
    if lifting.spec["hardware"].get("nodes", 1) > 1:
        for name in PER_NODE:
            lifting.take(name)
    lifting.carry_key("SGLANG_API_KEY")
    tensor = lifting.spec.get("parallel", {}).get("tensor", 1)
    if lifting.peek("ep_size") == tensor > 1 and lifting.peek("enable_ep_moe") is None:
        lifting.take("ep_size")
        lifting.set("parallel.expert", True)
    elif lifting.peek("ep_size") == 1:
        lifting.take("ep_size")
    _speculative(lifting)
    parallel = lifting.spec.get("parallel", {})
    # Data-parallel attention shares the tensor-parallel ranks; plain data parallelism has its own.
    copies = 1 if lifting.peek("enable_dp_attention") else parallel.get("data", 1)
    ranks = tensor * parallel.get("pipeline", 1) * copies
    lifting.spec["hardware"]["count"] = max(1, -(-ranks // lifting.spec["hardware"].get("nodes", 1)))
    return lifting.finish()


def _speculative(lifting: Lifting) -> None:
    """Only a chain of drafts, one candidate a step, which is what the section means."""
    algorithm, drafts = lifting.peek("speculative_algorithm"), lifting.peek("speculative_num_draft_tokens")
    steps, width = lifting.peek("speculative_num_steps"), lifting.peek("speculative_eagle_topk")
    model = lifting.peek("speculative_draft_model_path")
    if algorithm not in METHODS or not positive(drafts) or drafts < 2:
        return
    if (algorithm == "NGRAM") != (steps is None) or width not in (1, None):
        return
    if steps is not None and (drafts != steps + 1 or width is None):
        return
    names = ("algorithm", "num_draft_tokens", "num_steps", "eagle_topk", "draft_model_path")
    for name in names:
        lifting.take(f"speculative_{name}")
    section = {"method": METHODS[algorithm], "tokens": drafts - 1, "model": model}
    lifting.set("speculative", {key: value for key, value in section.items() if value is not None})
