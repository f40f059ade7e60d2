"""The engine's own YAML configuration file, and the command that reads it."""

from __future__ import annotations

from servespec.engines.launch import Launch, Variable
from servespec.render.artefact import Artefact
from servespec.render.header import plain
from servespec.render.job import Job
from servespec.render.words import shell_word
from servespec.render.yaml_writer import dump_yaml

NEEDS = "an engine with a configuration file, and one node"


def supports(launch: Launch) -> bool:
    """Engines whose version reads a configuration file; a node's own rank cannot stand in one."""
    return launch.config is not None and launch.cluster is None


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.config.yaml``. Two words, ``--config FILE``: with ``=`` some versions ignore the file."""
    path = f"{job.name}.config.yaml"
    secret = tuple(word for flag, name in job.launch.secret_flags for word in (flag, Variable(name)))
    words = (*job.launch.command, *job.launch.config_flags, "--config", path, *secret)
    header = job.header.comment() + plain(f"# Read by: {' '.join(shell_word(word) for word in words)}") + "\n"
    return (Artefact(path, dump_yaml(job.launch.config, header=header)),)
