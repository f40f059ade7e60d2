"""What a fuzz run came to, told at its end; memory is watched over each property."""

from __future__ import annotations

from collections.abc import Iterator

import fuzzing
import pytest

PEAK: dict[str, int] = {"bytes": 0}


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    """The peak during one test stays below the limit, over what was resident before it."""
    fuzzing.forget_peak()
    before = fuzzing.resident_bytes("VmRSS")
    yield
    peak = fuzzing.resident_bytes("VmHWM")
    PEAK["bytes"] = max(PEAK["bytes"], peak)
    assert peak - before < fuzzing.LIMIT_BYTES, f"{(peak - before) / 1e6:.0f} MB more than before the test"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Examples of each property and its longest one, and the peak of the process."""
    if not fuzzing.MEASURED:
        return
    terminalreporter.section("fuzz")
    for name, measured in sorted(fuzzing.MEASURED.items(), key=lambda item: -item[1].longest_seconds):
        terminalreporter.line(
            f"{measured.examples:9,} examples, longest {measured.longest_seconds:6.3f} s  {name}"
        )
    total = sum(measured.examples for measured in fuzzing.MEASURED.values())
    longest = max(measured.longest_seconds for measured in fuzzing.MEASURED.values())
    terminalreporter.line(
        f"{total:9,} examples, longest {longest:6.3f} s, peak of the process {PEAK['bytes'] / 1e6:.0f} MB"
    )
