"""hoy-checkpoint(8) and hoy-restore(8): processes that go on where they were, and all around them."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

import leaks
import receiver
from bundle import busybox, rule, syscalls
from criu import criu  # noqa: F401  a fixture
from holder import holding
from limits import MB, limit, needs, pids, reads
from runtime import ENVIRONMENT, Container, wait_until

# CRIU writes and reads for seconds under emulation.
pytestmark = pytest.mark.timeout(150)
LIMIT_SECONDS = 100
COUNT = "i=0; while :; do echo $i; i=$((i + 1)); sleep 0.1; done"
# A sleep does not survive: it ends when CRIU interrupts it.
WAIT = "while :; do sleep 1; done"
ECHO = "while read -r word; do echo got $word; [ $word = exit ] && exit 7; done"


@pytest.fixture
def images(scratch):
    return scratch / "images"


def checkpoint(runtime, images, *options, name="c1"):
    return runtime("checkpoint", "--image-path", images, *options, name, limit=LIMIT_SECONDS)


@contextlib.contextmanager
def restored(runtime, bundle, images, *options, name="c1", **keywords):
    """A container that is restored here in the background and deleted when the block ends."""
    result = runtime("restore", "--detach", "--image-path", images, "--bundle", bundle.path,
                     *options, name, limit=LIMIT_SECONDS, **keywords)
    try:
        yield Container(runtime, name, result.ok())
    finally:
        runtime("delete", "--force", name)


def numbers(result):
    return [int(line) for line in result.stdout.split()]


def has_counted(result, count=2):
    return wait_until(lambda: len(numbers(result)) >= count and numbers(result), "the counter", 20)


def is_without(images):
    """Whether an image of the memory is missing: only whoever has all of it can be restored."""
    return not list(images.glob("pages-*.img"))


def read_until(fd, until, seconds=20):
    text, deadline = b"", time.monotonic() + seconds
    while until not in text:
        assert time.monotonic() < deadline, text
        if select.select([fd], [], [], 0.1)[0]:
            part = os.read(fd, 4096)
            assert part, f"the end after {text}"
            text += part
    return text


# ---- processes, states ----

def test_a_counter_goes_on(bundle, runtime, images):
    limit(bundle, memory={"limit": 64 * MB}, pids={"limit": 20})
    with runtime.running(bundle.sh(COUNT)) as container:
        has_counted(container.created)
        pid = container.pid
        checkpoint(runtime, images).silent()
        before = numbers(container.created)
        assert (container.status, container.pid) == ("stopped", 0)
        # It has ended, whether it was reaped meanwhile or not.
        assert leaks.children().get(pid, "Z")[0] == "Z" and pids(bundle) == []
        container.delete().silent()
    assert not bundle.cgroup.exists()
    with restored(runtime, bundle, images, name="c2") as container:
        after = has_counted(container.created)
        assert after[0] == before[-1] + 1 and after == sorted(after)
        assert container.state | {"created": 0} == {
            "ociVersion": container.state["ociVersion"], "id": "c2", "pid": container.pid,
            "status": "running", "bundle": str(bundle.path), "rootfs": str(bundle.rootfs),
            "created": 0, "owner": "root"}
        # The limits are those of config.json, and every process is where they are.
        assert reads(bundle, {"memory.max": None, "pids.max": None}) == {
            "memory.max": str(64 * MB), "pids.max": "20"}
        assert container.pid in pids(bundle) and len(pids(bundle)) == 2
        assert container.proc("cgroup").read_text().endswith(f"0::{bundle.linux['cgroupsPath']}\n")
        assert container.exec("--", "/bin/cat", "/proc/1/comm").silent().stdout == "sh\n"
        container.kill("KILL").silent()
        container.wait().delete().silent()


def test_the_restored_takes_the_place_of_the_stopped(bundle, runtime, images):
    with runtime.running(bundle.sh(COUNT)) as container:
        before = has_counted(container.created)
        # Whoever is alive keeps the id.
        checkpoint(runtime, images, "--leave-running").silent()
        runtime("restore", "--detach", "--image-path", images, "--bundle", bundle.path, "c1",
                limit=LIMIT_SECONDS).fails("c1 already exists")
        assert container.status == "running"
        checkpoint(runtime, images).silent()
        with restored(runtime, bundle, images) as again:
            assert has_counted(again.created)[0] >= before[-1] + 1
            # And once more: what was restored can be dumped.
            checkpoint(runtime, images).silent()
            last = numbers(again.created)[-1]
            with restored(runtime, bundle, images) as third:
                assert has_counted(third.created)[0] == last + 1


def test_left_running(bundle, runtime, images):
    with runtime.running(bundle.sh(COUNT)) as container:
        count, pid = len(has_counted(container.created)), container.pid
        checkpoint(runtime, images, "--leave-running").silent()
        assert (container.status, container.pid) == ("running", pid)
        has_counted(container.created, count + 3)
        assert not is_without(images)
        container.delete("--force").silent()
    with restored(runtime, bundle, images) as container:
        assert has_counted(container.created)[0] >= count


def test_a_paused_one(bundle, runtime, images):
    """As containerd does it: pause, checkpoint, resume."""
    with runtime.running(bundle.sh(COUNT)) as container:
        has_counted(container.created)
        runtime("pause", "c1").silent()
        checkpoint(runtime, images, "--leave-running").silent()
        assert container.status == "paused"
        count = len(numbers(container.created))
        runtime("resume", "c1").silent()
        has_counted(container.created, count + 2)


def test_only_the_memory_first(bundle, runtime, scratch, images):
    done = subprocess.run(["criu", "check", "--feature", "mem_dirty_track"], check=False,
                          capture_output=True)
    needs(done.returncode == 0, "a kernel that tracks changed memory")
    first = scratch / "first"
    with runtime.running(bundle.sh(COUNT)) as container:
        count = len(has_counted(container.created))
        checkpoint(runtime, first, "--pre-dump").silent()
        assert container.status == "running" and not is_without(first)
        has_counted(container.created, count + 2)
        checkpoint(runtime, images, "--parent-path", first).fails("--parent-path",
                                                                   "relative to the images")
        checkpoint(runtime, images, "--parent-path", "../nothing").fails("../nothing")
        assert container.status == "running"
        checkpoint(runtime, images, "--parent-path", "../first").silent()
        last = numbers(container.created)[-1]
        assert os.readlink(images / "parent") == "../first"
        with restored(runtime, bundle, images) as again:
            assert has_counted(again.created)[0] == last + 1


def test_what_cannot_be_dumped(bundle, runtime, images):
    checkpoint(runtime, images).fails("c1 does not exist")
    with runtime.created(bundle.sh("exit 0")) as container:
        checkpoint(runtime, images).fails("container not running", "c1 is created")
        container.start().ok()
        container.wait()
        checkpoint(runtime, images).fails("container not running", "c1 is stopped")
    assert not images.exists()
    bundle.without_namespace("mount")
    with runtime.sleeping(bundle):
        checkpoint(runtime, images).fails("linux.namespaces", "without a mount namespace")


# ---- stdio ----

def test_pipes(bundle, runtime, images):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = runtime.popen("run", "--bundle", bundle.sh(ECHO).write(), "c1", **pipes)
    process.stdin.write(b"one\n")
    process.stdin.flush()
    assert read_until(process.stdout.fileno(), b"\n") == b"got one\n"
    checkpoint(runtime, images).silent()
    # In the foreground the container ends, and is deleted, with its process.
    assert process.wait(20) == 137
    process.stdin.close()
    process.stdout.close()
    wait_until(lambda: runtime("state", "c1").status != 0, "c1 to be deleted")
    process = runtime.popen("restore", "--image-path", images, "--bundle", bundle.path, "c2",
                            **pipes)
    process.stdin.write(b"two\nexit\n")
    process.stdin.flush()
    assert read_until(process.stdout.fileno(), b"exit\n", LIMIT_SECONDS) == b"got two\ngot exit\n"
    # The status is the process' own: its parent is the command.
    assert process.wait(20) == 7, os.pread(process.err.fileno(), 4096, 0)
    process.stdin.close()
    process.stdout.close()
    runtime("state", "c2").fails("does not exist")


def test_files_that_lie_outside(bundle, runtime, scratch, images):
    """Of the caller, where the container cannot see them: others take their place."""
    (scratch / "in").write_text("one\ntwo\n")
    bundle.sh("read -r word; echo $word; while [ ! -e /go ]; do sleep 0.05; done;"
              "read -r word; echo $word; echo end >&2; " + WAIT)
    with open(scratch / "in") as file, runtime.running(bundle, stdin=file) as container:
        wait_until(lambda: container.output == "one\n", "the first word", 20)
        checkpoint(runtime, images).silent()
    (bundle.rootfs / "go").touch()
    with open(scratch / "in") as file, restored(runtime, bundle, images, stdin=file) as container:
        # What the shell has read ahead it had in its memory.
        wait_until(lambda: "end" in container.created.stderr, "the end", 20)
        assert container.output in ("two\n", "one\n")


@pytest.mark.parametrize("options", [(), ("--shell-job",)], ids=["plain", "shell-job"])
def test_a_terminal_of_the_caller(bundle, runtime, images, options):
    with contextlib.ExitStack() as stack:
        (master, slave), (other, other_slave) = (os.openpty(), os.openpty())
        for fd in (master, slave, other, other_slave):
            stack.callback(os.close, fd)
        with runtime.running(bundle.sh(ECHO), stdin=slave, stdout=slave):
            os.write(master, b"one\n")
            read_until(master, b"got one")
            checkpoint(runtime, images, *options).silent()
        with restored(runtime, bundle, images, *options, stdin=other_slave, stdout=other_slave):
            os.write(other, b"two\n")
            read_until(other, b"got two")


def test_preserved_descriptors(bundle, runtime, scratch, images):
    log = scratch / "log"
    bundle.sh("while :; do echo file >&3; echo pipe >&4; sleep 0.2; done")
    shift = ["bash", "-c", 'exec 3>&100 4>&101 100>&- 101>&-; exec "$@"', "bash"]
    with open(log, "a") as file, contextlib.ExitStack() as stack:
        def descriptors():
            """A new pipe; what is to be preserved stands at 100 and 101."""
            read_end, write_end = os.pipe()
            os.dup2(file.fileno(), 100)
            os.dup2(write_end, 101)
            os.close(write_end)
            stack.callback(os.close, read_end)
            return read_end

        keywords = {"pass_fds": (100, 101)}
        pipe = descriptors()
        stack.callback(os.close, 100)
        stack.callback(os.close, 101)
        runtime.wrapper = shift
        with runtime.running(bundle, "--preserve-fds", "2", **keywords):
            runtime.wrapper = []
            read_until(pipe, b"pipe\n")
            checkpoint(runtime, images).silent()
        before = log.stat().st_size
        pipe = descriptors()
        runtime.wrapper = shift
        with restored(runtime, bundle, images, "--preserve-fds", "2", **keywords):
            runtime.wrapper = []
            read_until(pipe, b"pipe\n")
            wait_until(lambda: log.stat().st_size > before, "the file to grow", 20)


class Console(receiver.Console):
    def say(self, text):
        os.write(self.master, text)


def test_a_terminal(bundle, runtime, scratch, images):
    bundle.process["terminal"] = True
    with Console(scratch / "console") as console:
        with runtime.running(bundle.sh(f"stty -echo; echo ready; {ECHO}"), "--console-socket",
                             console.path) as container:
            console.accept()
            read_until(console.master, b"ready")
            console.say(b"one\n")
            read_until(console.master, b"got one")
            checkpoint(runtime, images).silent()
            container.delete().silent()
    runtime("restore", "--detach", "--image-path", images, "--bundle", bundle.path, "c1").fails(
        "process.terminal", "--console-socket")
    with Console(scratch / "console2") as console:
        with restored(runtime, bundle, images, "--console-socket", console.path) as container:
            console.accept()
            console.say(b"two\n")
            read_until(console.master, b"got two")
            assert os.path.basename(os.readlink(container.proc("fd/0"))) == "0"
            console.say(b"exit\n")
            container.wait()


# ---- what is around the processes ----

def test_binds_and_masks(bundle, runtime, scratch, images):
    volume = scratch / "volume"
    (volume / "deep").mkdir(parents=True)
    (volume / "word").write_text("one")
    (scratch / "file").write_text("file")
    (scratch / "inner").mkdir()
    (scratch / "inner/word").write_text("inner")
    (bundle.rootfs / "target").mkdir()
    (bundle.rootfs / "link").symlink_to("target")
    bundle.bind(volume, "/volume").bind(scratch / "file", "/etc/file", "ro")
    bundle.bind(scratch / "inner", "/volume/deep/inner").bind(scratch / "inner", "/link/behind")
    bundle.linux["maskedPaths"] = ["/proc/keys", "/proc/timer_list", "/proc/acpi", "/sys/firmware",
                                   "/nothing"]
    bundle.linux["readonlyPaths"] = ["/proc/sys", "/proc/bus"]
    look = ("cat /volume/word /etc/file /volume/deep/inner/word /link/behind/word; "
            "cat /proc/keys; ls /sys/firmware; echo 2>/dev/null x >/etc/file || echo read-only")
    with runtime.running(bundle.sh(WAIT)) as container:
        seen = container.exec("--", "/bin/sh", "-c", look).ok().stdout
        assert seen == "onefileinnerinnerread-only\n"
        before = [(mount.point, mount.root, mount.fstype, sorted(mount.options))
                  for mount in container.probe().mounts() if mount.fstype != "cgroup2"]
        checkpoint(runtime, images).silent()
        container.delete().silent()
    # The mount points in the root itself are made again; those in a volume are.
    (bundle.rootfs / "volume").rmdir()
    (bundle.rootfs / "etc/file").unlink()
    (volume / "deep/inner").rmdir()
    with restored(runtime, bundle, images) as container:
        assert container.exec("--", "/bin/sh", "-c", look).ok().stdout == seen
        after = [(mount.point, mount.root, mount.fstype, sorted(mount.options))
                 for mount in container.probe().mounts() if mount.fstype != "cgroup2"]
        assert sorted(after) == sorted(before)
        (volume / "word").write_text("two")
        assert container.exec("--", "/bin/cat", "/volume/word").ok().stdout == "two"


def test_a_read_only_root(bundle, runtime, images):
    bundle.config["root"]["readonly"] = True
    with runtime.running(bundle.sh(COUNT)) as container:
        has_counted(container.created)
        checkpoint(runtime, images).silent()
    with restored(runtime, bundle, images) as container:
        has_counted(container.created)
        assert "ro" in container.probe().mount("/").options
        assert container.exec("--", "/bin/touch", "/x").status == 1
    assert not (bundle.rootfs / "x").exists()


def test_confinement(bundle, runtime, images):
    bundle.seccomp(rule("ERRNO", "chroot", errnoRet=5))
    bundle.process |= {"noNewPrivileges": True, "oomScoreAdj": 77,
                       "user": {"uid": 1000, "gid": 1001, "additionalGids": [7]},
                       "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]}

    def look(container):
        lines = container.proc("status").read_text().splitlines()
        words = ("Uid", "Gid", "Groups", "Cap", "NoNewPrivs", "Seccomp")
        files = [line for line in container.proc("limits").read_text().splitlines()
                 if line.startswith("Max open files")]
        return [line for line in lines if line.startswith(words)] + files + [
            container.proc("oom_score_adj").read_text()]

    with runtime.running(bundle.sh(COUNT)) as container:
        has_counted(container.created)
        before = look(container)
        checkpoint(runtime, images).silent()
    with restored(runtime, bundle, images) as container:
        has_counted(container.created)
        assert look(container) == before
        assert container.exec("--", "/bin/probe", "call", str(syscalls()["chroot"]), ":/").ok(
            ).lines[0]["errno"] == "EIO"


def test_a_notify_socket(bundle, runtime, scratch, images):
    """It is of no use any more, but the container still has its directory mounted."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(scratch / "notify"))
        keywords = {"env": ENVIRONMENT | {"NOTIFY_SOCKET": str(scratch / "notify")}}
        with runtime.created(bundle.sh(COUNT), **keywords) as container:
            container.start().ok()
            has_counted(container.created)
            assert "/run/notify" in container.proc("mountinfo").read_text()
            checkpoint(runtime, images).silent()
    with restored(runtime, bundle, images) as container:
        has_counted(container.created)
        assert container.exec("--", "/bin/ls", "-A", "/run/notify").silent().stdout == ""


