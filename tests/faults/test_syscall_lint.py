"""No path-based access to the root before the pivot, whatever the configuration asks for."""

import json
import socket
import subprocess

import pytest

import syscall_lint
from bundle import busybox


def trace(runtime, bundle):
    """A whole `run` under strace; init's part of it is what the lint looks at."""
    path = runtime.scratch / "trace"
    runtime.wrapper = ["strace", "-f", "-y", "-qq", "-s", "4096", "-e", "signal=none", "-o", str(path), "--"]
    runtime.run(bundle.args("/bin/true")).ok()
    return path.read_text(errors="surrogateescape").splitlines()


def plain(_bundle, _scratch):
    pass


def everything(bundle, scratch):
    """Every kind of thing that is looked up or made in the root."""
    (scratch / "volume/sub").mkdir(parents=True)
    (scratch / "volume/file").touch()
    (bundle.rootfs / "link").symlink_to("/etc")
    bundle.bind(scratch / "volume", "/made/for/volume", "ro", "nosuid")
    bundle.bind(scratch / "volume/file", "/made/for/file").bind(scratch / "volume", "/link/volume", "rbind")
    bundle.mount("/etc", "tmpfs", "tmpfs", ["tmpcopyup"]).mount("/dev/shm", "tmpfs", "shm")
    bundle.mount("/dev/mqueue", "mqueue", "mqueue").mount("/sys", "sysfs", "sysfs", ["ro"])
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", ["ro"])
    bundle.mount("/dev/shm", "tmpfs", "shm", ["remount", "ro"])
    bundle.config["root"]["readonly"] = True
    bundle.linux |= {
        "maskedPaths": ["/proc/keys", "/proc/acpi", "/tmp", "/link/group", "/no/such"],
        "readonlyPaths": ["/proc/sys", "/proc/bus", "/home", "/no/such"],
        "sysctl": {"net.ipv4.ip_forward": "1"},
        "devices": [{"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200, "uid": 5}]}
    bundle.process |= {"cwd": "/home", "user": {"uid": 1000, "gid": 1000}}
    bundle.hook("createContainer", busybox(), "true")


def image_devices(bundle, _scratch):
    bundle.unmount("/dev", "/dev/pts").process["cwd"] = "/new/cwd"
    bundle.linux["devices"] = [{"path": "/opt/made/fifo", "type": "p", "fileMode": 0o600}]


def user_namespace(bundle, scratch):
    bundle.user_namespace()
    everything(bundle, scratch)


def overlay(bundle, scratch):
    """Longer data than fsconfig(2) takes: the one place where mount(2) is used."""
    names = []
    for number in range(20):
        names.append(str(scratch / f"{number}-{'x' * 40}"))
        (scratch / names[-1]).mkdir()
    bundle.mount("/overlay", "overlay", "overlay", [f"lowerdir={':'.join(names)}"])


@pytest.mark.parametrize("prepare", [plain, everything, image_devices, user_namespace, overlay])
def test_no_path_into_the_root_before_the_pivot(bundle, runtime, scratch, prepare):
    prepare(bundle, scratch)
    lines = trace(runtime, bundle)
    found = syscall_lint.findings(lines, str(bundle.rootfs))
    assert not found, "\n".join(f"{problem}: {line}" for problem, line in found)


def trace_command(runtime, *words, **keywords):
    path = runtime.scratch / "trace"
    runtime.wrapper = ["strace", "-f", "-y", "-qq", "-s", "4096", "-e", "signal=none", "-o", str(path), "--"]
    runtime(*words, **keywords).ok()
    runtime.wrapper = []
    return path.read_text(errors="surrogateescape").splitlines()


@pytest.mark.parametrize("user_namespace", [False, True])
def test_no_path_into_the_root_by_exec(bundle, runtime, scratch, user_namespace):
    """With a terminal too, whose master and slave are the container's."""
    (bundle.user_namespace if user_namespace else lambda: None)()
    with runtime.sleeping(bundle), socket.socket(socket.AF_UNIX) as console:
        console.bind(str(scratch / "console"))
        console.listen()
        for options in ([], ["--tty", "--console-socket", scratch / "console", "--user", "7:8"]):
            lines = trace_command(runtime, "exec", *options, "--cwd", "/tmp", "c1", "true")
            found = syscall_lint.findings_after_join(lines)
            assert not found, "\n".join(f"{problem}: {line}" for problem, line in found)


@pytest.mark.parametrize("user_namespace", [False, True])
def test_no_path_into_the_root_by_mounts(bundle, runtime, scratch, user_namespace):
    (bundle.user_namespace if user_namespace else lambda: None)()
    (scratch / "source").mkdir()
    file = scratch / "mounts.json"
    file.write_text(json.dumps([
        {"destination": "/made/for/it", "source": str(scratch / "source"), "options": ["bind", "ro"]},
        {"destination": "/made/tmp", "type": "tmpfs", "options": ["tmpcopyup", "ro"]}]))
    with runtime.sleeping(bundle):
        for verb in ("add", "remove"):
            lines = trace_command(runtime, "mounts", verb, "c1", file)
            found = syscall_lint.findings_after_join(lines)
            assert not found, "\n".join(f"{problem}: {line}" for problem, line in found)


PLANTED = {
    'openat(AT_FDCWD</>, "/r/dev/x", O_RDONLY|O_NOFOLLOW) = 3': "an absolute path below the root",
    'openat(7</r>, "dev/pts", O_PATH|O_NOFOLLOW <unfinished ...>': "several components in one path",
    'openat(7</r>, "dev", O_PATH|O_CLOEXEC) = 4': "a name that is followed if it is a link",
    'newfstatat(7</r>, "dev", {st_mode=S_IFDIR|0755, ...}, 0) = 0': "a name that is followed if it is a link",
    'fchownat(13</>, "null", 5, 6, 0) = 0': "a name that is followed if it is a link",
    'mount("proc", "/r/proc", "proc", 0, NULL) = 0': "mount(2) by path",
    'mount(NULL, "proc", NULL, MS_REMOUNT, NULL) = 0': "mount(2) by path",
    'mkdir("/r/dev", 0755) = 0': "a path below the root",
    'openat2(7</r>, "dev/pts", {flags=O_PATH, resolve=RESOLVE_NO_MAGICLINKS}, 24) = 4':
        "several components in one path",
    'openat(AT_FDCWD</r/dev>, "../x", O_RDONLY|O_NOFOLLOW) = 3': "several components in one path",
    'openat2(7</r>, "dev/pts", {flags=O_PATH, resolve=RESOLVE_IN_ROOT}, 24) = 4': None,
    'openat(7</r>, "dev", O_PATH|O_NOFOLLOW|O_CLOEXEC) = 4': None,
    'mkdirat(7</r>, "dev", 0755) = 0': None,
    'openat(AT_FDCWD</>, "/r", O_PATH|O_DIRECTORY) = 3': None,
    'move_mount(13</>, "", 4</r/dev>, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH) = 0': None,
    'mount("overlay", "/proc/thread-self/fd/9", "overlay", 0, "lowerdir=..."...) = 0': None,
}


@pytest.mark.parametrize("call, problem", PLANTED.items())
def test_the_lint_finds_what_is_planted(call, problem):
    lines = ["1 clone3({flags=CLONE_NEWNS}, 88) = 2", f"2 {call}", '2 pivot_root(".", ".") = 0']
    assert syscall_lint.findings(lines, "/r") == ([(problem, lines[1])] if problem else [])


@pytest.mark.parametrize("call, problem", [
    ('openat(AT_FDCWD</>, "/etc/passwd", O_RDONLY|O_NOFOLLOW) = 3', "an absolute path below the root"),
    ('umount2("/data", MNT_DETACH) = 0', "a path below the root"),
    ('mount("x", "/data", "tmpfs", 0, NULL) = 0', "mount(2) by path"),
    ('openat(5</>, "etc/passwd", O_RDONLY|O_NOFOLLOW) = 3', "several components in one path"),
    ('openat(AT_FDCWD</>, "/", O_PATH|O_DIRECTORY|O_CLOEXEC) = 3', None),
    ('umount2("12/fd/5", MNT_DETACH) = 0', None),
    ('openat2(5</>, "data", {flags=O_PATH, resolve=RESOLVE_NO_SYMLINKS|RESOLVE_IN_ROOT}, 24) = 4', None)])
def test_the_lint_finds_what_is_planted_after_a_join(call, problem):
    lines = [f"2 {call}", "2 setns(3<mnt:[1]>, CLONE_NEWNS) = 0", f"2 {call}"]
    assert syscall_lint.findings_after_join(lines) == ([(problem, lines[2])] if problem else [])
    with pytest.raises(AssertionError):
        syscall_lint.findings_after_join(lines[:1])


@pytest.mark.parametrize("lines", [[], ["1 close(3)"], ["1 clone3({flags=CLONE_NEWNS}, 88) = 2"]])
def test_a_trace_that_shows_nothing_is_no_success(lines):
    with pytest.raises(AssertionError):
        syscall_lint.findings(lines, "/r")


def test_the_lint_is_a_program_too(tmp_path):
    trace_file = tmp_path / "trace"
    trace_file.write_text('1 clone3({flags=CLONE_NEWNS}, 88) = 2\n2 mkdir("/r/x", 0) = 0\n'
                          '2 pivot_root(".", ".") = 0\n')
    done = subprocess.run(["/usr/bin/python3", "-B", syscall_lint.__file__, trace_file, "/r"],
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, 'a path below the root: 2 mkdir("/r/x", 0) = 0\n')
