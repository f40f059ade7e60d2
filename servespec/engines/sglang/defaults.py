"""Every effective setting of SGLang: spec key, then flag, then what that version does by itself."""

from __future__ import annotations

from servespec.deployment import SettingValue
from servespec.engines.base import Inputs, Resolved
from servespec.engines.sglang import capacity, graphs
from servespec.engines.sglang.builder import Builder
from servespec.engines.sglang.compressed import DEFAULT_REQUESTS
from servespec.engines.sglang.kv_dtype import kv_cache_dtype
from servespec.engines.sglang.paging import attention_backend, page_size

MIB = 2**20

# speculative/spec_info.py: SpeculativeAlgorithm by the spec's words.
ALGORITHMS = {"ngram": "NGRAM", "eagle": "EAGLE", "eagle3": "EAGLE3", "mtp": "NEXTN", "draft": "STANDALONE"}

# arg_groups/speculative_hook.py, before it server_args.py: max_running_requests where none is given.
SPECULATIVE_REQUESTS = 48


def resolve(inputs: Inputs) -> Resolved:
    """Work out the settings that memory and launch depend on, in the order in which SGLang does.

    ``limits.gpu_memory_fraction`` is a share of the device for everything; ``mem_fraction_static`` is
    one for weights and KV cache. The second is taken to be SGLang's own default, which leaves
    room for activations and graphs on a whole device, less the share that the spec withholds.
    """
    builder = Builder(inputs)
    _model(builder)
    _parallel(builder)
    _speculation(builder)
    _scheduling(builder)
    _attention(builder)
    _graphs(builder)
    _static_fraction(builder)
    _after_the_fraction(builder)
    _fixed_space(builder)
    return Resolved(settings=builder.settings(), diagnostics=())


def gpu_mib(inputs: Inputs) -> float | None:
    """The GPU's memory as ServerArgs reads it (nvidia-smi's total), in MiB; None where it is not known."""
    gpu = inputs.gpu
    total = gpu.driver_total_bytes or gpu.total_bytes
    if inputs.spec.hardware.memory_gib is not None and not gpu.driver_total_bytes:
        total = gpu.total_bytes
    return total / MIB if total else None


def _model(builder: Builder) -> None:
    spec, model = builder.inputs.spec, builder.inputs.model
    asked = builder.choose(
        "dtype", spec_value=spec.model.dtype if spec.model.dtype != "auto" else None, spec_key="model.dtype"
    )
    if asked in (None, "auto"):
        # configs/model_config.py, _get_and_verify_dtype: float32 is served as float16, Gemma as bfloat16.
        dtype = "float16" if model.dtype == "float32" else model.dtype
        if model.model_type.startswith("gemma") and dtype == "float16":
            dtype = "bfloat16"
        if builder.inputs.gpu.kind == "cuda" and (builder.inputs.gpu.compute_capability or (9, 0)) < (8, 0):
            dtype = "float16"
        builder.derive("dtype", dtype, "the checkpoint's type")
    elif asked == "half":
        builder.derive("dtype", "float16", "dtype half")
    quantized = model.quantization.method if model.quantization and not model.quantization.online else None
    builder.choose(
        "quantization", spec_value=spec.model.quantization, spec_key="model.quantization", default=quantized
    )
    builder.choose(
        "context_length",
        spec_value=spec.limits.max_model_len,
        spec_key="limits.max_model_len",
        default=model.context_tokens,
    )
    adapters = spec.model.adapters
    builder.choose("enable_lora", spec_value=True if adapters else None, spec_key="model.adapters")
    builder.choose(
        "max_lora_rank",
        spec_value=adapters.max_rank if adapters else None,
        spec_key="model.adapters.max_rank",
    )
    builder.choose(
        "max_loras_per_batch",
        spec_value=adapters.max_loras if adapters else None,
        spec_key="model.adapters.max_loras",
    )


def _parallel(builder: Builder) -> None:
    parallel = builder.inputs.spec.parallel
    for field, value, key in (
        ("tp_size", parallel.tensor, "parallel.tensor"),
        ("pp_size", parallel.pipeline, "parallel.pipeline"),
        ("dp_size", parallel.data, "parallel.data"),
    ):
        builder.choose(field, spec_value=value if value > 1 else None, spec_key=key, default=1)
    tensor = builder.integer("tp_size", 1)
    builder.choose(
        "ep_size", spec_value=tensor if parallel.expert else None, spec_key="parallel.expert", default=1
    )
    builder.choose("enable_dp_attention", default=False)


