"""Lengths, batches and counts that TGI refuses together."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Change, Fix, Severity
from servespec.engines.tgi.rules.view import input_tokens, key_of, total_tokens
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject


@rule(
    code="SV210",
    name="tgi-input-fills-total",
    severity=Severity.error,
    engine="tgi",
    versions=">=0.3.2",
    summary="max_input_tokens must be below max_total_tokens.",
    explanation="max_total_tokens counts prompt and completion; at least one token must be left for an "
    "answer.",
    error_text="`max_input_tokens`(A) must be < `max_total_tokens`(B)",
    fix="Lower limits.max_input_tokens or raise limits.max_model_len.",
    source="TGI 3.3.7 launcher/src/main.rs, backends/v3/src/main.rs",
    triggers=(
        "limits.max_input_tokens",
        "args.max_input_tokens",
        "args.max_input_length",
        "args.max_total_tokens",
    ),
)
def input_fills_total(subject: Subject) -> Iterable[Finding]:
    """max_input_tokens >= max_total_tokens."""
    prompt, total = input_tokens(subject), total_tokens(subject)
    if prompt is not None and total is not None and prompt >= total:
        yield Finding(
            message=f"max_input_tokens {prompt:,} must be below max_total_tokens {total:,}",
            key=key_of(subject, "max_input_tokens", "limits.max_input_tokens"),
        )


@rule(
    code="SV211",
    name="tgi-two-input-limits",
    severity=Severity.error,
    engine="tgi",
    versions=">=2.0",
    summary="max_input_tokens and its old name max_input_length are both given.",
    explanation="The launcher refuses both at once. The spec's limits.max_input_tokens becomes the flag too.",
    error_text="Both `max_input_tokens` (A) and `max_input_length` (B) are set. Please define only "
    "`max_input_tokens` as `max_input_length is deprecated for naming consistency.",
    fix="Remove max_input_length.",
    source="TGI 2.0.0 to 3.3.7 launcher/src/main.rs",
    triggers=("args.max_input_length",),
)
def two_input_limits(subject: Subject) -> Iterable[Finding]:
    """max_input_length beside max_input_tokens."""
    old = subject.args.get("max_input_length")
    new = "max_input_tokens" in subject.args or subject.spec.limits.max_input_tokens is not None
    if old is not None and new and subject.args.get("max_input_tokens") != old:
        key = f"targets.tgi.args.{old[0]}"
        yield Finding(
            message="max_input_length is the old name of max_input_tokens, and both are given",
            key=key,
            fix=Fix("remove max_input_length", changes=(Change(key, remove=True, safe=False),)),
        )


@rule(
    code="SV212",
    name="tgi-prefill-below-input",
    severity=Severity.error,
    engine="tgi",
    versions=">=0.9,<3.0",
    summary="Without chunked prefill a batch must hold the longest prompt.",
    explanation="Before 3.0 a prompt is computed in one pass, so max_batch_prefill_tokens may not be below "
    "max_input_tokens.",
    error_text="`max_batch_prefill_tokens` must be >= `max_input_tokens`. Given: A and B",
    fix="Raise limits.max_batched_tokens to limits.max_input_tokens.",
    source="TGI 0.9 to 2.4 launcher/src/main.rs; 3.3.7 backends/v3/src/main.rs (with support_chunking)",
    triggers=("limits.max_batched_tokens", "args.max_batch_prefill_tokens"),
)
def prefill_below_input(subject: Subject) -> Iterable[Finding]:
    """max_batch_prefill_tokens < max_input_tokens."""
    given = subject.args.get("max_batch_prefill_tokens")
    prefill = given[1] if given else subject.spec.limits.max_batched_tokens
    prompt = input_tokens(subject)
    if isinstance(prefill, int) and prompt is not None and prefill < prompt:
        key = key_of(subject, "max_batch_prefill_tokens", "limits.max_batched_tokens")
        yield Finding(
            message=f"max_batch_prefill_tokens {prefill:,} cannot hold a prompt of max_input_tokens {prompt:,}",
            key=key,
            fix=Fix(f"raise it to {prompt:,}", changes=(Change(key, prompt, safe=False),)),
        )


@rule(
    code="SV213",
    name="tgi-prefill-above-batch",
    severity=Severity.error,
    engine="tgi",
    versions=">=0.9",
    summary="max_batch_prefill_tokens may not be above max_batch_total_tokens.",
    explanation="The prompts of a batch are a part of its tokens.",
    error_text="`max_batch_prefill_tokens` must be <= `max_batch_total_tokens`. Given: A and B",
    fix="Lower max_batch_prefill_tokens or raise max_batch_total_tokens.",
    source="TGI 3.3.7 backends/v3/src/main.rs",
    triggers=("args.max_batch_total_tokens",),
)
def prefill_above_batch(subject: Subject) -> Iterable[Finding]:
    """max_batch_prefill_tokens > max_batch_total_tokens."""
    given = subject.args.get("max_batch_prefill_tokens")
    prefill = given[1] if given else subject.spec.limits.max_batched_tokens
    batch = subject.args.get("max_batch_total_tokens")
    if isinstance(prefill, int) and batch and isinstance(batch[1], int) and prefill > batch[1]:
        yield Finding(
            message=f"max_batch_prefill_tokens {prefill:,} is above max_batch_total_tokens {batch[1]:,}",
            key=key_of(subject, "max_batch_total_tokens", "limits.max_batched_tokens"),
        )


@rule(
    code="SV214",
    name="tgi-total-above-batch",
    severity=Severity.error,
    engine="tgi",
    versions=">=0.9",
    summary="max_total_tokens may not be above max_batch_total_tokens.",
    explanation="A batch must hold at least one request of full length.",
    error_text="`max_total_tokens` must be <= `max_batch_total_tokens`. Given: A and B",
    fix="Lower limits.max_model_len or raise max_batch_total_tokens.",
    source="TGI 3.3.7 launcher/src/main.rs",
    triggers=("args.max_batch_total_tokens",),
)
def total_above_batch(subject: Subject) -> Iterable[Finding]:
    """max_total_tokens > max_batch_total_tokens."""
    total, batch = total_tokens(subject), subject.args.get("max_batch_total_tokens")
    if total is not None and batch and isinstance(batch[1], int) and total > batch[1]:
        yield Finding(
            message=f"max_total_tokens {total:,} is above max_batch_total_tokens {batch[1]:,}",
            key=key_of(subject, "max_batch_total_tokens", "limits.max_model_len"),
        )


@rule(
    code="SV215",
    name="tgi-zero-counts",
    severity=Severity.error,
    engine="tgi",
    summary="validation_workers and max_batch_size must be above zero.",
    explanation="The router needs a worker that validates requests, and a batch at least one request.",
    error_text="`validation_workers` must be > 0",
    fix="Give at least 1, or leave the flag out.",
    source="TGI 3.3.7 launcher/src/main.rs, backends/v3/src/main.rs",
    triggers=("args.validation_workers", "args.max_batch_size"),
)
def zero_counts(subject: Subject) -> Iterable[Finding]:
    """validation_workers or max_batch_size is 0."""
    for name in ("validation_workers", "max_batch_size"):
        given = subject.args.get(name)
        if given and given[1] == 0:
            key = f"targets.tgi.args.{given[0]}"
            yield Finding(
                message=f"{name} must be above zero",
                key=key,
                fix=Fix("leave it out", changes=(Change(key, remove=True),)),
            )


@rule(
    code="SV216",
    name="tgi-adapter-format",
    severity=Severity.error,
    engine="tgi",
    versions=">=2.1",
    summary="An entry of lora_adapters has one @ at most.",
    explanation="Entries are id, id@revision or name=/path, separated by commas.",
    error_text="Invalid LoRA adapter format: A",
    fix="Write org/adapter@revision.",
    source="TGI 3.3.7 launcher/src/main.rs",
    triggers=("args.lora_adapters",),
)
def adapter_format(subject: Subject) -> Iterable[Finding]:
    """More than one @ in an entry."""
    given = subject.args.get("lora_adapters")
    if given is None or not isinstance(given[1], str):
        return
    for entry in given[1].split(","):
        if "=" not in entry and entry.count("@") > 1:
            yield Finding(
                message=f"adapter {entry.strip()!r} has more than one @: write org/adapter@revision",
                key=f"targets.tgi.args.{given[0]}",
            )


@rule(
    code="SV217",
    name="tgi-tunnel-without-account",
    severity=Severity.error,
    engine="tgi",
    summary="ngrok needs ngrok_authtoken and ngrok_edge.",
    explanation="The tunnel belongs to an account and an edge.",
    error_text="`ngrok-authtoken` must be set when using ngrok tunneling",
    fix="Give both by reference, or leave ngrok out.",
    source="TGI 3.3.7 launcher/src/main.rs",
    triggers=("args.ngrok",),
)
def tunnel_without_account(subject: Subject) -> Iterable[Finding]:
    """ngrok without token or edge."""
    if not subject.flag("ngrok"):
        return
    missing = [
        name
        for name in ("ngrok_authtoken", "ngrok_edge")
        if not subject.value(name) and name.upper() not in subject.env
    ]
    if missing:
        yield Finding(message=f"ngrok needs {' and '.join(missing)}", key=subject.key("ngrok"))


@rule(
    code="SV218",
    name="tgi-sharded-by-one",
    severity=Severity.error,
    engine="tgi",
    summary="sharded: true needs more than one shard.",
    explanation="With sharded the launcher insists on at least two shards.",
    error_text="`sharded` is true but `num_shard` <= 1",
    fix="Remove sharded, or raise parallel.tensor.",
    source="TGI 3.3.7 launcher/src/main.rs find_num_shards",
    triggers=("args.sharded",),
)
def sharded_by_one(subject: Subject) -> Iterable[Finding]:
    """sharded is true and num_shard is 1."""
    given = subject.args.get("sharded")
    if given is None or str(given[1]).lower() != "true":
        return
    shards = subject.args.get("num_shard")
    number = shards[1] if shards else max(subject.spec.parallel.tensor, subject.spec.hardware.count)
    if isinstance(number, int) and number <= 1:
        key = f"targets.tgi.args.{given[0]}"
        yield Finding(
            message="sharded is true, but there is one shard",
            key=key,
            fix=Fix("remove sharded", changes=(Change(key, remove=True),)),
        )


@rule(
    code="SV411",
    name="tgi-batch-above-queue",
    severity=Severity.warning,
    engine="tgi",
    summary="max_batch_size above max_concurrent_requests can never be reached.",
    explanation="The router refuses requests beyond max_concurrent_requests, waiting and running together, "
    "so a batch never grows larger.",
    fix="Raise limits.max_concurrent_requests above max_batch_size, so that some may wait.",
    source="TGI 3.3.7 docs/source/reference/launcher.md",
    triggers=("args.max_batch_size",),
)
def batch_above_queue(subject: Subject) -> Iterable[Finding]:
    """max_batch_size > max_concurrent_requests."""
    size = subject.args.get("max_batch_size")
    accepted = (
        subject.integer("max_concurrent_requests") or subject.spec.limits.max_concurrent_requests or 128
    )
    if size and isinstance(size[1], int) and size[1] > accepted:
        yield Finding(
            message=f"max_batch_size {size[1]:,} is above the {accepted:,} requests that the router accepts at once",
            key=f"targets.tgi.args.{size[0]}",
        )


@rule(
    code="SV412",
    name="tgi-waiting-ratio-out-of-reach",
    severity=Severity.warning,
    engine="tgi",
    summary="waiting_served_ratio can never be reached.",
    explanation="Running requests are paused for waiting ones once waiting ≥ ratio × running. With a full "
    "batch of max_batch_size, at most max_concurrent_requests - max_batch_size wait: a larger ratio leaves "
    "only max_waiting_tokens to let anyone in.",
    fix="Lower waiting_served_ratio, or raise limits.max_concurrent_requests.",
    source="TGI 3.3.7 docs/source/reference/launcher.md; backends/v3/src/backend.rs batching_task",
    triggers=("args.waiting_served_ratio",),
)
def waiting_ratio_out_of_reach(subject: Subject) -> Iterable[Finding]:
    """ratio * max_batch_size > max_concurrent_requests - max_batch_size."""
    ratio, size = subject.args.get("waiting_served_ratio"), subject.args.get("max_batch_size")
    accepted = (
        subject.integer("max_concurrent_requests") or subject.spec.limits.max_concurrent_requests or 128
    )
    if not ratio or not size or not isinstance(ratio[1], int | float) or not isinstance(size[1], int):
        return
    if 0 < size[1] < accepted and ratio[1] * size[1] > accepted - size[1]:
        yield Finding(
            message=f"{ratio[1]:g} × {size[1]} running requests is more than the {accepted - size[1]} that can wait",
            key=f"targets.tgi.args.{ratio[0]}",
        )


@rule(
    code="SV413",
    name="tgi-decode-always-interrupted",
    severity=Severity.warning,
    engine="tgi",
    summary="max_waiting_tokens: 0 stops decoding for every request that arrives.",
    explanation="The number says how many tokens are decoded before waiting requests are forced into the "
    "batch. At 0 each arrival pauses all running requests for its prefill, and their latency follows the "
    "traffic.",
    fix="Leave max_waiting_tokens out (20).",
    source="TGI 3.3.7 docs/source/reference/launcher.md",
    triggers=("args.max_waiting_tokens",),
)
def decode_always_interrupted(subject: Subject) -> Iterable[Finding]:
    """max_waiting_tokens is 0."""
    given = subject.args.get("max_waiting_tokens")
    if given and given[1] == 0:
        key = f"targets.tgi.args.{given[0]}"
        yield Finding(
            message="max_waiting_tokens 0 pauses all running requests for each that arrives",
            key=key,
            fix=Fix("leave it out", changes=(Change(key, remove=True, safe=False),)),
        )
