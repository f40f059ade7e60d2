"""Figures: every number in the docs comes from a command in this folder."""
