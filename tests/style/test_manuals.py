"""The README and HACKING.md name only what is there."""

import re

import pytest

from conftest import TOP

PATHS = re.compile(r"(?<![\w./-])(?:contrib|tests|man|bundles|src|include|\.ci)/[\w./<>*-]*\w")


@pytest.mark.parametrize("manual", ["README.md", "HACKING.md"])
def test_named_files_exist(manual):
    path = TOP / manual
    if not path.exists():
        pytest.skip(f"no {manual}")
    named = set(PATHS.findall(path.read_text()))
    missing = [name for name in sorted(named)
               if not re.search(r"[<>*]", name) and not (TOP / name).exists()]
    assert not missing, f"{manual} names {', '.join(missing)}"


def test_named_commands_are_executable():
    named = [path for path in (TOP / "contrib").iterdir() if path.is_file() and not path.suffix]
    assert [str(path) for path in named if not path.stat().st_mode & 0o100] == []
