"""The tests of this directory run real containers as root; tests/lib/in-cgroup2 runs them anywhere."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from fixtures import (  # noqa: E402, F401  pytest finds them by their names here
    bundle, make_bundle, pytest_collection_modifyitems, pytest_configure, racing, runtime, scratch,
    session, time_limit)
