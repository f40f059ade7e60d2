"""Multi-head latent attention that vLLM runs as plain attention: keys and values of every head, none compressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servespec.models.facts import KVKind, KVLayers
from servespec.rules.versions import holds

if TYPE_CHECKING:
    from servespec.deployment import Deployment

WITHOUT_LATENT_CACHE = "<0.7.1"
PADDED_HEAD = 256
"""vllm 0.6.3 config.py get_head_size and models/deepseek_v2.py: heads of 192 padded to what FlashAttention has."""

SWITCH = "VLLM_MLA_DISABLE"


def expanded_head(deployment: Deployment) -> int | None:
    """Elements of a key head (a value's as many) where latent attention is expanded; None where it is not."""
    extra = deployment.model.extra
    if "qk_nope_head_dim" not in extra or not any(kv.kind is KVKind.latent for kv in deployment.model.kv):
        return None
    if holds(WITHOUT_LATENT_CACHE, deployment.version):
        return PADDED_HEAD
    asked = deployment.target.env.get(SWITCH, deployment.spec.env.get(SWITCH, "0"))
    if str(asked).lower() in ("0", "false", ""):
        return None
    return int(extra["qk_nope_head_dim"]) + int(extra.get("qk_rope_head_dim", 64))


def as_kept(deployment: Deployment, kept: KVLayers) -> KVLayers:
    """The layers as this version keeps them: plain ones in place of latent ones that are expanded."""
    head = expanded_head(deployment) if kept.kind is KVKind.latent else None
    if head is None:
        return kept
    return KVLayers(
        kind=KVKind.full,
        layers=kept.layers,
        kv_heads=deployment.model.attention_heads,
        key_dim=head,
        value_dim=head,
        part=kept.part,
    )
