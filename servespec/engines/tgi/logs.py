"""TGI's start-up log.

Read off TGI's source (``launcher/src/main.rs``, ``backends/v2`` and ``v3`` ``src/lib.rs`` and ``main.rs``,
``server/text_generation_server/models/flash_causal_lm.py``) and off published logs of 0.9 to 3.3. It prints
no sizes in bytes: blocks and tokens are all that can be read.
"""

from __future__ import annotations

import re

from servespec.engines.log_patterns import LogPatterns, PatternReader, Refusal

_FIGURES = (
    r"KV-cache blocks: (?P<num_blocks>\d+), size: (?P<block_size>\d+)",
    r"Setting max batch total tokens to (?P<kv_tokens>\d+)",
    r"Maximum total tokens defaulted to (?P<max_model_len>\d+)",
    r"\bmax_total_tokens: (?:Some\(\s*)?(?P<max_model_len>\d+)",
)

_PHASES = (
    (r"(?<![\w ])Connected\b|: Connected\b", "ready"),
    (r"Cuda Graphs are enabled", "capturing CUDA graphs"),
    (r"Warming up model", "warming up"),
    (r"Starting Webserver", "starting the HTTP server"),
    (r"Starting shard|Waiting for shard", "loading weights"),
    (r"Starting (?:check and )?download process|Download file:", "downloading weights"),
    (r"text_generation_launcher: Args", "reading the configuration"),
)

_REFUSALS = (
    Refusal("warmup_exceeds_memory", re.compile(r"Not enough memory to handle .*prefill tokens")),
    Refusal("context_exceeds_kv", re.compile(r"Not enough memory to handle `max_total_tokens=")),
    Refusal(
        "out_of_memory",
        re.compile(r"(?:CUDA|HIP) out of memory|OutOfMemoryError: |would exceed allowed memory"),
        {"loading weights": "weights_exceed_device", "warming up": "warmup_exceeds_memory"},
    ),
    Refusal("unknown_flag", re.compile(r"error: unexpected argument")),
    Refusal("invalid_setting", re.compile(r"error: (?:invalid value|the argument)|ArgumentValidation\(")),
    Refusal(
        "not_enough_devices", re.compile(r"NotEnoughCUDADevices|NoCUDADevices|num_shard is not configured")
    ),
    Refusal("address_in_use", re.compile(r"[Aa]ddress (?:already )?in use")),
    Refusal("gated_model", re.compile(r"GatedRepoError: |401 Client Error|Access to model .* is restricted")),
    Refusal("model_not_found", re.compile(r"(?:RepositoryNotFound|LocalEntryNotFound|EntryNotFound)Error: ")),
)

PATTERNS = LogPatterns(
    engine="tgi",
    prefix=re.compile(r"^(?:\S+\s+\| )?\d{4}-\d\d-\d\dT[\d:.]+Z\s+(?:TRACE|DEBUG|INFO|WARN|ERROR) "),
    rank=re.compile(r"\brank=\d+"),
    figures=tuple(re.compile(pattern) for pattern in _FIGURES),
    phases=tuple((re.compile(pattern), phase) for pattern, phase in _PHASES),
    refusals=_REFUSALS,
    wrappers=re.compile(r"ShardCannotStart|WebserverFailed"),
)


class Reader(PatternReader):
    """Reads TGI's log as it grows."""

    def __init__(self, version: str | None) -> None:
        """Start before the first line of a log of that version."""
        super().__init__(PATTERNS, version)
