"""`make accuracy`: all cases, all figures, and the rivals on the same rows."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.accuracy.cases import DATA, load_cases
from benchmarks.accuracy.competition import compete
from benchmarks.accuracy.document import document
from benchmarks.accuracy.predict import predictions, reports
from benchmarks.accuracy.reasons import BEYOND


def main() -> None:
    """Print the tables; with ``--output`` write them into a file as well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, nargs="*", default=sorted(DATA.glob("*cases.jsonl")))
    parser.add_argument("--configurations", type=Path, help="folder of the specs' model.config files")
    parser.add_argument(
        "--beyond", type=float, default=BEYOND, help="list the cases with an error above this"
    )
    parser.add_argument("--only", default="", help="substring of the ids of the cases to run")
    parser.add_argument("--engine", default="", help="only cases of this engine")
    parser.add_argument("--rivals", action="store_true", help="run the rivals from PyPI on the same rows")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    cases = [
        case
        for case in load_cases(options.cases)
        if options.only in case.id and options.engine in ("", case.engine)
    ]
    published = load_cases([DATA / "published.jsonl"]) if not options.only and not options.engine else ()
    found = reports([*cases, *published], options.configurations)
    entries = compete(cases, found) if options.rivals else None
    text = document(
        cases, predictions([*cases, *published], found), found, entries, options.beyond, published
    )
    print(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
