"""Where configurations come from: the catalogue, a file, a folder, the Hub.

Each source has one function that returns a :class:`servespec.models.sources.found.Found`.
"""
