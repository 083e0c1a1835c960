"""config.md, process.terminal and consoleSize."""

import array
import contextlib
import os
import select
import socket
import time

from suite import case, document, has, same


@contextlib.contextmanager
def console(t):
    """A socket that takes one terminal; yields its path and a function that reads a line from it."""
    path, masters = str(t.scratch / "console"), []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(10)

        def read(until=b"\n"):
            if not masters:
                connection, _ = listener.accept()
                with connection:
                    _data, ancillary, _flags, _ = connection.recvmsg(4096, socket.CMSG_SPACE(64))
                masters.append(array.array("i", ancillary[0][2])[0])
            text, deadline = b"", time.monotonic() + 5
            while until not in text:
                assert time.monotonic() < deadline, f"only {text!r}"
                if select.select(masters, [], [], 0.1)[0]:
                    text += os.read(masters[0], 65536)
            return text.decode()

        try:
            yield path, read
        finally:
            for master in masters:
                os.close(master)


@contextlib.contextmanager
def with_terminal(t, script):
    """A container with a terminal: yields what reads from it."""
    t.process["terminal"] = True
    t.bundle.sh(f"{script}; sleep 1000")
    with console(t) as (path, read), t.runtime.created(t.bundle, "--console-socket", path) as it:
        it.start().ok()
        yield read


@case("config.process.terminal.true", "config.process.terminal.type",
      "linux.default-devices.console", each={"plain": False, "user": True})
def terminal(t, user_namespace):
    if user_namespace:
        t.bundle.user_namespace()
    with with_terminal(t, "/bin/probe terminal fds mountinfo") as read:
        seen = document(read())
    same(seen["terminal"]["tty"], [1, 1, 1])
    assert seen["terminal"]["controlling"], "it controls nobody"
    has(seen["terminal"]["name"], ("/dev/pts/0", "/dev/console"))
    same([entry["rdev"] for entry in seen["fds"][:3]], [[136, 0]] * 3)
    mounted = [line for line in seen["mountinfo"] if line.split()[4] == "/dev/console"]
    same(len(mounted), 1, "mounts on /dev/console")
    has(" - devpts ", mounted[0])


@case("linux.default-devices.console")
def console_is_the_terminal(t):
    with with_terminal(t, "echo hello >/dev/console") as read:
        has("hello", read())


@case("config.process.consoleSize.applied")
def size(t):
    t.process["consoleSize"] = {"height": 25, "width": 80}
    with with_terminal(t, "stty size") as read:
        same(read(), "25 80\r\n")


@case("config.process.consoleSize.ignored", each={"25x80": (25, 80), "0x0": (0, 0)})
def size_without_terminal(t, height, width):
    t.process["consoleSize"] = {"height": height, "width": width}
    t.runs()


@case("config.process.consoleSize.height", "config.process.consoleSize.width",
      each={"height": {"width": 80}, "width": {"height": 25}})
def size_with_a_member_missing(t, value):
    t.process.update(terminal=True, consoleSize=value)
    with console(t) as (path, _read):
        result = t.runtime.create(t.bundle, "--console-socket", path)
        assert result.status != 0, "create succeeds"


@case("config.process.terminal.default", "linux.default-devices.console")
def no_terminal(t):
    seen = t.probe("terminal", "devices")
    same(seen["terminal"]["tty"], [0, 0, 0])
    assert "/dev/console" not in seen["devices"], "/dev/console is there"
