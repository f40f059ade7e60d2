"""The pool of recurrent states (Mamba, gated delta net, linear attention) beside the token pool.

Source: mem_cache/kv_cache_configurator.py _handle_max_mamba_cache and _calculate_mamba_ratio (0.5.17,
0.5.23); model_executor/model_runner_kv_cache_mixin.py (0.5.7 to 0.5.15).
"""

from __future__ import annotations

from dataclasses import dataclass

from servespec.deployment import Deployment, SettingValue
from servespec.engines.sglang.placement import Ranks, stage_layers
from servespec.engines.sglang.versions import is_since
from servespec.memory.elements import element_bytes
from servespec.memory.kv import state_shape
from servespec.memory.shards import elements_of
from servespec.models.facts import KVKind, Part, StateTensor

SOURCE = "sglang mem_cache/kv_cache_configurator.py _handle_max_mamba_cache"
DEFAULT_RATIO = 0.9  # ServerArgs.mamba_full_memory_ratio

# constants in mem_cache/kv_cache_configurator.py: states for each request with prefix caching,
# and those that the extra buffer of the overlapping scheduler adds.
STATES_PER_REQUEST = 3
EXTRA_BUFFER = 2
PADDING_SLOT = "0.5.15"
TEMPORAL_AXES = 3


@dataclass(frozen=True, slots=True)
class StatePool:
    """``slots`` states; ``requests`` that they allow; nothing where the model has no recurrent layers."""

    size_bytes: int = 0
    slots: int = 0
    requests: int = 0
    formula: str = "no recurrent layers"
    source: str = SOURCE


def bytes_per_state(deployment: Deployment, stage: int) -> int:
    """Bytes of all states of one sequence on one rank of a stage."""
    settings = deployment.settings
    ranks = Ranks.of(settings)
    mine = stage_layers(deployment.model.layers, settings.integer("pp_size"), deployment.version)[stage]
    dtype = str(settings.value("dtype"))
    temporal = settings.value("mamba_ssm_dtype")
    total = 0
    for layers in deployment.model.kv:
        if layers.kind is not KVKind.recurrent or layers.part is Part.mtp:
            continue
        here = sum(layer in mine for layer in layers.layers)
        for state in layers.states:
            own = _state_dtype(state, dtype, temporal)
            total += here * elements_of(state_shape(state, ranks.attention)) * element_bytes(own)
    return total


def _state_dtype(state: StateTensor, dtype: str, temporal: SettingValue) -> str:
    """Convolutions are kept in the model's type, temporal states (heads × dimensions) in float32 by default.

    Source: configs/mamba_utils.py, mamba2_state_dtype (SGLANG_MAMBA_SSM_DTYPE).
    """
    if len(state.shape) < TEMPORAL_AXES:
        return state.dtype or dtype
    return temporal if isinstance(temporal, str) else state.dtype or "float32"


def state_pool(deployment: Deployment, stage: int, rest_bytes: float | None) -> StatePool:
    """The pool that is cut out of ``rest_bytes``; None where no budget decides it."""
    settings = deployment.settings
    one = bytes_per_state(deployment, stage)
    if not one:
        return StatePool()
    per_request = _states_per_request(deployment)
    given = settings.value("max_mamba_cache_size")
    running = settings.value("max_running_requests")
    padding = 1 if is_since(deployment.version, PADDING_SLOT) else 0
    ratio = settings.value("mamba_full_memory_ratio")
    share = float(ratio) if isinstance(ratio, int | float) else DEFAULT_RATIO
    if isinstance(given, int):
        slots, formula = given, "max_mamba_cache_size × bytes of a state"
    elif settings.flag("disable_radix_cache") and isinstance(running, int):
        slots, formula = running, "max_running_requests × bytes of a state"
    elif rest_bytes is None:
        return StatePool(formula="a share of the host's free memory")
    else:
        slots = max(0, int(rest_bytes * share / (1 + share)) // one - padding)
        formula = f"rest × {share:g} ÷ {1 + share:g}, in whole states of {one:,} bytes"
    return StatePool(
        size_bytes=(slots + 1) * one, slots=slots, requests=max(0, slots // per_request), formula=formula
    )


def _states_per_request(deployment: Deployment) -> int:
    if deployment.settings.flag("disable_radix_cache"):
        return 1
    strategy = deployment.settings.value("mamba_radix_cache_strategy")
    return STATES_PER_REQUEST + (EXTRA_BUFFER if strategy == "extra_buffer" else 0)
