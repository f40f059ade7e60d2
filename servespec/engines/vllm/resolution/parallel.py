"""Parallelism (vllm/config/parallel.py)."""

from __future__ import annotations

from servespec.engines.vllm.resolution.builder import Builder


def settle(builder: Builder) -> None:
    """Tensor, pipeline, data, expert and context parallelism."""
    parallel = builder.inputs.spec.parallel
    given = parallel.model_fields_set
    builder.choose(
        "tensor_parallel_size",
        1,
        spec_value=_given(parallel.tensor, 1, "tensor" in given),
        spec_key="parallel.tensor",
    )
    builder.choose(
        "pipeline_parallel_size",
        1,
        spec_value=_given(parallel.pipeline, 1, "pipeline" in given),
        spec_key="parallel.pipeline",
    )
    builder.choose(
        "data_parallel_size",
        1,
        spec_value=_given(parallel.data, 1, "data" in given),
        spec_key="parallel.data",
    )
    builder.choose(
        "enable_expert_parallel",
        False,
        spec_value=True if parallel.expert else None,
        spec_key="parallel.expert",
    )
    builder.choose("decode_context_parallel_size", 1)
    if builder.is_version(">=0.12"):
        builder.choose("prefill_context_parallel_size", 1)
    builder.choose("enable_eplb", False)
    builder.choose("distributed_executor_backend", None)
    builder.choose("enable_dbo", False)
    eplb = builder.arguments.mapping("eplb_config")
    redundant = eplb.get("num_redundant_experts", builder.arguments.get("num_redundant_experts"))
    builder.put(
        "num_redundant_experts",
        redundant if isinstance(redundant, int) else 0,
        "args" if isinstance(redundant, int) else builder.default_source,
    )


def _given(value: int, neutral: int, is_written: bool) -> int | None:
    """A degree of parallelism counts as given when it is written and says something."""
    return value if is_written and value != neutral else None
