"""The same bundle by three runtimes, as root; tests/lib/in-cgroup2 runs this anywhere."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from fixtures import (  # noqa: E402, F401  pytest finds them by their names here
    make_bundle, pytest_collection_modifyitems, pytest_configure, scratch, session, time_limit)
