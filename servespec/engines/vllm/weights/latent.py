"""What multi-head latent attention keeps beside its parameters, made once they are loaded.

Source: process_weights_after_loading of vllm/v1/attention/backends/mla/common.py and, before 0.8,
vllm/attention/backends/mla/utils.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from servespec.engines.vllm.latent import expanded_head
from servespec.engines.vllm.weights.modules import Module
from servespec.engines.vllm.weights.offload import offloaded_bytes
from servespec.memory.elements import element_bytes
from servespec.models.facts import KVKind
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

ABSORBS = ">=0.7.1,<0.8"
"""Query and output projections with kv_b_proj multiplied into them, for decoding, beside the plain ones
(DeepSeek-R1 on eight H200 of 0.7.3: 83.88 GiB a rank, 4.47 of them these)."""

QUERY = (".q_b_proj.weight", ".qkv_proj.weight")  # q_proj has no key and value to be fused with here


def latent_copies(deployment: Deployment, modules: tuple[Module, ...]) -> Iterator[int]:
    """Bytes of each tensor beyond the parameters: kv_b_proj again in the model's type where it is quantized
    (a view of itself where it is not), and what 0.7 absorbs."""
    latent = next((kv for kv in deployment.model.kv if kv.kind is KVKind.latent), None)
    if latent is None or expanded_head(deployment) is not None:
        return
    rope = int(deployment.model.extra.get("qk_rope_head_dim", 64))
    size = element_bytes(str(deployment.settings.value("dtype")))
    layers: dict[int, dict[str, Module]] = {}
    for module in modules:
        if module.layer is not None:
            for end in (*QUERY, ".kv_b_proj.weight", ".o_proj.weight"):
                if module.name.endswith(end):
                    layers.setdefault(module.layer, {})["query" if end in QUERY else end[1]] = module
    whole = sum(module.elements * module.copies for module in modules) * size
    in_host = min(
        1.0, offloaded_bytes(deployment) / max(1, whole)
    )  # the first layers go, and copies stay with them
    for found in list(layers.values())[round(in_host * len(layers)) :]:
        expand = found.get("k")
        if expand is None:
            continue
        if expand.form is not None:
            yield expand.elements * size
        query, output = found.get("query"), found.get("o")
        if query is None or output is None or not holds(ABSORBS, deployment.version):
            continue
        heads = output.inputs // int(deployment.model.extra.get("v_head_dim", 128))
        requantized = 1 if query.form is not None and query.form.name == "fp8" else size
        yield query.inputs * heads * rope * size
        yield query.inputs * heads * expand.inputs * requantized
        yield heads * expand.inputs * output.outputs * requantized
