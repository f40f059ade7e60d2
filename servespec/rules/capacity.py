"""SV12x: what the memory that is left can serve. Whether it starts at all is the budget's own verdict."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Change, Fix, Severity
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject

GIB = 2**30
FAR_ABOVE = 8
"""Contexts are called far above the workload from this factor on; with room for the usual long request."""
LARGEST_HOST_GIB = 4096
"""Host memory of the largest 8-GPU nodes that are sold (DGX B200: up to 4 TB)."""
LARGE_DOWNLOAD_BYTES = 50 * GIB
"""From here a download takes minutes on a 10 Gbit/s line (50 GiB: 43 s at line rate, rarely reached)."""


def _usual_request_tokens(subject: Subject) -> int | None:
    workload = subject.spec.workload
    return None if workload is None else workload.input_tokens + workload.output_tokens


@rule(
    code="SV121",
    name="kv-below-workload",
    severity=Severity.warning,
    summary="The KV cache holds fewer of the workload's requests than are meant to run together.",
    explanation="Each running request keeps its keys and values for every token. When the cache cannot hold "
    "workload.concurrency requests of the usual length, the rest waits or is preempted, and latency grows.",
    fix="More memory for the cache (fp8 KV cache, quantized weights, more tensor parallelism), more "
    "replicas, or a lower workload.concurrency.",
    source="vLLM documentation, Optimization: preemption; Little's law",
    triggers=("workload",),
)
def kv_below_workload(subject: Subject) -> Iterable[Finding]:
    """kv_tokens / usual request < concurrency."""
    tokens, budget, workload = _usual_request_tokens(subject), subject.budget, subject.spec.workload
    if tokens is None or budget is None or workload is None or budget.kv_tokens <= 0:
        return
    replicas = max(1, subject.spec.parallel.data) * subject.spec.deploy.replicas
    held = budget.kv_tokens // tokens * replicas
    if held < workload.concurrency:
        yield Finding(
            message=f"the KV cache of {budget.kv_tokens:,} tokens holds {held} requests of {tokens:,} tokens, the workload "
            f"runs {workload.concurrency} together",
            key="workload.concurrency" if "workload.concurrency" in subject.words else "workload",
        )


@rule(
    code="SV122",
    name="workload-longer-than-context",
    severity=Severity.warning,
    summary="A usual request of the workload is longer than max_model_len.",
    explanation="Prompt and completion together may not exceed the context that the server was started "
    "with: such requests are refused or cut short.",
    fix="Raise limits.max_model_len or correct the workload.",
    source="vLLM, SGLang and TGI refuse requests above the context with HTTP 400 or 422",
    triggers=("workload",),
)
def workload_longer_than_context(subject: Subject) -> Iterable[Finding]:
    """input + output > the effective context."""
    tokens, context = _usual_request_tokens(subject), _context(subject)
    if tokens is not None and context is not None and tokens > context:
        yield Finding(
            message=f"a usual request has {tokens:,} tokens, the server takes {context:,}: raise limits.max_model_len",
            key="limits.max_model_len" if "limits.max_model_len" in subject.words else "workload",
            fix=Fix(
                f"raise max_model_len to {tokens:,}",
                changes=(Change("limits.max_model_len", tokens, safe=False),),
            ),
        )


def _context(subject: Subject) -> int | None:
    for name in ("max_model_len", "context_length", "max_total_tokens"):
        value = subject.integer(name)
        if value is not None:
            return value
    return subject.spec.limits.max_model_len


@rule(
    code="SV123",
    name="context-far-above-workload",
    severity=Severity.info,
    summary="max_model_len is far above what the workload asks for.",
    explanation="The engine must keep room for one request of the full context, and its schedulers and "
    "graphs are sized by it. A context that no request uses costs concurrency and may be the reason that a "
    "model does not fit.",
    fix="Set limits.max_model_len a little above the longest request that is expected.",
    source="vLLM documentation, Conserving memory: context length",
    triggers=("workload",),
)
def context_far_above_workload(subject: Subject) -> Iterable[Finding]:
    """context >= 8 times the usual request."""
    tokens, context = _usual_request_tokens(subject), _context(subject)
    if tokens is None or context is None or context < FAR_ABOVE * tokens or context <= 16384:
        return
    yield Finding(
        message=f"the context of {context:,} tokens is {context // tokens} times a usual request ({tokens:,}): a smaller "
        "one leaves more room for requests side by side",
        key="limits.max_model_len" if "limits.max_model_len" in subject.words else "workload",
    )


@rule(
    code="SV124",
    name="more-sequences-than-kv-holds",
    severity=Severity.info,
    summary="More sequences are scheduled together than the KV cache holds.",
    explanation="When running sequences outgrow the cache, some are preempted and computed again. With the "
    "workload's usual length the cache is full before limits.max_concurrent_requests is reached.",
    fix="Lower limits.max_concurrent_requests to what the cache holds.",
    source="vLLM documentation, Optimization: preemption",
    triggers=("limits.max_concurrent_requests",),
)
def more_sequences_than_kv_holds(subject: Subject) -> Iterable[Finding]:
    """max_concurrent_requests > kv_tokens / usual request."""
    tokens, budget = _usual_request_tokens(subject), subject.budget
    asked = subject.spec.limits.max_concurrent_requests
    if tokens is None or budget is None or asked is None or budget.kv_tokens <= 0:
        return
    held = budget.kv_tokens // tokens
    if 0 < held < asked:
        yield Finding(
            message=f"{asked:,} sequences may run together, the KV cache of {budget.kv_tokens:,} tokens holds {held:,} of "
            f"{tokens:,} tokens",
            key="limits.max_concurrent_requests",
        )


@rule(
    code="SV125",
    name="weights-downloaded-by-every-replica",
    severity=Severity.info,
    summary="Every replica downloads the weights at each start.",
    explanation="Without a volume for the cache each pod fetches the whole checkpoint, which takes disk, "
    "line and minutes before the first answer.",
    fix="Set deploy.cache_volume to a volume that all replicas share.",
    source="vLLM documentation, Kubernetes deployment: a claim for the Hugging Face cache",
    triggers=("deploy",),
)
def weights_downloaded_by_every_replica(subject: Subject) -> Iterable[Finding]:
    """deploy without a cache volume, and large weights."""
    budget, spec = subject.budget, subject.spec
    if budget is None or spec.deploy.cache_volume is not None or spec.model.id.startswith((".", "/", "~")):
        return
    ranks = spec.parallel.tensor * spec.parallel.pipeline
    weights = budget.weights.size_bytes * ranks
    if weights >= LARGE_DOWNLOAD_BYTES:
        yield Finding(
            message=f"about {weights / GIB:,.0f} GiB of weights are downloaded by each of {spec.deploy.replicas} replicas: "
            "give deploy.cache_volume",
            key="deploy",
        )


@rule(
    code="SV126",
    name="offload-needs-host-memory",
    severity=Severity.info,
    scope="spec",
    summary="KV offloading takes host memory for each GPU.",
    explanation="kv_cache.cpu_offload_gib is for one GPU. The host must have that much for all GPUs of a "
    "node, pinned, beside what loading the weights takes.",
    fix="See that the node (and the container's memory limit) has that much.",
    source="vLLM 0.32.0 --kv-offloading-size; SGLang --hicache-size",
    triggers=("kv_cache.cpu_offload_gib",),
)
def offload_needs_host_memory(subject: Subject) -> Iterable[Finding]:
    """cpu_offload_gib * GPUs of a node."""
    each, count = subject.spec.kv_cache.cpu_offload_gib, subject.spec.hardware.count
    if each > 0:
        gpus = f"each of {count} GPUs" if count > 1 else "the GPU"
        yield Finding(
            message=f"{each:g} GiB for {gpus}: the node needs {each * count:g} GiB of host memory for KV blocks",
            key="kv_cache.cpu_offload_gib",
        )


@rule(
    code="SV129",
    name="offload-above-any-host",
    severity=Severity.warning,
    scope="spec",
    summary="More host memory is asked for than GPU nodes have.",
    explanation="The blocks that are offloaded lie in pinned host memory, which is taken at start: where the node has less, "
    "the server stops. How much the node has is not known here.",
    error_text="Not enough host memory available. Requesting A GB but only have B GB free.",
    fix="Lower kv_cache.cpu_offload_gib to what the node has to spare.",
    source="NVIDIA DGX B200 datasheet; SGLang 0.5.23 srt/mem_cache/memory_pool_host.py",
    triggers=("kv_cache.cpu_offload_gib",),
)
def offload_above_any_host(subject: Subject) -> Iterable[Finding]:
    """cpu_offload_gib * GPUs of a node > the largest nodes' memory."""
    needed = subject.spec.kv_cache.cpu_offload_gib * subject.spec.hardware.count
    if needed > LARGEST_HOST_GIB:
        yield Finding(
            message=f"{needed:,.0f} GiB of host memory are asked for on each node; the largest GPU nodes have about "
            f"{LARGEST_HOST_GIB:,} GiB",
            key="kv_cache.cpu_offload_gib",
        )


