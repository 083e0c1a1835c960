"""Controllers that are missing, and why; hosts in hybrid mode."""

import subprocess

import pytest

from bundle import CGROUP2
from limits import MB, cgroup, limit, needs, read, wait_until

# A view of the tree whose root is the cgroup that the shell has entered before.
IN_NAMESPACE = ["unshare", "--cgroup", "--mount", "--propagation", "private", "--", "sh", "-euc",
                "mount -t cgroup2 none /sys/fs/cgroup; exec \"$@\"", "sh"]
# A hybrid host: cgroup2 in a corner.
HYBRID = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-euc",
          "umount /sys/fs/cgroup; mount -t tmpfs none /sys/fs/cgroup; mkdir /sys/fs/cgroup/unified; "
          "mount -t cgroup2 none /sys/fs/cgroup/unified; exec \"$@\"", "sh"]


def entering(path, command):
    """The command, in this cgroup."""
    return ["sh", "-euc", f"echo $$ >{path}/cgroup.procs; exec \"$@\"", "sh", *command]


@pytest.mark.req("linux.unified.missing-controller", "linux.cgroups.resources-applied")
def test_a_controller_that_is_not_delegated(bundle, runtime, session):
    """The root of the caller's view lacks it."""
    bundle.linux["cgroupsPath"] = "/c1"
    with cgroup(session, "above") as above:
        view = above / "view"
        view.mkdir()
        runtime.wrapper = entering(view, IN_NAMESPACE)
        runtime.refuses(limit(bundle, memory={"limit": 64 * MB}),
                        "linux.resources.memory.limit: cgroup controller memory is not available in /: "
                        "not delegated to this cgroup")
        runtime.refuses(limit(bundle, blockIO={"weight": 100}), "linux.resources.blockIO.weight",
                        "controller io", "not delegated")
        assert [path.name for path in view.iterdir() if path.is_dir()] == []
        runtime.run(limit(bundle).args("/bin/true")).silent()


@pytest.mark.req("linux.unified.controllers-enabled")
def test_processes_in_the_way(bundle, runtime, session):
    with cgroup(session, "busy") as busy:
        bundle.linux["cgroupsPath"] = f"/{busy.name}/c1"
        with subprocess.Popen(entering(busy, ["sleep", "1000"])) as process:
            try:
                result = runtime.refuses(
                    limit(bundle, memory={"limit": 64 * MB}), "linux.resources.memory.limit",
                    f"enable cgroup controller memory in /{busy.name}",
                    "device or resource busy")
                assert "hint: a cgroup that holds processes cannot enable controllers" in result.stderr
                assert [path.name for path in busy.iterdir() if path.is_dir()] == []
                runtime.run(limit(bundle).args("/bin/true")).silent()
            finally:
                process.kill()


@pytest.fixture
def hybrid(runtime, session):
    """The rdma controller is bound to a v1 hierarchy for as long as the test runs."""
    control = CGROUP2 / "cgroup.subtree_control"
    before = "rdma" in control.read_text().split()
    if "rdma" in (session.cgroup / "cgroup.subtree_control").read_text().split():
        (session.cgroup / "cgroup.subtree_control").write_text("-rdma")
    control.write_text("-rdma")
    runtime.wrapper = [*HYBRID, "sh", "-euc", "mkdir /sys/fs/cgroup/rdma; "
                       "mount -t cgroup -o rdma none /sys/fs/cgroup/rdma; exec \"$@\"", "sh"]
    done = subprocess.run([*runtime.wrapper, "true"], capture_output=True, text=True, check=False,
                          timeout=20)
    needs(done.returncode == 0, f"cgroup v1 in this kernel: {done.stderr}")
    yield
    runtime.wrapper = []
    # The v1 hierarchy ends a moment after its last mount.
    wait_until(lambda: "rdma" in (CGROUP2 / "cgroup.controllers").read_text().split(), "rdma", 30)
    if before:
        control.write_text("+rdma")


def test_a_hybrid_host(bundle, runtime, hybrid):
    """What is on cgroup2 limits; what is on v1 is an error that says so."""
    limit(bundle, memory={"limit": 64 * MB}, pids={"limit": 20})
    with runtime.sleeping(bundle) as container:
        assert read(bundle, "memory.max") == str(64 * MB)
        assert read(bundle, "pids.max") == "20"
        assert container.status == "running"
        runtime("pause", "c1").ok()
        assert container.status == "paused"
    runtime.refuses(limit(bundle, rdma={"mlx5_1": {"hcaHandles": 3}}), "linux.resources.rdma",
                    "controller rdma", "bound to cgroup v1")


def test_no_cgroup2_at_all(bundle, runtime):
    """Containers run without limits; a limit is an error that names its field."""
    runtime.wrapper = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-euc",
                       "umount /sys/fs/cgroup; exec \"$@\"", "sh"]
    runtime.run(bundle.args("/bin/true")).ok()
    runtime.refuses(limit(bundle, memory={"limit": 64 * MB}), "linux.resources.memory.limit",
                    "no cgroup2 file system is mounted")


def test_the_disabled_manager(bundle, runtime):
    runtime.globals.append("--cgroup-manager=disabled")
    runtime.refuses(limit(bundle, memory={"limit": 64 * MB}), "linux.resources.memory.limit",
                    "the cgroup manager is disabled")
    with runtime.sleeping(limit(bundle)) as container:
        assert not bundle.cgroup.exists()
        runtime("update", "--memory", "64M", "c1").fails("disabled")
        assert runtime("ps", "--format", "json", "c1").ok().json == [container.pid]


def test_the_systemd_manager_without_systemd(bundle, runtime, scratch):
    runtime.globals = ["--root", str(scratch / "state"), "--systemd-cgroup"]
    bundle.linux["cgroupsPath"] = "system.slice:hoytest:c1"
    runtime.wrapper = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-euc",
                       "mount -t tmpfs none /run; exec \"$@\"", "sh"]
    result = runtime.refuses(bundle, "connect to systemd of the system", "no such file or directory")
    assert "hint: systemd is not running" in result.stderr
    assert list((scratch / "state").iterdir()) == []
    assert not (CGROUP2 / "system.slice").exists()
