"""SV5xx: what a deployment gives away. Literal secrets (SV501) are found while a spec is read."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Severity
from servespec.models.local import is_local
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject, written_name

_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1", "[::1]")


def _is_commit(revision: str | None) -> bool:
    return revision is not None and len(revision) == 40 and all(c in "0123456789abcdef" for c in revision)


@rule(
    code="SV503",
    name="open-server-without-key",
    severity=Severity.info,
    scope="spec",
    summary="The server listens on every address and asks for no key.",
    explanation="Whoever reaches the port may use the GPUs and read what others ask. Inside a cluster a "
    "gateway in front often takes care of it; on a host of its own it is open to the network.",
    fix="Set server.api_key_env to the variable that holds the key, or server.host to 127.0.0.1.",
    source="vLLM documentation, Security: API key authentication limitations",
)
def open_server_without_key(subject: Subject) -> Iterable[Finding]:
    """host is no loopback address and no key is set."""
    server = subject.spec.server
    keyed = server.api_key_env or any(
        written_name(written) in ("api_key", "api_keys")
        for target in subject.spec.targets.values()
        for written in target.args
    )
    names = {*subject.spec.env, *(name for target in subject.spec.targets.values() for name in target.env)}
    if keyed or server.host in _LOCAL_HOSTS or names & {"VLLM_API_KEY", "API_KEY"}:
        return
    yield Finding(
        message=f"the server listens on {server.host} and asks for no key: set server.api_key_env, or bind 127.0.0.1",
        key="server.host" if "server.host" in subject.words else "server",
    )


@rule(
    code="SV504",
    name="remote-code-unpinned",
    severity=Severity.warning,
    scope="spec",
    summary="The model's own code is run, at whatever revision the repository has.",
    explanation="trust_remote_code runs Python from the model's repository with the server's rights. "
    "Without a commit in model.revision, tomorrow's start may run other code than the one that was looked "
    "at.",
    fix="Pin model.revision to a commit, or take an engine release that has the model built in.",
    source="Hugging Face documentation, trust_remote_code; vLLM documentation, Security",
    triggers=("model.trust_remote_code", "targets"),
)
def remote_code_unpinned(subject: Subject) -> Iterable[Finding]:
    """trust_remote_code and no commit."""
    model = subject.spec.model
    if is_local(model.id) or _is_commit(model.revision):
        return
    key = "model.trust_remote_code" if model.trust_remote_code else None
    for engine, target in subject.spec.targets.items():
        for name, value in target.args.items():
            if written_name(name) == "trust_remote_code" and value is True and key is None:
                key = f"targets.{engine}.args.{name}"
    if key:
        yield Finding(
            message="trust_remote_code runs the repository's code at whatever revision it has: pin model.revision to a "
            "commit",
            key=key,
        )


@rule(
    code="SV505",
    name="revision-unpinned",
    severity=Severity.info,
    scope="spec",
    summary="The model's revision is no commit.",
    explanation="A branch moves: weights, configuration or chat template may change between two starts of "
    "the same spec. A commit makes the deployment repeatable; `servespec lock` writes it.",
    fix="Set model.revision to the 40 letters of a commit.",
    source="Hugging Face Hub documentation, revisions",
)
def revision_unpinned(subject: Subject) -> Iterable[Finding]:
    """A Hub model without a commit."""
    model = subject.spec.model
    if not is_local(model.id) and not _is_commit(model.revision):
        found = f"{model.revision!r} is no commit" if model.revision else "no revision is given"
        yield Finding(
            message=f"{found}: weights and configuration of {model.id} may change between two starts",
            key="model.revision" if model.revision else "model.id",
        )


@rule(
    code="SV506",
    name="image-latest",
    severity=Severity.warning,
    scope="spec",
    summary="The image has a tag that moves.",
    explanation="latest, nightly and tags without a version bring another engine with every pull; flags "
    "and memory were checked for one version.",
    fix="Use the tag of the version that the spec names, best with its digest.",
    source="Docker documentation, Image tags; Kubernetes documentation, Container images",
    triggers=("targets",),
)
def image_latest(subject: Subject) -> Iterable[Finding]:
    """An image whose tag is absent, latest, nightly or main."""
    for engine, target in subject.spec.targets.items():
        image = target.image
        if image is None or "@sha256:" in image:
            continue
        last = image.rsplit("/", 1)[-1]
        tag = last.split(":", 1)[1] if ":" in last else ""
        if tag in ("", "latest", "main", "dev", "edge", "nightly", "stable") or tag.startswith(
            ("latest-", "nightly-")
        ):
            found = f"tag {tag!r} moves" if tag else "no tag means latest"
            yield Finding(
                message=f"{image}: {found}; name the tag of the version, best with its digest",
                key=f"targets.{engine}.image",
            )


@rule(
    code="SV507",
    name="image-without-digest",
    severity=Severity.info,
    scope="spec",
    summary="The image is named by its tag alone.",
    explanation="A tag can be pushed again. With the digest behind it (image:tag@sha256:…) what runs is "
    "what was tested; `servespec lock` writes it.",
    fix="Add @sha256:… to the image.",
    source="Kubernetes documentation, Container images: image digests",
    triggers=("targets",),
)
def image_without_digest(subject: Subject) -> Iterable[Finding]:
    """A versioned tag without a digest."""
    for engine, target in subject.spec.targets.items():
        image = target.image
        if (
            image is not None
            and "@sha256:" not in image
            and any(c.isdigit() for c in image.rsplit("/", 1)[-1])
        ):
            yield Finding(
                message=f"{image} has no digest: what the tag names may be replaced",
                key=f"targets.{engine}.image",
            )


@rule(
    code="SV508",
    name="local-media-root",
    severity=Severity.warning,
    scope="spec",
    summary="Requests may read every file of the server.",
    explanation="allowed_local_media_path lets requests name files of the server as images. The root "
    "folder or a home folder gives away keys and configuration.",
    fix="Name the one folder that holds the media.",
    source="vLLM documentation, --allowed-local-media-path: a security risk",
    triggers=("targets",),
)
def local_media_root(subject: Subject) -> Iterable[Finding]:
    """allowed_local_media_path is / or a home folder."""
    for engine, target in subject.spec.targets.items():
        for name, value in target.args.items():
            if written_name(name) != "allowed_local_media_path" or not isinstance(value, str):
                continue
            if value.rstrip("/") in ("", "/root", "/home", "/etc", "~"):
                yield Finding(
                    message=f"requests may read every file below {value}: name the one folder that holds the media",
                    key=f"targets.{engine}.args.{name}",
                )