@rule(
    code="SV127",
    name="prompt-fills-context",
    severity=Severity.warning,
    scope="spec",
    summary="max_input_tokens leaves no room for a completion.",
    explanation="max_model_len counts prompt and completion together. A prompt as long as that can have no "
    "answer; TGI refuses to start.",
    error_text="`max_input_tokens` must be < `max_total_tokens`",
    fix="Lower limits.max_input_tokens, or raise limits.max_model_len.",
    source="TGI 3.3.7 launcher/src/main.rs; OpenAI API, max_tokens",
    triggers=("limits.max_input_tokens",),
)
def prompt_fills_context(subject: Subject) -> Iterable[Finding]:
    """max_input_tokens >= max_model_len."""
    limits = subject.spec.limits
    if limits.max_input_tokens and limits.max_model_len and limits.max_input_tokens >= limits.max_model_len:
        yield Finding(
            message=f"max_input_tokens {limits.max_input_tokens:,} leaves nothing of max_model_len "
            f"{limits.max_model_len:,} for a completion",
            key="limits.max_input_tokens",
        )


@rule(
    code="SV128",
    name="prefix-longer-than-prompt",
    severity=Severity.warning,
    scope="spec",
    summary="The shared prefix is longer than the prompt it is a part of.",
    explanation="workload.shared_prefix_tokens are the tokens that all prompts begin with, so they cannot "
    "be more than workload.input_tokens.",
    fix="Correct one of the two.",
    source="servespec: the workload's own definition",
    triggers=("workload.shared_prefix_tokens",),
)
def prefix_longer_than_prompt(subject: Subject) -> Iterable[Finding]:
    """shared_prefix_tokens > input_tokens."""
    workload = subject.spec.workload
    if workload and workload.shared_prefix_tokens > workload.input_tokens:
        yield Finding(
            message=f"the shared prefix has {workload.shared_prefix_tokens:,} tokens, a prompt {workload.input_tokens:,}",
            key="workload.shared_prefix_tokens",
        )
