"""What a spec needs of this machine: :func:`examine` says of each need whether it is there."""

from servespec.doctor.examine import examine
from servespec.doctor.need import Need, State

__all__ = ["Need", "State", "examine"]
