"""Tests of the example bundles with real containers, and of the conformance tool itself."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from fixtures import (  # noqa: E402, F401  pytest finds them by their names here
    pytest_collection_modifyitems, pytest_configure, runtime, scratch, session, time_limit)