def _speculation(builder: Builder) -> None:
    speculative = builder.inputs.spec.speculative
    algorithm = ALGORITHMS.get(speculative.method, speculative.method.upper()) if speculative else None
    builder.choose("speculative_algorithm", spec_value=algorithm, spec_key="speculative.method")
    builder.choose(
        "speculative_num_draft_tokens",
        spec_value=speculative.tokens + 1 if speculative else None,
        spec_key="speculative.tokens",
    )


def _scheduling(builder: Builder) -> None:
    spec = builder.inputs.spec
    requests = builder.choose(
        "max_running_requests",
        spec_value=spec.limits.max_concurrent_requests,
        spec_key="limits.max_concurrent_requests",
    )
    if requests is None and builder.inputs.model.family == "deepseek_v4":
        builder.put("max_running_requests", DEFAULT_REQUESTS, builder.default_source)
    elif requests is None and builder.value("speculative_algorithm") is not None:
        builder.put("max_running_requests", SPECULATIVE_REQUESTS, builder.default_source)
    builder.choose("max_total_tokens")
    builder.choose("max_prefill_tokens", default=16384)
    caching = spec.kv_cache.prefix_caching
    builder.choose(
        "disable_radix_cache",
        spec_value=not caching if caching is not None else None,
        spec_key="kv_cache.prefix_caching",
        default=False,
    )
    chunk, _ = capacity.gpu_tier(
        builder.inputs.version, gpu_mib(builder.inputs), builder.integer("tp_size", 1)
    )
    builder.choose(
        "chunked_prefill_size",
        spec_value=spec.limits.max_batched_tokens,
        spec_key="limits.max_batched_tokens",
        default=chunk,
    )


def _attention(builder: Builder) -> None:
    spec = builder.inputs.spec
    builder.choose("attention_backend", default=attention_backend(builder))
    given = spec.kv_cache.dtype if spec.kv_cache.dtype != "auto" else None
    builder.choose("kv_cache_dtype", spec_value=given, spec_key="kv_cache.dtype", default="auto")
    builder.derive("kv_cache_dtype", kv_cache_dtype(builder), _reason(builder, "kv_cache_dtype"))
    builder.choose(
        "page_size",
        spec_value=spec.kv_cache.block_size,
        spec_key="kv_cache.block_size",
        default=page_size(builder),
    )
    builder.choose("swa_full_tokens_ratio")
    builder.choose("disable_hybrid_swa_memory")
    for field in (
        "mamba_full_memory_ratio",
        "max_mamba_cache_size",
        "mamba_ssm_dtype",
        "mamba_radix_cache_strategy",
    ):
        builder.choose(field)


def _reason(builder: Builder, field: str) -> str:
    return f"{field} {builder.value(field)}"


def _graphs(builder: Builder) -> None:
    inputs = builder.inputs
    on_cpu = inputs.gpu.is_cpu
    _, batch = capacity.gpu_tier(inputs.version, gpu_mib(inputs), builder.integer("tp_size", 1))
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


def _static_fraction(builder: Builder) -> None:
    inputs = builder.inputs
    algorithm = builder.value("speculative_algorithm")
    vision = inputs.model.vision
    given = capacity.Capacity(
        version=inputs.version,
        gpu_mib=gpu_mib(inputs),
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
    is_default = builder.settings()["mem_fraction_static"].source != "args"
    if builder.value("attention_backend") == "aiter" and context > 8192 and is_default:
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


def _fixed_space(builder: Builder) -> None:
    """A fixed KV space becomes a cap in tokens, the only one that SGLang has."""
    space = builder.inputs.spec.kv_cache.space_gib
    if space is None or builder.value("max_total_tokens") is not None:
        return
    from servespec.engines.sglang.pools import tokens_in

    tokens = tokens_in(round(space * 2**30), builder.inputs.model, builder.settings(), builder.inputs.version)
    builder.put(
        "max_total_tokens", tokens, f"derived from kv_cache.space_gib {space:g}", "kv_cache.space_gib"
    )
