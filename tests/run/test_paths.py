"""config-linux.md, maskedPaths, readonlyPaths and sysctl."""

import os
import time
from pathlib import Path

import pytest

from runtime import Container, wait_until

req = pytest.mark.req


@req("linux.maskedPaths.unreadable")
def test_masked(bundle, runtime):
    bundle.file("/secret/file", "secret").chmod(0o777)
    bundle.file("/dir/sub/file", "secret")
    os.mkfifo(bundle.rootfs / "fifo")
    bundle.linux["maskedPaths"] = ["/secret/file", "/dir", "/fifo", "/proc/version", "/proc/sys/kernel",
                                   "/dev/zero"]
    result = runtime.sh(bundle, """
        for f in /secret/file /fifo /proc/version /dev/zero; do stat -c '%F %t:%T' $f; cat $f; done
        ls -A /dir /proc/sys/kernel; touch /dir/x""")
    assert result.stdout == "character special file 1:3\n" * 4 + "/dir:\n\n/proc/sys/kernel:\n"
    assert "Read-only file system" in result.stderr
    assert (bundle.rootfs / "secret/file").read_text() == "secret"


@req("linux.maskedPaths.missing", "linux.readonlyPaths.missing")
def test_missing_ones_are_ignored(bundle, runtime):
    bundle.linux["maskedPaths"] = ["/proc/nosuch", "/no/such/either", "/etc/passwd/below"]
    bundle.linux["readonlyPaths"] = ["/proc/nosuch", "/no/such/either", "/etc/passwd/below"]
    assert runtime.run(bundle.args("/bin/echo", "ok")).silent().stdout == "ok\n"
    assert not (bundle.rootfs / "no").exists()


@req("linux.maskedPaths.absolute", "linux.readonlyPaths.absolute")
@pytest.mark.hoy
@pytest.mark.parametrize("member", ["maskedPaths", "readonlyPaths"])
def test_they_must_be_absolute(bundle, runtime, member):
    bundle.linux[member] = ["/proc/kcore", "etc"]
    runtime.refuses(bundle, f"linux.{member}[1]", "etc", "absolute")


@req("linux.maskedPaths.symlink")
@pytest.mark.parametrize("target", ["/etc", "../../../../../etc", "/etc/passwd"])
def test_a_masked_link_masks_inside_only(bundle, runtime, target):
    (bundle.rootfs / "link").symlink_to(target)
    bundle.linux["maskedPaths"] = ["/link"]
    before = Path("/etc/passwd").read_text()
    runtime.run(bundle.args("/bin/true"))
    assert Path("/etc/passwd").read_text() == before
    assert (bundle.rootfs / "etc/passwd").read_text() != ""


@req("linux.readonlyPaths.readonly")
def test_readonly(bundle, runtime):
    bundle.file("/dir/file", "text")
    bundle.file("/dir/sub/file", "text")
    bundle.file("/single", "text")
    bundle.linux["readonlyPaths"] = ["/dir", "/single", "/proc/sys"]
    bundle.capabilities("CAP_FOWNER")
    read_only = ["EROFS"] * 6
    assert runtime.call(
        bundle, ("open", "/dir/file", 1), ("open", "/dir/new", 0o101, 0o644), ("unlink", "/dir/file"),
        ("chmod", "/dir/sub/file", 0o600), ("open", "/single", 1),
        ("open", "/proc/sys/kernel/domainname", 1), ("open", "/dir/file", 0)) == [*read_only, ""]
    (bundle.rootfs / "dir/file").write_text("still writable outside")


@req("linux.readonlyPaths.keep-flags")
def test_readonly_keeps_the_other_flags(bundle, runtime):
    bundle.config["mounts"][0]["options"] = ["nosuid", "noexec", "nodev", "noatime"]
    bundle.linux["readonlyPaths"] = ["/proc/sys"]
    options = runtime.probe(bundle).mount("/proc/sys").options
    assert {"ro", "nosuid", "noexec", "nodev", "noatime"} <= set(options)


@pytest.mark.parametrize("user_namespace", [False, True])
def test_the_usual_paths(bundle, runtime, user_namespace):
    if user_namespace:
        bundle.user_namespace()
    bundle.linux["maskedPaths"] = [f"/proc/{name}" for name in (
        "acpi", "asound", "kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug",
        "scsi")]
    names = ("bus", "fs", "irq", "sys", "sysrq-trigger")
    bundle.linux["readonlyPaths"] = [f"/proc/{name}" for name in names]
    seen = runtime.probe(bundle)
    for name in names:
        if os.path.exists(f"/proc/{name}"):
            assert "ro" in seen.mount(f"/proc/{name}").options
    result = runtime.sh(bundle, "cat /proc/timer_list /proc/keys; echo x >/proc/sys/kernel/domainname")
    assert result.stdout == ""
    assert "Read-only file system" in result.stderr


def test_one_tmpfs_masks_all_directories(bundle, runtime):
    for name in ("a", "b", "c"):
        (bundle.rootfs / name).mkdir()
    bundle.linux["maskedPaths"] = ["/a", "/b", "/c"]
    seen = runtime.probe(bundle)
    for name in ("a", "b", "c"):
        assert seen.mount(f"/{name}").fstype == "tmpfs" and "ro" in seen.mount(f"/{name}").options


# ---- sysctl ----

def host(name):
    return Path("/proc/sys", name).read_text().strip()


