"""Throughput and latency on paper: bandwidth-bound decode, compute-bound prefill, interconnect.

Nothing here is measured: every figure that comes of it is an estimate, with a slow and a fast end. Sizes are taken
at the slow end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from servespec.models.facts import Part, TensorKind

if TYPE_CHECKING:
    from servespec.hardware.gpu import GPU
    from servespec.models.facts import ModelFacts
    from servespec.plan.candidate import Split

ACTIVATION_BYTES = 2
"""Activations that cross the interconnect are bfloat16 or float16 in all three engines."""

NCCL_BASE_SECONDS = 3.6e-6
NCCL_HOP_SECONDS = {"pcie": 1.0e-6}
NCCL_LINK_HOP_SECONDS = 0.47e-6
NCCL_NETWORK_HOP_SECONDS = 2.7e-6
"""Latency of a collective and of each of its hops: NCCL src/graph/tuning.cc baseLat and hwLat, ring with protocol LL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """Shares of the data sheet that an engine reaches: ``bandwidth`` in decode (MBU), ``compute`` in prefill (MFU),
    ``expert_compute`` in prefill of a mixture of experts. ``step_seconds`` are what scheduling and launches take."""

    bandwidth: float
    compute: float
    expert_compute: float
    step_seconds: float = 0.0


SLOW = Efficiency(bandwidth=0.60, compute=0.30, expert_compute=0.10, step_seconds=0.0012)
FAST = Efficiency(bandwidth=0.85, compute=0.76, expert_compute=0.30)
"""Ranges around what was measured; tests/unit/plan/measured.json has the rows, and a test holds the estimates to them.

Decode: 67 % of the bandwidth on an H200 with 32 requests (docs/evidence/h200-road-vllm.txt), 74 % on an H100 and 77 %
on an A100 with one; were the first of them 85 %, then 1.2 ms of each step would be something else. Prefill: 61 and 65 % of
the compute on an H200; 76 % is the most that Pope et al. (2022), Efficiently Scaling Transformer Inference, reached; the
slow end is half of the least that was measured, for short prompts and small batches. Experts: 23 % on a B200
(gpt-oss-120b, vllm-project/vllm pull request 30738), 24 % of H100's fp8 (DeepSeek-V3, lmsys.org large-scale-ep)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one token costs, whatever it runs on.

    ``flops_per_token`` of all linear layers in use; ``attention_flops`` per pair of tokens; ``expert_share`` of the
    weights' bytes that are routed experts, ``touched`` the share of them that one token uses.
    """

    flops_per_token: float
    attention_flops: float
    expert_share: float
    touched: float
    hidden_size: int
    layers: int
    precision: str

    def compute_share(self, efficiency: Efficiency) -> float:
        """The share of the data sheet's FLOP/s for this model."""
        return efficiency.expert_compute if self.touched < 1 else efficiency.compute


def work_of(facts: ModelFacts, method: str | None) -> Work:
    """The work of a checkpoint; ``method`` is the quantization that an engine applies while it loads."""
    from servespec.models.quantization import by_format, online_quantization

    quantization = (
        online_quantization(method) if method and facts.quantization is None else facts.quantization
    )
    moe = facts.moe
    touched = moe.experts_per_token / moe.experts if moe else 1.0
    parameters = expert_bits = all_bits = 0.0
    by_precision: dict[str, float] = {}
    for group in facts.tensors:
        if group.part is not Part.decoder:
            continue
        routed = group.kind is TensorKind.expert
        for part, found in by_format(quantization, group):
            elements = part.elements * part.count
            bits = elements * (found.bits if found else 16)
            all_bits += bits
            expert_bits += bits if routed else 0
            if group.kind is TensorKind.embedding and not facts.tied_embeddings:
                continue
            if group.kind in (TensorKind.norm, TensorKind.bias):
                continue
            used = elements * (touched if routed else 1.0)
            parameters += used
            precision = _precision(found.name, found.activation_bits) if found else "half"
            by_precision[precision] = by_precision.get(precision, 0.0) + used
    return Work(
        flops_per_token=2 * parameters,
        attention_flops=4 * facts.attention_heads * facts.head_dim * facts.layers / 2,
        expert_share=expert_bits / all_bits if all_bits else 0.0,
        touched=touched,
        hidden_size=facts.hidden_size,
        layers=facts.layers,
        precision=max(by_precision, key=lambda name: by_precision[name], default="half"),
    )


