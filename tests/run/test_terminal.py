"""config.md, process.terminal and consoleSize: a pty for the container, its master for the caller."""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import termios
import time

import pytest

from receiver import Console, read_until
from runtime import wait_until

req = pytest.mark.req


@pytest.fixture
def console(scratch):
    console = Console(scratch / "console")
    yield console
    console.close()


def with_terminal(bundle, **more):
    bundle.process |= {"terminal": True} | more
    return bundle


@req("config.process.terminal.true", "config.process.terminal.type", "linux.default-devices.console")
@pytest.mark.parametrize("user_namespace", [False, True])
def test_console_socket(bundle, runtime, console, user_namespace):
    if user_namespace:
        bundle.user_namespace()
    with_terminal(bundle).sh("/bin/probe terminal mountinfo fds devices; tty; sleep 1000")
    with runtime.created(bundle, "--console-socket", console.path) as container:
        console.accept()
        assert console.payload.strip(b"\0") != b""
        container.start().ok()
        lines = console.read(b"/dev/pts/0\r\n").decode().splitlines()
        seen = json.loads(lines[0])
        assert seen["terminal"]["tty"] == [1, 1, 1]
        assert seen["terminal"]["controlling"] is True
        assert seen["terminal"]["name"] == "/dev/pts/0"
        for entry in seen["fds"][:3]:
            assert entry["rdev"][0] == 136 and entry["uid"] == 0
        assert seen["devices"]["/dev/console"]["rdev"] == [136, 0]
        console_mount, = (line for line in seen["mountinfo"] if line.split()[4] == "/dev/console")
        assert " - devpts " in console_mount
        # What goes to the console arrives here; what is typed here arrives there.
        assert container.exec("--", "/bin/sh", "-c", "echo hi >/dev/console").ok()
        assert b"hi" in console.read(b"hi")


@req("config.process.terminal.default", "linux.default-devices.console")
def test_no_terminal(bundle, runtime):
    seen = runtime.probe(bundle)
    assert seen["terminal"]["tty"] == [0, 0, 0]
    assert "/dev/console" not in seen["devices"]


@req("config.process.terminal.true")
def test_the_terminal_belongs_to_the_user(bundle, runtime, console):
    with_terminal(bundle).process["user"] = {"uid": 1000, "gid": 1000}
    bundle.sh("stat -c '%u %g %a' $(tty); sleep 1000")
    with runtime.created(bundle, "--console-socket", console.path) as container:
        console.accept()
        container.start().ok()
        assert console.read().split() == [b"1000", b"5", b"620"]


@req("config.process.consoleSize.applied")
def test_console_size(bundle, runtime, console):
    with_terminal(bundle, consoleSize={"height": 25, "width": 80}).sh("stty size; sleep 1000")
    with runtime.created(bundle, "--console-socket", console.path) as container:
        console.accept()
        container.start().ok()
        assert console.read() == b"25 80\r\n"


@req("config.process.consoleSize.height", "config.process.consoleSize.width")
@pytest.mark.hoy
@pytest.mark.parametrize("size, missing", [({"width": 80}, "height"), ({"height": 25}, "width")])
def test_console_size_needs_both(bundle, runtime, size, missing):
    with_terminal(bundle, consoleSize=size)
    runtime.refuses(bundle, "process.consoleSize", missing)


@req("config.process.consoleSize.ignored")
@pytest.mark.parametrize("size", [{"height": 25, "width": 80}, {"height": 0, "width": 0}])
def test_console_size_without_terminal(bundle, runtime, size):
    bundle.process["consoleSize"] = size
    assert runtime.run(bundle.args("/bin/echo", "ok")).ok().stdout == "ok\n"


@pytest.mark.hoy
def test_create_needs_a_console_socket(bundle, runtime):
    with_terminal(bundle)
    runtime.refuses(bundle, "process.terminal", "--console-socket")


@pytest.mark.hoy
def test_a_console_socket_without_terminal(bundle, runtime, console):
    bundle.write()
    runtime("create", "--bundle", bundle.path, "--console-socket", console.path, "c1").fails(
        "--console-socket", "process.terminal")


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_console_socket_that_is_none(bundle, runtime, scratch, kind):
    path = scratch / "nobody"
    if kind == "file":
        path.touch()
    with_terminal(bundle).write()
    runtime("create", "--bundle", bundle.path, "--console-socket", path, "c1").fails(str(path))
    runtime("state", "c1").fails("does not exist")


