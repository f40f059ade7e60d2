"""What a start takes outside PyTorch's allocator: CUDA context growth, NCCL, custom all-reduce."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from servespec.memory.budget import Term
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.hardware.gpu import GPU

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Row:
    """What one rank takes: in these versions, with one rank or several (``most_ranks`` at most), fused or not, and how the
    rows spread."""

    versions: str
    several_ranks: bool
    mib: int
    spread_mib: int
    source: str
    fused_all_reduce: bool | None = None
    most_ranks: int | None = None


UNIFIED = Row(
    ">=0",
    False,
    1536,
    1536,
    "GB10 and Thor: 0.4 (0.11, idx-spark-qwen3moe), 0.9 and 2.0 (0.13), 2.2 (0.27), 4.6 GiB (0.28)",
)
"""GPUs that share the host's memory: what the host takes meanwhile (page cache, other processes) counts too
(vllm/utils/mem_utils.py MemorySnapshot.measure)."""

V0 = Row(
    "<0.11", False, 90, 270, "nine starts of 0.6.4 to 0.8.5 on T4, V100, L4, L40S and A100: 0.01–0.35 GiB"
)
"""One rank of the V0 engine, whatever the release."""

ROWS = (
    Row(
        ">=0.18,<0.25",
        False,
        133,
        80,
        "hpml-6, hpml-9, page-myoceane-1 on 0.19 (A100, A6000), idx-l4-gemma3-4b on 0.21: 0.06–0.15 GiB",
        fused_all_reduce=False,
    ),
    Row(">=0.20", False, 230, 16, "h100-vllm-0.25.1 and h200-vllm-0.25.1: 230–248 MiB"),
    Row(">=0.18,<0.20", False, 252, 60, "llmd205 on 0.18 and 0.19: 0.24–0.27 GiB, Granite 0.46"),
    Row(">=0.8,<0.18", False, 133, 40, "llmd622 on 0.11, llmd205-v1…v3 on 0.15–0.17: 0.13 GiB"),
    Row(
        ">=0.18", True, 2120, 40, "llmd205 at tp 2 and 4 on 0.19, H100: 2.06–2.13 GiB", fused_all_reduce=True
    ),
    Row(
        ">=0.18",
        True,
        556,
        400,
        "as before 0.18; idx-4l4-qwen3moe-1 (4 × L4) allows no more",
        fused_all_reduce=False,
    ),
    Row(
        ">=0.8,<0.18",
        True,
        133,
        100,
        "dennis-4 and -5 at tp 2 on 0.10.1 (A100): 0.13 GiB left over",
        fused_all_reduce=False,
    ),
    Row(
        ">=0.8,<0.18",
        True,
        556,
        60,
        "llmd622-3, -10 at tp 2 on 0.11, H100: 0.54–0.55 GiB",
        fused_all_reduce=True,
        most_ranks=2,
    ),
    Row(
        ">=0.8,<0.18",
        True,
        1500,
        1000,
        "0.54 GiB at tp 2, at most 2.4 at tp 4 (pub-qwen3-235b-fp8-4xh100-21348, 0.9.2)",
        fused_all_reduce=True,
    ),
    Row(
        "<0.8",
        True,
        4300,
        3100,
        "1.5 GiB at tp 8 (vllm-6746-1, 0.5), 1.8 GiB more at tp 2 than at tp 1 (pull request 10511), 7.16 GiB at tp 8 on "
        "H200 (pub-r1-h200-tp8, 0.7.3)",
        fused_all_reduce=True,
    ),
    Row("<0.8", True, 256, 120, "vllm-13061-1 at tp 2 on 0.7.2: 0.25 GiB", fused_all_reduce=False),
)


def non_torch_term(deployment: Deployment) -> Term:
    """Bytes outside PyTorch's allocator on one rank, with the spread of the rows they were read from."""
    settings = deployment.settings
    ranks = settings.integer("tensor_parallel_size") * settings.integer("pipeline_parallel_size")
    row = _row(deployment, ranks)
    return Term(
        "non_torch",
        row.mib * MIB,
        "CUDA context growth" + (" + NCCL and all-reduce buffers" if row.several_ranks else ""),
        f"measured: {row.source}",
        f"{row.mib} MiB",
        uncertainty_bytes=row.spread_mib * MIB,
    )


def _row(deployment: Deployment, ranks: int) -> Row:
    several_ranks = ranks > 1
    if deployment.gpu.unified_memory:
        return UNIFIED
    if deployment.settings.value("engine") == "v0" and not several_ranks:
        return V0
    fused = fuses_all_reduce(deployment.gpu)
    for row in ROWS:
        if (
            holds(row.versions, deployment.version)
            and row.several_ranks == several_ranks
            and row.fused_all_reduce in (None, fused)
            and (row.most_ranks is None or ranks <= row.most_ranks)
        ):
            return row
    raise AssertionError(f"no non-torch row for vllm {deployment.version}")


def fuses_all_reduce(gpu: GPU) -> bool:
    """Whether this GPU runs the fused all-reduce, whose workspace every rank holds.

    Hopper and Blackwell on NVLink only. Source: vllm 0.25.1 config/vllm.py enable_allreduce_rms_fusion.
    """
    capability = gpu.compute_capability
    return capability is not None and capability[0] in (9, 10) and gpu.interconnect.startswith("nv")
