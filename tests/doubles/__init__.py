"""Test doubles: programs that stand in for engines, and say so by their place."""
