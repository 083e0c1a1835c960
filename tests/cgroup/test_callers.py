"""Where hoy is called from does not matter: a service, a login session, the root cgroup."""

import subprocess
from pathlib import Path

import pytest

from bundle import CGROUP2
from limits import ALLOCATE, MB, limit, needs, wait_until

SCRIPT = f"exec 2>/dev/null; cat /sys/fs/cgroup/memory.max; {ALLOCATE}; echo $?"


@pytest.fixture
def limited(bundle):
    """A bundle without a cgroupsPath that looks at its limit and runs into it."""
    del bundle.linux["cgroupsPath"]
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", ["ro"])
    return limit(bundle, memory={"limit": 16 * MB, "swap": 16 * MB}).sh(SCRIPT)


def check(result):
    assert (result.status, result.stdout, result.stderr) == (0, f"{16 * MB}\n137\n", "")
    assert not (CGROUP2 / "hoy/c1").exists()


def own_cgroup(wrapper=()):
    done = subprocess.run([*wrapper, "cat", "/proc/self/cgroup"], capture_output=True, text=True,
                          check=True, timeout=60)
    return done.stdout.strip()


def test_from_a_service_without_delegation(limited, runtime):
    needs(Path("/run/systemd/system").is_dir(), "systemd")
    assert own_cgroup() == "0::/system.slice/hoy-vm.service"
    check(runtime.run(limited))
    runtime.wrapper = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--"]
    assert own_cgroup(runtime.wrapper).startswith("0::/system.slice/run-")
    check(runtime.run(limited))


@pytest.fixture(scope="module")
def lingering():
    """Root's runtime directory is mounted before anybody watches for mounts, and stays."""
    needs(Path("/run/systemd/system").is_dir(), "systemd")
    subprocess.run(["loginctl", "enable-linger", "root"], check=True, timeout=60)
    wait_until(lambda: Path("/run/user/0/bus").exists(), "root's manager", 60)


def test_from_a_login_session(lingering, limited, runtime):
    runtime.wrapper = ["runuser", "--login", "root", "--session-command", 'exec "$0" "$@"', "--"]
    assert own_cgroup(runtime.wrapper).startswith("0::/user.slice/user-0.slice/session-")
    check(runtime.run(limited))


def test_from_the_root_cgroup(limited, runtime):
    runtime.wrapper = ["sh", "-euc", f"echo $$ >{CGROUP2}/cgroup.procs; exec \"$@\"", "sh"]
    assert own_cgroup(runtime.wrapper) == "0::/"
    check(runtime.run(limited))