def test_a_user_namespace(bundle, runtime, images):
    bundle.user_namespace()
    # CRIU reads images in it too, as its root.
    images.mkdir(mode=0o711)
    with runtime.running(bundle.sh(COUNT)) as container:
        has_counted(container.created)
        checkpoint(runtime, images).silent()
    with restored(runtime, bundle, images) as container:
        has_counted(container.created)
        assert container.proc("uid_map").read_text().split() == ["0", "100000", "65536"]
        assert container.exec("--", "/bin/id", "-u").ok().stdout == "0\n"


def test_joined_namespaces(bundle, runtime, images):
    with holding("network", "ipc", "uts", script="hostname elsewhere") as holder:
        bundle.without_namespace("network", "ipc", "uts")
        for kind in ("network", "ipc", "uts"):
            bundle.namespace(kind, holder.path(kind))
        with runtime.running(bundle.sh(COUNT)) as container:
            has_counted(container.created)
            checkpoint(runtime, images).silent()
        with restored(runtime, bundle, images) as container:
            has_counted(container.created)
            for kind, name in (("network", "net"), ("ipc", "ipc"), ("uts", "uts")):
                assert container.namespace(name) == holder.link(kind), kind
            assert container.namespace("mnt") != os.readlink("/proc/self/ns/mnt")


