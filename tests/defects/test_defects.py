"""
Seeded defects: each is built into a copy of hoy, and the conformance tool must find fault with that
copy. A case that could not fail would let one pass. The copy without a defect is tried by the same
cases first.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from table import DEFECTS

TOP = Path(__file__).resolve().parents[2]
# Kept from run to run, so that only what has changed is compiled.
COPY = TOP / "build/defects"
SOURCES = ("meson.build", "meson_options.txt", "include", "man", "src", "contrib/completions",
           "contrib/engines", "tests/meson.build", "tests/config", "tests/plan", "tests/run",
           "tests/unit")
FAILED = re.compile(r"^fail  (\w+/\S+): (.*)$", re.M)


def run(*command, limit=120):
    return subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=limit)


def put(path, content):
    """Writes a file, unless it is so already."""
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def copy_sources():
    """Makes the copy what the tree is."""
    wanted = set()
    for name in SOURCES:
        path = TOP / name
        wanted |= {path} if path.is_file() else {file for file in path.rglob("*") if file.is_file()}
    for path in wanted:
        put(COPY / "source" / path.relative_to(TOP), path.read_bytes())
    for path in (COPY / "source").rglob("*"):
        if path.is_file() and TOP / path.relative_to(COPY / "source") not in wanted:
            path.unlink()


def build():
    """Compiles what has changed. Returns the program."""
    done = run("ninja", "-C", COPY / "build", "src/hoy", limit=300)
    assert done.returncode == 0, done.stdout
    return COPY / "build/src/hoy"


def conformance(program, cases):
    return run(TOP / "contrib/conformance", "--runtime", program, "--filter", cases)


@pytest.fixture(scope="session")
def copy():
    """The copied sources, built once."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    copy_sources()
    if not (COPY / "build/build.ninja").exists():  # also if the last setup has failed
        shutil.rmtree(COPY / "build", ignore_errors=True)
        done = run("meson", "setup", "--buildtype=plain", "-Dman=disabled", "-Dtests=disabled",
                   COPY / "build", COPY / "source")
        assert done.returncode == 0, done.stdout
    return COPY / "source/src/libhoy"


def test_no_defect(copy):
    """What the defects are tried by finds no fault with hoy as it is."""
    done = conformance(build(), "|".join(f"(?:{defect.cases})" for defect in DEFECTS))
    assert done.returncode == 0 and "passed, 0 failed" in done.stdout, done.stdout


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_defect_is_caught(copy, defect):
    path = copy / defect.file
    text = path.read_text()
    count = text.count(defect.old)
    assert count == 1, f"{count} times in {defect.file}: {defect.old}"
    path.write_text(text.replace(defect.old, defect.new))
    try:
        done = conformance(build(), defect.cases)
    finally:
        path.write_text(text)
    found = FAILED.findall(done.stdout)
    assert found and done.returncode == 1, f"not caught: {done.stdout}"
    print(*(f"{name}: {message}" for name, message in found), sep="\n")


def test_there_are_enough():
    assert len({(defect.file, defect.old) for defect in DEFECTS}) >= 20
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS)
