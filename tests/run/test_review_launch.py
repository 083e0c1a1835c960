"""What must hold between runtime, bootstrap and init, whichever of them is slow or killed."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from runtime import wait_until

pytestmark = pytest.mark.hoy

# A system call that a process returns from late, so that the child it has made overtakes it.
SLOW_CLONE = "clone3:delay_exit=300000"


def slowed(runtime, injected):
    return ["strace", "-DD", "-f", "-qq", "-e", "trace=clone3,sendmsg", "-e", "signal=none", "-e",
            f"inject={injected}", "-o", str(runtime.scratch / "trace"), "--"]


def live_inits():
    """Processes that are still hoy's init: neither executed nor ended."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid, name, state = stat.read_text().split()[:3]
            if name == "(hoy-init)" and state not in "ZX":
                found.add(pid)
    return found


def test_exec_of_an_init_that_is_faster_than_bootstrap(bundle, runtime, scratch):
    pid_file = scratch / "pid"
    with runtime.sleeping(bundle) as container:
        runtime.wrapper = slowed(runtime, SLOW_CLONE)
        container.exec("--detach", "--pid-file", pid_file, "--", "/bin/sleep", "1000").silent()
        runtime.wrapper = []
        assert Path(f"/proc/{pid_file.read_text()}/comm").read_text() == "sleep\n"


@pytest.mark.parametrize("error", ["EACCES", "EAGAIN", "EBUSY"])
def test_exec_where_nobody_can_be_cloned_into_the_cgroup(bundle, runtime, error):
    """The process is moved there instead."""
    with runtime.sleeping(bundle) as container:
        runtime.wrapper = ["strace", "-qq", "-e", "trace=clone3", "-e", "signal=none", "-e",
                           f"inject=clone3:error={error}:when=1", "-o", str(runtime.scratch / "trace"), "--"]
        result = container.exec("--", "/bin/cat", "/proc/self/cgroup").silent()
        runtime.wrapper = []
        assert result.stdout.endswith("0::/\n")
    assert "CLONE_INTO_CGROUP" in (runtime.scratch / "trace").read_text()


def test_create_of_an_init_that_is_faster_than_bootstrap(bundle, runtime):
    """The maps are those of init, not of the bootstrap that is still there."""
    bundle.user_namespace()
    bundle.namespace("network", f"/proc/{os.getpid()}/ns/net")
    runtime.wrapper = slowed(runtime, SLOW_CLONE)
    assert runtime.sh(bundle, "cat /proc/self/uid_map; id -u").ok().stdout.split()[-1] == "0"


def test_bootstrap_that_is_killed_before_it_tells_of_init(bundle, runtime, scratch):
    """Its child goes on alone; the command fails at once, and nothing of it is left."""
    with runtime.sleeping(bundle) as container:
        before = live_inits()
        runtime.wrapper = slowed(runtime, "sendmsg:signal=KILL:when=1")
        result = container.exec("--detach", "--", "/bin/sleep", "1000")
        runtime.wrapper = []
        assert result.status != 0 and result.seconds < 10
        assert "killed by signal 9" in result.stderr
        wait_until(lambda: live_inits() <= before, "the end of init")


def test_start_of_an_init_that_is_killed_just_then(bundle, runtime):
    """What start writes for it finds no reader: an error, not the end of start by SIGPIPE."""
    with runtime.created(bundle.args("/bin/true")) as container:
        pid = container.pid
        runtime.wrapper = ["strace", "-qq", "-e", "trace=write", "-e", "signal=none", "-e",
                           "inject=write:delay_enter=600000:when=1", "-o",
                           str(runtime.scratch / "trace"), "--"]
        start = runtime.popen("start", "c1")
        runtime.wrapper = []
        time.sleep(0.3)
        os.kill(pid, signal.SIGKILL)
        runtime.finish(start).fails("init ended before it could start the process")