def test_hooks(bundle, runtime, scratch, images):
    notes = scratch / "notes"
    for kind in ("prestart", "createRuntime", "poststop"):
        bundle.hook_sh(kind, f"echo {kind} >>{notes}")
    with runtime.running(bundle.sh(COUNT)) as container:
        has_counted(container.created)
        notes.write_text("")
        checkpoint(runtime, images).silent()
        assert notes.read_text() == ""
        container.delete().silent()
        assert notes.read_text() == "poststop\n"
    notes.write_text("")
    with restored(runtime, bundle, images) as container:
        assert notes.read_text() == "prestart\ncreateRuntime\n"
    assert notes.read_text() == "prestart\ncreateRuntime\npoststop\n"
    bundle.hook("createRuntime", busybox(), "false")
    bundle.write()
    runtime("restore", "--detach", "--image-path", images, "--bundle", bundle.path, "c1",
            limit=LIMIT_SECONDS).fails("hooks.createRuntime[1]", "status 1")
    runtime("state", "c1").fails("does not exist")


def test_a_cgroup_below_its_own(bundle, runtime, images):
    bundle.config["annotations"] = {"run.oci.delegate-cgroup": "inner"}
    with runtime.running(bundle.sh(COUNT)) as container:
        has_counted(container.created)
        before = container.proc("cgroup").read_text()
        assert before.endswith(f"{bundle.linux['cgroupsPath']}/inner\n")
        checkpoint(runtime, images).silent()
    with restored(runtime, bundle, images) as container:
        has_counted(container.created)
        assert container.proc("cgroup").read_text() == before
        assert container.exec("--", "/bin/cat", "/proc/1/cgroup").ok().stdout.endswith("0::/\n")


