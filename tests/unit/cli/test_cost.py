"""What a cold check costs, counted and not timed: the same on every machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BASELINE = Path(__file__).with_name("cost.json")
SPEC = """\
servespec: v1
name: small
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hardware: {gpu: H100-80GB}
limits: {max_model_len: 8192}
targets: {vllm: {version: 0.25.1}}
"""
COUNT = """\
import json, os, sys
calls = 0
def count(frame, event, argument):
    global calls
    calls += event == "call" and "servespec" in frame.f_code.co_filename
from servespec.cli import invoke
before = set(sys.modules)
sys.setprofile(count)
code = invoke(["check", "--output", os.devnull, sys.argv[1]])
sys.setprofile(None)
own = sum(name.startswith("servespec") for name in sys.modules)
print(json.dumps({"own_modules": own, "calls": calls}))
sys.exit(code)
"""


def test_a_cold_check_costs_no_more_than_a_fifth_above_the_baseline(tmp_path: Path) -> None:
    """A deliberate change of the cost is written into cost.json, where a reviewer sees it."""
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    done = subprocess.run(
        [sys.executable, "-c", COUNT, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    costs = json.loads(done.stdout)
    baseline = json.loads(BASELINE.read_text())
    for name, cost in costs.items():
        assert cost <= 1.2 * baseline[name], f"{name}: {cost}, the baseline is {baseline[name]}"
        assert cost >= 0.5 * baseline[name], f"{name} fell to {cost}: write it into {BASELINE.name}"
