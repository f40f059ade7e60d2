"""What a spec should change when an engine refuses to start."""

from __future__ import annotations

from servespec.engines.launch import Launch
from servespec.engines.observed import Observed

_ADVICE = {
    "context_exceeds_kv": "limits.max_model_len: one request of that length needs more KV cache than there is{estimate}",
    "no_memory_for_kv": "limits.gpu_memory_fraction, parallel.tensor or model.quantization: after the weights and "
    "activations nothing is left for the KV cache",
    "free_memory_below_budget": "hardware.reserved_gib or limits.gpu_memory_fraction: another process holds memory "
    "that the server was to have",
    "weights_exceed_device": "parallel.tensor, model.quantization or hardware.gpu: the weights do not fit on the device",
    "graphs_exceed_memory": "limits.gpu_memory_fraction: lower it, CUDA graphs found no memory left",
    "out_of_memory": "limits.max_batched_tokens or limits.gpu_memory_fraction: lower it, the device ran out of memory",
    "warmup_exceeds_memory": "limits.max_batched_tokens: lower it, the largest prefill batch does not fit in memory",
    "unknown_flag": "targets.{engine}.args: this {engine} does not know that flag; compare targets.{engine}.version "
    "({version}) with what is installed",
    "invalid_setting": "the setting named above: {engine} {version} refuses its value",
    "address_in_use": "server.port: {port} is taken by another process",
    "model_not_found": "model.id (or model.revision): {model} was found neither on disk nor on the Hub",
    "gated_model": "env.HF_TOKEN: {model} is gated, give a token with access by reference: ${{HF_TOKEN}}",
    "no_device": "hardware.gpu: {engine} found no device that it can use",
    "not_enough_devices": "parallel.tensor: there are fewer devices than shards",
}


def advice(observed: Observed, launch: Launch) -> str | None:
    """The keys to look at and why; None when the log names no reason that servespec knows."""
    text = _ADVICE.get(observed.refusal_kind or "")
    if text is None:
        return None
    longest = observed.estimated_max_model_len
    return text.format(
        engine=launch.engine,
        version=launch.version,
        port=launch.port,
        model=launch.model,
        estimate=f"; {longest:,} tokens fit, by the engine's own estimate" if longest else "",
    )
