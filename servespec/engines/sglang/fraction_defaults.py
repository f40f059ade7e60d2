"""The share of memory for weights and KV cache: spec key, then flag, then what the version works out."""

from __future__ import annotations

from servespec.engines.sglang import capacity, graphs
from servespec.engines.sglang.builder import Builder

# server_args.py since 0.5.5, arg_groups/attention_hook.py since 0.5.19: also of a fraction that a flag gives.
AITER_KEEPS_MORE = "0.5.5"


def settle(builder: Builder) -> None:
    """``mem_fraction_static``, and what ServerArgs changes once it is set."""
    _static_fraction(builder)
    _after_the_fraction(builder)


def _static_fraction(builder: Builder) -> None:
    inputs = builder.inputs
    algorithm = builder.value("speculative_algorithm")
    vision = inputs.model.vision
    given = capacity.Capacity(
        version=inputs.version,
        gpu_mib=builder.gpu_mib,
        tp_size=builder.integer("tp_size", 1),
        pp_size=builder.integer("pp_size", 1),
        dp_size=builder.integer("dp_size", 1),
        chunked_prefill_size=builder.integer("chunked_prefill_size"),
        max_prefill_tokens=builder.integer("max_prefill_tokens"),
        cuda_graph_max_bs=builder.integer("cuda_graph_max_bs"),
        has_decode_graphs=builder.flag("decode_cuda_graphs"),
        prefill_graphs=builder.integer("prefill_cuda_graphs"),
        is_mla=graphs.is_mla(inputs.model),
        enable_dp_attention=builder.flag("enable_dp_attention"),
        speculative_algorithm=str(algorithm) if algorithm is not None else None,
        uses_deepep=builder.arguments.get("moe_a2a_backend") == "deepep",
        vision_layers=vision.layers if vision else 0,
        vision_hidden_size=vision.hidden_size if vision else 0,
        is_multimodal=inputs.model.is_multimodal,
    )
    fraction = capacity.mem_fraction_static(given)
    builder.choose("mem_fraction_static", default=fraction)
    share = inputs.spec.limits.gpu_memory_fraction
    if share is not None and "mem_fraction_static" not in builder.arguments:
        static = max(0.01, round(fraction - (1 - share), 3))
        builder.put(
            "mem_fraction_static",
            static,
            f"derived from limits.gpu_memory_fraction: {fraction:.3f} (SGLang's own) − (1 − {share:g})",
            "limits.gpu_memory_fraction",
        )


def _after_the_fraction(builder: Builder) -> None:
    """Adjustments that ServerArgs makes once the fraction is set."""
    builder.choose("cpu_offload_gb", default=0)
    context = builder.integer("context_length")
    if (
        builder.value("attention_backend") == "aiter"
        and context > 8192
        and builder.is_since(AITER_KEEPS_MORE)
    ):
        fraction = builder.settings().number("mem_fraction_static") * 0.85
        builder.derive(
            "mem_fraction_static", fraction, "aiter attention with more than 8192 tokens of context"
        )
    if builder.flag("enable_dp_attention"):
        # server_args.py, _handle_data_parallelism; until 0.4.4 it was halved.
        divisor = builder.integer("dp_size", 1) if builder.is_since("0.4.4.post1") else 2
        chunk = builder.integer("chunked_prefill_size")
        if chunk > 0:
            builder.derive(
                "chunked_prefill_size", max(1, chunk // divisor), f"chunked_prefill_size {chunk} ÷ {divisor}"
            )
