"""What engines call, in their order and form, with their environment and descriptors.

Replays of conmon for podman and for CRI-O, of containerd's shim (Docker's too) and of BuildKit:
the last word on engines is theirs, but not all of them run everywhere.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import subprocess
import time

import pytest

from fixtures import has_controllers
from receiver import Console
from runtime import LIMIT_SECONDS, PATIENCE_SECONDS, Result, wait_until

pytestmark = [pytest.mark.hoy, pytest.mark.timeout(60)]

PR_SET_PDEATHSIG = 1
# As much as conmon reads of what a runtime prints on stderr.
STDERR_MAX = 8191
LIMITS = {"memory": {"limit": 64 << 20}} if has_controllers() else {}
libc = ctypes.CDLL(None)


class Pipe:
    """A pipe whose other end the container writes to; the engine reads it without blocking."""

    def __init__(self):
        self.reader, self.writer = os.pipe()

    def read(self):
        """All until the end: the container has closed it, or the patience is over."""
        os.close(self.writer)
        self.writer = -1
        text, deadline = b"", time.monotonic() + PATIENCE_SECONDS
        while select.select([self.reader], [], [], deadline - time.monotonic())[0]:
            part = os.read(self.reader, 4096)
            if not part:
                return text.decode()
            text += part
        raise AssertionError(f"no end of file after {text}")

    def close(self):
        for fd in (self.reader, self.writer):
            if fd >= 0:
                os.close(fd)


class Engine:
    """Calls the runtime with an environment and descriptors of its own."""

    def __init__(self, runtime, scratch, globals_, environment):
        self.runtime = runtime
        self.scratch = scratch
        self.environment = environment
        self.pipes = []
        runtime.globals = globals_

    def pipe(self):
        self.pipes.append(Pipe())
        return self.pipes[-1]

    def close(self):
        for pipe in self.pipes:
            pipe.close()

    def __call__(self, *words, **keywords):
        """Runs a command. What has ended meanwhile is left to wait_for_exit(), which tells how."""
        process = self.runtime.popen(*words, env=self.environment, **keywords)
        status = process.wait(LIMIT_SECONDS)
        result = Result(process.words, status, time.monotonic() - process.started, process.out,
                        process.err)
        assert len(result.stderr) < STDERR_MAX
        return result

    def pid(self, name):
        """What is in a pid file: digits and nothing else, as soon as the runtime has ended."""
        text = (self.scratch / name).read_text()
        assert text.isdigit()
        return int(text)

    def status(self, name="c1"):
        state = json.loads(self("state", name).ok().stdout)
        assert {"ociVersion", "id", "pid", "status", "bundle", "rootfs", "created"} <= set(state)
        return state["status"]

    def process(self, bundle, *args, **more):
        """The file that exec is given."""
        path = self.scratch / "process.json"
        path.write_text(json.dumps(bundle.process | {"args": args} | more))
        return path


def as_conmon():
    """conmon lets the kernel end the runtime if it dies itself."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@pytest.fixture
def engine(runtime, scratch):
    with contextlib.ExitStack() as stack:
        def make(*globals_, **environment):
            engine = Engine(runtime, scratch, list(globals_), environment)
            stack.callback(engine.close)
            return engine
        yield make


@pytest.fixture
def console(scratch):
    console = Console(scratch / "console")
    yield console
    console.close()


def one_error(log):
    """The whole of a log of podman's is one object."""
    entry = json.loads(log.read_text())
    assert entry["level"] == "error" and entry["msg"] and entry["time"]
    return entry["msg"]


def conmon_create(engine, bundle, *options, stdout=None, stderr=None):
    """conmon waits for the runtime's end, then reads the pid file."""
    pid_file = engine.scratch / "pidfile"
    stdout, stderr = stdout or engine.pipe(), stderr or engine.pipe()
    process = engine.runtime.popen(
        "create", "--bundle", bundle.write(), "--pid-file", pid_file, *options, "c1",
        env=engine.environment, stdout=stdout.writer, stderr=stderr.writer,
        preexec_fn=as_conmon, cwd=bundle.path)
    assert process.wait(20) == 0, stderr.read()
    assert engine.pid("pidfile") == json.loads(engine("state", "c1").ok().stdout)["pid"]
    return stdout, stderr


