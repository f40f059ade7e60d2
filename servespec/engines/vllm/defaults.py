"""Every effective setting of `vllm serve`: spec key, then flag, then what that version does by itself."""

from __future__ import annotations

from servespec.engines.base import Inputs, Resolved
from servespec.engines.vllm.resolution import attention, execution, model, parallel, scheduling
from servespec.engines.vllm.resolution.builder import Builder


def resolve(inputs: Inputs) -> Resolved:
    """Work out the settings that memory and launch depend on, in the order in which vLLM does.

    Source: vllm/engine/arg_utils.py (create_engine_config), vllm/config/*.py, vllm/platforms/*.py.
    """
    builder = Builder(inputs)
    parallel.settle(builder)
    model.settle(builder)
    attention.settle(builder)
    execution.settle(builder)
    scheduling.settle(builder)
    return Resolved(settings=builder.settings(), diagnostics=())
