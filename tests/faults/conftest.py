"""Faults on purpose: the runtime killed anywhere, its files damaged; and what it must never call."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from fixtures import (  # noqa: E402, F401  pytest finds them by their names here
    bundle, make_bundle, pytest_collection_modifyitems, pytest_configure, runtime, scratch, session,
    time_limit)