def test_the_systemd_manager(bundle, runtime, images):
    needs(Path("/run/systemd/system").is_dir(), "systemd")
    scope = Path("/sys/fs/cgroup/system.slice/hoytest-criu.scope")
    runtime.globals.append("--systemd-cgroup")
    bundle.linux["cgroupsPath"] = "system.slice:hoytest:criu"
    limit(bundle, memory={"limit": 64 * MB})
    with runtime.running(bundle.sh(COUNT)) as container:
        has_counted(container.created)
        checkpoint(runtime, images).silent()
        container.delete().silent()
    assert not scope.exists()
    with restored(runtime, bundle, images) as container:
        has_counted(container.created)
        assert (scope / "memory.max").read_text() == f"{64 * MB}\n"
        # Nobody but the container's own is left in it.
        inside = [int(pid) for pid in (scope / "cgroup.procs").read_text().split()]
        assert container.pid in inside and len(inside) == 2
        show = subprocess.run(["systemctl", "show", "--property=ActiveState,MemoryMax", scope.name],
                              capture_output=True, text=True, check=True).stdout.split()
        assert sorted(show) == ["ActiveState=active", f"MemoryMax={64 * MB}"]
    assert not scope.exists()


# ---- failures ----

def test_a_failed_restore_leaves_nothing(bundle, runtime, images):
    with runtime.running(bundle.sh(COUNT)) as container:
        has_counted(container.created)
        checkpoint(runtime, images).silent()
        container.delete().silent()
    words = ("restore", "--detach", "--bundle", bundle.path, "--image-path")
    runtime(*words, images / "nothing", "c1").fails("--image-path", "nothing", "no such file")
    runtime(*words, bundle.path, "c1").fails("descriptors.json", "no such file")
    for image in images.glob("core-*.img"):
        image.write_bytes(b"no image")
    result = runtime(*words, images, "c1", limit=LIMIT_SECONDS)
    # CRIU's own error, and where to find more.
    result.fails("restore: CRIU failed: ", "core").fails("hint: its log is", f"{images}/restore.log")
    assert not bundle.cgroup.exists()
    runtime("state", "c1").fails("does not exist")
    runtime("delete", "--force", "c1").silent()


