"""What a start takes outside PyTorch's allocator: CUDA context growth, NCCL, custom all-reduce."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servespec.memory.budget import Term
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

MIB = 2**20

# (versions, tensor-parallel ranks are several, MiB, spread in MiB, measured rows)
ROWS: tuple[tuple[str, bool, int, int, str], ...] = (
    (">=0.20", False, 230, 16, "h100-vllm-0.25.1 and h200-vllm-0.25.1: 230–248 MiB"),
    (">=0.18,<0.20", False, 252, 60, "llmd205 on 0.18 and 0.19: 0.24–0.27 GiB, Granite 0.46"),
    (">=0.8,<0.18", False, 133, 40, "llmd622 on 0.11, llmd205-v1…v3 on 0.15–0.17: 0.13 GiB"),
    ("<0.8", False, 90, 60, "vllm-12529-1, vllm-15783-1 on 0.7.3: 0.04–0.09 GiB"),
    (">=0.18", True, 2120, 40, "llmd205 at tp 2 and 4 on 0.19: 2.06–2.13 GiB"),
    (">=0.8,<0.18", True, 556, 60, "llmd622-3, -10 at tp 2 on 0.11: 0.54–0.55 GiB"),
    ("<0.8", True, 256, 120, "vllm-13061-1 at tp 2 on 0.7.2: 0.25 GiB"),
)


def non_torch_term(deployment: Deployment) -> Term:
    """Bytes outside PyTorch's allocator on one rank, with the spread of the rows they were read from."""
    settings = deployment.settings
    ranks = settings.integer("tensor_parallel_size") * settings.integer("pipeline_parallel_size")
    for versions, several, mib, spread, source in ROWS:
        if holds(versions, deployment.version) and several == (ranks > 1):
            return Term(
                "non_torch",
                mib * MIB,
                "CUDA context growth + NCCL and all-reduce buffers" if several else "CUDA context growth",
                f"measured: {source}",
                f"{mib} MiB",
                uncertainty_bytes=spread * MIB,
            )
    raise AssertionError(f"no non-torch row for vllm {deployment.version}")
