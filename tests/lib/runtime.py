"""Runs the runtime under test, hoy or another with the same command line, and reads its answers.

HOY names the program. Every command has a time limit and a state root of its own; its output goes
to files, since the container's process inherits them and may outlive the command.
"""

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import leaks
from pace import SLOWER

TOP = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 20 * SLOWER
PATIENCE_SECONDS = 5
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def program():
    """The runtime under test."""
    return os.environ.get("HOY", str(TOP / "build/test-gcc/src/hoy"))


def wait_until(condition, what, seconds=PATIENCE_SECONDS):
    """Waits for a condition to hold; returns its value."""
    seconds *= SLOWER
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.005)
    return value


@dataclass
class Mount:
    """A line of mountinfo."""

    id: int
    parent: int
    device: str
    root: str
    point: str
    options: list
    peers: list
    fstype: str
    source: str
    super_options: list

    @classmethod
    def parse(cls, line):
        before, after = line.split(" - ", 1)
        fields = before.split(" ")
        fstype, source, super_options = (after.split(" ") + [""])[:3]
        return cls(int(fields[0]), int(fields[1]), fields[2], fields[3], fields[4],
                   fields[5].split(","), fields[6:], fstype, source, super_options.split(","))


class Seen(dict):
    """What the probe has seen."""

    def mounts(self, point=None):
        """The mounts in order, all or those on one mount point."""
        found = [Mount.parse(line) for line in self["mountinfo"]]
        return [mount for mount in found if point in (None, mount.point)]

    def mount(self, point):
        """The one mount on this mount point."""
        found = self.mounts(point)
        assert len(found) == 1, f"{len(found)} mounts on {point}: {self['mountinfo']}"
        return found[0]

    def fd(self, number):
        return {entry["fd"]: entry for entry in self["fds"]}.get(number)


class Result:
    """How a command ended, and what it and the container have printed."""

    def __init__(self, command, status, seconds, stdout, stderr):
        self.command = command
        self.status = status
        self.seconds = seconds
        self._stdout = stdout
        self._stderr = stderr

    @staticmethod
    def _read(file):
        """Also what has been written since the last look: a container may still be at it."""
        position, text = 0, b""
        while chunk := os.pread(file.fileno(), 65536, position):
            text += chunk
            position += len(chunk)
        return text.decode("utf-8", "surrogateescape")

    @property
    def stdout(self):
        return self._read(self._stdout)

    @property
    def stderr(self):
        return self._read(self._stderr)

    @property
    def json(self):
        return json.loads(self.stdout)

    @property
    def lines(self):
        """The lines of JSON that `probe call` prints."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    def ok(self):
        assert self.status == 0, self
        return self

    def silent(self):
        """Success, and not a word of warning."""
        assert self.ok().stderr == "", self
        return self

    def fails(self, *words, status=1):
        """Failure with this status and all of these words on stderr, in one line."""
        assert self.status == status if is_hoy() else self.status != 0, self
        self._says(words)
        return self

    def warns(self, *words):
        """Success, with a warning that has these words."""
        self.ok()
        self._says(words)
        return self

    def _says(self, words):
        """In whatever case: that is how engines look for errno's words too."""
        if is_hoy():
            assert any(all(word.lower() in line for word in words)
                       for line in self.stderr.lower().splitlines()), f"no line with {words}: {self}"

    def __str__(self):
        return (f"{' '.join(map(str, self.command))}\nstatus {self.status} after {self.seconds:.2f} s"
                f"\nstdout: {self.stdout[-3000:]}\nstderr: {self.stderr[-3000:]}")


def is_hoy():
    """Messages are checked for hoy only; effects for the other runtimes too."""
    return Path(program()).name.startswith("hoy")


class Container:
    """One container by its id, in commands that read well."""

    def __init__(self, runtime, name, created):
        self.runtime = runtime
        self.id = name
        self.created = created

    @property
    def state(self):
        return self.runtime("state", self.id).ok().json

    @property
    def status(self):
        return self.state["status"]

    @property
    def pid(self):
        return self.state["pid"]

    @property
    def output(self):
        """What the container's process has printed so far."""
        return self.created.stdout

    def proc(self, name):
        """A file below /proc/PID of its first process."""
        return Path(f"/proc/{self.pid}/{name}")

    def namespace(self, kind):
        return os.readlink(self.proc(f"ns/{kind}"))

    def start(self):
        return self.runtime("start", self.id)

    def kill(self, *words):
        return self.runtime("kill", self.id, *words)

    def delete(self, *words):
        return self.runtime("delete", *words, self.id)

    def exec(self, *words):
        """Words may start with options; the command stands after `--`, or comes from --process."""
        options = words[:words.index("--")] if "--" in words else words
        rest = words[len(options) + 1:]
        return self.runtime("exec", *options, self.id, *rest)

    def probe(self, *options):
        """What a process of exec sees."""
        result = self.exec(*options, "--", "/bin/probe").ok()
        return Seen(result.json)

    def wait(self, status="stopped"):
        """Waits for a status; an ended process that nobody reaps must not change what is said."""
        def is_reached():
            if time.monotonic() > started + 0.2:
                leaks.reap(self.runtime.is_ours)
            return self.status == status
        started = time.monotonic()
        wait_until(is_reached, f"{self.id} to be {status}")
        return self


