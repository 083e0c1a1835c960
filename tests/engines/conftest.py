"""Tests of engines with hoy as their runtime, put in place by `hoy install`: in a VM, by boots.py.

HOY_RUNTIME names another runtime, crun or runc, that is to run in hoy's place with the same
configuration: what hoy is compared with.
"""

import os
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "lib"), str(Path(__file__).parent)]

import engine  # noqa: E402
import fixtures  # noqa: E402
from bundle import make_rootfs  # noqa: E402
from engine import RUNTIME  # noqa: E402
from fixtures import time_limit  # noqa: E402, F401  pytest finds it by its name here

ENGINES = ("podman", "containerd", "docker")
VERSIONS = {"podman": "podman --version", "containerd": "containerd --version",
            "docker": "dockerd --version", "kernel": "uname -sr"}
# What changes in /etc whatever runs: systemd's own, and what engines note for themselves.
UNWATCHED = {"/etc/docker/key.json", "/etc/machine-id", "/etc/mtab", "/etc/resolv.conf",
             "/etc/.pwd.lock"}


def pytest_configure(config):
    fixtures.pytest_configure(config)
    config.addinivalue_line("markers", "no_call: the runtime need not be called in this test")


def pytest_collection_modifyitems(items):
    in_vm = os.environ.get("HOY_VM") == "systemd"
    for item in items:
        if not in_vm:
            item.add_marker(pytest.mark.skip(reason="needs engines: run contrib/test engines"))
        if RUNTIME != "hoy" and item.get_closest_marker("hoy"):
            item.add_marker(pytest.mark.skip(reason=f"about hoy, not {RUNTIME}"))
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(engine.LIMIT_SECONDS))


def configuration():
    """All of /etc: for each file its kind, mode, owner and bytes."""
    found = {}
    for directory, names, files in os.walk("/etc"):
        for name in names + files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            content = None
            if stat.S_ISREG(status.st_mode):
                content = Path(path).read_bytes()
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            found[path] = (oct(status.st_mode), status.st_uid, status.st_gid, content)
    return {path: entry for path, entry in found.items() if path not in UNWATCHED}


@pytest.fixture(scope="session")
def installed():
    """hoy is every engine's runtime, as `hoy install` makes it; returns what /etc was before."""
    before = configuration()
    for name in ENGINES:
        subprocess.run([engine.PLACE, "install", name], check=True, timeout=60)
    engine.take_the_place(RUNTIME)
    return before


@pytest.fixture(scope="session", autouse=True)
def versions(installed, record_testsuite_property):
    for name, command in VERSIONS.items():
        record_testsuite_property(name, engine.call(*command.split()).stdout.strip())
    text = engine.call(engine.PLACE, "--version").stdout
    record_testsuite_property("runtime", text.splitlines()[0])


@pytest.fixture(autouse=True)
def ran(request, installed, time_limit):
    """In each test, the engine has had the runtime do something, and no other runtime; if it is hoy,
    its own log tells of it."""
    before = len(engine.calls())
    log_before = Counter(engine.logged())
    yield
    if request.node.get_closest_marker("no_call"):
        return
    words = engine.calls()[before:]
    done = {engine.operation(call) for call in words} - {None, "state", "features", "list"}
    assert done, f"the runtime was not called: {words}"
    assert not [call for call in words if call[0].startswith("instead of")], words
    if RUNTIME == "hoy":
        said = Counter(engine.logged()) - log_before
        assert any(engine.OWN_WORDS.match(message) for message in said), (words, said)


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """An image with busybox and the probe, in a file that everybody may read."""
    directory = tmp_path_factory.mktemp("image")
    path = Path("/var/tmp/hoy-test-image.tar")
    engine.make_archive(path, make_rootfs(directory / "root"))
    return path