def test_a_failed_dump_changes_nothing(bundle, runtime, scratch, images):
    """CRIU wants to be asked for a name of its own for a file that has lost one of two."""
    bundle.sh(f"echo >/one; ln /one /two; exec 9</one; rm /one; {COUNT}")
    with runtime.running(bundle) as container:
        has_counted(container.created)
        result = checkpoint(runtime, images, "--work-path", scratch / "work")
        result.fails("dump: CRIU failed: ", "link-remap").fails("hint", f"{scratch}/work/dump.log")
        assert container.status == "running"
        has_counted(container.created, len(numbers(container.created)) + 2)
        checkpoint(runtime, images, "--link-remap").silent()
        with restored(runtime, bundle, images) as again:
            has_counted(again.created)


def test_a_killed_restore_is_deleted(bundle, runtime, scratch, images):
    mark = scratch / "mark"
    with runtime.running(bundle.sh(COUNT)) as container:
        has_counted(container.created)
        checkpoint(runtime, images).silent()
        container.delete().silent()
    bundle.hook_sh("createRuntime", f"touch {mark}; sleep 1000")
    process = runtime.popen("restore", "--detach", "--image-path", images, "--bundle",
                            bundle.write(), "c1")
    wait_until(mark.exists, "the hook", LIMIT_SECONDS)
    process.send_signal(signal.SIGKILL)
    process.wait()
    runtime("delete", "--force", "c1", limit=LIMIT_SECONDS).ok()
    runtime("state", "c1").fails("does not exist")
    assert not bundle.cgroup.exists()


