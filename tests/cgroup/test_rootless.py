"""Limits set by an ordinary user, in a cgroup that was delegated to him."""

import os
import pwd

import pytest

from bundle import CGROUP2
from limits import ALLOCATE, MB, cgroup, limit, needs
from runtime import wait_until


@pytest.fixture
def user():
    try:
        yield pwd.getpwnam("user")
    except KeyError:
        needs(False, "a user named user, with subordinate ids")


@pytest.fixture
def delegated(session, runtime, bundle, scratch, user):
    """As systemd delegates: the user has a cgroup with cpu, memory and pids, and is in a leaf of it."""
    with cgroup(session, "above") as above:
        (CGROUP2 / "cgroup.subtree_control").write_text("+cpu +memory +pids")
        (above / "cgroup.subtree_control").write_text("+cpu +memory +pids")
        top, leaf = above / "user", above / "user/leaf"
        leaf.mkdir(parents=True)
        for path in (top, *(top / name for name in
                            ("cgroup.procs", "cgroup.subtree_control", "cgroup.threads")),
                     leaf, leaf / "cgroup.procs"):
            os.chown(path, user.pw_uid, user.pw_gid)
        (top / "cgroup.subtree_control").write_text("+cpu +memory +pids")
        state = scratch / "state"
        state.mkdir()
        os.chown(state, user.pw_uid, user.pw_gid)
        runtime.globals = ["--root", str(state)]
        runtime.wrapper = ["sh", "-euc", f"echo $$ >{leaf}/cgroup.procs; exec \"$@\"", "sh", "setpriv",
                           f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        del bundle.linux["cgroupsPath"]
        bundle.user_namespace(user.pw_uid, 1).unmount("/dev/pts").without_namespace("network")
        yield top




@pytest.mark.req("linux.memory.limit", "linux.cpu.quota", "linux.pids.limit")
def test_limits_of_an_ordinary_user(delegated, bundle, runtime):
    limit(bundle, memory={"limit": 16 * MB, "swap": 16 * MB}, pids={"limit": 20},
          cpu={"quota": 50000, "shares": 512})
    with runtime.running(bundle.sh(f"{ALLOCATE}; echo $?; sleep 1000")) as container:
        wait_until(lambda: container.output == "137\n", "the allocator to be killed")
        files = delegated / "hoy/c1"
        assert (files / "memory.max").read_text() == f"{16 * MB}\n"
        assert (files / "pids.max").read_text() == "20\n"
        assert (files / "cpu.max").read_text() == "50000 100000\n"
        assert container.exec("--", "/bin/echo", "in it").ok().stdout == "in it\n"
        runtime("update", "--pids-limit", "30", "c1").silent()
        assert (files / "pids.max").read_text() == "30\n"
        runtime("pause", "c1").silent()
        assert container.status == "paused"
        runtime("resume", "c1").silent()
        container.kill("--all", "KILL").ok()
        container.wait()
        container.delete().ok()
        assert not files.exists()


@pytest.mark.req("linux.unified.missing-controller", "linux.cgroups.resources-applied")
def test_a_limit_that_is_not_delegated(delegated, bundle, runtime):
    result = runtime.refuses(limit(bundle, blockIO={"weight": 100}),
                             "linux.resources.blockIO.weight", "controller io", "permission denied")
    assert "hint: the cgroup is not delegated to this user (systemd: Delegate=io)" in result.stderr
    assert not (delegated / "hoy/c1").exists()


def test_without_delegation(session, delegated, bundle, runtime):
    """A container without limits needs no cgroup; one with limits cannot be."""
    with cgroup(session, "foreign") as foreign:
        runtime.wrapper[2] = f"echo $$ >{foreign}/cgroup.procs; exec \"$@\""
        runtime.run(limit(bundle).args("/bin/true")).silent()
        result = runtime.refuses(limit(bundle, memory={"limit": 16 * MB}),
                                 "make cgroup", "permission denied")
        assert "delegated" in result.stderr
