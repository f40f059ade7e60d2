"""Proof: probes over HTTP, and the prediction held against what the engine says."""
