"""What the tests of engines share: their commands, an image, a terminal, and who ran the containers."""

import contextlib
import fcntl
import hashlib
import io
import json
import os
import pty
import re
import select
import struct
import subprocess
import tarfile
import termios
import time
from pathlib import Path

from runtime import wait_until

# The one under test; another than hoy is for comparison.
RUNTIME = os.environ.get("HOY_RUNTIME", "hoy")
IMAGE = "localhost/hoy-test:latest"
MB = 1 << 20
# An engine's command is half a second to ten, in an emulated machine that others share.
LIMIT_SECONDS = 180

# Where `hoy install` has found the program; while engines are tested a script is in its place. It
# notes what the engine has said, and sees to it that there is a log: the one that the engine has asked
# for, by a second name, since the engine removes it with the container, or else one of our own.
# Whatever is in there hoy itself has written.
PLACE = Path("/usr/local/bin/hoy")
PROGRAM = Path("/usr/local/libexec/hoy-test/hoy")
CALLS = Path("/var/log/hoy-test-calls")
LOGS = (Path("/run/hoy-test-logs"), Path("/var/log/hoy-test-logs"))
RECORDER = """#!/bin/sh
IFS='\t'
printf '%s\\n' "$*" >> {calls}
log= before=
for word; do
    [ "$before" != --log ] || log=$word
    before=$word
done
read -r name < /proc/sys/kernel/random/uuid
if [ -z "$log" ]; then
    exec {program} {options} {own_log}"$name" "$@"
fi
: >> "$log"
ln "$log" {logs[0]}/"$name" 2>/dev/null || ln "$log" {logs[1]}/"$name" 2>/dev/null || {{
    place=/run/user/$(expr "$log" : '/run/user/\\([0-9]*\\)/')/{logs[0].name}
    mkdir -p "$place"
    ln "$log" "$place/$name"
}}
exec {program} {options} "$@"
"""
SILENT_RECORDER = """#!/bin/sh
IFS='\t'
printf '%s\\n' "$*" >> {calls}
exec {program} "$@"
"""
# Those that Debian's engines know by themselves. Nobody gets to run them here by accident.
OTHERS = (Path("/usr/bin/crun"), Path("/usr/sbin/runc"))
REFUSER = """#!/bin/sh
IFS='\t'
case "$*" in *--version | *-v | *features) exec {program} "$@" ;; esac
printf 'instead of hoy: %s\\n' "$*" >> {calls}
exit 1
"""
COMMANDS = {"checkpoint", "create", "delete", "events", "exec", "features", "kill", "list", "pause",
            "ps", "restore", "resume", "run", "start", "state", "update"}
# "hoy 0.1.0: create ID: done in 3000 us", or "create ID: " and an error.
OWN_WORDS = re.compile(f"(hoy [0-9.]+: )?({'|'.join(sorted(COMMANDS))}) \\S+: ")


class Output:
    """How an engine's command ended, and what was printed."""

    def __init__(self, done):
        self.words = done.args
        self.status = done.returncode
        self.stdout = done.stdout
        self.stderr = done.stderr

    @property
    def json(self):
        return json.loads(self.stdout)

    def __str__(self):
        return f"{self.words}\nstatus {self.status}\nstdout: {self.stdout}\nstderr: {self.stderr}"


def call(*words, status=0, **keywords):
    """Runs a command without a terminal, which has to end with this status (None: any)."""
    words = list(map(str, words))
    done = subprocess.run(words, **{"stdin": subprocess.DEVNULL, "capture_output": True, "text": True,
                                    "timeout": LIMIT_SECONDS, "cwd": "/"} | keywords, check=False)
    output = Output(done)
    assert status in (None, output.status), output
    return output