@contextlib.contextmanager
def in_foreground(runtime, *words):
    """A command with a terminal of its own, as a user at a shell has one."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvp(runtime.command(*words)[0], runtime.command(*words))
    try:
        yield pid, master
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        os.close(master)


def exit_status(pid):
    def ended():
        found, status = os.waitpid(pid, os.WNOHANG)
        return (os.waitstatus_to_exitcode(status),) if found else None
    return wait_until(ended, "the command")[0]


@pytest.mark.hoy
def test_foreground(bundle, runtime):
    with_terminal(bundle).sh("tty; read x; echo got $x; exit 7")
    with in_foreground(runtime, "run", "--bundle", bundle.write(), "c1") as (pid, master):
        assert b"/dev/pts/0\r\n" in read_until(master, b"\n")
        os.write(master, b"hello\r")
        assert b"got hello\r\n" in read_until(master, b"got hello\r\n")
        assert exit_status(pid) == 7


@pytest.mark.hoy
def test_foreground_interrupt_goes_to_the_container(bundle, runtime):
    """The host's terminal is raw: ^C is a byte for the container's, which makes a signal of it."""
    with_terminal(bundle).sh("trap 'echo interrupted; exit 3' INT; echo ready; while :; do sleep .01; done")
    with in_foreground(runtime, "run", "--bundle", bundle.write(), "c1") as (pid, master):
        read_until(master, b"ready")
        os.write(master, b"\x03")
        assert b"interrupted" in read_until(master, b"interrupted")
        assert exit_status(pid) == 3


@pytest.mark.hoy
def test_foreground_follows_the_size(bundle, runtime):
    with_terminal(bundle).sh("echo ready; read x; stty size")
    with in_foreground(runtime, "run", "--bundle", bundle.write(), "c1") as (pid, master):
        read_until(master, b"ready")
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
        os.kill(pid, signal.SIGWINCH)
        time.sleep(0.1)
        os.write(master, b"\r")
        assert b"33 99" in read_until(master, b"33 99")
        assert exit_status(pid) == 0


@pytest.mark.hoy
def test_foreground_puts_the_terminal_back(bundle, runtime):
    with_terminal(bundle).args("/bin/true")
    read, write = pty.openpty()
    before = termios.tcgetattr(write)
    status = runtime.run(bundle, stdin=write, stdout=write, start_new_session=True).status
    after = termios.tcgetattr(write)
    os.close(read)
    os.close(write)
    assert (status, after) == (0, before)


@pytest.mark.hoy
def test_foreground_without_a_terminal_on_stdin(bundle, runtime):
    with_terminal(bundle).args("/bin/echo", "ok")
    assert runtime.run(bundle).ok().stdout.replace("\r", "") == "ok\n"


@pytest.mark.hoy
def test_foreground_prints_all_before_it_ends(bundle, runtime):
    with_terminal(bundle).sh("seq 20000")
    text = runtime.run(bundle).ok().stdout.replace("\r", "")
    assert text.split() == [str(number) for number in range(1, 20001)]


# ---- exec ----

@pytest.mark.hoy
def test_exec_with_a_console_socket(bundle, runtime, console):
    with runtime.sleeping(bundle) as container:
        container.exec("--tty", "--detach", "--console-socket", console.path, "--", "/bin/sh", "-c",
                       "tty; test -t 2 && echo all; sleep 1000").silent()
        console.accept()
        assert console.read(b"all\r\n") == b"/dev/pts/0\r\nall\r\n"


@pytest.mark.hoy
def test_exec_in_the_foreground(bundle, runtime):
    with runtime.sleeping(bundle):
        with in_foreground(runtime, "exec", "-t", "c1", "/bin/sh", "-c",
                           "tty; read x; echo got $x; exit 7") as (pid, master):
            assert b"/dev/pts/0\r\n" in read_until(master, b"\n")
            os.write(master, b"hello\r")
            assert b"got hello\r\n" in read_until(master, b"got hello\r\n")
            assert exit_status(pid) == 7


@pytest.mark.hoy
def test_the_agent_of_a_console_that_never_answers(bundle, runtime, scratch):
    """A socket that is listened on and never accepted from: create has a deadline, or does not wait."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(scratch / "silent"))
        silent.listen(1)
        with_terminal(bundle).args("/bin/sleep", "1000").write()
        result = runtime("create", "--bundle", bundle.path, "--console-socket", scratch / "silent", "c1",
                         limit=30)
        assert result.status in (0, 1)
        runtime("delete", "--force", "c1").ok()


@req("linux.default-devices.console")
@pytest.mark.hoy
@pytest.mark.parametrize("kind", ["link", "file", "directory"])
def test_console_over_what_the_image_has_there(bundle, runtime, console, scratch, kind):
    """/dev of the image: the pty must be on /dev/console, or create fails; nothing else is touched."""
    canary = scratch / "canary"
    canary.write_text("canary")
    bundle.unmount("/dev", "/dev/pts").mount("/dev/pts", "devpts", "devpts", ["newinstance",
                                                                             "ptmxmode=0666"])
    place = bundle.rootfs / "dev/console"
    if kind == "link":
        place.symlink_to(canary)
    elif kind == "file":
        place.write_text("")
    else:
        place.mkdir()
    with_terminal(bundle).args("/bin/sleep", "1000").write()
    result = runtime("create", "--bundle", bundle.path, "--console-socket", console.path, "c1")
    try:
        if result.status == 0:
            inside = runtime("state", "c1").json["pid"]
            assert os.major(os.stat(f"/proc/{inside}/root/dev/console").st_rdev) == 136
        else:
            result.fails("/dev/console")
    finally:
        runtime("delete", "--force", "c1")
    assert canary.read_text() == "canary" and canary.stat().st_uid == 0


