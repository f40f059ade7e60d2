"""Compilation, graphs and attention backends of vLLM."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Severity
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject

# Flags that are also keys of a JSON flag; both at once are refused: create_engine_config of 0.32.0.
TWICE: tuple[tuple[str, str, str], ...] = (
    ("cudagraph_capture_sizes", "compilation_config", "cudagraph_capture_sizes"),
    ("max_cudagraph_capture_size", "compilation_config", "max_cudagraph_capture_size"),
    ("attention_backend", "attention_config", "backend"),
    ("enable_flashinfer_autotune", "kernel_config", "enable_flashinfer_autotune"),
)


@rule(
    code="SV260",
    name="vllm-setting-given-twice",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.11.1",
    summary="A setting is given by its own flag and inside a JSON flag.",
    explanation="Graph capture sizes and attention backend may be given by a flag of their own or as a key "
    "of compilation_config or attention_config; vLLM refuses both at once.",
    error_text="cudagraph_capture_sizes and compilation_config.cudagraph_capture_sizes are mutually "
    "exclusive",
    fix="Keep one of the two.",
    source="vLLM 0.11.2, 0.32.0 vllm/engine/arg_utils.py create_engine_config",
    triggers=tuple(f"args.{flag}" for flag, _, _ in TWICE),
)
def setting_given_twice(subject: Subject) -> Iterable[Finding]:
    """A flag and the same key in its JSON flag."""
    for flag, parent, inner in TWICE:
        if subject.is_given(flag) and subject.mapping(parent).get(inner) is not None:
            yield Finding(
                message=f"{flag} is given by itself and as {parent}.{inner}: keep one", key=subject.key(flag)
            )


@rule(
    code="SV261",
    name="vllm-capture-size-mismatch",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.11.1",
    summary="max_cudagraph_capture_size must be the largest of cudagraph_capture_sizes.",
    explanation="Where both are given vLLM refuses them when they disagree. Sizes above "
    "max_num_batched_tokens are dropped before the comparison.",
    error_text="customized max_cudagraph_capture_size(=A) should be consistent with the max value of "
    "cudagraph_capture_sizes(=B)",
    fix="Leave max_cudagraph_capture_size out.",
    source="vLLM 0.11.2, 0.32.0 vllm/config/vllm.py _set_cudagraph_sizes",
    triggers=("args.cudagraph_capture_sizes", "args.compilation_config"),
)
def capture_size_mismatch(subject: Subject) -> Iterable[Finding]:
    """max_cudagraph_capture_size differs from the largest capture size."""
    inner = subject.mapping("compilation_config")
    sizes = subject.value("cudagraph_capture_sizes") or inner.get("cudagraph_capture_sizes")
    largest = subject.value("max_cudagraph_capture_size") or inner.get("max_cudagraph_capture_size")
    if (
        not isinstance(sizes, list | tuple)
        or not sizes
        or not isinstance(largest, int)
        or subject.flag("enforce_eager")
    ):
        return
    numbers = [size for size in sizes if isinstance(size, int)]
    batched = subject.integer("max_num_batched_tokens")
    kept = [size for size in numbers if batched is None or size <= batched]
    if kept and max(kept) != largest:
        yield Finding(
            message=f"max_cudagraph_capture_size is {largest}, the largest of cudagraph_capture_sizes is {max(kept)}",
            key=subject.key("max_cudagraph_capture_size")
            or subject.key("cudagraph_capture_sizes")
            or subject.key("compilation_config"),
        )


@rule(
    code="SV262",
    name="vllm-graph-mode-without-compilation",
    severity=Severity.warning,
    engine="vllm",
    versions=">=0.11",
    summary="enforce_eager turns the graph settings beside it off.",
    explanation="With enforce_eager neither torch.compile nor CUDA graphs run, so capture sizes and graph "
    "modes have no effect. Eager mode costs decode speed and saves the memory of the graphs.",
    fix="Remove enforce_eager, or the graph settings.",
    source="vLLM 0.32.0 vllm/config/vllm.py __post_init__",
    triggers=("args.enforce_eager",),
)
def graph_mode_without_compilation(subject: Subject) -> Iterable[Finding]:
    """enforce_eager and graph settings."""
    if not subject.flag("enforce_eager"):
        return
    for name in ("cudagraph_capture_sizes", "max_cudagraph_capture_size", "compilation_config"):
        if subject.is_given(name):
            yield Finding(
                message=f"enforce_eager turns graphs off, so {name} has no effect", key=subject.key(name)
            )


@rule(
    code="SV264",
    name="vllm-xformers-removed",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.13",
    summary="The attention backend XFORMERS was removed.",
    explanation="Asked for as attention_backend or mm_encoder_attn_backend it is refused.",
    error_text="Attention backend 'XFORMERS' has been removed (See PR #29262 for details). Please select a "
    "supported attention backend.",
    fix="Leave the backend out, or use FLASH_ATTN, FLASHINFER or TRITON_ATTN.",
    source="vLLM 0.32.0 vllm/config/attention.py, vllm/config/multimodal.py",
    triggers=("args.attention_backend", "args.mm_encoder_attn_backend"),
)
def xformers_removed(subject: Subject) -> Iterable[Finding]:
    """attention_backend XFORMERS."""
    for name in ("attention_backend", "mm_encoder_attn_backend"):
        asked = subject.text(name)
        if (
            asked
            and asked.upper() == "XFORMERS"
            and (name == "attention_backend" or subject.model.is_multimodal)
        ):
            yield Finding(
                message=f"{name} XFORMERS was removed from vLLM: leave it out", key=subject.key(name)
            )


@rule(
    code="SV265",
    name="vllm-attention-backend-variable-ignored",
    severity=Severity.warning,
    engine="vllm",
    versions=">=0.15",
    summary="VLLM_ATTENTION_BACKEND is no longer read.",
    explanation="Since 0.15 the backend is chosen by the flag attention_backend; the variable is ignored "
    "without a word.",
    fix="Use targets.vllm.args.attention_backend.",
    source="vLLM 0.14.0 and 0.15.0 vllm/envs.py",
    triggers=("env.VLLM_ATTENTION_BACKEND",),
)
def attention_backend_variable_ignored(subject: Subject) -> Iterable[Finding]:
    """VLLM_ATTENTION_BACKEND is set."""
    if "VLLM_ATTENTION_BACKEND" not in subject.env:
        return
    own = "VLLM_ATTENTION_BACKEND" in subject.target.target.env
    yield Finding(
        message=f"vLLM {subject.version} does not read VLLM_ATTENTION_BACKEND: use args.attention_backend",
        key="targets.vllm.env.VLLM_ATTENTION_BACKEND" if own else "env.VLLM_ATTENTION_BACKEND",
    )


@rule(
    code="SV266",
    name="vllm-kv-transfer-expandable-segments",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.25",
    summary="KV connectors do not go with expandable segments of the CUDA allocator.",
    explanation="The allocator may move pages under memory that the connector has registered; vLLM refuses "
    "the pair unless enable_cumem_allocator is set.",
    error_text="KV connector A is incompatible with PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True unless "
    "enable_cumem_allocator is also enabled.",
    fix="Remove expandable_segments:True from PYTORCH_CUDA_ALLOC_CONF.",
    source="vLLM 0.25.1, 0.32.0 vllm/config/vllm.py _verify_kv_transfer_compat",
    triggers=("args.kv_transfer_config",),
)
def kv_transfer_expandable_segments(subject: Subject) -> Iterable[Finding]:
    """A KV connector and expandable_segments:True."""
    asked = "expandable_segments:True" in str(subject.env.get("PYTORCH_CUDA_ALLOC_CONF", ""))
    connector = subject.mapping("kv_transfer_config").get("kv_connector")
    if (
        asked
        and connector
        and not subject.flag("enable_cumem_allocator")
        and not subject.flag("enable_sleep_mode")
    ):
        yield Finding(
            message=f"{connector} and PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True are refused together",
            key=subject.key("kv_transfer_config"),
        )
