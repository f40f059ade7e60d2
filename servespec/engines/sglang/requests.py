"""How many requests SGLang schedules together.

Source: mem_cache/kv_cache_configurator.py resolve_max_num_reqs (0.5.17 to 0.5.23);
model_executor/model_runner.py init_memory_pool before.
"""

from __future__ import annotations

from servespec.deployment import Deployment
from servespec.engines.sglang.placement import Ranks
from servespec.engines.sglang.states import StatePool
from servespec.engines.sglang.versions import is_since

LEAST, MOST = 2048, 4096
HALF_THE_TOKENS = "0.5.10"


def max_running_requests(deployment: Deployment, tokens: int, states: StatePool) -> int:
    """Requests of one data-parallel worker, given its pool.

    ``clamp(tokens ÷ context × 512, 2048, 4096)`` where no flag says it; never more than two tokens
    each, nor than the recurrent states allow.
    """
    settings = deployment.settings
    given = settings.value("max_running_requests")
    ranks = Ranks.of(settings)
    if isinstance(given, int):
        requests = max(1, given // (ranks.tensor // ranks.attention))
    else:
        requests = max(LEAST, min(MOST, int(tokens / settings.integer("context_length") * 512)))
    if is_since(deployment.version, HALF_THE_TOKENS):
        requests = min(requests, max(1, tokens // 2))
    return min(requests, states.requests) if states.slots else requests
