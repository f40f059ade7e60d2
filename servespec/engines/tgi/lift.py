"""From a command line of TGI's launcher, and its environment, to the spec that means it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from servespec.engines.lifting import DTYPES, UNKNOWN_MODEL, Lifting, Place, fraction, positive, switch, text
from servespec.engines.tgi.keys import CACHING_VARIABLES

PLACES = (
    Place("revision", "model.revision", text),
    Place("dtype", "model.dtype", DTYPES.__contains__, DTYPES.__getitem__),
    Place("quantize", "model.quantization", text),
    Place("trust_remote_code", "model.trust_remote_code", switch),
    Place("max_total_tokens", "limits.max_model_len", positive),
    Place("max_input_tokens", "limits.max_input_tokens", positive),
    Place("max_concurrent_requests", "limits.max_concurrent_requests", positive),
    Place("max_batch_prefill_tokens", "limits.max_batched_tokens", positive),
    Place("cuda_memory_fraction", "limits.gpu_memory_fraction", fraction),
    Place("num_shard", "parallel.tensor", positive),
    Place("kv_cache_dtype", "kv_cache.dtype", text),
    Place("hostname", "server.host", text),
    Place("port", "server.port", positive),
)


def lift(argv: Sequence[str], environment: Mapping[str, str], version: str) -> Mapping[str, object]:
    """The spec (as plain data) that ``text-generation-launcher ARGV`` of that version means."""
    lifting = Lifting("tgi", argv, environment, version)
    _variables(lifting)
    lifting.set("model.id", lifting.take("model_id") or UNKNOWN_MODEL)
    lifting.set("hardware", {})
    lifting.set("server", {"port": 3000})
    if lifting.peek("max_input_tokens") is None and lifting.peek("max_input_length") is not None:
        length = lifting.peek("max_input_length")
        if positive(length):
            lifting.take("max_input_length")
            lifting.set("limits.max_input_tokens", length)
    lifting.carry(PLACES)
    lifting.carry_key("API_KEY")
    _adapters(lifting)
    for name in CACHING_VARIABLES:
        word = lifting.environment.get(name)
        if word in ("true", "false", "1", "0", "True", "False") and name in lifting.catalogue.environment:
            del lifting.environment[name]
            lifting.set("kv_cache.prefix_caching", word.lower() in ("true", "1"))
    lifting.spec["hardware"]["count"] = lifting.spec.get("parallel", {}).get("tensor", 1)
    return lifting.finish()


def _variables(lifting: Lifting) -> None:
    """The launcher reads each flag from a variable too; the flag wins."""
    for flag in lifting.catalogue.flags.values():
        if flag.env is None or flag.env not in lifting.environment or flag.env == "HUGGINGFACE_HUB_CACHE":
            continue
        word = lifting.environment.pop(flag.env)
        if flag.name in lifting.values:
            continue
        words = [flag.spellings[0]] if flag.kind == "bool" else [f"{flag.spellings[0]}={word}"]
        if flag.kind == "bool" and word.lower() in ("", "false", "0", "no", "off", "f", "n"):
            continue
        value: Any = lifting.catalogue.parse(words).values.get(flag.name)
        lifting.values[flag.name] = value


def _adapters(lifting: Lifting) -> None:
    adapters = lifting.peek("lora_adapters")
    if not isinstance(adapters, str) or not adapters:
        return
    modules = [module.strip() for module in adapters.split(",")]
    if all("=" in module and "@" not in module for module in modules):
        lifting.take("lora_adapters")
        lifting.set("model.adapters", {"modules": dict(module.split("=", 1) for module in modules)})
