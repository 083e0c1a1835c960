"""A container that manages its cgroup: whose it is, and another hoy in it (config-linux.md#cgroup-ownership)."""

import os
from pathlib import Path

import pytest

from bundle import CGROUP2, Bundle
from limits import ALLOCATE, MB, limit, pids, read, wait_until
from runtime import program

MANAGER = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_MKNOD", "CAP_NET_ADMIN",
           "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_ADMIN", "CAP_SYS_CHROOT",
           "CAP_SYS_PTRACE", "CAP_SYS_RESOURCE", "CAP_BPF"]
TO_LEAF = "mkdir /sys/fs/cgroup/leaf && echo $$ >/sys/fs/cgroup/leaf/cgroup.procs && "
INNER = "/bin/hoy run --bundle /inner inner"


def delegate(bundle, *options):
    """The container gets a cgroup namespace of its own and may write to it."""
    return bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev", *options])


def delegate_files():
    try:
        return set(Path("/sys/kernel/cgroup/delegate").read_text().split())
    except FileNotFoundError:
        return {"cgroup.procs", "cgroup.subtree_control", "cgroup.threads"}


def owners(bundle):
    """The files of the container's cgroup that do not belong to root, and whose they are."""
    found = {path.name: path.stat().st_uid for path in bundle.cgroup.iterdir()}
    found["."] = bundle.cgroup.stat().st_uid
    return {name: uid for name, uid in found.items() if uid != 0}


@pytest.mark.req("linux.cgroup-owner.change", "linux.cgroup-owner.only-delegate-files",
                 "linux.cgroup-owner.missing-files-ok", "linux.cgroup-owner.existing-files",
                 "linux.cgroup-owner.nothing-else")
def test_the_cgroup_belongs_to_the_root_of_the_container(bundle, runtime):
    delegate(bundle.user_namespace())
    with runtime.sleeping(bundle):
        there = delegate_files() & {path.name for path in bundle.cgroup.iterdir()}
        assert {"cgroup.procs", "cgroup.subtree_control"} < there
        assert owners(bundle) == dict.fromkeys({".", *there}, 100000)
        assert set(read(bundle, "cgroup.controllers").split()) == \
            set((CGROUP2 / "cgroup.controllers").read_text().split())


@pytest.mark.req("linux.cgroup-owner.needs-cgroupns", "linux.cgroup-owner.iff-rw-mount",
                 "linux.cgroup-owner.no-mount-no-change")
@pytest.mark.parametrize("why", ["read-only", "elsewhere", "no mount", "no cgroup namespace"])
def test_otherwise_it_stays_root_s(bundle, runtime, why):
    bundle.user_namespace()
    if why == "read-only":
        delegate(bundle, "ro")
    elif why == "elsewhere":
        bundle.mount("/cgroup", "cgroup", "cgroup", ["rw"])
    elif why == "no cgroup namespace":
        delegate(bundle.without_namespace("cgroup"))
    with runtime.created(bundle):
        assert owners(bundle) == {}


@pytest.mark.req("linux.cgroup-owner.change", "op.delete.resources")
@pytest.mark.parametrize("user", ["root", "mapped"])
def test_the_container_limits_its_own_processes(bundle, runtime, user):
    """And cannot lift the limits that it has been given."""
    if user == "mapped":
        bundle.user_namespace()
    limit(delegate(bundle), memory={"limit": 64 * MB}, pids={"limit": 50})
    bundle.sh(TO_LEAF + """cd /sys/fs/cgroup
        echo +memory +pids >cgroup.subtree_control && mkdir sub && echo 16M >sub/memory.max || exit
        (echo max >memory.max && echo lifted) 2>/dev/null
        sh -c 'echo 0 >sub/cgroup.procs; tail /dev/zero'
        echo $? $(cat memory.max sub/memory.max) $(grep oom_kill' ' sub/memory.events)""")
    with runtime.running(bundle) as container:
        container.wait()
        assert container.output.split() == ["137", str(64 * MB), str(16 * MB), "oom_kill", "1"], \
            container.created
    assert not bundle.cgroup.exists()


def put_hoy_into(bundle):
    """The program, what it is linked to, and a bundle of its own in /inner."""
    bundle.mount("/usr", "bind", "/usr", ["rbind", "ro"]).bind(program(), "/bin/hoy", "ro")
    for name in ("lib", "lib64"):
        os.symlink(f"usr/{name}", bundle.rootfs / name)
    bundle.mount("/run", "tmpfs", "tmpfs", ["mode=755"])
    bundle.capabilities(*MANAGER, sets=("bounding", "effective", "permitted", "inheritable"))
    inner = Bundle(bundle.rootfs / "inner", "/unused")
    del inner.linux["cgroupsPath"]
    inner.process["capabilities"] = {}
    limit(inner, memory={"limit": 16 * MB, "swap": 16 * MB}, pids={"limit": 20})
    return inner


@pytest.mark.timeout(60)
@pytest.mark.parametrize("user", ["root", "mapped"])
def test_hoy_in_hoy(bundle, runtime, user):
    inner = put_hoy_into(delegate(bundle))
    inner.sh(f"{ALLOCATE}; echo $?; sleep 1000").write()
    if user == "mapped":
        bundle.user_namespace()
    limit(bundle, memory={"limit": 128 * MB})
    with runtime.running(bundle.sh(f"{TO_LEAF} {INNER}; echo inner ended with $?")) as container:
        wait_until(lambda: "\n" in container.output, "the inner container", 20)
        assert container.output == "137\n", container.created
        inner_cgroup = bundle.cgroup / "hoy/inner"
        assert (inner_cgroup / "memory.max").read_text() == f"{16 * MB}\n"
        assert (inner_cgroup / "pids.max").read_text() == "20\n"
        assert pids(bundle) == []
        for line in runtime("exec", "c1", "/bin/hoy", "ps", "--format", "json", "inner").ok().json:
            assert line > 1
        container.exec("--", "/bin/hoy", "kill", "inner", "KILL").ok()
        container.wait()
        assert container.output == "137\ninner ended with 137\n"
        assert not inner_cgroup.exists()
    assert not bundle.cgroup.exists()


@pytest.mark.req("errors.no-residue")
def test_hoy_in_hoy_without_a_leaf_says_what_to_do(bundle, runtime):
    """Processes in the root of its cgroup namespace are not hoy's to move."""
    put_hoy_into(delegate(bundle)).write()
    with runtime.running(bundle.sh(f"{INNER}; sleep 1000")) as container:
        wait_until(lambda: "hint" in container.created.stderr, "the error", 20)
        assert "linux.resources.memory.limit: enable cgroup controller memory in /: Device or " \
            "resource busy" in container.created.stderr
        assert "move them to a sub-cgroup" in container.created.stderr
        assert not (bundle.cgroup / "hoy/inner").exists()


@pytest.mark.timeout(60)
def test_exec_where_the_container_has_moved_its_processes(bundle, runtime):
    """Nobody can be put into the container's own cgroup any more: it follows init."""
    delegate(bundle)
    bundle.sh(TO_LEAF + "echo +pids >/sys/fs/cgroup/cgroup.subtree_control; echo ready; sleep 1000")
    with runtime.running(bundle) as container:
        wait_until(lambda: container.output == "ready\n", "the move")
        assert container.exec("--", "/bin/cat", "/proc/self/cgroup").ok().stdout == "0::/leaf\n"
        container.exec("--cgroup", "leaf", "--", "/bin/true").ok()
        container.exec("--cgroup", "other", "--", "/bin/true").fails("--cgroup other", status=255)
