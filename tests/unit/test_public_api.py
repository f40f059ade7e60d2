"""``import servespec``: six functions, whatever subpackages of the same names are imported."""

import contextlib
import importlib

import pytest

import servespec

FUNCTIONS = ("check", "load", "render", "resolve", "run", "smoke")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_stays_a_function_when_a_module_of_its_name_is_imported(name: str) -> None:
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module(f"servespec.{name}")
    assert callable(getattr(servespec, name))


def test_a_name_that_is_not_public_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = servespec.nothing_of_the_kind
