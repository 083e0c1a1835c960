"""--pidfd-socket: the process itself, in a descriptor that stays true when its pid is used again."""

import os
import select
import signal

import pytest

from receiver import Receiver
from runtime import wait_until

pytestmark = pytest.mark.hoy


@pytest.fixture
def receiver(scratch):
    with Receiver(scratch / "pidfd") as receiver:
        yield receiver


def pid_of(pidfd):
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("Pid:")).split()[1])


def has_ended(pidfd, seconds=0):
    return bool(select.select([pidfd], [], [], seconds)[0])


def test_of_create(bundle, runtime, receiver):
    with runtime.created(bundle.args("/bin/sleep", "1000"), "--pidfd-socket", receiver.path) as container:
        pidfd = receiver.receive()
        assert pid_of(pidfd) == container.pid and not has_ended(pidfd)
        container.start().ok()
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        container.wait()
        assert has_ended(pidfd, 5)
        os.close(pidfd)


def test_of_run_in_the_foreground(bundle, runtime, receiver):
    bundle.args("/bin/sleep", "1000").write()
    process = runtime.popen("run", "--bundle", bundle.path, "--pidfd-socket", receiver.path, "c1")
    pidfd = receiver.receive()
    wait_until(lambda: runtime("state", "c1").ok().json["status"] == "running", "the program")
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert runtime.finish(process).status == 137
    assert has_ended(pidfd)
    os.close(pidfd)


@pytest.mark.parametrize("namespace", [None, "pid"])
def test_of_exec(bundle, runtime, receiver, scratch, namespace):
    if namespace:
        bundle.without_namespace(namespace)
    with runtime.sleeping(bundle) as container:
        container.exec("--detach", "--pid-file", scratch / "pid", "--pidfd-socket", receiver.path, "--",
                       "/bin/sleep", "999").silent()
        pidfd = receiver.receive()
        assert pid_of(pidfd) == int((scratch / "pid").read_text()) != container.pid
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        assert has_ended(pidfd, 5)
        assert container.status == "running"
        os.close(pidfd)


def test_by_the_annotation(bundle, runtime, receiver):
    bundle.config["annotations"] = {"run.oci.pidfd_receiver": receiver.path}
    with runtime.created(bundle) as container:
        pidfd = receiver.receive()
        assert pid_of(pidfd) == container.pid
        os.close(pidfd)


def test_nobody_there(bundle, runtime, scratch):
    bundle.write()
    path = scratch / "nobody"
    runtime("create", "--bundle", bundle.path, "--pidfd-socket", path, "c1").fails(
        "--pidfd-socket", str(path), "no such file or directory")
    runtime("state", "c1").fails("does not exist")
    with runtime.sleeping(bundle) as container:
        container.exec("--pidfd-socket", path, "--", "/bin/true").fails("--pidfd-socket", str(path),
                                                                       status=255)
