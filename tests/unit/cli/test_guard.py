"""Every error ends as a message."""

from __future__ import annotations

import pytest

from servespec.cli._guard import guard


def test_an_optional_package_that_is_missing_is_named_with_its_extra(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with guard(["smoke"]) as outcome:
        raise ModuleNotFoundError("No module named 'openai'", name="openai")
    assert outcome.code == 2
    assert "pip install 'servespec[smoke]'" in capsys.readouterr().err