def conmon_exec(engine, bundle, *options, args=("/bin/true",), **more):
    """conmon's exec names the process by a file and gives no command."""
    stdout, stderr = engine.pipe(), engine.pipe()
    process = engine.runtime.popen(
        "exec", "--pid-file", engine.scratch / "exec.pid", "--process",
        engine.process(bundle, *args, **more), "--detach", *options, "c1",
        env=engine.environment, stdout=stdout.writer, stderr=stderr.writer, preexec_fn=as_conmon)
    return process.wait(20), stdout, stderr


def wait_for_exit(pid):
    """As the subreaper that conmon is. Returns the status."""
    pidfd = os.pidfd_open(pid)
    try:
        assert select.select([pidfd], [], [], PATIENCE_SECONDS)[0], "the process has not ended"
    finally:
        os.close(pidfd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_podman(engine, bundle, runtime, scratch):
    log = scratch / "oci-log"
    podman = engine("--root", str(runtime.state_root), "--log-format=json", "--log", str(log))
    podman.runtime.globals = []
    assert podman("--version").ok().stdout.startswith("hoy version ")
    assert json.loads(podman("features").silent().stdout)["ociVersionMax"]
    podman.runtime.globals = ["--root", str(runtime.state_root), "--log-format=json",
                              f"--log={log}"]

    out, err = conmon_create(podman, bundle.sh("echo started; trap 'exit 5' TERM; "
                                               "while :; do sleep 0.05; done"))
    assert podman.status() == "created"
    podman("start", "c1").silent()
    assert podman.status() == "running"

    status, exec_out, exec_err = conmon_exec(podman, bundle, args=("/bin/echo", "inside"))
    assert status == 0, exec_err.read()
    assert wait_for_exit(podman.pid("exec.pid")) == 0
    assert exec_out.read() == "inside\n"

    podman("pause", "c1").silent()
    assert podman.status() == "paused"
    podman("resume", "c1").silent()
    resources = scratch / "resources"
    resources.write_text(json.dumps(LIMITS))
    podman("update", f"--resources={resources}", "c1").silent()

    pid = podman.pid("pidfile")
    podman("kill", "c1", "15").silent()
    assert wait_for_exit(pid) == 5
    assert podman.status() == "stopped"
    podman("kill", "c1", "9").fails("container not running")
    assert "container not running" in one_error(log)
    log.unlink()
    podman("delete", "--force", "c1").silent()
    podman("delete", "--force", "c1").silent()
    assert not log.exists() or log.read_text() == ""
    assert (out.read(), err.read()) == ("started\n", "")


def test_podman_kill_all(engine, bundle, runtime):
    podman = engine("--root", str(runtime.state_root), "--log-format=json")
    conmon_create(podman, bundle.without_namespace("pid").sh("sleep 1000 & sleep 1000"))
    podman("start", "c1").silent()
    podman("kill", "--all", "c1", "9").silent()
    assert wait_for_exit(podman.pid("pidfile")) == -signal.SIGKILL
    podman("delete", "--force", "c1").silent()


@pytest.mark.parametrize("args, status, words", [
    (["missing"], 127, "executable file not found in $path"),
    (["/missing"], 127, "no such file or directory"),
    (["/etc/passwd"], 126, "permission denied"),
])
def test_podman_tells_why_a_program_cannot_run(engine, bundle, runtime, scratch, args, status,
                                               words):
    """podman looks for these words in the log to choose its own exit status."""
    log = scratch / "oci-log"
    podman = engine("--root", str(runtime.state_root), "--log-format=json", f"--log={log}")
    result = podman("create", "--bundle", bundle.args(*args).write(), "--pid-file",
                    scratch / "pidfile", "c1")
    assert result.status == status and not (scratch / "pidfile").exists()
    assert words in one_error(log).lower() and words in result.stderr.lower()

    log.unlink()
    conmon_create(podman, bundle.args("/bin/sleep", "1000"))
    podman("start", "c1").silent()
    code, _out, err = conmon_exec(podman, bundle, args=args)
    assert code == 255
    assert words in one_error(log).lower() and words in err.read().lower()
    podman("delete", "--force", "c1").silent()


def test_podman_with_a_terminal(engine, bundle, runtime, console):
    podman = engine("--root", str(runtime.state_root), "--log-format=json")
    bundle.process["terminal"] = True
    conmon_create(podman, bundle.sh("read x; echo got $x"), "--console-socket", console.path)
    console.accept()
    assert console.payload
    fcntl.ioctl(console.master, 0x5414, b"\x28\x00\x64\x00\x00\x00\x00\x00")  # TIOCSWINSZ
    podman("start", "c1").silent()
    os.write(console.master, b"word\n")
    assert b"got word" in console.read(b"got word")
    assert wait_for_exit(podman.pid("pidfile")) == 0
    podman("delete", "--force", "c1").silent()


def test_podman_without_cgroups(engine, bundle, runtime):
    """podman run --cgroups=disabled"""
    podman = engine("--root", str(runtime.state_root), "--cgroup-manager", "disabled",
                    "--log-format=json")
    bundle.linux.pop("cgroupsPath")
    bundle.without_namespace("cgroup")
    bundle.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    conmon_create(podman, bundle.args("/bin/sleep", "1000"))
    podman("start", "c1").ok()
    podman("kill", "c1", "9").ok()
    assert wait_for_exit(podman.pid("pidfile")) == -signal.SIGKILL
    podman("delete", "--force", "c1").ok()


def test_cri_o(engine, bundle, runtime, scratch):
    root = f"--root={runtime.state_root}"
    crio = engine(root)
    conmon_create(crio, bundle.sh("trap 'exit 0' TERM; while :; do sleep 0.05; done"))
    crio("start", "c1").silent()
    assert crio.status() == "running"
    # Probes of liveness are execs; conmon waits for them and reports their status.
    for code in (0, 3):
        status, _out, err = conmon_exec(crio, bundle, args=("/bin/sh", "-c", f"exit {code}"))
        assert status == 0, err.read()
        assert wait_for_exit(crio.pid("exec.pid")) == code
    with open(scratch / "limits", "w+") as limits:
        json.dump(LIMITS, limits)
        limits.seek(0)
        crio("update", "--resources", "-", "c1", stdin=limits).silent()
    pid = crio.pid("pidfile")
    # It reads what a container uses from the cgroup, whose place it has chosen.
    assert f"{pid}\n" in (bundle.cgroup / "cgroup.procs").read_text()
    if LIMITS:
        assert (bundle.cgroup / "memory.max").read_text() == f"{64 << 20}\n"
    crio("kill", "c1", "TERM").silent()
    assert wait_for_exit(pid) == 0
    crio("kill", "-a", "c1", "9")
    crio("delete", "--force", "c1").silent()
    crio("state", "c1").fails("does not exist")


def shim(engine, bundle, runtime, *more):
    """containerd's shim; the log lies in the bundle."""
    made = engine("--root", str(runtime.state_root), "--log", str(bundle.path / "log.json"),
                  "--log-format", "json", *more, PATH="/usr/bin:/bin", XDG_RUNTIME_DIR="",
                  GOMAXPROCS="4")
    return made


def errors(bundle):
    lines = (bundle.path / "log.json").read_text().splitlines()
    return [entry["msg"] for entry in map(json.loads, lines) if entry["level"] == "error"]


def shim_create(containerd, bundle, *options, **keywords):
    containerd("create", "--bundle", bundle.write(), "--pid-file", containerd.scratch / "init.pid",
               *options, "c1", cwd=bundle.path, **keywords).silent()
    return containerd.pid("init.pid")


def test_containerd(engine, bundle, runtime, scratch):
    containerd = shim(engine, bundle, runtime)
    assert json.loads(containerd("features").silent().stdout)["linux"]["cgroup"]["v2"] is True
    out = containerd.pipe()
    pid = shim_create(containerd, bundle.sh("echo started; while :; do sleep 0.05; done"),
                      stdout=out.writer)
    containerd("start", "c1").silent()
    assert containerd.status() == "running"

    containerd("exec", "--process", containerd.process(bundle, "/bin/sleep", "1000"), "--detach",
               "--pid-file", scratch / "exec.pid", "c1").silent()
    second = containerd.pid("exec.pid")
    pids = json.loads(containerd("ps", "--format", "json", "c1").silent().stdout)
    assert {pid, second} <= set(pids)
    event = json.loads(containerd("events", "--stats", "c1").silent().stdout)
    assert (event["type"], event["id"]) == ("stats", "c1") and "pids" in event["data"]

    containerd("pause", "c1").silent()
    assert containerd.status() == "paused"
    containerd("resume", "c1").silent()
    with open(scratch / "limits", "w+") as limits:
        json.dump(LIMITS, limits)
        limits.seek(0)
        containerd("update", "--resources=-", "c1", stdin=limits).silent()

    containerd("kill", "--all", "c1", "9").silent()
    assert wait_for_exit(second) == -signal.SIGKILL
    assert wait_for_exit(pid) == -signal.SIGKILL
    # The shim takes "already gone" from the words, as it kills once more before it deletes.
    again = containerd("kill", "--all", "c1", "9")
    assert again.status == 0 or any(words in errors(bundle)[-1].lower() for words in
                                    ("container not running", "no such process"))
    containerd("delete", "c1").silent()
    containerd("delete", "--force", "c1").silent()
    assert out.read() == "started\n"


def test_containerd_deletes_what_it_has_not_started(engine, bundle, runtime):
    """When the client goes away between create and start."""
    containerd = shim(engine, bundle, runtime)
    pid = shim_create(containerd, bundle)
    containerd("delete", "c1").silent()
    assert wait_for_exit(pid) == -signal.SIGKILL


def test_containerd_finds_the_error_in_the_log(engine, bundle, runtime, scratch):
    containerd = shim(engine, bundle, runtime)
    result = containerd("create", "--bundle", bundle.args("missing").write(), "--pid-file",
                        scratch / "init.pid", "c1")
    assert result.status != 0
    assert len(errors(bundle)) == 1
    assert "executable file not found in $PATH" in errors(bundle)[0]
    containerd("state", "c1").fails("does not exist")
    assert "does not exist" in errors(bundle)[-1]


def test_containerd_with_a_terminal(engine, bundle, runtime, console, scratch):
    containerd = shim(engine, bundle, runtime)
    pid = shim_create(containerd, bundle.args("/bin/sleep", "1000"))
    containerd("start", "c1").silent()
    process = containerd.process(bundle, "/bin/sh", "-c", "tty; stty size", terminal=True,
                                 consoleSize={"height": 40, "width": 100})
    containerd("exec", "--process", process, "--console-socket", console.path, "--detach",
               "--pid-file", scratch / "exec.pid", "c1").silent()
    console.accept()
    assert b"/dev/pts/" in console.read(b"40 100")
    assert wait_for_exit(containerd.pid("exec.pid")) == 0
    containerd("kill", "c1", "9").silent()
    assert wait_for_exit(pid) == -signal.SIGKILL
    containerd("delete", "c1").silent()


def test_buildkit(engine, bundle, runtime):
    """A RUN step: in the foreground, kept until its outcome was read, then deleted."""
    log = bundle.path / "log.json"
    buildkit = engine("--root", str(runtime.state_root), "--log", str(log), "--log-format", "json",
                      PATH="/usr/bin:/bin")
    out = buildkit.pipe()
    result = buildkit("run", "--keep", "--bundle", bundle.sh("echo built; exit 3").write(), "c1",
                      stdout=out.writer)
    assert (result.status, out.read()) == (3, "built\n")
    assert buildkit.status() == "stopped"
    buildkit("delete", "c1").silent()


def test_buildkit_cancels_a_build(engine, bundle, runtime):
    buildkit = engine("--root", str(runtime.state_root), PATH="/usr/bin:/bin")
    running = buildkit.runtime.popen("run", "--keep", "--bundle",
                                     bundle.args("/bin/sleep", "1000").write(), "c1",
                                     env=buildkit.environment)
    wait_until(lambda: buildkit("state", "c1").status == 0 and buildkit.status() == "running",
               "the container")
    buildkit("kill", "c1", "9").silent()
    assert buildkit.runtime.finish(running).status == 128 + signal.SIGKILL
    buildkit("delete", "c1").silent()


def test_conmon_dies(engine, bundle, runtime, scratch):
    """What a create has begun does not outlive the one who asked for it."""
    crio = engine(f"--root={runtime.state_root}")
    # A hook that takes its time, so that the runtime is in the middle of it.
    bundle.hook_sh("createRuntime", f"echo > {scratch}/here; exec sleep 1")
    conmon = subprocess.Popen(
        ["/bin/sh", "-c", '"$@" & echo $!; wait', "conmon",
         *crio.runtime.command("create", "--bundle", bundle.write(), "c1")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=crio.environment)
    pid = int(conmon.stdout.readline())
    wait_until((scratch / "here").exists, "the hook", 10)
    os.kill(pid, signal.SIGKILL)
    conmon.wait(10)
    conmon.stdout.close()
    crio("delete", "--force", "c1").ok()
    crio("state", "c1").fails("does not exist")
