"""Rules are found by code, engine and the words of a spec, and no others are imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from servespec.diagnostics import Diagnostic
from servespec.engines import engine_names
from servespec.resolve import find_facts, resolve_target
from servespec.rules import all_cards, codes, find_card, rules_for, run
from servespec.rules.base import Rule
from servespec.rules.subject import Subject
from servespec.spec.loader import load

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "tests" / "examples" / "rules").glob("SV*/*.yaml"))


def subjects(path: Path) -> list[Subject]:
    loaded = load(path)
    spec = loaded.spec
    if spec is None:
        return []
    found = [Subject(spec=spec, directory=loaded.directory)]
    facts = find_facts(spec, loaded.directory)
    for engine in spec.targets or engine_names():
        try:
            deployment = resolve_target(spec, engine, facts, loaded.directory).deployment
        except (TypeError, ValueError, KeyError):  # a flag value that check leaves out before it resolves
            continue
        found.append(Subject(spec=spec, deployment=deployment, directory=loaded.directory))
    return found


def by_every_rule(subject: Subject) -> list[Diagnostic]:
    engine = subject.deployment.engine if subject.deployment else None
    rules = [rule for rule in rules_for(engine) if rule.applies(subject)]
    return [diagnostic for rule in rules for diagnostic in rule.diagnose(subject)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_words_that_choose_rules_hide_no_finding(path: Path) -> None:
    for subject in subjects(path):
        assert run(subject) == by_every_rule(subject)


def test_index_and_documentation_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "rules.py", "--check"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_plain_spec_imports_no_rules_of_adapters_or_speculation(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text(
        "servespec: v1\nname: plain\nmodel: {id: Qwen/Qwen3-8B}\nhardware: {gpu: H100-80GB}\n"
        "targets: {vllm: {version: 0.32.0}}\n"
    )
    program = (
        "import sys\nfrom servespec.check import check_file\nfrom servespec.spec.loader import load\n"
        f"check_file(load({str(path)!r}))\n"
        "print(*sorted(name for name in sys.modules if '.rules.' in name))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    imported = done.stdout.split()
    assert "servespec.rules.security" in imported
    for module in ("adapters", "speculation", "compilation", "nodes", "quantization"):
        assert f"servespec.engines.vllm.rules.{module}" not in imported
    assert not any("sglang.rules." in name or "tgi.rules." in name for name in imported)


def test_there_are_at_least_eighty_rules_and_every_card_is_complete() -> None:
    cards = all_cards()
    rules = [card for card in cards if isinstance(card, Rule)]
    assert len(rules) >= 80
    assert [card.code for card in cards] == sorted(codes())
    assert len({card.name for card in cards}) == len(cards)
    for card in cards:
        assert card.summary.endswith("."), card.code
        assert len(card.explanation) > 40, card.code
        assert card.engine is None or card.name.startswith(f"{card.engine}-"), card.code


def test_a_rule_of_severity_error_names_the_source_it_was_read_in() -> None:
    for card in all_cards():
        if isinstance(card, Rule) and card.severity.value == "error" and card.engine:
            assert card.source, card.code
            assert card.error_text, card.code


@pytest.mark.parametrize(
    ("asked", "found"),
    [("SV320", "SV320"), ("sv320", "SV320"), (" vllm-heads-not-divisible ", "SV320"), ("SV999", None)],
)
def test_a_card_is_found_by_code_or_name(asked: str, found: str | None) -> None:
    card = find_card(asked)
    assert (card.code if card else None) == found
