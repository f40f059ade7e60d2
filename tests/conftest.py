"""How properties are tested: the same examples at every run, so that a red build is of the change and of nothing else.

New examples are looked for by `make fuzz`, and by any run with ``SERVESPEC_FUZZ_EXAMPLES`` set.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
if "SERVESPEC_FUZZ_EXAMPLES" not in os.environ:
    settings.load_profile("repeatable")
