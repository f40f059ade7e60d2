"""``python -m servespec``."""

from servespec.cli import main

main()