def test_a_restore_killed_at_any_time(bundle, runtime, images):
    with runtime.running(bundle.sh(COUNT)) as container:
        has_counted(container.created)
        checkpoint(runtime, images).silent()
        container.delete().silent()
    words = ("restore", "--detach", "--image-path", images, "--bundle", bundle.path, "c1")
    whole = runtime(*words, limit=LIMIT_SECONDS)
    whole.ok()
    runtime("delete", "--force", "c1").ok()
    for step in range(1, 7):
        process = runtime.popen(*words)
        time.sleep(whole.seconds * step / 7)
        process.send_signal(signal.SIGKILL)
        process.wait()
        # CRIU may still be at work: it hears of our end when it has something to say.
        runtime("delete", "--force", "c1", limit=LIMIT_SECONDS).ok()
        runtime("state", "c1").fails("does not exist")
        wait_until(lambda: not bundle.cgroup.exists(), "the cgroup to be gone", 20)
        wait_until(lambda: [leaks.reap(), not leaks.children()][1], "CRIU to end", 20)


def test_help_says_whether_it_works(runtime, scratch):
    """podman asks in this way."""
    assert "--leave-running" in runtime("checkpoint", "--help", limit=LIMIT_SECONDS).silent().stdout
    assert "--detach" in runtime("restore", "--help", limit=LIMIT_SECONDS).silent().stdout
    # The usual places are looked at where PATH does not help, and are not where it does.
    runtime("checkpoint", "--help", limit=LIMIT_SECONDS, env={}).silent()
    other = scratch / "criu"
    other.write_text("#!/bin/sh\necho '(00.1) Error (criu/cr-check.c:1): No such feature'\nexit 1\n")
    other.chmod(0o755)
    runtime("checkpoint", "--help", env={"PATH": str(scratch)}).fails("`criu check` fails",
                                                                      "No such feature")
