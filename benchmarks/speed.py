"""How fast `check` is, as ratios taken in the same run: `python -m benchmarks.speed` (or `make bench`).

1. A cold check of one spec, against an empty program of two commands by Typer that imports pydantic
   and ruamel.yaml. Target: 1.3 times its processor time, bytecode compiled on both sides.
2. 1,000 specs for three engines in one call, against check-jsonschema on the same files with our
   schema alone. Target: not slower. They are 420 different deployments under 1,000 names and ports,
   and what is alike is worked out once; the figure for specs of which no two are alike stands beside it.
3. Time and memory for 250 and 1,000 files. Target: linear.

Processor time (user and system, children included) of the fastest of several runs is compared, which
other work on the machine disturbs least. The time that a person waits for many files stands beside it.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
EMPTY = """\
import pydantic
import ruamel.yaml
import typer

app = typer.Typer()


@app.command()
def one() -> None:
    pass


@app.command()
def two() -> None:
    pass


app()
"""
SPEC = """\
servespec: v1
name: spec-{number}
model: {{id: {model}}}
hardware: {{gpu: {gpu}}}
limits: {{max_model_len: {length}, max_concurrent_requests: {requests}}}
server: {{port: {port}}}
targets:
  vllm: {{version: 0.25.1}}
  sglang: {{version: 0.5.17}}
  tgi: {{version: 3.3.7}}
"""
MODELS = ("meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-8B", "Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen3-4B")
GPUS = ("H100-80GB", "A100-80GB", "L40S-48GB")


def write_specs(folder: Path, count: int, *, alike: bool = True) -> list[str]:
    """``count`` specs that differ in model, GPU and limits; not ``alike``: each with a context of its own."""
    folder.mkdir()
    for number in range(count):
        text = SPEC.format(
            number=number,
            model=MODELS[number % len(MODELS)],
            gpu=GPUS[number % len(GPUS)],
            length=2048 * (1 + number % 7) if alike else 2048 + 8 * number,
            requests=16 * (1 + number % 5),
            port=8000 + number,
        )
        (folder / f"{number:04}.servespec.yaml").write_text(text, encoding="utf-8")
    return sorted(str(path) for path in folder.iterdir())


class Cost:
    """Processor seconds, seconds until it ended, and peak memory (MiB) of a command."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        """Run the command in a process of its own, so that its peak is its own."""
        code = (
            "import resource, subprocess, sys, time; begun = time.perf_counter(); "
            "subprocess.run(sys.argv[1:], stdout=-3, stderr=-3); waited = time.perf_counter() - begun; "
            "u = resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_utime + u.ru_stime, waited, u.ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *command],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        seconds, waited, peak = done.stdout.split()
        self.seconds, self.waited = float(seconds), float(waited)
        self.mebibytes = int(peak) / (1024 * 1024 if sys.platform == "darwin" else 1024)


def fastest(commands: dict[str, list[str]], runs: int, environment: dict[str, str]) -> dict[str, Cost]:
    """The cheapest of several runs of each command, taken in turns; a first run of each compiles."""
    for command in commands.values():
        Cost(command, environment)
    rounds = [{name: Cost(command, environment) for name, command in commands.items()} for _ in range(runs)]
    return {name: min((costs[name] for costs in rounds), key=lambda cost: cost.seconds) for name in commands}


def main() -> int:
    """Print the three figures; 1 when a target is missed and ``--strict`` is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=15, help="runs of the cold check")
    parser.add_argument("--many-runs", type=int, default=3, help="runs of the check of many files")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    missed = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "PYTHONPATH": str(ROOT)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        (folder / "empty.py").write_text(EMPTY, encoding="utf-8")
        (folder / "one.yaml").write_text(
            SPEC.format(number=1, model=MODELS[0], gpu=GPUS[0], length=8192, requests=64, port=8000).split(
                "  sglang"
            )[0],
            encoding="utf-8",
        )
        check = [sys.executable, "-m", "servespec", "check", "--format", "concise"]
        costs = fastest(
            {
                "empty": [sys.executable, str(folder / "empty.py"), "one"],
                "check": [*check, str(folder / "one.yaml")],
            },
            options.runs,
            environment,
        )
        ratio = costs["check"].seconds / costs["empty"].seconds
        missed += ["cold"] if ratio > 1.3 else []
        print(
            f"cold check / empty Typer program: {ratio:.2f} (target 1.3): "
            f"{costs['check'].seconds * 1000:.0f} ms / {costs['empty'].seconds * 1000:.0f} ms of processor time"
        )
        quarter = write_specs(folder / "quarter", options.files // 4)
        every = write_specs(folder / "all", options.files)
        unlike = write_specs(folder / "unlike", options.files, alike=False)
        commands = {
            "quarter": [*check, *quarter],
            "all": [*check, *every],
            "unlike": [*check, *unlike],
        }
        rival = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent))
        if rival:
            schema = str(ROOT / "schema" / "servespec.v1.json")
            commands["rival"] = [rival, "--schemafile", schema, *every]
        costs = fastest(commands, options.many_runs, environment)
        if rival:
            ratio = costs["all"].seconds / costs["rival"].seconds
            missed += ["many"] if ratio > 1 else []
            print(
                f"{options.files} specs × 3 engines / check-jsonschema: {ratio:.2f} (target 1): "
                f"{costs['all'].seconds:.2f} s / {costs['rival'].seconds:.2f} s; "
                f"no two alike: {costs['unlike'].seconds / costs['rival'].seconds:.2f}; "
                f"waited for: {costs['all'].waited / costs['rival'].waited:.2f} "
                f"and {costs['unlike'].waited / costs['rival'].waited:.2f}"
            )
        else:
            print("check-jsonschema is not installed: pip install check-jsonschema")
        growth = costs["all"].seconds / costs["quarter"].seconds
        missed += ["linear"] if growth > 4.8 else []
        print(
            f"time for four times the files: {growth:.2f} (target at most 4.8); "
            f"memory {costs['quarter'].mebibytes:.0f} → {costs['all'].mebibytes:.0f} MiB"
        )
    return int(options.strict and bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
