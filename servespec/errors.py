"""The one tree of errors that servespec raises on purpose.

Every error here ends as a clean message on stderr, never as a traceback: the message is a whole
sentence that says what is wrong and what to do. A finding about a spec is no error but a
:class:`servespec.diagnostics.Diagnostic`.
"""

from __future__ import annotations


class ServespecError(Exception):
    """Base of all: the command could not be carried out (exit code 2)."""

    exit_code = 2


class SpecError(ServespecError):
    """A spec has a mistake that the command cannot go on with: `check` shows it, and ends alike (exit code 1)."""

    exit_code = 1


class UsageError(ServespecError):
    """An option or an argument that makes no sense; nothing was done."""


class SourceError(ServespecError):
    """Model facts that were asked for could not be read: no such file, not JSON, no such model."""


class UnknownModelError(SourceError):
    """Nothing that servespec can reach (catalogue, folder, configuration, Hub) knows the model."""


class UnmodelledError(ServespecError):
    """The architecture, quantization or setting is known but not modelled, so no budget can be made.

    ``what`` names it, as in ``architecture FooForCausalLM``; ``key`` is where the spec asks for it.
    """

    def __init__(self, what: str, message: str | None = None, key: str = "model.id") -> None:
        """Keep what is not modelled, to be named in the diagnostic."""
        super().__init__(message or f"{what} is not modelled")
        self.what, self.key = what, key


class UnknownGPUError(ServespecError):
    """No GPU of that name in the catalogue; ``nearest`` is the closest name there is."""

    def __init__(self, name: str, nearest: str | None) -> None:
        """Keep both names for the diagnostic and its fix."""
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"no GPU named {name!r} in the catalogue{hint} (`servespec gpus` lists them)")
        self.name = name
        self.nearest = nearest


class RenderError(ServespecError):
    """An artefact could not be written, or would overwrite what a person changed."""


class StartError(ServespecError):
    """An engine did not start, or ended before it was ready (exit code 1)."""

    exit_code = 1


class MissingExtraError(ServespecError):
    """A command needs an optional dependency that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        """Name the package and the extra that brings it."""
        super().__init__(f"this needs the package {package}: pip install 'servespec[{extra}]'")


OPTIONAL_PACKAGES = {
    "aiohttp": ("aiohttp", "bench"),
    "httpx": ("httpx", "run"),
    "huggingface_hub": ("huggingface_hub", "hub"),
    "jsonschema": ("jsonschema", "smoke"),
    "openai": ("openai", "smoke"),
    "prometheus_client": ("prometheus_client", "smoke"),
    "pygls": ("pygls", "lsp"),
    "pynvml": ("nvidia-ml-py", "gpu"),
}
"""Modules that `check` and `render` do without: the package that brings each, and the extra that brings the package."""


def missing_extra(error: ModuleNotFoundError) -> MissingExtraError | None:
    """The same as an error with the way out, when what is missing is an optional package; else None."""
    found = OPTIONAL_PACKAGES.get((error.name or "").partition(".")[0])
    return MissingExtraError(*found) if found else None
