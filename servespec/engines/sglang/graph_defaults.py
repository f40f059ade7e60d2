"""The settings of CUDA graphs: spec key, then flag, then what the version does by itself."""

from __future__ import annotations

from servespec.deployment import SettingValue
from servespec.engines.sglang import capacity, graphs
from servespec.engines.sglang.builder import Builder


def settle(builder: Builder) -> None:
    """Batch sizes of decode graphs, whether they are captured, and how many prefill graphs are."""
    inputs = builder.inputs
    on_cpu = inputs.gpu.is_cpu
    _, batch = capacity.gpu_tier(inputs.version, builder.gpu_mib, builder.integer("tp_size", 1))
    requests = builder.value("max_running_requests")
    if builder.is_since("0.5.19") and isinstance(requests, int):
        batch = min(batch, requests)
    builder.choose("disable_cuda_graph", default=False)
    builder.choose("cuda_graph_bs")
    sizes = builder.value("cuda_graph_bs")
    numbers = [size for size in sizes if isinstance(size, int)] if isinstance(sizes, tuple | list) else []
    builder.choose("cuda_graph_max_bs", default=max(numbers) if numbers else batch)
    config = builder.arguments.mapping("cuda_graph_config")
    decode_off = builder.flag("disable_cuda_graph") or _is_off(builder, config, "decode")
    builder.put("decode_cuda_graphs", not decode_off and not on_cpu, builder.default_source)
    builder.put("prefill_cuda_graphs", _prefill_graphs(builder, config), builder.default_source)


def _is_off(builder: Builder, config: object, phase: str) -> bool:
    said = config.get(phase) if isinstance(config, dict) else None
    backend = (
        said.get("backend")
        if isinstance(said, dict)
        else builder.arguments.get(f"cuda_graph_backend_{phase}")
    )
    return backend == "disabled" or builder.arguments.get(f"disable_{phase}_cuda_graph") is True


def _prefill_graphs(builder: Builder, config: object) -> int:
    """How many prefill graphs are captured."""
    inputs, arguments = builder.inputs, builder.arguments
    off = (
        (builder.flag("disable_cuda_graph") and builder.is_since("0.5.14"))
        or arguments.get("disable_piecewise_cuda_graph") is True
        or _is_off(builder, config, "prefill")
    )
    if off or inputs.gpu.is_cpu:
        return 0
    forced = (
        arguments.get("enable_piecewise_cuda_graph") is True
        or arguments.get("cuda_graph_backend_prefill") is not None
    )
    rules = graphs.PrefillGraphRules(
        version=inputs.version,
        is_cuda=inputs.gpu.kind == "cuda",
        pp_size=builder.integer("pp_size", 1),
        enable_dp_attention=builder.flag("enable_dp_attention"),
        enable_lora=builder.flag("enable_lora"),
        enable_torch_compile=arguments.get("enable_torch_compile") is True,
        speculates=builder.value("speculative_algorithm") is not None,
        has_moe_all_to_all=arguments.get("moe_a2a_backend") not in (None, "none"),
        offloads=arguments.get("enable_hierarchical_cache") is True
        or arguments.get("cpu_offload_gb") not in (None, 0),
    )
    if not forced and not graphs.captures_prefill(inputs.model, rules):
        return 0
    largest = builder.integer("chunked_prefill_size")
    if graphs.is_mla(inputs.model):
        largest = min(largest, 8192 if builder.is_since("0.5.17") else 2048)
    cap = builder.value("max_total_tokens")
    limits: list[SettingValue] = [
        arguments.get("cuda_graph_max_bs_prefill"),
        cap if builder.is_since("0.5.10") else None,
    ]
    if builder.is_since("0.5.13") and not builder.is_since("0.5.17"):
        limits.append(builder.inputs.spec.limits.max_model_len or arguments.get("context_length"))
    if "llama-2" in inputs.spec.model.id.lower():
        limits.append(4096)
    return len(graphs.prefill_sizes(min([largest, *(limit for limit in limits if isinstance(limit, int))])))
