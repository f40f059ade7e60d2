"""A server as a host process: started, watched, stopped, with nothing left behind."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from servespec.engines import get_engine
from servespec.engines.launch import ContainerImage, Launch
from servespec.errors import StartError, UsageError
from servespec.runtime import Host, Running, StartFailed, start

DOUBLE = Path(__file__).parents[2] / "doubles" / "openai_server.py"
IMAGE = ContainerImage(reference="double", entrypoint_is_server=True, cache_directory="/cache")
LaunchMaker = Callable[..., Launch]


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def launch(port: int) -> LaunchMaker:
    def make(*flags: str, **changes: object) -> Launch:
        fields: dict[str, object] = {
            "engine": "vllm",
            "version": "0.32.0",
            "model": "tiny",
            "command": ("python", str(DOUBLE)),
            "flags": (str(port), *flags),
            "host": "0.0.0.0",
            "port": port,
            "health_path": "/health",
            "served_model_name": "tiny",
            "image": IMAGE,
            "load_seconds": 30,
            "stop_seconds": 5,
        }
        return Launch(**(fields | changes))  # type: ignore[arg-type]

    return make


HERE = Host(engine_python=Path(sys.executable))


def begin(launch: Launch, **options: object) -> Running:
    return start(launch, get_engine("vllm").log_reader("0.32.0"), HERE, **options)  # type: ignore[arg-type]


def session_of(pid: int) -> list[int]:
    """Living processes of the session that a server was started in."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = entry.read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(session) == pid and state != "Z":
            found.append(int(entry.parent.name))
    return found


def pid_of(running: Running) -> int:
    return int(running._backend.pid)  # type: ignore[attr-defined]


class Seen:
    def __init__(self) -> None:
        self.phases: list[str] = []
        self.lines: list[str] = []

    def phase(self, name: str, seconds: float) -> None:
        assert seconds >= 0
        self.phases.append(name)

    def line(self, text: str) -> None:
        self.lines.append(text)


def test_a_server_is_running_inside_the_block_and_gone_after_it(launch: LaunchMaker) -> None:
    with begin(launch("--child")) as running:
        pid = pid_of(running)
        assert running.poll() is None
        assert len(session_of(pid)) == 2
    assert session_of(pid) == []


def test_phases_are_told_as_the_log_comes_in(launch: LaunchMaker) -> None:
    seen = Seen()
    line = "INFO 01-01 00:00:00 [x.py:1] Starting to load model tiny..."
    with begin(launch("--say", line, "--slow", "0.2"), watcher=seen):
        pass
    assert seen.phases == ["loading weights", "ready"]
    assert line in seen.lines


def test_a_server_that_ignores_sigterm_is_killed_after_its_grace(launch: LaunchMaker) -> None:
    with begin(launch("--ignore-sigterm", stop_seconds=1)) as running:
        pid = pid_of(running)
    assert session_of(pid) == []


def test_a_server_that_never_answered_is_not_waited_for(launch: LaunchMaker) -> None:
    line = "INFO 01-01 00:00:00 [kv_cache_utils.py:1] GPU KV cache size: 1,024 tokens"
    deaf = launch("--ignore-sigterm", "--say", line, "--slow", "60", stop_seconds=60)
    with begin(deaf, enough=lambda seen: seen.kv_tokens == 1024) as running:
        pid, asked = pid_of(running), time.monotonic()
    assert time.monotonic() - asked < 20
    assert session_of(pid) == []


def test_a_start_that_fails_gives_exit_code_decisive_line_and_remedy(launch: LaunchMaker) -> None:
    refusal = (
        "ValueError: To serve at least one request with the model's max seq len (2048), (0.5 GiB KV cache is "
        "needed. Based on the available memory, the estimated maximum model length is 1792."
    )
    with pytest.raises(StartFailed) as failed:
        begin(launch("--say", "noise", "--say", refusal, "--exit", "3"))
    assert failed.value.exit_code_of_server == 3
    assert failed.value.reason == refusal
    assert "limits.max_model_len" in str(failed.value)
    assert "1,792 tokens fit" in str(failed.value)


def test_without_a_decisive_line_the_end_of_the_log_is_shown(launch: LaunchMaker) -> None:
    with pytest.raises(StartFailed, match=r"\| something odd"):
        begin(launch("--say", "something odd", "--exit", "1"))


def test_a_start_that_takes_too_long_is_stopped_and_says_in_which_phase(launch: LaunchMaker) -> None:
    line = "INFO 01-01 00:00:00 [x.py:1] Starting to load model tiny..."
    with pytest.raises(StartFailed, match=r"not ready after \d+ s \(loading weights\)"):
        begin(launch("--say", line, "--slow", "60"), limit_seconds=1.5)


def test_a_taken_port_is_refused_before_anything_starts(launch: LaunchMaker, port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(StartError, match=f"port {port} .* is taken"):
            begin(launch())


def test_a_secret_goes_to_the_server_by_reference(
    launch: LaunchMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "s3cret")
    with begin(launch("--print-variable", "HF_TOKEN", secrets={"HF_TOKEN": "MY_TOKEN"})) as running:
        assert "variable: s3cret" in running.log()


def test_a_secret_that_is_not_set_is_named(launch: LaunchMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_TOKEN", raising=False)
    with pytest.raises(UsageError, match="MY_TOKEN"):
        begin(launch(secrets={"HF_TOKEN": "MY_TOKEN"}))


def test_an_environment_without_the_engine_is_told_from_one_with_it(launch: LaunchMaker) -> None:
    with pytest.raises(StartError, match="is no program"):
        begin(launch(command=("no-such-engine", "serve")))
    with pytest.raises(StartError, match=r"`python -m no_such_engine\.server` is not on PATH"):
        Host().begin(launch(command=("python", "-m", "no_such_engine.server")))


def test_a_server_that_dies_later_is_noticed(launch: LaunchMaker) -> None:
    with begin(launch()) as running:
        os.kill(pid_of(running), 9)
        deadline = time.monotonic() + 5
        assert running.wait() == -9
        assert time.monotonic() < deadline


def test_a_server_that_nobody_stopped_ends_with_servespec(launch: LaunchMaker, port: int) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from servespec.runtime.host import HostProcess\n"
        f"process = HostProcess([sys.executable, {str(DOUBLE)!r}, {str(port)!r}], {{}})\n"
        "print(process.pid)\n"
    )
    root = str(Path(__file__).parents[3])
    done = subprocess.run((sys.executable, "-c", program, root), capture_output=True, text=True, check=True)
    assert session_of(int(done.stdout)) == []


def test_stopping_twice_is_stopping_once(launch: LaunchMaker) -> None:
    running = begin(launch())
    running.stop()
    running.stop()
    assert running.poll() is not None
