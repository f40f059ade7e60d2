"""Deployments and launches for tests of rendering, made without files, catalogues or engines."""

from __future__ import annotations

import pytest
from render_cases import make_deployment, make_launch

from servespec.deployment import Deployment
from servespec.engines.launch import Launch


@pytest.fixture
def deployment() -> Deployment:
    return make_deployment()


@pytest.fixture
def launch() -> Launch:
    return make_launch()
