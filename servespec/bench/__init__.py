"""The spec's workload driven against a running server: throughput and latencies, held against its objectives."""

from servespec.bench.drive import bench
from servespec.bench.report import BenchReport, write

__all__ = ["BenchReport", "bench", "write"]
