"""What every test with real containers gets: a runtime, bundles, a time limit and a leak check."""

import fcntl
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

import leaks
from bundle import CGROUP2, Bundle
from pace import SLOWER
from runtime import Runtime, is_hoy, program

PREFIX = "hoy-test"
LIMIT_SECONDS = 30
MARKERS = (
    "req(id...): the requirements that the test checks",
    "vm: needs cgroup controllers, which only the virtual machine has everywhere",
    "timeout(seconds): more or less time than the usual %d s" % LIMIT_SECONDS,
    "hoy: about what only hoy does; skipped with another runtime",
)


def pytest_configure(config):
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def is_long():
    """Whether full sweeps are wanted rather than samples: contrib/test --long."""
    return os.environ.get("HOY_LONG") == "1"


def has_controllers():
    try:
        controllers = (CGROUP2 / "cgroup.controllers").read_text().split()
    except OSError:
        return False
    return {"cpu", "memory", "pids", "io"} <= set(controllers)


def pytest_collection_modifyitems(items):
    reasons = {}
    if os.geteuid() != 0:
        reasons[None] = "needs root"
    if not has_controllers():
        reasons["vm"] = "needs controllers: run in the VM"
    if not is_hoy():
        reasons["hoy"] = f"about hoy, not {program()}"
    for item in items:
        for marker, reason in reasons.items():
            if marker is None or item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


class Session:
    """The directories of this run, all of one name: state roots, cgroups, scratch.

    There is one for each suite that pytest has been given, and so a number in the name.
    """

    numbers = itertools.count(1)

    def __init__(self):
        self.name = f"{PREFIX}.{os.getpid()}.{next(self.numbers)}.{leaks.pid_namespace()}"
        self.state = Path("/run") / self.name
        self.cgroup = CGROUP2 / self.name
        self.scratch = Path(tempfile.gettempdir()) / self.name
        self.count = 0

    def __enter__(self):
        if not Path(program()).exists():
            pytest.exit(f"no runtime to test: {program()} (HOY names it)", 2)
        if not (CGROUP2 / "cgroup.procs").exists():
            pytest.exit("/sys/fs/cgroup is no cgroup2 tree: run this by tests/lib/in-cgroup2", 2)
        directories = ("/run", CGROUP2, tempfile.gettempdir())
        with open(Path(tempfile.gettempdir()) / f"{PREFIX}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            leaks.remove_dead_runs(PREFIX, *directories)
            for path in (self.state, self.cgroup, self.scratch):
                path.mkdir()
        self.scratch.chmod(0o755)
        leaks.become_subreaper()
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.scratch)
        self.state.rmdir()
        self.cgroup.rmdir()


@pytest.fixture(scope="session")
def session():
    with Session() as session:
        yield session


class TimeLimit(Exception):
    pass


@pytest.fixture(autouse=True)
def time_limit(request):
    """A test that takes too long fails, whatever it waits for."""
    marker = request.node.get_closest_marker("timeout")
    seconds = (marker.args[0] if marker else LIMIT_SECONDS) * SLOWER

    def stop(_number, _frame):
        raise TimeLimit(f"the test has taken {seconds} s")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.fixture
def scratch(session):
    """A directory of the test's own, readable by everybody."""
    session.count += 1
    path = session.scratch / str(session.count)
    path.mkdir()
    path.chmod(0o755)
    yield path
    subprocess.run(["rm", "-rf", "--one-file-system", str(path)], check=True, timeout=20)


@pytest.fixture
def runtime(session, scratch, time_limit):
    """The runtime with a state root of its own; afterwards nothing may be left of its containers."""
    runtime = Runtime(session.state / str(session.count), scratch, f"/{session.name}")
    watch = leaks.Watch(session.cgroup, runtime.state_root)
    yield runtime
    runtime.close()
    found = watch.finish()
    leaks.remove_tree(runtime.state_root)
    assert not found, "left behind: " + ", ".join(found)


@pytest.fixture
def make_bundle(session, scratch):
    """Makes bundles with a cgroup each, below the one of this run."""
    count = 0

    def make(name=None, **more):
        nonlocal count
        count += 1
        return Bundle(scratch / (name or f"bundle{count}"),
                      f"/{session.name}/{session.count}-{count}", **more)

    return make


@pytest.fixture
def bundle(make_bundle):
    return make_bundle("bundle")


RACER = r"""
import ctypes, os, sys
libc = ctypes.CDLL(None)
one, two = (os.fsencode(name) for name in sys.argv[1:3])
while True:
    libc.renameat2(-100, one, -100, two, 2)
"""


@pytest.fixture
def racing():
    """Exchanges two names of a volume over and over."""
    processes = []

    def start(one, two):
        processes.append(subprocess.Popen(["/usr/bin/python3", "-c", RACER, one, two]))
    yield start
    for process in processes:
        process.kill()
        process.wait()
