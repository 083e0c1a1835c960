"""Tests of limits: real containers where cgroup v2 has every controller. boots.py makes such machines."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

import fixtures  # noqa: E402
from fixtures import (  # noqa: E402, F401  pytest finds them by their names here
    bundle, make_bundle, pytest_configure, runtime, scratch, session, time_limit)


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.vm)
    fixtures.pytest_collection_modifyitems(items)