@req("linux.sysctl.applied")
@pytest.mark.parametrize("key, value", [
    ("net.ipv4.ip_forward", "1"), ("net.core.somaxconn", "99"), ("kernel.shmmax", "4096"),
    ("kernel.msgmax", "1000"), ("kernel.sem", "10\t20\t30\t40"), ("fs.mqueue.msg_max", "7"),
    ("net.ipv4.ping_group_range", "0\t0")])
def test_sysctl(bundle, runtime, key, value):
    path = key.replace(".", "/")
    before = host(path)
    bundle.linux["sysctl"] = {key: value}
    assert runtime.sh(bundle, f"cat /proc/sys/{path}").ok().stdout.strip() == value
    assert host(path) == before


@req("linux.sysctl.slash-form")
@pytest.mark.hoy
def test_sysctl_with_slashes(bundle, runtime):
    bundle.linux["sysctl"] = {"net/ipv4/conf/lo/forwarding": "1"}
    assert runtime.sh(bundle, "cat /proc/sys/net/ipv4/conf/lo/forwarding").ok().stdout == "1\n"


@req("config.domainname")
def test_sysctl_domainname(bundle, runtime):
    bundle.linux["sysctl"] = {"kernel.domainname": "by.sysctl"}
    assert runtime.probe(bundle)["uname"]["domainname"] == "by.sysctl"


@req("linux.sysctl.host-wide")
@pytest.mark.parametrize("key, without", [
    ("vm.swappiness", None), ("kernel.pid_max", None), ("kernel.core_pattern", None),
    ("net.ipv4.ip_forward", "network"), ("kernel.shmmax", "ipc"), ("fs.mqueue.msg_max", "ipc"),
    ("kernel.domainname", "uts"), ("kernel.hostname", None), ("user.max_user_namespaces", None),
    ("net/../vm/swappiness", None), ("net.ipv4/../../vm/swappiness", None), ("", None), ("net", None),
    ("net..ipv4", None), ("/net/ipv4/ip_forward", None)])
def test_sysctl_that_is_not_the_containers(bundle, runtime, key, without):
    if without:
        bundle.without_namespace(without)
    watched = "vm/swappiness"
    before = host(watched)
    bundle.linux["sysctl"] = {key: "1"}
    runtime.refuses(bundle, "linux.sysctl", key)
    assert host(watched) == before


@req("linux.sysctl.failure", "op.create.cannot-apply")
@pytest.mark.parametrize("key, value, words", [
    ("net.no_such_key", "1", "No such file or directory"),
    ("kernel.msgmax", "abc", "Invalid argument")])
def test_sysctl_that_fails(bundle, runtime, key, value, words):
    bundle.linux["sysctl"] = {key: value}
    runtime.refuses(bundle, "linux.sysctl", key, words)


def test_sysctl_with_a_read_only_proc_sys(bundle, runtime):
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    bundle.linux["readonlyPaths"] = ["/proc/sys"]
    assert runtime.sh(bundle, "cat /proc/sys/net/ipv4/ip_forward").ok().stdout == "1\n"


# ---- somebody else has the root, too ----

def rename_proc(rootfs):
    """Where it is not mounted, a mount point is a directory like others."""
    os.rename(rootfs / "proc", rootfs / "elsewhere")
    (rootfs / "proc").mkdir()


@pytest.mark.hoy
def test_a_proc_that_was_renamed_before_it_is_masked(bundle, runtime):
    bundle.linux["maskedPaths"] = ["/proc/version"]
    bundle.hook_sh("createRuntime", f"mv {bundle.rootfs}/proc {bundle.rootfs}/elsewhere; mkdir {bundle.rootfs}/proc")
    runtime.refuses(bundle, "mounts[0]", "/proc was replaced")


@pytest.mark.hoy
def test_a_proc_that_is_renamed_while_it_is_masked(bundle, runtime, scratch):
    """After the first mask is begun, before the second: that one is found all the same."""
    bundle.sh("while [ ! -e /go ]; do sleep 0.1; done; stat -c %t:%T /proc/version /proc/cmdline; "
              "echo x >/proc/sys/kernel/domainname || echo refused")
    bundle.linux["maskedPaths"] = ["/proc/version", "/proc/cmdline"]
    bundle.linux["readonlyPaths"] = ["/proc/sys"]
    bundle.hook_sh("createContainer", f"touch {scratch}/hook")
    # The first mask is a clone of this.
    runtime.wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", "/dev/null", "-e", "trace=open_tree",
                       "-e", "inject=open_tree:delay_enter=3000000", "--"]
    running = runtime.popen("run", "--bundle", bundle.write(), "c1")
    runtime.wrapper = []
    wait_until((scratch / "hook").exists, "the last hook", 20)
    time.sleep(1)
    rename_proc(bundle.rootfs)
    wait_until(lambda: running.poll() is not None or "running" in runtime("state", "c1").stdout, "it to run", 20)
    if running.poll() is None:
        os.rmdir(bundle.rootfs / "proc")
        os.rename(bundle.rootfs / "elsewhere", bundle.rootfs / "proc")
        (bundle.rootfs / "go").touch()
        assert runtime.finish(running).ok().stdout == "1:3\n1:3\nrefused\n"
    else:
        # This machine was slow: it had not begun.
        runtime.finish(running).fails("/proc was replaced")
