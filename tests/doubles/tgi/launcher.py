#!/usr/bin/env python3
"""A test double of ``text-generation-launcher``: no model, no GPU, the same command line and HTTP surface.

It accepts exactly the flags and variables of ``launcher.md``, refuses what the launcher refuses
(launcher/src/main.rs), logs what a log reader looks for, and serves what ``openapi.json`` describes.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path

from http_contract import Contract
from launcher_contract import Refused, parse, read_options
from server import Handler, Limits

CONTRACT = Path(os.environ.get("TGI_DOUBLE_CONTRACT", Path(__file__).parents[2] / "data" / "tgi"))

LIBRARIES = (
    "HF_",
    "HUGGING_FACE_",
    "HUGGINGFACE_",
    "TRANSFORMERS_",
    "SAFETENSORS_",
    "NCCL_",
    "CUDA_",
    "NVIDIA_",
)
"""Variables of the libraries below TGI, which it passes on."""
TGI_OWN = (
    "ATTENTION",
    "PREFIX_CACHING",
    "RUST_LOG",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "LOG_COLORIZE",
    "TGI_WIGGLE_ROOM",
)
"""Variables that TGI reads outside its launcher's flags (server/text_generation_server/models/globals.py)."""
OF_ANY_CONTAINER = ("PATH", "HOME", "PWD", "OLDPWD", "TERM", "LANG", "SHLVL", "_", "container", "LC_CTYPE")
"""What container engines and shells set."""


def main(words: list[str]) -> int:
    options = read_options(CONTRACT / "launcher.md")
    try:
        refuse_unknown_variables({option.variable for option in options})
        values = parse(options, words, os.environ)
    except Refused as refused:
        print(refused, file=sys.stderr, flush=True)
        return 2
    log("INFO", "text_generation_launcher", f"Args {{ {', '.join(f'{k}: {v}' for k, v in values.items())} }}")
    try:
        limits = limits_of(values)
    except Refused as refused:
        print(f'Error: ArgumentValidation("{refused}")', file=sys.stderr, flush=True)
        return 1
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    log(
        "INFO",
        "download",
        "text_generation_launcher: Starting check and download process for " + limits.model_id,
    )
    log("INFO", "shard-manager", "text_generation_launcher: Starting shard rank=0")
    log("INFO", "text_generation_router_v3", "backends/v3/src/lib.rs:125: Warming up model")
    total = int(values.get("max-batch-total-tokens") or 4 * limits.max_total_tokens)
    log(
        "INFO",
        "text_generation_router_v3",
        f"backends/v3/src/lib.rs:137: Setting max batch total tokens to {total}",
    )
    Handler.contract = Contract(CONTRACT / "openapi.json")
    Handler.limits = limits
    with ThreadingHTTPServer(("0.0.0.0", int(values["port"])), Handler) as server:
        log("INFO", "text_generation_router::server", "router/src/server.rs:2302: Connected")
        server.serve_forever()
    return 0


def refuse_unknown_variables(known: set[str | None]) -> None:
    """A variable that nothing in TGI reads is a mistake of whoever set it, which real TGI would not see."""
    for name in os.environ:
        if name in known or name in TGI_OWN or name in OF_ANY_CONTAINER or name.startswith(LIBRARIES):
            continue
        if name.startswith(("PYTHON", "TGI_DOUBLE_")):  # what this double itself needs
            continue
        raise Refused(f"the test double knows no variable {name}: TGI's launcher.md does not have it")


def limits_of(values: dict[str, str]) -> Limits:
    """The limits in force. Raises Refused where the launcher ends with ArgumentValidation."""
    total = int(values.get("max-total-tokens", 2048))
    given = values.get("max-input-tokens", values.get("max-input-length"))
    longest = int(given) if given is not None else total - 1
    if longest >= total:
        raise Refused(f"`max_input_tokens`({longest}) must be < `max_total_tokens`({total})")
    batch = values.get("max-batch-total-tokens")
    if batch is not None and total > int(batch):
        raise Refused(f"`max_total_tokens` must be <= `max_batch_total_tokens`. Given: {total} and {batch}")
    if int(values["validation-workers"]) == 0:
        raise Refused("`validation_workers` must be > 0")
    return Limits(
        model_id=values["model-id"],
        max_input_tokens=longest,
        max_total_tokens=total,
        max_concurrent_requests=int(values["max-concurrent-requests"]),
        max_best_of=int(values["max-best-of"]),
        max_stop_sequences=int(values["max-stop-sequences"]),
        max_client_batch_size=int(values["max-client-batch-size"]),
        validation_workers=int(values["validation-workers"]),
    )


def log(level: str, target: str, message: str) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    print(f"{now}  {level} {target}: {message}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
