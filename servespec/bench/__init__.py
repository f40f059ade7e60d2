"""The spec's workload driven against a running server: throughput and latencies, held against its objectives."""

from servespec.bench.drive import bench
from servespec.bench.plan import refuse_what_is_too_long
from servespec.bench.report import BenchReport, write

__all__ = ["BenchReport", "bench", "refuse_what_is_too_long", "write"]
