"""``servespec.toml`` or ``[tool.servespec]`` of pyproject.toml: what a project asks for."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from servespec.errors import UsageError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class _Table(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=lambda name: name.replace("_", "-")
    )


class Policy(_Table):
    """What an organisation allows; patterns as in a shell. Empty: everything."""

    images: tuple[str, ...] = Field((), description="Images that targets may use.")
    gpus: tuple[str, ...] = Field((), description="GPUs that specs may name.")
    models: tuple[str, ...] = Field((), description="Models that specs may name.")


class Settings(_Table):
    """A project's configuration."""

    select: tuple[str, ...] = Field(
        (), description="Codes, or beginnings of codes, that are reported; empty: all."
    )
    ignore: tuple[str, ...] = Field((), description="Codes that are not reported.")
    severity: dict[str, Literal["error", "warning", "info"]] = Field(
        default_factory=dict, description="Another severity for a code."
    )
    per_file_ignores: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Codes that are not reported in files of a pattern, relative to this file.",
    )
    targets: tuple[str, ...] = Field((), description="Engines to check for when the command names none.")
    policy: Policy = Field(default_factory=Policy, description="What the organisation allows.")


class Found:
    """Settings and the folder against which their patterns hold."""

    __slots__ = ("directory", "settings")

    def __init__(self, settings: Settings, directory: Path) -> None:
        """Keep both."""
        self.settings = settings
        self.directory = directory


def read(path: str) -> Found | None:
    """The settings of one file, None where a pyproject.toml has none. Raises UsageError."""
    try:
        status = Path(path).stat()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1024)
def _read(path: str, _modified: int, _size: int) -> Found | None:
    """Once for each state of the file, however many specs it holds for."""
    import tomllib

    from pydantic import ValidationError

    from servespec.spec.source import MAX_SOURCE_BYTES, read_regular

    try:
        table: Any = tomllib.loads(read_regular(path, MAX_SOURCE_BYTES).decode("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from error
    except RecursionError:
        raise UsageError(f"{path}: nested too deeply") from None
    if Path(path).name == "pyproject.toml":
        tool = table.get("tool")
        if not isinstance(tool, dict) or "servespec" not in tool:
            return None
        table = tool["servespec"]
    try:
        return Found(Settings.model_validate(table), Path(path).parent)
    except ValidationError as error:
        raise UsageError(f"{path}: {_message(error.errors(include_url=False)[0])}") from error


def _message(error: ErrorDetails) -> str:
    from servespec.spec.problems import nearest

    key = ".".join(str(part) for part in error["loc"]) or "tool.servespec"
    if error["type"] != "extra_forbidden":
        return f"{key}: {error['msg'][:1].lower()}{error['msg'][1:]}"
    model = Policy if error["loc"][0] == "policy" else Settings
    names = [field.alias or name for name, field in model.model_fields.items()]
    close = nearest(str(error["loc"][-1]), names)
    return f"no key is named {key!r}" + (
        f"; did you mean {close!r}?" if close else f"; there are {', '.join(names)}"
    )


def check_names(settings: Settings, path: str) -> None:
    """Raises UsageError for an engine or a code that there is not."""
    from servespec.control.govern import check_codes
    from servespec.engines import engine_names

    ignored = (code for codes in settings.per_file_ignores.values() for code in codes)
    try:
        check_codes((*settings.select, *settings.ignore, *settings.severity, *ignored))
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None

    for name in settings.targets:
        if name not in engine_names():
            raise UsageError(
                f"{path}: targets: no engine is named {name!r}; there are {', '.join(engine_names())}"
            )
