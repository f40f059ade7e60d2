"""The digest of a container image, asked of its registry (OCI distribution specification 1.1, token authentication)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from servespec.errors import MissingExtraError, SourceError
from servespec.models.sources.lock import IMAGE_DIGEST

if TYPE_CHECKING:
    import httpx

DEFAULT_REGISTRY = "registry-1.docker.io"
"""What a reference without a host means to docker and podman's defaults."""
TIMEOUT_SECONDS = 20.0
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


def parts_of(image: str) -> tuple[str, str, str]:
    """(registry, repository, tag) of a reference such as ``ghcr.io/owner/name:tag``; no host means Docker Hub."""
    first, slash, rest = image.partition("/")
    has_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    registry, path = (first, rest) if has_host else (DEFAULT_REGISTRY, image)
    repository, _, tag = path.partition(":")
    if registry == DEFAULT_REGISTRY and "/" not in repository:
        repository = f"library/{repository}"
    return registry, repository, tag or "latest"


def digest_of(image: str) -> str:
    """``sha256:…`` of what the tag means now, for all platforms together where it has several. Raises SourceError."""
    try:
        import httpx
    except ModuleNotFoundError as error:
        raise MissingExtraError("httpx", "run") from error
    registry, repository, tag = parts_of(image)
    scheme = "http" if registry.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
    url = f"{scheme}://{registry}/v2/{repository}/manifests/{tag}"
    headers = {"Accept": ", ".join(MANIFESTS)}
    try:
        with httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=True) as client:
            answer = client.head(url, headers=headers)
            if answer.status_code == 401:
                token = _token(client, answer.headers.get("www-authenticate", ""), scheme)
                answer = client.head(url, headers={**headers, "Authorization": f"Bearer {token}"})
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise SourceError(
            f"the registry of {image} does not answer: {str(error) or type(error).__name__}"
        ) from None
    found = answer.headers.get("docker-content-digest", "")
    if answer.status_code != 200 or not IMAGE_DIGEST.fullmatch(found):
        raise SourceError(f"the registry tells no digest of {image}: it answers with {answer.status_code}")
    return str(found)


def _token(client: httpx.Client, challenge: str, scheme: str) -> str:
    """An anonymous token for the challenge of a 401. Raises ValueError for one that is no Bearer challenge."""
    values = dict(_CHALLENGE.findall(challenge))
    realm = values.pop("realm", "")
    if not challenge.lower().startswith("bearer ") or not realm.startswith(f"{scheme}://"):
        raise ValueError("it asks for a kind of authentication that is not known here")
    answer = client.get(realm, params={name: values[name] for name in ("service", "scope") if name in values})
    answer.raise_for_status()
    document = answer.json()
    token = document.get("token") or document.get("access_token") if isinstance(document, dict) else None
    if not isinstance(token, str):
        raise ValueError("its token service gives no token")
    return token
