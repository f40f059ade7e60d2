"""What TGI, a checkpoint and GPUs cannot do together."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Change, Fix, Severity
from servespec.engines.tgi.own_models import OWN_MODELS
from servespec.engines.tgi.rules.view import quantize, quantize_key, shards, shards_key
from servespec.rules.base import Finding, rule
from servespec.rules.divide import possible
from servespec.rules.subject import Subject

SHARDS = ("parallel.tensor", "args.num_shard")

# Model types that run by FlashLlamaAttention, which alone insists on it: flash_llama_modeling.py of 3.3.7.
KV_HEADS_DIVIDE = frozenset({"llama", "granite", "phi3"})
# Those that divide by the heads of a shard, which may not be none: flash_{gemma,mistral,qwen2}_modeling.py of 3.3.7.
KV_HEAD_FOR_EACH = frozenset({"gemma", "mistral", "qwen2"})


@rule(
    code="SV380",
    name="tgi-heads-not-divisible",
    severity=Severity.error,
    engine="tgi",
    summary="The shards must divide the attention heads.",
    explanation="Every shard computes an equal number of heads.",
    error_text="`num_heads` must be divisible by `num_shards` (got `num_heads`: A and `num_shards`: B",
    fix="Choose a number of shards that divides the heads.",
    source="TGI 3.3.7 server/text_generation_server/models/custom_modeling/flash_llama_modeling.py and "
    "others",
    triggers=SHARDS,
)
def heads_not_divisible(subject: Subject) -> Iterable[Finding]:
    """heads % shards != 0."""
    number, heads = shards(subject), subject.model.attention_heads
    if heads > 0 and heads % number:
        yield Finding(
            message=f"{heads} attention heads cannot be divided by {number} shards"
            + possible(subject, lambda size: subject.model.kv_heads % size == 0),
            key=shards_key(subject),
        )


@rule(
    code="SV381",
    name="tgi-kv-heads-not-divisible",
    severity=Severity.error,
    engine="tgi",
    versions=">=2.0",
    summary="The shards must divide the key/value heads of Llama-like models.",
    explanation="TGI does not copy key/value heads over shards: more shards than heads are refused, by "
    "Llama-like models with words, by Gemma, Mistral and Qwen2 with a division by zero.",
    error_text="`num_key_value_heads` must be divisible by `num_shards` (got `num_key_value_heads`: A and "
    "`num_shards`: B",
    fix="Choose a number of shards that divides the key/value heads.",
    source="TGI 3.3.7 server/text_generation_server/models/custom_modeling/flash_llama_modeling.py",
    triggers=SHARDS,
)
def kv_heads_not_divisible(subject: Subject) -> Iterable[Finding]:
    """kv heads % shards != 0 for families that insist."""
    number, model = shards(subject), subject.model
    if model.attention_heads % number:
        return
    divides = model.model_type in KV_HEADS_DIVIDE and model.kv_heads % number
    if divides or (model.model_type in KV_HEAD_FOR_EACH and model.kv_heads < number):
        yield Finding(
            message=f"{model.kv_heads} key/value heads cannot be divided by {number} shards"
            + possible(subject, lambda size: model.kv_heads % size == 0),
            key=shards_key(subject),
        )


@rule(
    code="SV382",
    name="tgi-more-shards-than-gpus",
    severity=Severity.error,
    engine="tgi",
    summary="Each shard needs a GPU, all on one node.",
    explanation="TGI starts a process with a GPU for each shard of a single node.",
    error_text="CUDA error: invalid device ordinal",
    fix="Lower parallel.tensor or raise hardware.count.",
    source="TGI 3.3.7 launcher/src/main.rs spawn_shards",
    triggers=("parallel.tensor", "args.num_shard"),
)
def more_shards_than_gpus(subject: Subject) -> Iterable[Finding]:
    """num_shard > GPUs of a node."""
    number, count = shards(subject), subject.spec.hardware.count
    if number > count and not subject.target.gpu.is_cpu:
        yield Finding(
            message=f"{number} shards need {number} GPUs, the node has {count}", key=shards_key(subject)
        )


@rule(
    code="SV383",
    name="tgi-mlp-not-divisible",
    severity=Severity.error,
    engine="tgi",
    summary="The shards must divide the intermediate size.",
    explanation="The MLP is split by columns and rows; TGI does not pad.",
    error_text="AssertionError: The choosen size A is not compatible with sharding on B shards",
    fix="Choose a number of shards that divides the intermediate size.",
    source="TGI 3.3.7 server/text_generation_server/utils/weights.py get_sharded",
    triggers=SHARDS,
)
def mlp_not_divisible(subject: Subject) -> Iterable[Finding]:
    """intermediate size % shards != 0."""
    number, size = shards(subject), subject.model.intermediate_size
    if size > 0 and size % number and subject.model.attention_heads % number == 0:
        yield Finding(
            message=f"the intermediate size {size:,} cannot be divided by {number} shards"
            + possible(subject, lambda count: size % count == 0),
            key=shards_key(subject),
        )


@rule(
    code="SV384",
    name="tgi-model-not-sharded",
    severity=Severity.error,
    engine="tgi",
    versions=">=3.0,<=3.3.7",
    summary="TGI has no model of its own for this architecture, so it cannot be sharded or quantized.",
    explanation="Architectures that TGI does not implement run by transformers' classes (where its "
    "transformers knows them) on one GPU. Some of them can be served over several by transformers' own "
    "flash backend; then silence this rule.",
    error_text="sharded is not supported for AutoModel\nawq quantization is not supported for AutoModel",
    fix="Serve it with vLLM or SGLang, or on one GPU.",
    source="TGI 3.3.7 server/text_generation_server/models/__init__.py",
)
def model_not_sharded(subject: Subject) -> Iterable[Finding]:
    """An unknown model_type with shards or quantization."""
    kind = subject.model.model_type
    if kind in OWN_MODELS:
        return
    method = quantize(subject) or (subject.model.quantization.method if subject.model.quantization else None)
    if method in ("awq", "gptq", "eetq", "exl2", "bitsandbytes-nf4", "bitsandbytes-fp4"):
        yield Finding(
            message=f"TGI has no model of its own for {kind}, and transformers' classes take no {method}",
            key=quantize_key(subject) if quantize(subject) else "model.id",
        )
    elif shards(subject) > 1:
        yield Finding(
            message=f"TGI has no model of its own for {kind}: whether transformers' class can be sharded depends on the "
            "model",
            key=shards_key(subject),
            severity=Severity.warning,
        )


@rule(
    code="SV385",
    name="tgi-exl2-sharded",
    severity=Severity.error,
    engine="tgi",
    versions=">=2.1",
    summary="exl2 weights cannot be sharded.",
    explanation="The launcher refuses more than one shard with exl2.",
    error_text="Sharding is currently not supported with `exl2` quantization",
    fix="Set parallel.tensor: 1 or take another quantization.",
    source="TGI 3.3.7 launcher/src/main.rs",
    triggers=("model.quantization", "args.quantize"),
)
def exl2_sharded(subject: Subject) -> Iterable[Finding]:
    """exl2 and more than one shard."""
    if quantize(subject) == "exl2" and shards(subject) > 1:
        yield Finding(
            message=f"exl2 weights cannot be split over {shards(subject)} shards", key=shards_key(subject)
        )


@rule(
    code="SV386",
    name="tgi-marlin-needs-ampere",
    severity=Severity.error,
    engine="tgi",
    versions=">=2.1",
    summary="Marlin kernels need compute capability 8.0.",
    explanation="quantize: marlin asks for them in so many words; on older cards TGI refuses.",
    error_text="Using quantized Marlin models requires a GPU with CUDA capability 8.0 or later.",
    fix="Leave the quantization to the checkpoint, or take a newer GPU.",
    source="TGI 3.3.7 server/text_generation_server/layers/marlin/util.py",
    triggers=("model.quantization", "args.quantize"),
)
def marlin_needs_ampere(subject: Subject) -> Iterable[Finding]:
    """marlin below 8.0."""
    found = subject.target.gpu.compute_capability
    if quantize(subject) == "marlin" and found is not None and found < (8, 0):
        yield Finding(
            message=f"{subject.target.gpu.name} has compute capability {found[0]}.{found[1]}; Marlin kernels need 8.0",
            key=quantize_key(subject),
        )


@rule(
    code="SV387",
    name="tgi-bitsandbytes-deprecated",
    severity=Severity.warning,
    engine="tgi",
    summary="bitsandbytes is deprecated in TGI, and runs without CUDA graphs.",
    explanation="eetq does the same (8 bits while loading) faster; with bitsandbytes TGI turns CUDA graphs "
    "off, which costs decode speed.",
    error_text="Bitsandbytes is deprecated, use `eetq` instead, which provides better latencies overall "
    "and is drop-in in most cases.",
    fix="Use eetq.",
    source="TGI 3.3.7 launcher/src/main.rs",
    triggers=("model.quantization", "args.quantize"),
)
def bitsandbytes_deprecated(subject: Subject) -> Iterable[Finding]:
    """quantize: bitsandbytes."""
    if quantize(subject) == "bitsandbytes":
        key = quantize_key(subject)
        yield Finding(
            message="bitsandbytes is deprecated in TGI and runs without CUDA graphs: eetq does the same, faster",
            key=key,
            fix=Fix("use eetq", changes=(Change(key, "eetq", safe=False),)),
        )