def _precision(name: str, activation_bits: int | None) -> str:
    if activation_bits == 8:
        return "int8" if name == "int-quantized" else "fp8"
    return "fp4" if activation_bits == 4 else "half"


def flops_of(gpu: GPU, precision: str) -> float:
    """FLOP/s of the data sheet (dense); half precision where the GPU has no unit for it."""
    half = gpu.bf16_flops or gpu.fp16_flops
    return {"fp8": gpu.fp8_flops, "fp4": gpu.fp4_flops, "int8": gpu.int8_flops}.get(precision, 0.0) or half


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One replica's GPUs for one data-parallel rank, with what each GPU holds.

    ``weights_bytes`` and ``kv_bytes_per_token`` are those of one GPU; ``network_bytes_per_second`` is that
    between nodes, one way.
    """

    work: Work
    gpu: GPU
    split: Split
    weights_bytes: float
    kv_bytes_per_token: float
    network_bytes_per_second: float

    def step_seconds(self, sequences: float, context: float, efficiency: Efficiency) -> float:
        """One decode step for all ``sequences``, each with ``context`` tokens.

        With p pipeline stages a batch goes through them as p parts: p × the time of a stage with 1/p of the batch.
        Stage: max(bytes read ÷ bandwidth, FLOPs ÷ compute) + collectives + launches. Of routed experts those are read
        that a batch is expected to touch: 1 − (1 − top_k/experts)^sequences.
        """
        work, split = self.work, self.split
        part = sequences / split.pipeline
        seen = 1.0 - (1.0 - work.touched) ** max(part * split.data, 1.0) if work.touched < 1 else 1.0
        read = self.weights_bytes * (1 - work.expert_share + work.expert_share * seen)
        read += part * context * self.kv_bytes_per_token
        memory = read / (self.gpu.bandwidth_bytes_per_second * efficiency.bandwidth)
        ranks = split.tensor * split.pipeline
        flops = flops_of(self.gpu, work.precision) * work.compute_share(efficiency)
        compute = part * work.flops_per_token / ranks / flops if flops else float("inf")
        return split.pipeline * (max(memory, compute) + self._collectives(part) + efficiency.step_seconds)

    def prefill_seconds(self, tokens: float, efficiency: Efficiency) -> float:
        """A prompt of ``tokens`` through all stages: (2 × parameters in use × n + attention × n²) ÷ (tp × FLOP/s)."""
        work, split = self.work, self.split
        flops = flops_of(self.gpu, work.precision) * work.compute_share(efficiency)
        if not flops:
            return float("inf")
        total = tokens * work.flops_per_token + tokens * tokens * work.attention_flops
        return total / split.tensor / flops + split.pipeline * self._collectives(tokens)

    def _collectives(self, tokens: float) -> float:
        """Two all-reduces a layer of a stage, 2 (t − 1)/t × the activations each way, and the hop to the next stage."""
        split, gpu = self.split, self.gpu
        size = tokens * self.work.hidden_size * ACTIVATION_BYTES
        link = gpu.interconnect_bytes_per_second / 2  # the catalogue's figure is both ways
        seconds = 0.0
        if split.tensor > 1:
            hop = NCCL_HOP_SECONDS.get(gpu.interconnect, NCCL_LINK_HOP_SECONDS)
            latency = NCCL_BASE_SECONDS + 2 * (split.tensor - 1) * hop
            share = 2 * (split.tensor - 1) / split.tensor
            seconds += self.work.layers / split.pipeline * 2 * (latency + share * size / link)
        if split.pipeline > 1:
            rate = self.network_bytes_per_second if split.nodes > 1 else link
            hop = NCCL_NETWORK_HOP_SECONDS if split.nodes > 1 else NCCL_LINK_HOP_SECONDS
            seconds += NCCL_BASE_SECONDS + hop + size / rate
        return seconds