class Terminal:
    """A command on a terminal of its own: what a user types and sees."""

    def __init__(self, *words, rows=30, columns=100):
        self.master, slave = pty.openpty()
        self.seen = ""
        self.resize(rows, columns)
        self.process = subprocess.Popen(list(map(str, words)), stdin=slave, stdout=slave,
                                        stderr=slave, start_new_session=True, cwd="/",
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize_until(self, text, rows, columns, seconds=90):
        """Changes the size until it has been seen: a client that just begins may miss a signal."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < deadline, f"no {text!r} in {self.seen!r}"
            self.resize(rows, columns - 1)
            self.resize(rows, columns)
            time.sleep(0.5)
            self.read_on()
        self.expect(text)

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, text, seconds=90):
        """Waits until this has been printed after what was expected before."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < deadline, f"no {text!r} in {self.seen!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                with contextlib.suppress(OSError):  # EIO: nobody has the other side open
                    self.seen += os.read(self.master, 65536).decode(errors="replace")
        self.seen = self.seen.partition(text)[2]

    def end(self, seconds=90):
        """Waits for the command to end; returns its status."""
        wait_until(lambda: self.read_on() or self.process.poll() is not None, "the command to end",
                   seconds)
        return self.process.returncode

    def read_on(self):
        with contextlib.suppress(OSError):
            while select.select([self.master], [], [], 0)[0]:
                self.seen += os.read(self.master, 65536).decode(errors="replace")


# Engines tell a container its terminal's size when it has been started.
SIZE = "until [ \"$(stty size)\" = '%s' ]; do sleep 0.1; done"


def converse(*words):
    """A shell in a container on a terminal: typing, the terminal's size and its changes, the end."""
    with Terminal(*words) as terminal:
        # The shell shows what is typed, so that must not look like what is waited for.
        terminal.type(f"tty; {SIZE % '30 100'}; echo re''ady\n")
        terminal.expect("/dev/pts/0")
        terminal.expect("ready")
        terminal.type(f"{SIZE % '40 120'}; echo re''sized\n")
        terminal.resize_until("resized", 40, 120)
        # An interrupt ends the program in the foreground, not the shell.
        terminal.type("echo sl''eeping; sleep 1000\n")
        terminal.expect("sleeping")
        deadline = time.monotonic() + 60
        while "awake" not in terminal.seen and time.monotonic() < deadline:
            terminal.type("\x03")
            time.sleep(0.5)
            terminal.type("echo aw''ake\n")
            time.sleep(0.5)
            terminal.read_on()
        terminal.expect("awake")
        terminal.type("exit 7\n")
        assert terminal.end() == 7


# ---- who ran it ----

def take_the_place(program):
    """Puts a script in the runtime's place that records its words and becomes the program."""
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    os.rename(PLACE, PROGRAM)
    CALLS.touch()
    CALLS.chmod(0o666)
    for directory in LOGS:
        directory.mkdir()
        directory.chmod(0o1777)
    others = {}
    for other in OTHERS:
        others[other] = PROGRAM.with_name(other.name)
        os.rename(other, others[other])
        write_program(other, REFUSER.format(program=others[other], calls=CALLS))
    names = {other.name: path for other, path in others.items()}
    text = RECORDER.format(program=PROGRAM, calls=CALLS, logs=LOGS, options="--log-level=debug",
                           own_log=f"--log-format=json --log {LOGS[0]}/")
    if program in names:
        text = SILENT_RECORDER.format(program=names[program], calls=CALLS)
    write_program(PLACE, text)


def write_program(path, text):
    path.write_text(text)
    path.chmod(0o755)


def calls():
    """The words of each call of the runtime, oldest first."""
    return [line.split("\t") for line in CALLS.read_text().splitlines()]


def logged():
    """What hoy has written to the engines' logs of what it did: a line for each command, with the
    version of the program, the command, the container, and the time or what went wrong."""
    files = {}
    for directory in (*LOGS, *Path("/run/user").glob(f"*/{LOGS[0].name}")):
        for path in directory.iterdir():
            status = path.stat()
            files.setdefault((status.st_dev, status.st_ino), path)
    return [json.loads(line)["msg"] for path in files.values()
            for line in path.read_text().splitlines()]


def operation(words):
    return next((word for word in words if word in COMMANDS), None)


def left_behind():
    """What is in the state roots that engines have named: nothing but hoy's compiled filters."""
    roots = {Path(words[words.index("--root") + 1]) for words in calls() if "--root" in words}
    return [path for root in roots | {Path("/run/hoy")} if root.exists() for path in root.iterdir()
            if path.name != ".seccomp"]


# ---- an image ----

def add_text(archive, name, text):
    entry = tarfile.TarInfo(name)
    entry.size = len(text)
    archive.addfile(entry, io.BytesIO(text))


def owned_by_root(entry):
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def make_archive(path, root, name=IMAGE):
    """An image of one layer in a file that podman, Docker and containerd load."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        archive.add(root, ".", filter=owned_by_root)
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "created": "2025-01-01T00:00:00Z",
        "config": {"Env": ["PATH=/bin:/sbin:/usr/bin"], "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": "2025-01-01T00:00:00Z"}]}).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        add_text(archive, f"{digest}/layer.tar", layer.getvalue())
        add_text(archive, config_name, config)
        add_text(archive, "manifest.json", json.dumps(manifest).encode())
    path.chmod(0o644)
