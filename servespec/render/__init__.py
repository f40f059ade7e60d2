"""Artefacts: a :class:`servespec.engines.launch.Launch` becomes files."""
