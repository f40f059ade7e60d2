"""Telling people: text, JSON, SARIF, GitHub, GitLab, JUnit, the memory picture."""
