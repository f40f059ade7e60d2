"""From a command line of vLLM to the spec that means it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from servespec.engines.lifting import DTYPES, UNKNOWN_MODEL, Lifting, Place, fraction, positive, switch, text

PLACES = (
    Place("revision", "model.revision", text),
    Place("dtype", "model.dtype", DTYPES.__contains__, DTYPES.__getitem__),
    Place("quantization", "model.quantization", text),
    Place("trust_remote_code", "model.trust_remote_code", switch),
    Place("max_model_len", "limits.max_model_len", positive),
    Place("max_num_seqs", "limits.max_concurrent_requests", positive),
    Place("max_num_batched_tokens", "limits.max_batched_tokens", positive),
    Place("gpu_memory_utilization", "limits.gpu_memory_fraction", fraction),
    Place("tensor_parallel_size", "parallel.tensor", positive),
    Place("pipeline_parallel_size", "parallel.pipeline", positive),
    Place("data_parallel_size", "parallel.data", positive),
    Place("enable_expert_parallel", "parallel.expert", switch),
    Place("kv_cache_dtype", "kv_cache.dtype", text),
    Place("enable_prefix_caching", "kv_cache.prefix_caching", switch),
    Place("block_size", "kv_cache.block_size", positive),
    Place("host", "server.host", text),
    Place("port", "server.port", positive),
    Place("nnodes", "hardware.nodes", positive),
)
PER_NODE = ("node_rank", "master_addr", "master_port", "headless")
"""What differs between the nodes of one deployment; lowering writes it anew."""


def lift(argv: Sequence[str], environment: Mapping[str, str], version: str) -> Mapping[str, object]:
    """The spec (as plain data) that ``vllm serve ARGV`` of that version means."""
    lifting = Lifting("vllm", argv, environment, version)
    positional, flag = lifting.take("model_tag"), lifting.take("model")
    lifting.set("model.id", flag or positional or UNKNOWN_MODEL)
    lifting.set("hardware", {})
    lifting.carry(PLACES)
    if lifting.spec["hardware"].get("nodes", 1) > 1:
        for name in PER_NODE:
            lifting.take(name)
    names = lifting.peek("served_model_name")
    if isinstance(names, list) and len(names) == 1:
        lifting.take("served_model_name")
        lifting.set("server.served_model_name", names[0])
    lifting.carry_key("VLLM_API_KEY")
    if "VLLM_API_KEY" in lifting.environment:
        del lifting.environment["VLLM_API_KEY"]
        lifting.set("server.api_key_env", "VLLM_API_KEY")
    _adapters(lifting)
    _speculative(lifting)
    parallel = lifting.spec.get("parallel", {})
    ranks = parallel.get("tensor", 1) * parallel.get("pipeline", 1) * parallel.get("data", 1)
    lifting.spec["hardware"]["count"] = max(1, -(-ranks // lifting.spec["hardware"].get("nodes", 1)))
    return lifting.finish()


def _adapters(lifting: Lifting) -> None:
    if lifting.peek("enable_lora") is not True:
        return
    modules = lifting.peek("lora_modules") or []
    if any(not isinstance(module, str) or "=" not in module or module.startswith("{") for module in modules):
        return
    lifting.take("enable_lora")
    lifting.take("lora_modules")
    lifting.carry(
        (
            Place("max_loras", "model.adapters.max_loras", positive),
            Place("max_lora_rank", "model.adapters.max_rank", positive),
        )
    )
    adapters: dict[str, Any] = lifting.spec["model"].setdefault("adapters", {})
    if modules:
        adapters["modules"] = dict(module.split("=", 1) for module in modules)


def _speculative(lifting: Lifting) -> None:
    """Only what the section says in full: a method or a draft model, and the number of tokens."""
    config = lifting.peek("speculative_config")
    if not isinstance(config, Mapping) or not {*config} <= {"method", "model", "num_speculative_tokens"}:
        return
    tokens, method, model = (config.get(key) for key in ("num_speculative_tokens", "method", "model"))
    if not positive(tokens) or not (text(method) or text(model)) or method == "draft":
        return
    lifting.take("speculative_config")
    section = {"method": method or "draft", "tokens": tokens, "model": model}
    lifting.set("speculative", {key: value for key, value in section.items() if value is not None})
