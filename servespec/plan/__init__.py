"""Search GPUs × splits × quantization × KV types × engines for what serves a spec's workload.

:func:`plan` is the one way in. Every answer was given by the budget and the rules that ``servespec check`` has.
"""

from __future__ import annotations

from servespec.plan.plan import VARIABLE, Plan, Wishes, plan

__all__ = ["VARIABLE", "Plan", "Wishes", "plan"]
