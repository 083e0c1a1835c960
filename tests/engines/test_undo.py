"""The last one: `hoy install ENGINE --undo` leaves nothing of what it has done."""

import pytest

from conftest import configuration
from engine import PROGRAM, call

pytestmark = [pytest.mark.no_call, pytest.mark.hoy]


def test_undo(installed):
    for engine in ("podman", "containerd", "docker"):
        call(PROGRAM, "install", engine, "--undo")
    after = configuration()
    assert after.keys() == installed.keys()
    assert [path for path in after if after[path] != installed[path]] == []
