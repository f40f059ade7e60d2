"""Filling in the blanks as vLLM's own configuration does, one module per part of it."""
