"""What a format is given to work with."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from servespec.deployment import Deployment
from servespec.engines.launch import Launch
from servespec.render.header import Header

MAX_LABEL = 63
"""Longest name of a DNS label (RFC 1123), which Kubernetes asks of names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One rendering: what is deployed, how it is launched, and where templates of the user's own lie.

    ``folder`` is where the artefacts will lie, relative to where servespec was called.
    """

    deployment: Deployment
    launch: Launch
    format: str
    spec_file: str
    templates: Path | None = None
    folder: Path = field(default_factory=Path)

    def beside(self, path: str) -> str:
        """A relative path as a file among the artefacts has to name it; others as they are."""
        if not path.startswith("."):
            return path
        found = os.path.relpath(path, self.folder).replace("\\", "/")
        return found if found.startswith("../") else f"./{found}"

    @property
    def header(self) -> Header:
        """The header that every file of this rendering carries."""
        target = f"{self.launch.engine} {self.launch.version}"
        return Header(spec=self.spec_file, target=target, format=self.format)

    @property
    def name(self) -> str:
        """The deployment's name as a DNS label: lower case letters, digits and ``-``."""
        label = re.sub(r"[^a-z0-9]+", "-", self.deployment.spec.name.lower())
        return label[:MAX_LABEL].strip("-")

    @property
    def cluster_name(self) -> str:
        """The name of cluster objects: those that a Service is made for begin with a letter (RFC 1035)."""
        return self.name if self.name[:1].isalpha() else f"m-{self.name}"[:MAX_LABEL].rstrip("-")

    @property
    def connect_host(self) -> str:
        """The address at which a client on the same machine finds the server."""
        return "localhost" if self.launch.host in {"0.0.0.0", "::", "[::]", ""} else self.launch.host  # noqa: S104 (nothing is bound here)

    @property
    def base_url(self) -> str:
        """``http://host:port`` for a client on the same machine."""
        host = f"[{self.connect_host}]" if ":" in self.connect_host else self.connect_host
        return f"http://{host}:{self.launch.port}"
