"""SV4xx: settings that start and are rarely what one wants."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Change, Fix, Severity
from servespec.models.facts import KVKind
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject
from servespec.rules.versions import release

GIB = 2**30


@rule(
    code="SV401",
    name="memory-fraction-high",
    severity=Severity.warning,
    scope="spec",
    summary="gpu_memory_fraction above 0.95 leaves next to nothing for what the engine does not count.",
    explanation="CUDA context, NCCL buffers, graphs of some releases and fragmentation live outside the "
    "share. 0.85 to 0.92 is usual; above 0.95 a server that starts may run out of memory under load.",
    fix="Set 0.9.",
    source="vLLM documentation, Conserving memory; defaults 0.90 (to 0.19) and 0.92 (from 0.20)",
    triggers=("limits.gpu_memory_fraction",),
)
def memory_fraction_high(subject: Subject) -> Iterable[Finding]:
    """gpu_memory_fraction > 0.95."""
    fraction = subject.spec.limits.gpu_memory_fraction
    if fraction is not None and fraction > 0.95:
        yield Finding(
            message=f"gpu_memory_fraction {fraction:g} leaves {1 - fraction:.0%} of the device for everything that is not "
            "counted: 0.9 is usual",
            key="limits.gpu_memory_fraction",
            fix=Fix("set 0.9", changes=(Change("limits.gpu_memory_fraction", 0.9, safe=False),)),
        )


@rule(
    code="SV402",
    name="memory-fraction-low",
    severity=Severity.info,
    scope="spec",
    summary="gpu_memory_fraction below a half leaves most of the card unused.",
    explanation="What is left below the share is KV cache: a small share means few requests side by side. "
    "It makes sense where other servers live on the card; hardware.reserved_gib says so.",
    fix="Raise it, or say what else is on the card in hardware.reserved_gib.",
    source="vLLM documentation, --gpu-memory-utilization",
    triggers=("limits.gpu_memory_fraction",),
)
def memory_fraction_low(subject: Subject) -> Iterable[Finding]:
    """gpu_memory_fraction < 0.5 and nothing reserved."""
    fraction = subject.spec.limits.gpu_memory_fraction
    if fraction is not None and fraction < 0.5 and subject.spec.hardware.reserved_gib == 0:
        yield Finding(
            message=f"gpu_memory_fraction {fraction:g} leaves {1 - fraction:.0%} of the card unused",
            key="limits.gpu_memory_fraction",
        )


@rule(
    code="SV403",
    name="shared-prefix-not-cached",
    severity=Severity.warning,
    scope="spec",
    summary="Prompts share a prefix and prefix caching is off.",
    explanation="With prefix caching the keys and values of the common part are computed once; without it "
    "every request computes them again.",
    fix="Set kv_cache.prefix_caching: true.",
    source="vLLM documentation, Automatic prefix caching; SGLang, RadixAttention (Zheng et al. 2023)",
    triggers=("workload.shared_prefix_tokens",),
)
def shared_prefix_not_cached(subject: Subject) -> Iterable[Finding]:
    """shared_prefix_tokens > 0 and prefix_caching: false."""
    workload = subject.spec.workload
    if workload and workload.shared_prefix_tokens > 0 and subject.spec.kv_cache.prefix_caching is False:
        yield Finding(
            message=f"prompts share {workload.shared_prefix_tokens:,} tokens, but prefix caching is off: they are computed "
            "for every request",
            key="kv_cache.prefix_caching",
            fix=Fix("turn it on", changes=(Change("kv_cache.prefix_caching", True, safe=False),)),
        )


@rule(
    code="SV404",
    name="expert-model-over-many-ranks",
    severity=Severity.info,
    summary="Many experts split over many ranks become thin slices.",
    explanation="Tensor parallelism cuts every expert into as many slices as there are ranks. With eight "
    "ranks and small experts the matrices are too thin for the GPU; spreading whole experts "
    "(parallel.expert) keeps them.",
    fix="Try parallel.expert: true and compare with `servespec bench`.",
    source="vLLM documentation, Expert parallel deployment; SGLang documentation, Expert parallelism",
    triggers=("model:moe",),
)
def expert_model_over_many_ranks(subject: Subject) -> Iterable[Finding]:
    """tensor >= 8 and slices of experts below 256."""
    moe, parallel = subject.model.moe, subject.spec.parallel
    if moe is None or parallel.tensor < 8 or parallel.expert:
        return
    slice_size = moe.intermediate_size // parallel.tensor
    if 0 < slice_size < 256:
        yield Finding(
            message=f"each expert of {moe.intermediate_size:,} is cut into {parallel.tensor} slices of {slice_size}: "
            "parallel.expert keeps experts whole",
            key="parallel.tensor",
        )


@rule(
    code="SV405",
    name="latent-attention-copied",
    severity=Severity.info,
    summary="MLA keeps a whole copy of the KV cache on every tensor-parallel rank.",
    explanation="Models with latent attention (DeepSeek, Kimi) have one compressed vector a token, which "
    "tensor parallelism does not divide. Data-parallel attention, or decode context parallelism in vLLM, "
    "gives each rank its own share.",
    fix="Use parallel.data with parallel.expert in place of some of parallel.tensor.",
    source="vLLM documentation, Data parallel deployment; SGLang documentation, DP attention for MLA",
    triggers=("model:mla",),
)
def latent_attention_copied(subject: Subject) -> Iterable[Finding]:
    """MLA with tensor >= 8 and data 1."""
    parallel = subject.spec.parallel
    shared = ("decode_context_parallel_size", "enable_dp_attention", "attn_dp_size", "dcp_size")
    if parallel.tensor < 8 or parallel.data > 1 or any(name in subject.args for name in shared):
        return
    if any(layers.kind is KVKind.latent for layers in subject.model.kv):
        yield Finding(
            message=f"all {parallel.tensor} ranks keep the same KV cache: data-parallel attention would keep "
            f"{parallel.tensor} different ones",
            key="parallel.tensor",
        )


@rule(
    code="SV406",
    name="one-replica",
    severity=Severity.info,
    scope="spec",
    summary="A deployment of one copy has no one to take over.",
    explanation="Loading weights takes minutes; while the only copy restarts, nothing answers.",
    fix="Set deploy.replicas: 2 where it must not stop.",
    source="Kubernetes documentation, Disruptions",
    triggers=("deploy.replicas",),
)
def one_replica(subject: Subject) -> Iterable[Finding]:
    """replicas is written and 1."""
    if "deploy.replicas" in subject.words and subject.spec.deploy.replicas == 1:
        yield Finding(message="one replica: nothing answers while it restarts", key="deploy.replicas")


@rule(
    code="SV407",
    name="float32-weights",
    severity=Severity.warning,
    scope="spec",
    summary="float32 doubles the weights and the KV cache for nothing.",
    explanation="Checkpoints of language models are trained in bfloat16; computing in float32 takes twice "
    "the memory and no tensor cores.",
    fix="Leave model.dtype out.",
    source="vLLM documentation, --dtype; NVIDIA data sheets (tensor cores compute TF32, BF16, FP16, FP8)",
    triggers=("model.dtype",),
)
def float32_weights(subject: Subject) -> Iterable[Finding]:
    """dtype float32 on a GPU."""
    if subject.spec.model.dtype == "float32" and subject.spec.hardware.gpu.lower() != "cpu":
        yield Finding(
            message="float32 takes twice the memory of bfloat16 and no tensor cores",
            key="model.dtype",
            fix=Fix("leave it to the checkpoint", changes=(Change("model.dtype", "auto", safe=False),)),
        )


@rule(
    code="SV408",
    name="bfloat16-checkpoint-in-float16",
    severity=Severity.info,
    summary="A bfloat16 checkpoint is computed in float16.",
    explanation="float16 has more digits and a far smaller range: activations of some models overflow. "
    "bfloat16 is as fast on every GPU since Ampere.",
    fix="Leave model.dtype out.",
    source="vLLM 0.32.0 vllm/config/model.py _FLOAT16_NOT_SUPPORTED_MODELS names models that overflow",
    triggers=("model.dtype",),
)
def bfloat16_checkpoint_in_float16(subject: Subject) -> Iterable[Finding]:
    """float16 asked for, checkpoint bfloat16, GPU of 8.0 or newer, not quantized."""
    gpu, model = subject.target.gpu, subject.model
    new = gpu.compute_capability is not None and gpu.compute_capability >= (8, 0)
    if (
        subject.spec.model.dtype == "float16"
        and model.dtype == "bfloat16"
        and new
        and model.quantization is None
    ):
        yield Finding(
            message="the checkpoint is bfloat16; float16 may overflow and is no faster here",
            key="model.dtype",
            fix=Fix("leave it to the checkpoint", changes=(Change("model.dtype", "auto", safe=False),)),
        )


@rule(
    code="SV410",
    name="sharded-over-pcie",
    severity=Severity.info,
    summary="Tensor parallelism over PCIe alone waits for the bus.",
    explanation="Cards without NVLink exchange the results of every layer over PCIe, at a tenth of "
    "NVLink's rate. Two replicas often answer more requests than one model split over two cards.",
    fix="Where the model fits on one card, use parallel.data or deploy.replicas.",
    source="NVIDIA data sheets; vLLM documentation, Parallelism and scaling: pipeline parallelism on GPUs "
    "without NVLink",
    triggers=("parallel.tensor",),
)
def sharded_over_pcie(subject: Subject) -> Iterable[Finding]:
    """tensor > 1 on PCIe cards where the whole weights fit on one."""
    gpu, budget, ranks = subject.target.gpu, subject.budget, subject.spec.parallel.tensor
    if ranks <= 1 or gpu.interconnect != "pcie" or gpu.kind != "cuda" or budget is None:
        return
    if budget.weights.size_bytes * ranks < 0.6 * budget.device_bytes:
        yield Finding(
            message=f"the weights ({budget.weights.size_bytes * ranks / GIB:.1f} GiB) fit on one {gpu.name}, which has no "
            "NVLink: replicas answer more than a split model",
            key="parallel.tensor",
        )


@rule(
    code="SV414",
    name="image-of-another-version",
    severity=Severity.warning,
    scope="spec",
    summary="The image's tag names another version than the target.",
    explanation="Flags and memory are checked for targets.<engine>.version; the container starts what is "
    "in the image. When the two differ, what was checked is not what runs.",
    fix="Write the same version in both, or leave the image out: servespec takes the one of the version.",
    source="servespec: one version for flags, memory and image",
    triggers=("targets",),
)
def image_of_another_version(subject: Subject) -> Iterable[Finding]:
    """The tag names a version of the engine, and it is not the target's."""
    from servespec.engines import engine_names
    from servespec.engines.published import version_of

    for engine, target in subject.spec.targets.items():
        if target.image is None or target.version is None or engine not in engine_names():
            continue
        found = version_of(engine, target.image)
        if found is not None and release(found) != release(target.version):
            yield Finding(
                message=f"the image is of {found}, the target of {target.version}: what is checked is not what runs",
                key=f"targets.{engine}.image",
                engine=engine,
            )
