"""``servespec rules``: every finding that there is."""

from __future__ import annotations

import sys
from typing import Annotated

from servespec.cli._parameters import TextOrJson, choice
from servespec.engines import engine_names


def command(
    engine: Annotated[
        str | None,
        choice(
            "--target",
            "-t",
            names=engine_names,
            metavar="ENGINE",
            help="Only what holds for this engine.",
        ),
    ] = None,
    output_format: TextOrJson = "text",
) -> None:
    """List every finding that there can be.

    Code, severity, name, and what each is about; `servespec explain CODE` says more.
    """
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
    for card in cards:
        holds_for = f" [{card.engine}{' ' + card.versions if card.versions else ''}]" if card.engine else ""
        print(f"{card.code}  {card.severity:<7}  {card.name:<36}  {card.summary}{holds_for}")
