"""Container images: one table an engine (``<engine>/images.toml``), read when an artefact needs it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from servespec.deployment import Deployment
from servespec.engines.launch import Account, ContainerImage
from servespec.hardware.gpu import GPU
from servespec.models.sources.lock import locked_digest
from servespec.rules.versions import holds


def image_of(deployment: Deployment) -> ContainerImage:
    """The spec's image, else the engine's own of this version for this kind of accelerator, as the lock pins it.

    Raises SourceError for a file beside the spec that is no lock.
    """
    table = _table(deployment.engine)
    named, gpu = deployment.target.image, deployment.gpu
    reference = named or reference_of(deployment.engine, deployment.asked_version, deployment.version, gpu)
    digest = locked_digest(reference, deployment.spec.name, deployment.engine, deployment.directory)
    if digest is not None and "@" not in reference:
        reference = f"{reference}@{digest}"
    return ContainerImage(
        reference=reference,
        entrypoint_is_server=table["entrypoint_is_server"],
        cache_directory=table["cache_directory"],
        other_caches=tuple(table["other_caches"]),
        has_curl=table["has_curl"],
        account=_account(deployment, table.get("account")),
    )


def reference_of(engine: str, asked_version: str, version: str, gpu: GPU) -> str:
    """The engine's own image of a version. ``version`` is the catalogue's that is followed for ``asked_version``.

    Tags of releases have a ``v`` where the engine's have; ``latest`` and ``nightly`` have none.
    """
    asked = asked_version.removeprefix("v")
    tag = "v{version}" if asked[:1].isdigit() else "{version}"
    reference: str = next(
        row["reference"].replace("v{version}", tag).replace("{version}", asked)
        for row in _table(engine)["image"]
        if row["kind"] == gpu.kind
        and gpu.architecture in row.get("architectures", (gpu.architecture,))
        and holds(row.get("versions", ""), version)
    )
    return reference


@cache
def _table(engine: str) -> Mapping[str, Any]:
    import tomllib  # not where `check` starts

    return tomllib.loads((Path(__file__).with_name(engine) / "images.toml").read_text("utf-8"))


def _account(deployment: Deployment, row: Mapping[str, Any] | None) -> Account | None:
    """The account of the engine's own image; of an image that the spec names nothing is known."""
    if row is None or deployment.target.image is not None or deployment.gpu.kind != row["kind"]:
        return None
    if not holds(row["versions"], deployment.version):
        return None
    return Account(row["user"], row["group"], row["home"])
