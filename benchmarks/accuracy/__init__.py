"""Predictions held against measured start-ups: `python -m benchmarks.accuracy`."""
