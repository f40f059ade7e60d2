"""SGLang's start-up log.

Read off SGLang's source (``model_executor/model_runner.py``, ``mem_cache/memory_pool.py``,
``model_executor/model_runner_components/cuda_graph_setup.py``, ``managers/scheduler.py``) and off published
logs of 0.3 to 0.5.23. Its "GB" is GiB; free memory is printed before and after each step.
"""

from __future__ import annotations

import re

from servespec.engines.log_patterns import LogPatterns, PatternReader, Refusal

_FIGURES = (
    r"Load weight end\..* mem usage=(?P<weights_bytes>[\d.]+) GB",
    # One line a pool: models with sliding windows have two, speculative decoding adds the draft's.
    r"KV Cache (?:is allocated|VA upper bound)\. .*?K size: (?P<kv_cache_bytes>[\d.]+) GB",
    r"KV Cache (?:is allocated|VA upper bound)\. .*?V size: (?P<kv_cache_bytes>[\d.]+) GB",
    r"KV Cache (?:is allocated|VA upper bound)\. .*?KV size: (?P<kv_cache_bytes>[\d.]+) GB",
    r"[Cc]apture .*(?:graph|CPUGraphRunner) end\..* mem usage=(?P<cuda_graph_bytes>[\d.]+) GB",
    r"max_total_num_tokens=(?P<kv_tokens>\d+)",
    r"context_len=(?P<max_model_len>\d+)",
    r"server_args=ServerArgs\(.*\bpage_size=(?P<block_size>\d+)",
)

_PHASES = (
    (r"The server is fired up and ready to roll", "ready"),
    (r"Uvicorn running on|Application startup complete", "warming up"),
    (r"[Cc]apture .*graph begin", "capturing CUDA graphs"),
    (r"KV Cache is allocated|Memory pool end", "allocating the KV cache"),
    (r"(?:Loading|loading) (?:\w+ checkpoint )?shards:.*?\| (\d+/\d+) ", r"loading weights (\1)"),
    (r"Load weight begin", "loading weights"),
    (r"Init torch distributed begin|Init parallel begin", "starting the workers"),
    (r"server_args=", "reading the configuration"),
)

_OUT_OF_MEMORY_KINDS = {
    "loading weights": "weights_exceed_device",
    "capturing CUDA graphs": "graphs_exceed_memory",
    "allocating the KV cache": "graphs_exceed_memory",
}

_REFUSALS = (
    Refusal(
        "no_memory_for_kv", re.compile(r"Not enough memory\. Please try to increase --mem-fraction-static")
    ),
    Refusal(
        "out_of_memory",
        re.compile(r"(?:CUDA|HIP|XPU) out of memory|OutOfMemoryError: |CUDA error: out of memory"),
        _OUT_OF_MEMORY_KINDS,
    ),
    Refusal("unknown_flag", re.compile(r"error: unrecognized arguments:|error: ambiguous option:")),
    Refusal("invalid_setting", re.compile(r"^(?:launch_server\.py|sglang|usage).*error: ")),
    Refusal(
        "address_in_use",
        re.compile(r"[Aa]ddress already in use|Port \d+ (?:is|was) (?:already|not available)"),
    ),
    Refusal("gated_model", re.compile(r"GatedRepoError: |You are trying to access a gated repo")),
    Refusal(
        "model_not_found",
        re.compile(
            r"(?:LocalEntryNotFound|RepositoryNotFound|HFValidation)Error: |is not a valid model identifier"
            r"|does not appear to have a file named|Can't load the configuration of|Unrecognized model in"
        ),
    ),
)

PATTERNS = LogPatterns(
    engine="sglang",
    prefix=re.compile(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?: [^\]]*)?\] "),
    # managers/scheduler.py: DP0 PP0 ATTN_CP0 MOE_DP0 TP0 EP0, of each only where there are several
    rank=re.compile(r"(?<=:\d\d )[A-Z_]+\d+(?: [A-Z_]+\d+)*(?=\])"),
    figures=tuple(re.compile(pattern) for pattern in _FIGURES),
    phases=tuple((re.compile(pattern), phase) for pattern, phase in _PHASES),
    refusals=_REFUSALS,
    wrappers=re.compile(r"Initialization failed|Rank 0 scheduler (?:is dead|died)|EOFError"),
    summed=frozenset({"kv_cache_bytes", "cuda_graph_bytes"}),
)


class Reader(PatternReader):
    """Reads SGLang's log as it grows."""

    def __init__(self, version: str | None) -> None:
        """Start before the first line of a log of that version."""
        super().__init__(PATTERNS, version)