@pytest.mark.hoy
def test_exec_follows_the_size(bundle, runtime):
    with runtime.sleeping(bundle):
        script = "stty size; read x; stty size"
        with in_foreground(runtime, "exec", "-t", "c1", "/bin/sh", "-c", script) as (pid, master):
            read_until(master, b"\n")
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
            os.kill(pid, signal.SIGWINCH)
            time.sleep(0.1)
            os.write(master, b"\r")
            assert b"33 99" in read_until(master, b"33 99")
            assert exit_status(pid) == 0


@pytest.mark.hoy
def test_exec_without_a_terminal_on_stdin(bundle, runtime, scratch):
    """What is read ends the input; carriage returns come from the caller's terminal alone: none here."""
    (scratch / "in").write_text("typed\n")
    with runtime.sleeping(bundle), open(scratch / "in", encoding="ascii") as stdin:
        result = runtime("exec", "-t", "c1", "/bin/sh", "-c", "read x; tty; echo got $x; cat; exit 5",
                         stdin=stdin)
        assert result.status == 5
        assert "/dev/pts/0\ngot typed\n" in result.stdout and "\r" not in result.stdout


@pytest.mark.hoy
def test_exec_puts_the_terminal_back(bundle, runtime):
    read, write = pty.openpty()
    before = termios.tcgetattr(write)
    with runtime.sleeping(bundle):
        result = runtime("exec", "-t", "c1", "/bin/true", stdin=write, stdout=write, start_new_session=True)
        assert result.status == 0
        assert runtime("exec", "-t", "c1", "/no/such", stdin=write, stdout=write,
                       start_new_session=True).status == 255
    assert termios.tcgetattr(write) == before
    os.close(read)
    os.close(write)


@pytest.mark.hoy
def test_exec_of_a_process_file_with_a_terminal(bundle, runtime, console, scratch):
    """How conmon does it: the size of the terminal comes with the process."""
    process = {"terminal": True, "consoleSize": {"height": 25, "width": 80}, "cwd": "/",
               "args": ["/bin/sh", "-c", "stty size; sleep 1000"], "env": ["PATH=/bin"],
               "user": {"uid": 1000, "gid": 1000}}
    (scratch / "process.json").write_text(json.dumps(process))
    with runtime.sleeping(bundle):
        runtime("exec", "--process", scratch / "process.json", "--detach", "--pid-file", scratch / "pid",
                "--console-socket", console.path, "c1").silent()
        assert read_until(console.accept().master, b"\n") == b"25 80\r\n"
        assert int((scratch / "pid").read_text()) > 0


@pytest.mark.hoy
@pytest.mark.parametrize("kind", ["link", "directory", "fifo"])
def test_exec_where_the_container_has_replaced_the_multiplexer(bundle, runtime, console, scratch, kind):
    """Nothing but a devpts is opened: a FIFO would hang, and opening some devices does something."""
    bundle.capabilities("CAP_SYS_ADMIN", "CAP_MKNOD")
    script = {"link": "rmdir /dev/pts; ln -s /proc/1/root/tmp /dev/pts", "directory": ":",
              "fifo": "mkfifo /dev/pts/ptmx"}[kind]
    bundle.sh(f"umount /dev/pts; {script}; mkfifo /tmp/ptmx; echo ready; exec sleep 1000")
    with runtime.running(bundle) as container:
        wait_until(lambda: container.output == "ready\n", "the program")
        container.exec("--tty", "--detach", "--console-socket", console.path, "--", "/bin/true").fails(
            "process.terminal", "pty multiplexer", status=255)


@pytest.mark.hoy
@pytest.mark.parametrize("command", ["run", "exec"])
def test_what_stays_behind_in_the_terminal_keeps_nobody(bundle, runtime, command):
    """The end is that of the process; others may have its terminal open for ever."""
    script = "echo text; setsid sleep 1000 & exit 4"
    bundle.without_namespace("pid")
    if command == "run":
        assert runtime.sh(with_terminal(bundle), script).status == 4
        return
    with runtime.sleeping(bundle):
        result = runtime("exec", "-t", "c1", "/bin/sh", "-c", script)
        assert result.status == 4 and result.stdout == "text\n"


@pytest.mark.hoy
@pytest.mark.parametrize("command", ["run", "exec"])
def test_a_reader_that_has_gone(bundle, runtime, command):
    """As with `| head`: the container goes on, and its end comes."""
    script = "seq 100000; exit 6"
    read, write = os.pipe()
    os.close(read)
    if command == "run":
        result = runtime.sh(with_terminal(bundle), script, stdout=write)
    else:
        with runtime.sleeping(bundle):
            result = runtime("exec", "-t", "c1", "/bin/sh", "-c", script, stdout=write)
    os.close(write)
    assert result.status == 6


@pytest.mark.hoy
def test_the_end_of_input_reaches_the_program(bundle, runtime):
    with runtime.sleeping(bundle):
        assert runtime("exec", "-t", "c1", "/bin/cat").ok().stdout == ""
    assert runtime.run(with_terminal(bundle).args("/bin/cat"), name="c2").ok().stdout == ""
