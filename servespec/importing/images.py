"""Which engine an image is by its name, and which version a text installs."""

from __future__ import annotations

import re

from servespec.engines.published import published

_BESIDE = re.compile(
    r"router|gateway|proxy|controller|operator|exporter|scheduler|sidecar|bench|inference-sim"
    r"|embeddings-inference|llama[._-]?cpp|ollama|lmdeploy|localai|tritonserver|infinity|open-webui|litellm"
)
"""Programs that stand beside an engine and often bear its name, and servers of other projects with like flags."""


def is_beside(reference: str) -> bool:
    """Whether an image is of a program beside the engines (a router, a gateway) or of another project's server."""
    return (
        _BESIDE.search(reference.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()) is not None
    )


def engine_of(reference: str) -> str | None:
    """The engine that an image's name speaks of, its last part first; None when it speaks of none."""
    path = reference.partition("@")[0].lower()
    if is_beside(path):
        return None
    for candidate in (path.rpartition("/")[2], path):
        found = [engine for engine, how in published().items() if how.image.search(candidate)]
        if found:
            return found[0]
    return None


def pinned_version(engine: str, text: str) -> str | None:
    """The version that an installation in the text pins: ``pip install vllm==0.8.5``."""
    match = re.search(
        rf"\b{engine}(?:\[[\w,-]+\])?\s*==\s*v?(\d+\.\d+(?:\.\d+)*(?:\.?post\d+)?(?:\+\w+)?)", text
    )
    return match[1] if match is not None else None
