"""What the tests of limits share: setting them, and reading what the kernel made of them."""

import contextlib
import os
import subprocess
import time
from pathlib import Path

import pytest

from bundle import CGROUP2
from runtime import wait_until

MB = 1 << 20
# Of x86-64, which is what the machine of these tests is.
SYS_MMAP = 9
# More than any limit of these tests, little enough to end in a second.
ALLOCATE = "tail /dev/zero"


def limit(bundle, **resources):
    """The bundle with these members of linux.resources, and no others."""
    bundle.linux["resources"] = resources
    return bundle


def read(bundle, file):
    """A file of the container's cgroup."""
    return (bundle.cgroup / file).read_text().rstrip("\n")


def reads(bundle, files):
    return {file: read(bundle, file) for file in files}


def keyed(bundle, file):
    """A file with a line `KEY NUMBER` for each key."""
    return {key: int(number) for key, number in
            (line.split() for line in read(bundle, file).splitlines())}


def pids(bundle):
    return [int(pid) for pid in read(bundle, "cgroup.procs").split()]


def needs(condition, what):
    """Skips the test on machines without it. In a VM of ours that cannot be: there it fails."""
    if not condition:
        (pytest.fail if "HOY_VM" in os.environ else pytest.skip)(f"needs {what}")


def device_number(path):
    number = os.stat(path).st_rdev
    return {"major": os.major(number), "minor": os.minor(number)}


@contextlib.contextmanager
def cgroup(session, name):
    """A cgroup for callers of hoy, beside those of the containers; removed with all below it."""
    path = CGROUP2 / f"{session.name}-{name}"
    path.mkdir()
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            (path / "cgroup.kill").write_text("1")
        for directory in sorted(path.rglob("*"), reverse=True):
            if directory.is_dir():
                remove(directory)
        remove(path)


def remove(directory):
    """A cgroup stays busy for a moment after its last process has been killed."""
    def is_removed():
        with contextlib.suppress(OSError):
            directory.rmdir()
        return not directory.exists()
    wait_until(is_removed, f"{directory} to be empty")


@contextlib.contextmanager
def loop_device(path, size):
    """A block device of its own, with zeros on it."""
    with open(path, "wb") as file:
        file.truncate(size)
    done = subprocess.run(["losetup", "--find", "--show", str(path)], capture_output=True, text=True,
                          check=False, timeout=20)
    needs(done.returncode == 0, f"a loop device: {done.stderr}")
    device = Path(done.stdout.strip())
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", str(device)], check=True, timeout=20)


class Stopwatch:
    """with Stopwatch() as watch: ...; watch.seconds"""

    def __enter__(self):
        self.started = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.started
