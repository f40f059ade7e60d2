"""What another version or another spec changes: flags, effective settings, memory.

`flag_changes` compares two releases of an engine, `compare` two specs, `upgrade` a spec with itself on newer engines.
"""

from servespec.upgrade.compare import SpecComparison, compare
from servespec.upgrade.flags import FlagChange, flag_changes
from servespec.upgrade.plan import Upgrade, upgrade

__all__ = ["FlagChange", "SpecComparison", "Upgrade", "compare", "flag_changes", "upgrade"]
