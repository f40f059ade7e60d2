"""Batch limits (vllm/engine/arg_utils.py, _set_default_max_num_seqs_and_batched_tokens_args)."""

from __future__ import annotations

from servespec.engines.vllm.latent import SWITCH
from servespec.engines.vllm.policies import ASYNC_SCHEDULING_BY_DEFAULT, GIB
from servespec.engines.vllm.resolution.builder import Builder
from servespec.models.facts import KVKind, ModelFacts

LONG_CONTEXT_TOKENS = 32768
ASYNC_METHODS = frozenset({"eagle", "eagle3", "mtp", "ngram_gpu", "dspark"})


def settle(builder: Builder) -> None:
    """Chunked prefill, tokens and sequences of a batch, asynchronous scheduling."""
    limits = builder.inputs.spec.limits
    _chunked_prefill(builder)
    tokens, sequences = _defaults(builder)
    builder.choose(
        "max_num_batched_tokens",
        None,
        spec_value=limits.max_batched_tokens,
        spec_key="limits.max_batched_tokens",
    )
    builder.choose(
        "max_num_seqs",
        None,
        spec_value=limits.max_concurrent_requests,
        spec_key="limits.max_concurrent_requests",
    )
    length = builder.integer("max_model_len")
    chosen_sequences = builder.integer("max_num_seqs", sequences)
    if builder.value("max_num_batched_tokens") is None and builder.value("engine") == "v0":
        builder.put("max_num_batched_tokens", _v0_tokens(builder), builder.default_source)
    elif builder.value("max_num_batched_tokens") is None:
        if builder.value("enable_chunked_prefill") is not True:
            tokens = max(tokens, length)
        if builder.is_version(">=0.10.2"):
            tokens = min(tokens, chosen_sequences * length)
        builder.put("max_num_batched_tokens", tokens, builder.default_source)
    if builder.value("max_num_seqs") is None:
        if builder.is_version(">=0.10"):
            sequences = min(sequences, builder.integer("max_num_batched_tokens"))
        builder.put("max_num_seqs", sequences, builder.default_source)
    _asynchronous(builder)


def _defaults(builder: Builder) -> tuple[int, int]:
    """(tokens, sequences) of a batch for `vllm serve`, before the model is looked at.

    get_batch_defaults: 8192/1024 from 70 GiB except A100, 16384/1024 from 160 GiB (0.28 on),
    2048/256 below; on a CPU per rank. Before 0.8.5 only 2048/256; 0.8 counted the A100 too. NVML does not tell
    the memory of a GPU that shares the host's, which counts as none (stored log 55144767765, GB10: 2048).
    """
    gpu = builder.inputs.gpu
    if gpu.is_cpu:
        ranks = builder.integer("tensor_parallel_size") * builder.integer("pipeline_parallel_size")
        if builder.is_version(">=0.10"):
            return 2048 * ranks, 128 * ranks
        return 2048, 32
    if builder.value("engine") == "v0":
        return 2048, 256
    if gpu.unified_memory and gpu.kind == "cuda":
        return 2048, 256
    is_a100 = "a100" in gpu.name.lower() and builder.is_version(">=0.9")
    if gpu.total_bytes >= 160 * GIB and builder.is_version(">=0.28"):
        return 16384, 1024
    if gpu.total_bytes >= 70 * GIB and not is_a100:
        return 8192, 1024
    return 2048, 256


def _chunked_prefill(builder: Builder) -> None:
    """On in V1. In V0 (from 0.5.1 on) only for text models of more than 32,768 tokens of context, on CUDA,
    without sliding windows, speculation or adapters (vllm/engine/arg_utils.py of 0.5.3, 0.6.6, 0.8.5), nor with
    multi-head latent attention since 0.8 (_set_default_args_v0 of 0.8.0 to 0.10.2)."""
    default = builder.value("engine") == "v1"
    if not default:
        model = builder.inputs.model
        default = (
            builder.is_version(">=0.5.1")
            and builder.integer("max_model_len") > LONG_CONTEXT_TOKENS
            and builder.inputs.gpu.kind == "cuda"
            and model.sliding_window is None
            and not model.is_multimodal
            and not (builder.is_version(">=0.8") and _keeps_latents(model, builder))
            and builder.value("speculative_config") is None
            and builder.value("enable_lora") is not True
        )
    builder.choose("enable_chunked_prefill", default)


def _keeps_latents(model: ModelFacts, builder: Builder) -> bool:
    disabled = str(builder.environment.get(SWITCH, "0")).lower() not in ("0", "false", "")
    return any(kept.kind is KVKind.latent for kept in model.kv) and not disabled


def _v0_tokens(builder: Builder) -> int:
    """max_num_batched_tokens of V0 (vllm/config.py, SchedulerConfig): the context unless prefill is chunked.

    A chunk is 2,048 tokens, 512 until 0.6.3; models that take images need 5,120 at least (0.6.3 on).
    """
    length = builder.integer("max_model_len")
    if builder.value("enable_chunked_prefill") is True:
        return 2048 if builder.is_version(">=0.6.4") else 512
    tokens = max(length, 2048)
    if builder.inputs.model.is_multimodal and builder.is_version(">=0.6.3"):
        tokens = max(tokens, 5120)
    return tokens


def _asynchronous(builder: Builder) -> None:
    """scheduler_config.async_scheduling, as VllmConfig resolves None."""
    speculative = builder.value("speculative_config")
    method = speculative.get("method") if isinstance(speculative, dict) else None
    default = (
        builder.is_version(ASYNC_SCHEDULING_BY_DEFAULT)
        and not builder.inputs.gpu.is_cpu
        and (method is None or method in ASYNC_METHODS)
    )
    builder.choose("async_scheduling", default)
    if builder.inputs.gpu.is_cpu:
        builder.derive("async_scheduling", False, "the CPU platform")
