"""Keys of the spec that engines say alike: by one flag that takes the key's own value, whatever they call the flag."""

from __future__ import annotations

from operator import attrgetter

from servespec.diagnostics import Severity
from servespec.engines.lowering import Key, flag

NO_OTHER_WAY = "take another version"
LOAD_BALANCER = "run several deployments behind a load balancer (deploy.replicas)"
LEAVE_IT = "leave it to the engine"


def given(path: str, name: str, advice: str = NO_OTHER_WAY, severity: Severity = Severity.error) -> Key:
    """The key at ``path``, asked for wherever the spec gives it, as the flag ``name``."""
    value = attrgetter(f"spec.{path}")
    return Key(
        path=path,
        is_asked=lambda d: value(d) is not None,
        ways=(flag(name, value),),
        advice=advice,
        severity=severity,
    )


def degree(path: str, name: str, advice: str = NO_OTHER_WAY) -> Key:
    """A degree of parallelism, asked for from 2 on, as the flag ``name``."""
    value = attrgetter(f"spec.{path}")
    return Key(path=path, is_asked=lambda d: value(d) > 1, ways=(flag(name, value),), advice=advice)


REVISION = given("model.revision", "revision", "download that revision and give its folder as model.id")
DTYPE = Key(
    path="model.dtype",
    is_asked=lambda d: d.spec.model.dtype != "auto",
    ways=(flag("dtype", lambda d: d.spec.model.dtype),),
    advice="take dtype: auto",
)
QUANTIZATION = given("model.quantization", "quantization", "take a checkpoint that is quantized")
TRUST_REMOTE_CODE = Key(
    path="model.trust_remote_code",
    is_asked=lambda d: d.spec.model.trust_remote_code,
    ways=(flag("trust_remote_code", lambda d: True),),
    advice="take a version that has the model built in",
)
