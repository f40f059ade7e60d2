"""``servespec rules``: every finding that there is."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def command(
    engine: Annotated[
        str | None, typer.Option("--engine", help="Only what holds for this engine.", metavar="ENGINE")
    ] = None,
    output_format: Annotated[
        str, typer.Option("--format", "-f", help="text, or json for programs.", metavar="FORMAT")
    ] = "text",
) -> None:
    """List the rules: code, severity, name, and what each is about."""
    from servespec.errors import UsageError
    from servespec.rules.registry import all_cards

    cards = [card for card in all_cards() if engine is None or card.engine in (None, engine)]
    if output_format == "json":
        from dataclasses import fields
        from json import dumps

        from servespec.rules.base import Card

        names = [field.name for field in fields(Card)]
        rows = [{name: getattr(card, name) for name in names} for card in cards]
        sys.stdout.write(dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return
    if output_format != "text":
        raise UsageError(f"{output_format!r} is none of text, json")
    for card in cards:
        holds_for = f" [{card.engine}{' ' + card.versions if card.versions else ''}]" if card.engine else ""
        print(f"{card.code}  {card.severity:<7}  {card.name:<36}  {card.summary}{holds_for}")
