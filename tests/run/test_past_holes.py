"""What went wrong in programs of this kind before, each as a test. The numbers are those of the CVEs."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest

from bundle import syscalls
from canary import Canary
from fixtures import is_long
from runtime import program, wait_until

req = pytest.mark.req


@pytest.fixture
def canary(scratch):
    canary = Canary(scratch / "canary")
    yield canary
    canary.check()


# ---- 2016-3697, 2026-30892, 2026-46680: a number taken for a name, or not read to its end ----

@pytest.mark.parametrize("uid", [1000, 4294967294])
def test_ids_are_never_names(bundle, runtime, uid):
    bundle.file("/etc/passwd", f"{uid}:x:0:0::/evil:\n4294967296:x:0:0::/:\n")
    bundle.process["user"] = {"uid": uid, "gid": uid}
    seen = runtime.probe(bundle)
    assert (seen["uids"], seen["gids"]) == ([uid] * 4, [uid] * 4)
    assert "HOME=/evil" not in seen["env"]


@req("config.valid-values.invalid", "config.valid-values.int-range")
@pytest.mark.hoy
@pytest.mark.parametrize("text", ["-1", "4294967295", "4294967296", "1.5", "1e3", '"1000"', "null", "true",
                                  "[]", "{}", "18446744073709551616", "-0.0"])
def test_uids_in_the_configuration(bundle, runtime, text):
    bundle.process["user"] = {"uid": "UID", "gid": 0}
    config = bundle.write() / "config.json"
    config.write_text(config.read_text().replace('"UID"', text))
    runtime("create", "--bundle", bundle.path, "c1").fails("process.user.uid")
    runtime("state", "c1").fails("does not exist")


# ---- 2016-9962: what has just joined a container can be looked into from there ----

@pytest.mark.hoy
@pytest.mark.timeout(60)
def test_a_joining_process_cannot_be_looked_into(bundle, runtime):
    bundle.capabilities("CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_KILL")
    bundle.sh("""while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] && continue
        for f in $p/fd/*; do l=$(readlink $f) && case $l in
            pipe:*|/dev/null|socket:*|/proc/*|/tmp/hoy-test*|/bin/*) ;; *) echo "$f $l";; esac; done
        done; done 2>/dev/null""")
    with runtime.running(bundle) as container:
        for _round in range(100):
            container.exec("--", "/bin/true").ok()
        assert container.output == ""


# ---- 2019-5736: the runtime's own binary, seen from inside ----

def fingerprint():
    status = os.stat(program())
    return status.st_ino, status.st_mtime_ns, hashlib.sha256(Path(program()).read_bytes()).hexdigest()


@pytest.mark.hoy
@pytest.mark.parametrize("args", [["/proc/self/exe"], ["/tmp/script"], ["/proc/self/exe", "--version"]])
def test_the_runtime_as_the_containers_program(bundle, runtime, args):
    before = fingerprint()
    bundle.file("/tmp/script", "#!/proc/self/exe\n", 0o755)
    runtime.run(bundle.args(*args))
    with runtime.sleeping(bundle) as container:
        container.exec("--", *args)
    assert fingerprint() == before


@pytest.mark.hoy
@pytest.mark.timeout(60)
def test_the_runtimes_binary_cannot_be_written_from_inside(bundle, runtime):
    """Somebody inside, with every privilege, tries to open whatever executable comes by for writing."""
    before = fingerprint()
    names = runtime("features").ok().json["linux"]["capabilities"]
    bundle.capabilities(*names)
    bundle.sh("""while :; do for p in /proc/[0-9]*; do
        case $(readlink $p/exe) in /bin/busybox|'') ;; *)
            mount -o remount,rw,bind $p/exe 2>/dev/null
            (: >>$p/exe) 2>/dev/null && echo "$p written";; esac; done; done""")
    with runtime.running(bundle) as container:
        for _round in range(100):
            container.exec("--", "/bin/true")
        assert container.output == ""
    assert fingerprint() == before


@pytest.mark.hoy
def test_init_before_start_runs_no_binary_of_the_host(bundle, runtime):
    """Its /proc/PID/exe is a protected copy: another device or a sealed memory file, and not writable."""
    with runtime.created(bundle) as container:
        inside, outside = os.stat(container.proc("exe")), os.stat(program())
        assert (inside.st_dev, inside.st_ino) != (outside.st_dev, outside.st_ino)
        with pytest.raises(OSError) as caught:
            os.close(os.open(container.proc("exe"), os.O_WRONLY))
        assert caught.value.errno in (errno.ETXTBSY, errno.EROFS, errno.EPERM, errno.EACCES)


# ---- 2019-16884, 2019-19921, 2023-27561, 2023-28642, 2025-54867: a faked /proc ----

@pytest.mark.hoy
@pytest.mark.parametrize("destination, fstype", [("/proc", "tmpfs"), ("/proc/self/attr", "tmpfs"),
                                                 ("/proc/thread-self", "tmpfs"), ("/proc/sys", "tmpfs")])
def test_nothing_but_procfs_on_proc(bundle, runtime, destination, fstype):
    bundle.mount(destination, fstype, fstype)
    runtime.refuses(bundle, "mounts[3]", destination)


# ---- 2021-43784 and its like: sizes ----

@pytest.mark.hoy
@pytest.mark.parametrize("length", [65530, 65535, 65536, 131071, 131072, 200000])
def test_long_strings(bundle, runtime, length):
    """Exactly what was asked, or the kernel's own refusal (128 KiB a string); never a shorter one."""
    bundle.process["env"] = ["PATH=/bin", "X=" + "x" * (length - 2)]
    result = runtime.sh(bundle, "echo ${#X}")
    if length < 131072:
        assert result.ok().stdout == f"{length - 2}\n"
    else:
        result.fails("Argument list too long", status=126)


@pytest.mark.hoy
def test_a_hostname_a_path_and_an_annotation_that_are_long(bundle, runtime):
    for change, words in (({"hostname": "h" * 65536}, "hostname"),
                          ({"root": {"path": "r" * 65536}}, "root.path")):
        bundle.config |= change
        result = runtime.create(bundle).fails(words)
        assert len(result.stderr) <= 4096
    bundle.config |= {"hostname": "h", "root": {"path": "rootfs"}, "annotations": {"a.b": "y" * 131072}}
    with runtime.created(bundle) as container:
        assert container.state["annotations"]["a.b"] == "y" * 131072


@pytest.mark.hoy
@pytest.mark.timeout(60)
def test_very_many_mounts(bundle, runtime):
    """An error or all of them; the kernel allows 100,000 in one namespace."""
    limit = int(Path("/proc/sys/fs/mount-max").read_text())
    count = 2000
    for number in range(count):
        bundle.mount(f"/m/{number}", "tmpfs", "tmpfs", ["size=4k"])
    assert len([m for m in runtime.probe(bundle).mounts() if m.point.startswith("/m/")]) == count
    assert limit > count


@pytest.mark.hoy
@pytest.mark.skipif(not is_long(), reason="a minute for 100,000 mounts: HOY_LONG=1")
@pytest.mark.timeout(600)
def test_more_mounts_than_the_kernel_takes(bundle, runtime):
    for number in range(int(Path("/proc/sys/fs/mount-max").read_text()) + 1):
        bundle.mount(f"/m/{number}", "tmpfs", "tmpfs", ["size=4k"])
    bundle.write()
    runtime("create", "--bundle", bundle.path, "c1", limit=500).fails("mounts[", "No space left on device")
    runtime("state", "c1").fails("does not exist")


@pytest.mark.hoy
@pytest.mark.parametrize("count", [200, 341, 10000])
def test_very_many_id_maps(bundle, runtime, count):
    """The kernel takes 340 lines and less than a page of text: those, or an error that names the map."""
    bundle.user_namespace()
    for kind in ("uidMappings", "gidMappings"):
        bundle.linux[kind] = [{"containerID": 0, "hostID": 100000, "size": 65536}] + [
            {"containerID": 100000 + 2 * n, "hostID": 200000 + 2 * n, "size": 1} for n in range(count - 1)]
    if count < 340:
        lines = runtime.sh(bundle, "cat /proc/self/uid_map").ok().stdout.splitlines()
        assert [int(line.split()[1]) for line in lines] == [100000] + [
            200000 + 2 * n for n in range(count - 1)]
    else:
        runtime.refuses(bundle, "linux.uidMappings")


# ---- cgroup paths and keys that lead out ----

@req("linux.cgroupsPath.invalid")
@pytest.mark.hoy
@pytest.mark.parametrize("path", ["/../../x", "../x", "/a/../../x", "a\n", "/a/\x1b", "a//../../..", "/..",
                                  "/a:b:c/../.."])
def test_cgroups_path_that_leads_out(bundle, runtime, path):
    bundle.linux["cgroupsPath"] = path
    result = runtime.create(bundle)
    try:
        result.fails("linux.cgroupsPath")
        assert "\x1b" not in result.stderr
    finally:
        runtime("delete", "--force", "c1")


@req("linux.unified.no-escape")
@pytest.mark.hoy
@pytest.mark.parametrize("key", ["../cgroup.procs", "a/b", "/memory.max", "cgroup.procs/..", "..", ""])
def test_unified_keys_that_lead_out(bundle, runtime, key):
    bundle.linux["resources"] = {"unified": {key: "1"}}
    runtime.refuses(bundle, "linux.resources.unified")


# ---- 2022-29162, 2022-27650, 2025-27612: inheritable capabilities of exec ----

@pytest.mark.hoy
def test_exec_gives_nothing_inheritable(bundle, runtime):
    program_inside = bundle.rootfs / "tmp/probe"
    program_inside.write_bytes((bundle.rootfs / "bin/probe").read_bytes())
    program_inside.chmod(0o755)
    # File capabilities: NET_RAW inheritable, nothing permitted.
    data = (0x02000000 | 0x0).to_bytes(4, "little") + (0).to_bytes(4, "little") + (1 << 13).to_bytes(
        4, "little") + bytes(8)
    os.setxattr(program_inside, "security.capability", data)
    with runtime.sleeping(bundle) as container:
        seen = runtime("exec", "--cap", "CAP_NET_RAW", "-u", "1", "c1", "/tmp/probe", "capabilities")
        sets = seen.ok().json["capabilities"]
        assert sets["inheritable"] == sets["ambient"] == sets["permitted"] == 0
        assert container.status == "running"


# ---- 2024-21626: a working directory on a leaked descriptor ----

@pytest.fixture
def host_directory():
    """A function for preexec_fn that puts the host's root on many descriptors."""
    fd = os.open("/", os.O_RDONLY | os.O_DIRECTORY)

    def leak():
        for number in range(3, 16):
            os.dup2(fd, number, inheritable=True)
    yield leak
    os.close(fd)


@pytest.mark.hoy
@pytest.mark.parametrize("number", range(3, 16))
def test_working_directories_on_leaked_descriptors(bundle, runtime, number, host_directory):
    bundle.process["cwd"] = f"/proc/self/fd/{number}"
    bundle.sh("pwd; ls ..")
    result = runtime.run(bundle, close_fds=False, preexec_fn=host_directory)
    result.fails("process.cwd")
    assert result.stdout == ""


@pytest.mark.hoy
@pytest.mark.parametrize("words", [
    ["--cwd", "/proc/self/fd/7", "c1", "pwd"], ["--cwd", "/proc/1/cwd/../../../../../..", "c1", "ls", "."],
    ["c1", "/proc/self/fd/7/bin/sh", "-c", "echo out"]])
def test_exec_on_leaked_descriptors(bundle, runtime, words, host_directory):
    with runtime.sleeping(bundle):
        result = runtime("exec", *words, close_fds=False, preexec_fn=host_directory)
        if result.status == 0:
            assert "boot" not in result.stdout and "out" not in result.stdout
        else:
            assert result.stderr.startswith("hoy: ")


# ---- 2025-31133, 2025-62161: the null that masks is not the null ----

@pytest.mark.hoy
@pytest.mark.parametrize("kind", ["link", "missing", "zero", "file"])
def test_masks_are_made_of_the_real_null(bundle, runtime, canary, kind):
    bundle.unmount("/dev", "/dev/pts")
    null = bundle.rootfs / "dev/null"
    if kind == "link":
        null.symlink_to(canary.path / "file")
    elif kind == "zero":
        os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    elif kind == "file":
        null.write_text("secret")
    bundle.linux["maskedPaths"] = ["/proc/version", "/proc/cmdline"]
    result = runtime.sh(bundle, "stat -c '%t:%T' /proc/version; stat -c '%t:%T' /proc/cmdline")
    if result.status == 0:
        assert result.stdout == "1:3\n1:3\n"
    else:
        result.fails("/dev/null")


# ---- 2025-52565: a console that leads out ----

@pytest.mark.hoy
@pytest.mark.timeout(60)
def test_a_console_that_is_raced_for(bundle, runtime, canary, racing):
    """Another container exchanges /dev/console of the image with a link: the pty is on it, or create fails.

    The pty then goes with the name that it is on, for as long as they are exchanged.
    """
    bundle.unmount("/dev", "/dev/pts").mount("/dev/pts", "devpts", "devpts", ["newinstance", "ptmxmode=0666"])
    (bundle.rootfs / "dev/console").touch()
    (bundle.rootfs / "dev/link").symlink_to(canary.path / "dev/console")
    bundle.process["terminal"] = True
    bundle.sh("""for n in $(seq 1000); do
        case $(stat -c %t /dev/console /dev/link 2>&1) in *88*) echo found; exit; esac; done""").write()
    racing(bundle.rootfs / "dev/console", bundle.rootfs / "dev/link")
    deadline = time.monotonic() + (60 if is_long() else 3)
    while time.monotonic() < deadline:
        result = runtime("run", "--bundle", bundle.path, "c1")
        assert result.status in (0, 1), result
        assert result.status == 1 or "found" in result.stdout, result
        canary.check()


# ---- 2025-52881, 2025-62596: a sysctl or label that is written to another file ----

@pytest.mark.hoy
def test_sysctls_and_labels_never_go_by_a_path_of_the_container(bundle, runtime):
    """Whatever is in the container's /proc: they are written below a procfs that no container has seen."""
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.domainname": "x"}
    calls = runtime.trace(bundle.args("/bin/true"), "open,openat,openat2,creat")
    written = [line for line in calls if '"sys/' in line or "/proc/sys/net" in line or "attr/" in line]
    assert len(written) == 2, written
    for line in written:
        assert re.search(r'openat2\(\d+, "sys/', line), line
        assert all(word in line for word in ("RESOLVE_BENEATH", "RESOLVE_NO_XDEV", "RESOLVE_NO_SYMLINKS",
                                             "RESOLVE_NO_MAGICLINKS")), line


# ---- 2026-41579, 2026-47766, 2025-24965, 2026-55686, 2026-87766: links that hoy is to write through ----

@pytest.mark.hoy
@pytest.mark.parametrize("place", ["dev", "dev/pts", "dev/shm", "dev/fd", "dev/mqueue", "etc", "tmp",
                                   "run", "etc/passwd", "etc/group", "etc/hostname"])
@pytest.mark.parametrize("with_dev", [True, False])
def test_no_file_is_made_through_a_link(bundle, runtime, canary, place, with_dev):
    path = bundle.rootfs / place
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(canary.path / "dev" if place == "dev" else canary.path / "sub")
    if not with_dev:
        bundle.unmount("/dev", "/dev/pts")
    bundle.mount("/dev/shm", "tmpfs", "shm").bind("/etc/hostname", "/etc/hostname")
    bundle.process["cwd"] = "/run/new"
    runtime.run(bundle.args("/bin/busybox", "true"))
    with contextlib.suppress(AssertionError):
        with runtime.sleeping(bundle) as container:
            container.exec("--cwd", "/tmp/new", "--", "/bin/true")


# ---- 2026-84042 and its like: a helper out of the image ----

@pytest.mark.hoy
def test_no_helper_of_the_image_is_run(bundle, runtime, scratch):
    for name in ("newuidmap", "newgidmap", "criu", "pasta", "sh", "ip", "mount"):
        for directory in ("usr/bin", "usr/sbin", "usr/local/bin", "sbin"):
            bundle.file(f"/{directory}/{name}", "#!/bin/busybox sh\necho $0 >>/evil\n", 0o755)
    (bundle.rootfs / "evil").touch(0o666)
    bundle.user_namespace().args("/bin/busybox", "true")
    runtime.run(bundle, env={"PATH": "/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin"}).ok()
    assert (bundle.rootfs / "evil").read_text() == ""


# ---- 2017-5226, 2016-10124: writing to the caller's terminal ----

@pytest.mark.hoy
@pytest.mark.parametrize("command", ["run", "exec"])
def test_the_callers_terminal_is_out_of_reach(bundle, runtime, command):
    """With the caller's pty on stdin: no controlling terminal, so TIOCSTI is not allowed."""
    read, write = os.openpty()
    tiocsti = 0x5412
    words = ["/bin/probe", "call", str(syscalls()["ioctl"]), "0", str(tiocsti), ":x", "--",
             str(syscalls()["open"]), ":/dev/tty", "2"]
    try:
        if command == "run":
            result = runtime.run(bundle.args(*words), stdin=write)
        else:
            with runtime.sleeping(bundle):
                result = runtime("exec", "c1", *words, stdin=write)
        assert [line["errno"] for line in result.ok().lines] in (["EPERM", "ENXIO"], ["EIO", "ENXIO"])
    finally:
        os.close(read)
        os.close(write)


# ---- escape sequences ----

@pytest.mark.hoy
def test_control_bytes_never_reach_the_log(bundle, runtime, scratch):
    evil = "\x1b[2J\r\n\x07{\"level\":\"info\"}\x9b\u202e"
    log = scratch / "log"
    runtime.globals += ["--log", str(log), "--log-format", "json"]
    bundle.config["annotations"] = {f"com.x{evil}": evil}
    bundle.linux["sysctl"] = {f"net.{evil}": "1"}
    result = runtime.create(bundle).fails("linux.sysctl")
    assert "\x1b" not in result.stderr and "\x07" not in result.stderr and "\r" not in result.stderr
    text = log.read_text()
    assert text.count("\n") == 1 and "\x1b" not in text
    assert json.loads(text)["level"] == "error"


@pytest.mark.hoy
def test_a_container_without_any_namespace_for_mounts_leaves_the_hosts_alone(bundle, runtime):
    before = Path("/proc/self/mountinfo").read_text()
    bundle.linux["namespaces"] = [{"type": "pid"}]
    del bundle.config["hostname"]
    bundle.config["root"]["readonly"] = True
    with runtime.running(bundle.args("/bin/sleep", "1000")):
        assert Path("/proc/self/mountinfo").read_text() != before
    assert Path("/proc/self/mountinfo").read_text() == before


@pytest.mark.hoy
def test_a_flood_of_messages_from_inside_cannot_hold_the_runtime(bundle, runtime):
    """Deadlines: a container whose init is stopped is still deleted in time."""
    with runtime.created(bundle) as container:
        os.kill(container.pid, 19)
        started = time.monotonic()
        runtime("delete", "--force", "c1", limit=15).ok()
        assert time.monotonic() - started < 10
        wait_until(lambda: not bundle.cgroup.exists(), "the cgroup to go")


@pytest.mark.hoy
def test_start_of_a_container_whose_init_was_killed(bundle, runtime):
    with runtime.created(bundle) as container:
        os.kill(container.pid, 9)
        container.wait()
        result = container.start().fails("c1", "stopped")
        assert result.seconds < 5


@pytest.mark.hoy
def test_foreign_processes_in_the_cgroup(bundle, runtime):
    """An existing cgroup with somebody in it is refused, and he lives on after delete --force."""
    bundle.cgroup.mkdir()
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        try:
            (bundle.cgroup / "cgroup.procs").write_text(str(stranger.pid))
            runtime.refuses(bundle, "cgroup")
            runtime("delete", "--force", "c1").ok()
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()
    wait_until(lambda: "populated 0" in (bundle.cgroup / "cgroup.events").read_text(), "its end")
    bundle.cgroup.rmdir()


@req("linux.cgroups.fitness-error")
@pytest.mark.hoy
def test_a_frozen_cgroup_is_refused(bundle, runtime):
    bundle.cgroup.mkdir()
    (bundle.cgroup / "cgroup.freeze").write_text("1")
    try:
        result = runtime.refuses(bundle, "frozen")
        assert result.seconds < 5
        assert (bundle.cgroup / "cgroup.freeze").read_text() == "1\n"
    finally:
        if bundle.cgroup.exists():
            (bundle.cgroup / "cgroup.freeze").write_text("0")
            bundle.cgroup.rmdir()