class Runtime:
    """The program under test with a state root; runtime("kill", "c1", "TERM") runs a command."""

    def __init__(self, state_root, scratch, cgroup):
        self.state_root = Path(state_root)
        self.cgroup = cgroup
        self.scratch = Path(scratch)
        self.globals = ["--root", str(self.state_root)]
        self.wrapper = []
        self.files = []
        self.stdin = subprocess.DEVNULL

    def close(self):
        """Closes what results read from."""
        for file in self.files:
            file.close()
        self.files.clear()

    def keep_null(self):
        """Some give the device node that is their standard input to the container's user."""
        self.stdin = tempfile.TemporaryFile(dir=self.scratch)
        self.files.append(self.stdin)

    def command(self, *words):
        return [*self.wrapper, program(), *self.globals, *map(str, words)]

    def popen(self, *words, **keywords):
        """A command that is not waited for; its output is in the files `out` and `err` of it."""
        out, err = (tempfile.TemporaryFile(dir=self.scratch) for _ in range(2))
        self.files += [out, err]
        keywords = {"stdin": self.stdin, "stdout": out, "stderr": err, "cwd": "/",
                    "env": ENVIRONMENT} | keywords
        command = self.command(*words)
        process = subprocess.Popen(command, **keywords)
        process.words, process.out, process.err = command, out, err
        process.started = time.monotonic()
        return process

    def finish(self, process, limit=LIMIT_SECONDS):
        try:
            self.wait(process, limit)
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.monotonic() - process.started
        return Result(process.words, status, seconds, process.out, process.err)

    def wait(self, process, limit):
        """Reaps meanwhile what the containers have left to us, as an engine does."""
        pidfd = os.pidfd_open(process.pid)
        end = select.poll()
        end.register(pidfd, select.POLLIN)
        try:
            while not end.poll(50):
                leaks.reap(self.is_ours)
                if time.monotonic() > process.started + limit:
                    raise subprocess.TimeoutExpired(process.words, limit)
        finally:
            os.close(pidfd)

    def is_ours(self, pid):
        """Whether a process has been in a cgroup of a container: our own children never are."""
        with contextlib.suppress(OSError):
            return f"0::{self.cgroup}/" in Path(f"/proc/{pid}/cgroup").read_text()
        return False

    def __call__(self, *words, limit=LIMIT_SECONDS, **keywords):
        return self.finish(self.popen(*words, **keywords), limit)

    def run(self, bundle, *options, name="c1", **keywords):
        """`run` in the foreground: the status is that of the container's program."""
        return self("run", "--bundle", bundle.write(), *options, name, **keywords)

    def create(self, bundle, *options, name="c1", **keywords):
        return self("create", "--bundle", bundle.write(), *options, name, **keywords)

    def probe(self, bundle, *options, fields=(), **keywords):
        """What the container's program sees. The runtime itself must have nothing to say."""
        bundle.args("/bin/probe", *fields)
        return Seen(self.run(bundle, *options, **keywords).silent().json)

    def sh(self, bundle, script, *options, **keywords):
        """The result of a shell script as the container's program."""
        return self.run(bundle.sh(script), *options, **keywords)

    def call(self, bundle, *calls, **keywords):
        """System calls as the container's program; returns the errno of each ("" is success)."""
        return [line["errno"] for line in self.call_lines(bundle, *calls, **keywords)]

    def call_lines(self, bundle, *calls, **keywords):
        bundle.args("/bin/probe", "call", *call_words(*calls))
        return self.run(bundle, **keywords).ok().lines

    def trace(self, bundle, calls, *options, **keywords):
        """The system calls of these names that a `run` makes, a line for each, in order."""
        path = self.scratch / "trace"
        self.wrapper = ["strace", "-f", "-qq", "-s", "4096", "-e", f"trace={calls}", "-e",
                        "signal=none", "-o", str(path), "--"]
        self.run(bundle, *options, **keywords).ok()
        self.wrapper = []
        return path.read_text().splitlines()

    def refuses(self, bundle, *words, status=1, **keywords):
        """`create` fails with these words, and there is no container afterwards."""
        result = self.create(bundle, **keywords).fails(*words, status=status)
        self("state", keywords.get("name", "c1")).fails("does not exist")
        return result

    @contextlib.contextmanager
    def created(self, bundle, *options, name="c1", **keywords):
        """A container that is created here and deleted when the block ends."""
        container = Container(self, name, self.create(bundle, *options, name=name, **keywords).ok())
        try:
            yield container
        finally:
            self("delete", "--force", name)

    @contextlib.contextmanager
    def running(self, bundle, *options, **keywords):
        """A container that is created and started here and deleted when the block ends."""
        with self.created(bundle, *options, **keywords) as container:
            container.start().ok()
            yield container

    def sleeping(self, bundle, *options, **keywords):
        """A running container that only waits."""
        return self.running(bundle.args("/bin/sleep", "1000"), *options, **keywords)


def call_words(*calls):
    """Words for `probe call`: each call is a tuple of a name, then numbers and strings."""
    from bundle import syscalls

    words = []
    for name, *arguments in calls:
        words += ["--"] if words else []
        words.append(str(syscalls()[name]))
        words += [f":{a}" if isinstance(a, str) else str(a) for a in arguments]
    return words
