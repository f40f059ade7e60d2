"""vLLM's start-up log.

Read off vLLM's source (``worker/worker.py`` and ``executor/executor_base.py`` until 0.10,
``v1/worker/gpu_worker.py``, ``v1/worker/gpu_model_runner.py``, ``v1/core/kv_cache_utils.py``,
``v1/worker/cpu_worker.py``) and off published logs of 0.4 to 0.32; its "GB" is GiB throughout.
"""

from __future__ import annotations

import re

from servespec.engines.log_patterns import LogPatterns, PatternReader, Refusal

_FIGURES = (
    # The engine's banner and first line; 'an LLM engine' before 0.7, 'a V0' and 'a V1 LLM engine' since.
    r"Initializing an? (?:V[01] )?LLM engine \(v(?P<version>[^)]+)\)",
    r"vLLM API server version v?(?P<version>\d\S*)",
    # 'Loading model weights took' until 0.7.2, 'Model loading took … GB' until 0.7.3, then GiB, then 'GiB memory'.
    r"Loading model weights took (?P<weights_bytes>[\d.]+) Gi?B",
    r"Model loading took (?P<weights_bytes>[\d.]+) Gi?B",
    # V0's profile, 0.6.5 to 0.6.6 one term a line, then one line.
    r"model weights take\s+(?P<weights_bytes>[\d.]+)GiB",
    r"non_torch_memory(?: takes)?\s+(?P<non_torch_bytes>[\d.]+)GiB",
    r"PyTorch activation peak memory(?: takes)?\s+(?P<activation_bytes>[\d.]+)GiB",
    r"(?:the rest of the memory reserved for KV Cache is|available_kv_cache_memory)\s+(?P<kv_cache_bytes>-?[\d.]+)GiB",
    # V1.
    r"Available KV cache memory: (?P<kv_cache_bytes>-?[\d.]+) GiB",
    r"reserved (?P<kv_cache_bytes>[\d.]+) GiB memory for KV Cache as specified",
    r"Explicitly set \((?P<kv_cache_bytes>[\d.]+)/[\d.]+\) GiB for KV cache",
    r"Estimated CUDA graph memory: (?P<cuda_graph_estimate_bytes>[\d.]+) GiB",
    r"Graph capturing finished in [\d.]+ secs, took (?P<cuda_graph_bytes>[\d.]+) GiB",
    r"Actual usage is (?P<weights_bytes>[\d.]+) GiB for weight, (?P<activation_bytes>[\d.]+) GiB for peak activation, "
    r"(?P<non_torch_bytes>[\d.]+) GiB for non-torch",
    # 'GPU' is 'CPU' or 'XPU' elsewhere; the concurrency is on a line of its own before 0.30.
    r"\b\w+ KV cache size: (?P<kv_tokens>[\d,]+) tokens",
    r"# \w+ blocks: (?P<num_blocks>[\d,]+)",
    r"Maximum concurrency for (?P<max_model_len>[\d,]+) tokens per request: (?P<max_concurrency>[\d.]+)x",
    r"the estimated maximum model length is (?P<estimated_max_model_len>\d+)",
    r"maximum number of tokens that can be stored in KV cache \((?P<estimated_max_model_len>\d+)\)",
)

_PHASES = (
    (r"Application startup complete", "ready"),
    (r"Starting vLLM (?:API )?server", "starting the HTTP server"),
    (r"Loading \w+ checkpoint shards:.*?\| (\d+/\d+) ", r"loading weights (\1)"),
    (r"Starting to load model|Loading drafter model", "loading weights"),
    (r"Capturing (?:the model for )?CUDA graph|Capturing cudagraphs", "capturing CUDA graphs"),
    (r"Dynamo bytecode transform|Compiling a graph|for vLLM's torch\.compile", "compiling"),
    (r"Memory profiling|Profiling CUDA graph|Initial profiling", "profiling memory"),
    (r"KV cache size:|# \w+ blocks:", "allocating the KV cache"),
    (r"Initializing an? (?:V[01] )?LLM engine", "starting the engine"),
    (r"Resolved architecture|This model supports multiple tasks", "reading the configuration"),
)

_OUT_OF_MEMORY_KINDS = {
    "loading weights": "weights_exceed_device",
    "capturing CUDA graphs": "graphs_exceed_memory",
}

_REFUSALS = (
    Refusal("context_exceeds_kv", re.compile(r"To serve at least one request with the model")),
    Refusal(
        "context_exceeds_kv", re.compile(r"The model's max seq len \(\d+\) is larger than the maximum number")
    ),
    Refusal("no_memory_for_kv", re.compile(r"No available memory for the cache blocks")),
    Refusal("free_memory_below_budget", re.compile(r"Free memory on device .* on startup is less than")),
    Refusal("weights_exceed_device", re.compile(r"Failed to load model - not enough GPU memory")),
    Refusal(
        "out_of_memory",
        re.compile(r"(?:CUDA|HIP|XPU) out of memory|OutOfMemoryError: "),
        _OUT_OF_MEMORY_KINDS,
    ),
    Refusal("unknown_flag", re.compile(r"error: unrecognized arguments:")),
    Refusal("address_in_use", re.compile(r"Address already in use")),
    Refusal("gated_model", re.compile(r"GatedRepoError: |You are trying to access a gated repo")),
    Refusal(
        "model_not_found",
        re.compile(
            r"(?:LocalEntryNotFound|RepositoryNotFound|HFValidation)Error: |is not a valid model identifier"
            r"|Invalid repository ID or local directory|does not appear to have a file named"
        ),
    ),
    Refusal("no_device", re.compile(r"Failed to infer device type")),
    Refusal("invalid_setting", re.compile(r"^Value error, ")),
    Refusal("invalid_setting", re.compile(r"^Input should be .*\[type="), after_name=True),
    Refusal("invalid_setting", re.compile(r"^(?:vllm|api_server\.py).*error: argument ")),
)

PATTERNS = LogPatterns(
    engine="vllm",
    prefix=re.compile(
        r"^(?:\([^)]*\) )*(?:\[Stage-\d+\] )?"
        r"(?:(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d (?:\[[^\]]*\]|\S+:\d+\]) )?"
    ),
    # (Worker_TP0 pid=12), (VllmWorker rank=0 pid=12), (VllmWorkerProcess pid=12), (RayWorkerWrapper pid=12, ip=…)
    rank=re.compile(
        r"(?<=\()(?:(?:Ray)?(?:Vllm)?Worker|EngineCore)(?:_\w+| (?:rank=|TP)\d+(?= pid)|[^)]*)(?=[ )])"
    ),
    figures=tuple(re.compile(pattern) for pattern in _FIGURES),
    phases=tuple((re.compile(pattern), phase) for pattern, phase in _PHASES),
    refusals=_REFUSALS,
    wrappers=re.compile(
        r"Engine core initialization failed|See root cause above|WorkerProc initialization failed"
    ),
)


class Reader(PatternReader):
    """Reads vLLM's log as it grows."""

    def __init__(self, version: str | None) -> None:
        """Start before the first line of a log of that version."""
        super().__init__(PATTERNS, version)
