"""What a check costs, counted and not timed: the same on every machine and in every folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.speed import write_specs

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
import servespec
from servespec.cli import invoke
package = os.path.dirname(servespec.__file__) + os.sep
def count(frame, event, argument):
    global calls
    calls += event == "call" and frame.f_code.co_filename.startswith(package)
def check(*paths):
    global calls
    calls = 0
    sys.setprofile(count)
    code = invoke(["check", "--output", os.devnull, *paths])
    sys.setprofile(None)
    assert code == 0
    return calls
one, *many = sys.argv[1:]
costs = {"calls": check(one), "own_modules": sum(name.startswith("servespec") for name in sys.modules)}
check(many[0])
first = check(*many[: len(many) // 2])
further = check(*many) - first
costs["calls_of_a_further_spec_for_three_engines"] = further // (len(many) - len(many) // 2)
print(json.dumps(costs))
"""


def test_a_check_costs_no_more_than_a_fifth_above_the_baseline(tmp_path: Path) -> None:
    """A deliberate change of the cost is written into cost.json, where a reviewer sees it."""
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    many = write_specs(tmp_path / "many", 80)
    done = subprocess.run(
        [sys.executable, "-c", COUNT, str(path), *many],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    assert done.returncode == 0, done.stderr
    costs = json.loads(done.stdout)
    baseline = json.loads(BASELINE.read_text())
    for name, cost in costs.items():
        assert cost <= 1.2 * baseline[name], f"{name}: {cost}, the baseline is {baseline[name]}"
        assert cost >= 0.5 * baseline[name], f"{name} fell to {cost}: write it into {BASELINE.name}"
