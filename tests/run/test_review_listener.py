"""config-linux.md, seccomp: the listener reaches its agent, whatever else is asked for, or it is said."""

import array
import os
import socket
import threading

import pytest

pytestmark = pytest.mark.hoy


@pytest.fixture
def agent(scratch):
    """Takes listeners and answers nothing: what the filters here report is never called."""
    path = str(scratch / "agent")
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    server.listen()

    def serve():
        while True:
            try:
                connection = server.accept()[0]
            except OSError:
                return
            _message, control, _flags, _address = connection.recvmsg(65536, 64)
            for _level, _type, data in control:
                kept.extend(array.array("i", data[:4]))
    kept = []
    threading.Thread(target=serve, daemon=True).start()
    yield path, kept
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    for fd in kept:
        os.close(fd)


def reporting(bundle, path, *names, **more):
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path,
        "syscalls": [{"names": list(names), "action": "SCMP_ACT_NOTIFY"}], **more}


@pytest.mark.vm
def test_one_process_is_enough(bundle, runtime, agent):
    """The thread that sends the listener is there before the limit is."""
    path, kept = agent
    reporting(bundle, path, "mkdir")
    bundle.linux["resources"] = {"pids": {"limit": 1}}
    assert runtime.run(bundle.args("/bin/echo", "ok")).silent().stdout == "ok\n"
    assert len(kept) == 1


def test_the_sender_is_not_under_the_filter(bundle, runtime, agent):
    """TSYNC would put it there, and the agent would be asked whether it may be told of itself."""
    path, kept = agent
    reporting(bundle, path, "sendmsg", flags=["SECCOMP_FILTER_FLAG_TSYNC"])
    result = runtime.run(bundle.args("/bin/echo", "ok")).silent()
    assert result.stdout == "ok\n" and result.seconds < 5
    assert len(kept) == 1


def test_an_agent_that_has_gone(bundle, runtime, scratch):
    """It took the connection, and is away when the listener comes: `start` names it."""
    path = str(scratch / "agent")
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    server.listen()
    reporting(bundle, path, "mkdir")
    with runtime.created(bundle.args("/bin/echo", "ok")) as container:
        server.accept()[0].close()
        server.close()
        container.start().fails("linux.seccomp.listenerPath", "send the listener", "Broken pipe")


def test_an_agent_of_exec_that_has_gone(bundle, runtime, agent, scratch):
    path, _kept = agent
    reporting(bundle, path, "mkdir")
    with runtime.sleeping(bundle) as container:
        os.unlink(path)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(path)
        server.listen()
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        result = container.exec("--", "/bin/echo", "ok")
        assert result.status == 255 and "send the listener" in result.stderr, result
        server.close()
