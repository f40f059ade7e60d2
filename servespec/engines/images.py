"""Container images: one table an engine (``<engine>/images.toml``), read when an artefact needs it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from servespec.deployment import Deployment
from servespec.engines.launch import Account, ContainerImage
from servespec.rules.versions import holds


def image_of(deployment: Deployment) -> ContainerImage:
    """The spec's image, else the engine's own of this version for this kind of accelerator.

    Tags of releases have a ``v`` where the engine's have; ``latest`` and ``nightly`` have none.
    """
    import tomllib  # not where `check` starts

    table = tomllib.loads((Path(__file__).with_name(deployment.engine) / "images.toml").read_text("utf-8"))
    version = deployment.asked_version.removeprefix("v")
    tag = "v{version}" if version[:1].isdigit() else "{version}"
    reference = deployment.target.image or next(
        row["reference"].replace("v{version}", tag).replace("{version}", version)
        for row in table["image"]
        if row["kind"] == deployment.gpu.kind
        and deployment.gpu.architecture in row.get("architectures", (deployment.gpu.architecture,))
        and holds(row.get("versions", ""), deployment.version)
    )
    return ContainerImage(
        reference=reference,
        entrypoint_is_server=table["entrypoint_is_server"],
        cache_directory=table["cache_directory"],
        other_caches=tuple(table["other_caches"]),
        has_curl=table["has_curl"],
        account=_account(deployment, table.get("account")),
    )


def _account(deployment: Deployment, row: Mapping[str, Any] | None) -> Account | None:
    """The account of the engine's own image; of an image that the spec names nothing is known."""
    if row is None or deployment.target.image is not None or deployment.gpu.kind != row["kind"]:
        return None
    if not holds(row["versions"], deployment.version):
        return None
    return Account(row["user"], row["group"], row["home"])
