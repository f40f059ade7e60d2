"""SV30x: what hardware and model cannot do together, whatever the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from servespec.diagnostics import Change, Fix, Severity
from servespec.models.facts import KVKind, Part, Split, TensorGroup, TensorKind
from servespec.rules.base import Finding, rule
from servespec.rules.divide import short_name
from servespec.rules.subject import Subject

_TENSOR_RANKS = ("tensor_parallel_size", "tp_size", "num_shard")


@rule(
    code="SV301",
    name="gpus-left-idle",
    severity=Severity.warning,
    scope="spec",
    summary="Fewer ranks than GPUs: some are reserved and stay idle.",
    explanation="hardware.count × nodes GPUs are asked for, tensor × pipeline × data ranks use them. The "
    "rest is paid for and does nothing.",
    fix="Lower hardware.count, or raise parallel.tensor or parallel.data.",
    source="servespec: ranks against GPUs",
    triggers=("hardware.count", "hardware.nodes"),
)
def gpus_left_idle(subject: Subject) -> Iterable[Finding]:
    """tensor * pipeline * data < count * nodes, with no flag that says more."""
    hardware, parallel = subject.spec.hardware, subject.spec.parallel
    if hardware.gpu.lower() == "cpu" or any(
        _says_ranks(target.args) for target in subject.spec.targets.values()
    ):
        return
    ranks, gpus = parallel.tensor * parallel.pipeline * parallel.data, hardware.count * hardware.nodes
    if ranks < gpus:
        yield Finding(
            message=f"{gpus} GPUs are asked for, {ranks} are used: lower hardware.count or raise parallel.tensor",
            key="hardware.count" if "hardware.count" in subject.words else "hardware.nodes",
        )


def _says_ranks(args: object) -> bool:
    words = (
        "tensor",
        "pipeline",
        "data_parallel",
        "tp",
        "pp",
        "dp",
        "num_shard",
        "sharded",
        "nnodes",
        "ep",
        "attn",
    )
    return isinstance(args, dict) and any(
        name.lstrip("-").replace("-", "_").startswith(words) for name in args
    )


@rule(
    code="SV302",
    name="tensor-parallel-across-nodes",
    severity=Severity.warning,
    scope="spec",
    summary="Tensor parallelism reaches over the border of a node.",
    explanation="Every layer ends with a reduction over all tensor-parallel ranks. Between nodes that goes "
    "over the network, ten times slower than NVLink, for every layer and token. Pipeline parallelism sends "
    "one activation between stages.",
    fix="Set parallel.tensor to the GPUs of a node and parallel.pipeline to the nodes.",
    source="vLLM documentation, Parallelism and scaling; Megatron-LM (Narayanan et al. 2021) section 3",
    triggers=("hardware.nodes",),
)
def tensor_parallel_across_nodes(subject: Subject) -> Iterable[Finding]:
    """tensor > GPUs of a node."""
    hardware, parallel = subject.spec.hardware, subject.spec.parallel
    if hardware.nodes > 1 and parallel.tensor > hardware.count:
        yield Finding(
            message=f"{parallel.tensor} tensor-parallel ranks do not fit on a node of {hardware.count} GPUs: every layer "
            f"waits for the network, which tensor {hardware.count} × pipeline {hardware.nodes} would not",
            key="parallel.tensor",
        )


@rule(
    code="SV303",
    name="more-stages-than-layers",
    severity=Severity.error,
    summary="More pipeline stages than layers.",
    explanation="Each stage needs at least one decoder layer.",
    fix="Lower parallel.pipeline.",
    source="vLLM 0.32.0 vllm/distributed/utils.py get_pp_indices; SGLang 0.5.23 make_layers",
    triggers=("parallel.pipeline", "args.pipeline_parallel_size", "args.pp_size", "args.pp"),
)
def more_stages_than_layers(subject: Subject) -> Iterable[Finding]:
    """pipeline > layers."""
    names = ("pipeline_parallel_size", "pp_size")
    stages = next((count for count in map(subject.integer, names) if count), subject.spec.parallel.pipeline)
    layers = subject.model.layers
    if 0 < layers < stages:
        key = next((key for key in map(subject.key, names) if key), "parallel.pipeline")
        yield Finding(message=f"{stages} pipeline stages for {layers} layers: at most {layers}", key=key)


@rule(
    code="SV304",
    name="fp8-weights-without-fp8-units",
    severity=Severity.warning,
    summary="FP8 weights on a GPU without FP8 units are unpacked for every product.",
    explanation="Compute capability 8.9 (Ada, Hopper and newer) multiplies FP8. Below it the engines that "
    "do not refuse unpack the weights in a Marlin kernel: it saves memory, not time. SGLang before 0.5.10 "
    "fails in its Triton kernels.",
    error_text="Your GPU does not have native support for FP8 computation but FP8 quantization is being "
    "used. Weight-only FP8 compression will be used leveraging the Marlin kernel.",
    fix="Take a GPU of compute capability 8.9, or a 4-bit checkpoint (AWQ, GPTQ), which is faster on these "
    "cards.",
    source="vLLM 0.32.0 vllm/model_executor/layers/quantization/utils/marlin_utils_fp8.py; TGI 3.3.7 "
    "layers/fp8.py",
    triggers=("model:quantized", "model.quantization", "args.quantization", "args.quantize"),
)
def fp8_weights_without_fp8_units(subject: Subject) -> Iterable[Finding]:
    """8-bit float weights below capability 8.9."""
    gpu, facts = subject.target.gpu, subject.model.quantization
    if gpu.kind != "cuda" or gpu.compute_capability is None or gpu.compute_capability >= (8, 9):
        return
    asked = subject.spec.model.quantization or subject.text("quantization") or subject.text("quantize")
    method = (asked or (facts.method if facts else "") or "").lower()
    if method in ("fp8", "fbgemm_fp8", "modelopt", "modelopt_fp8", "w8a8_fp8"):
        yield Finding(
            message=f"{gpu.name} has no FP8 units (compute capability {gpu.compute_capability[0]}."
            f"{gpu.compute_capability[1]}, 8.9 is needed): {method} weights save memory but no time",
            key="model.quantization" if subject.spec.model.quantization else "hardware.gpu",
        )


@rule(
    code="SV305",
    name="fp8-kv-cache-without-fp8-units",
    severity=Severity.warning,
    summary="An FP8 (e4m3) KV cache below compute capability 8.9 works with some attention kernels only.",
    explanation="Triton kernels cannot convert e4m3 before Ada and stop at the first request or at start; "
    "FlashInfer's can. Which one is taken depends on release, head size and what is installed.",
    error_text="type fp8e4nv not supported in this architecture. The supported fp8 dtypes are ('fp8e4b15', "
    "'fp8e5')",
    fix="Use kv_cache.dtype: fp8_e5m2 or auto on these cards, or choose the FlashInfer backend and try it.",
    source="vLLM 0.32.0 vllm/v1/attention/backends/triton_attn.py; vllm-project/vllm issue 26431",
    triggers=("kv_cache.dtype", "args.kv_cache_dtype"),
)
def fp8_kv_cache_without_fp8_units(subject: Subject) -> Iterable[Finding]:
    """fp8 or fp8_e4m3 KV cache below 8.9."""
    gpu = subject.target.gpu
    if gpu.kind != "cuda" or gpu.compute_capability is None or gpu.compute_capability >= (8, 9):
        return
    asked = subject.text("kv_cache_dtype") or subject.spec.kv_cache.dtype
    if asked in ("fp8", "fp8_e4m3", "fp8_e4m3fn"):
        key = subject.key("kv_cache_dtype") or "kv_cache.dtype"
        yield Finding(
            message=f"{gpu.name} has compute capability {gpu.compute_capability[0]}.{gpu.compute_capability[1]}; a {asked} "
            "KV cache needs 8.9 with Triton kernels: fp8_e5m2 works everywhere",
            key=key,
            fix=Fix("use fp8_e5m2", changes=(Change(key, "fp8_e5m2", safe=False),)),
        )


@rule(
    code="SV306",
    name="fp8-kv-cache-costs-accuracy",
    severity=Severity.info,
    summary="An FP8 KV cache without scales in the checkpoint uses a scale of 1.",
    explanation="Keys and values are clipped to the range of FP8 unless the checkpoint brings scales from "
    "a calibration. Most models lose little; check the answers.",
    error_text="it may cause accuracy drop without a proper scaling factor",
    fix="Use a checkpoint with KV scales (llm-compressor writes them), or compare answers before going live.",
    source="vLLM 0.32.0 vllm/config/cache.py _validate_cache_dtype; vLLM documentation, Quantized KV cache",
    triggers=("kv_cache.dtype", "args.kv_cache_dtype"),
)
def fp8_kv_cache_costs_accuracy(subject: Subject) -> Iterable[Finding]:
    """fp8 KV cache, no kv_cache_dtype in the checkpoint."""
    asked = subject.text("kv_cache_dtype") or subject.spec.kv_cache.dtype
    facts = subject.model.quantization
    if not asked.startswith("fp8") or (facts is not None and facts.kv_cache_dtype):
        return
    if any(layers.kind in (KVKind.latent, KVKind.indexer) for layers in subject.model.kv):
        return
    yield Finding(
        message=f"{asked} KV cache without scales in the checkpoint: compare answers before going live",
        key=subject.key("kv_cache_dtype") or "kv_cache.dtype",
    )


@rule(
    code="SV307",
    name="fp8-blocks-do-not-divide",
    severity=Severity.error,
    summary="Block-wise FP8 weights cannot be split finer than their blocks.",
    explanation="Scales of such checkpoints (DeepSeek, Qwen FP8) stand for blocks of 128 × 128 weights. "
    "Tensor parallelism that would cut through a block is refused. For experts this does not hold when "
    "whole experts are spread (parallel.expert).",
    error_text="The output_size of gate's and up's weight = A is not divisible by weight quantization "
    "block_n = 128.\nWeight output_partition_size = A is not divisible by weight quantization block_n = "
    "128.",
    fix="Lower parallel.tensor, or set parallel.expert: true.",
    source="vLLM 0.32.0 fp8_utils.py validate_fp8_block_shape_moe; SGLang 0.5.23 "
    "srt/layers/quantization/fp8.py",
    triggers=("model:quantized",),
)
def fp8_blocks_do_not_divide(subject: Subject) -> Iterable[Finding]:
    """What is left of a layer on one rank is no multiple of the block."""
    facts, ranks = subject.model.quantization, _tensor_ranks(subject)
    if facts is None or ranks <= 1 or not any(form.block for _, form in facts.formats):
        return
    for group in subject.model.tensors:
        if group.part is not Part.decoder or (group.kind is TensorKind.expert and _spreads_experts(subject)):
            continue
        if (
            "shared_expert" in group.name
        ):  # engines keep them whole where they are told to (DeepSeek-V4-Pro on 16 H20)
            continue
        cut = _cut_block(subject, group, ranks)
        if cut is not None:
            width, block = cut
            what = "an expert" if group.kind is TensorKind.expert else short_name(group)
            yield Finding(
                message=f"{what} split over {ranks} ranks is {width:,} wide, no multiple of the FP8 blocks of {block}: lower "
                "parallel.tensor" + (" or set parallel.expert" if group.kind is TensorKind.expert else ""),
                key=_tensor_ranks_key(subject),
            )
            return


def _cut_block(subject: Subject, group: TensorGroup, ranks: int) -> tuple[int, int] | None:
    """(width on one rank, block) of the axis that the ranks split, where the block does not divide it."""
    from servespec.memory.shards import indivisible, shard_shape
    from servespec.models.quantization import by_format

    # Heads are left out: MiMo-V2-Flash (192 rows of keys on a rank) is measured to start.
    if group.split not in (Split.rows, Split.columns) or len(group.shape) != 2 or indivisible(group, ranks):
        return None
    for part, form in by_format(subject.model.quantization, group):
        if form is not None and form.block:
            axis = 1 if part.split is Split.columns else 0
            width = shard_shape(part, ranks)[axis]
            if width % form.block[axis]:
                return width, form.block[axis]
    return None


def _tensor_ranks(subject: Subject) -> int:
    """Tensor-parallel ranks by whatever the engine calls them."""
    return next(
        (ranks for ranks in map(subject.integer, _TENSOR_RANKS) if ranks), subject.spec.parallel.tensor
    )


def _tensor_ranks_key(subject: Subject) -> str:
    keys = map(subject.key, _TENSOR_RANKS)
    return next((key for key in keys if key), "parallel.tensor")


def _spreads_experts(subject: Subject) -> bool:
    names = ("enable_expert_parallel", "ep_size", "enable_ep_moe", "enable_dp_attention", "moe_a2a_backend")
    return subject.spec.parallel.expert or any(name in subject.args for name in names)


@rule(
    code="SV308",
    name="fewer-visible-gpus-than-ranks",
    severity=Severity.error,
    scope="spec",
    summary="A variable shows the server fewer GPUs than its ranks need.",
    explanation="CUDA_VISIBLE_DEVICES and its like hide all GPUs that they do not name. Each rank of a "
    "node needs one that is visible.",
    error_text="World size (A) is larger than the number of available GPUs (B) in this node.\n"
    "CUDA error: invalid device ordinal",
    fix="Name a GPU for each rank, or leave the variable out.",
    source="NVIDIA CUDA programming guide, environment variables; vLLM 0.32.0 vllm/config/parallel.py",
    triggers=("env", "targets"),
)
def fewer_visible_gpus_than_ranks(subject: Subject) -> Iterable[Finding]:
    """Devices named < tensor * pipeline ranks of a node."""
    parallel, nodes = subject.spec.parallel, subject.spec.hardware.nodes
    needed = -(-parallel.tensor * parallel.pipeline // nodes)
    places: list[tuple[str, str | None, Mapping[str, object]]] = [("env", None, subject.spec.env)]
    places += [
        (f"targets.{engine}.env", engine, target.env) for engine, target in subject.spec.targets.items()
    ]
    for prefix, engine, variables in places:
        for name in (
            "CUDA_VISIBLE_DEVICES",
            "NVIDIA_VISIBLE_DEVICES",
            "HIP_VISIBLE_DEVICES",
            "ROCR_VISIBLE_DEVICES",
        ):
            value = variables.get(name)
            if value is None or isinstance(value, bool) or "$" in str(value):
                continue
            devices = [word for word in str(value).split(",") if word.strip()]
            if devices in (["all"], ["void"]) or not devices:
                continue
            if len(devices) < needed:
                yield Finding(
                    message=f"{name} shows {len(devices)} GPU{'s' if len(devices) > 1 else ''}, {needed} ranks of a node need one "
                    "each",
                    key=f"{prefix}.{name}",
                    engine=engine,
                )
