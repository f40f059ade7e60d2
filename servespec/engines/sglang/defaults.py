"""Every effective setting of SGLang: spec key, then flag, then what that version does by itself."""

from __future__ import annotations

from servespec.engines.base import Inputs, Resolved
from servespec.engines.sglang import capacity, fraction_defaults, graph_defaults
from servespec.engines.sglang.builder import Builder
from servespec.engines.sglang.compressed import DEFAULT_REQUESTS
from servespec.engines.sglang.drafts import drafts_with_own_weights
from servespec.engines.sglang.kv_dtype import kv_cache_dtype
from servespec.engines.sglang.paging import attention_backend, page_size
from servespec.models.facts import Part

# speculative/spec_info.py: SpeculativeAlgorithm by the spec's words.
ALGORITHMS = {"ngram": "NGRAM", "eagle": "EAGLE", "eagle3": "EAGLE3", "mtp": "NEXTN", "draft": "STANDALONE"}

# arg_groups/overrides.py, _MAMBA_EXTRA_BUFFER_ARCHS and _mamba_radix_cache_resolution; server_args.py of 0.5.14.
SNAPSHOTS_BY_DEFAULT = "0.5.14"
KEEPS_SNAPSHOTS = frozenset(
    {
        "Qwen3_5ForConditionalGeneration",
        "Qwen3_5MoeForConditionalGeneration",
        "Qwen3NextForCausalLM",
        "BailingMoeV2_5ForCausalLM",
        "FalconH1ForCausalLM",
        "GraniteMoeHybridForCausalLM",
        "NemotronHForCausalLM",
    }
)

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
    graph_defaults.settle(builder)
    fraction_defaults.settle(builder)
    _fixed_space(builder)
    return Resolved(settings=builder.settings(), diagnostics=())


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
    if algorithm is not None or builder.value("speculative_algorithm") is not None:
        builder.choose(
            "speculative_draft_model_path",
            spec_value=speculative.model if speculative else None,
            spec_key="speculative.model",
        )
        builder.put("draft_layers", _draft_layers(builder), "derived from the draft model")
    builder.choose(
        "speculative_num_draft_tokens",
        spec_value=speculative.tokens + 1 if speculative else None,
        spec_key="speculative.tokens",
    )


def _draft_layers(builder: Builder) -> int:
    """Layers that keep keys and values for drafts: of the draft model, else of the checkpoint's own."""
    algorithm, model = str(builder.value("speculative_algorithm")).upper(), builder.inputs.model
    if algorithm == "NGRAM":
        return 0
    if builder.inputs.draft is not None:
        return builder.inputs.draft.layers
    if builder.value("speculative_draft_model_path") is None and drafts_with_own_weights(algorithm, model):
        return model.layers
    own = sum(len(layers.layers) for layers in model.kv if layers.part is Part.mtp)
    return max(1, own)


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
    chunk, _ = capacity.gpu_tier(builder.inputs.version, builder.gpu_mib, builder.integer("tp_size", 1))
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
    if builder.value("mamba_radix_cache_strategy") == "auto":
        snapshots = (
            builder.is_since(SNAPSHOTS_BY_DEFAULT)
            and builder.inputs.gpu.kind == "cuda"
            and builder.inputs.model.architecture in KEEPS_SNAPSHOTS
        )
        strategy = "extra_buffer" if snapshots else "no_buffer"
        builder.derive("mamba_radix_cache_strategy", strategy, "the architecture")


def _reason(builder: Builder, field: str) -> str:
    return f"{field} {builder.value(field)}"


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
