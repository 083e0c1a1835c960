"""NOTIFY_SOCKET: what a container says to its service manager, and what it cannot say."""

import os
import select
import socket
import time

import pytest

from runtime import ENVIRONMENT, Mount, wait_until
from test_rootless import mine, user  # noqa: F401 (fixtures)

pytestmark = pytest.mark.hoy
INSIDE = "/run/notify/notify.sock"


class Manager:
    """A service manager; `name` is what NOTIFY_SOCKET says."""

    def __init__(self, name):
        self.name = str(name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if self.name[0] == "@":
            self.socket.bind("\0" + self.name[1:])
            return
        directory = os.open(os.path.dirname(self.name), os.O_PATH)
        self.socket.bind(f"/proc/self/fd/{directory}/{os.path.basename(self.name)}")
        os.close(directory)
        os.chmod(self.name, 0o777)

    @property
    def env(self):
        return ENVIRONMENT | {"NOTIFY_SOCKET": self.name}

    def hear(self, seconds=10):
        """The next message and how many descriptors came with it; None if nothing comes."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        message, fds, _flags, _address = socket.recv_fds(self.socket, 4096, 4)
        for fd in fds:
            os.close(fd)
        return message.decode(), len(fds)


@pytest.fixture(params=["path", "abstract", "long path"])
def manager(request, scratch):
    path = {"path": scratch / "manager", "abstract": f"@{scratch}",
            "long path": scratch / ("d" * 120) / "manager"}[request.param]
    if request.param == "long path":
        path.parent.mkdir()
    manager = Manager(path)
    yield manager
    manager.socket.close()


@pytest.fixture
def one(scratch):
    manager = Manager(scratch / "manager")
    yield manager
    manager.socket.close()


def says(bundle, *messages, after="sleep 1000"):
    """A program that says something in messages of its own, and then goes on."""
    words = " ".join(f"'{message}'" for message in messages)
    return bundle.sh(f"echo $NOTIFY_SOCKET; /bin/probe notify {words}; {after}")


def start(runtime, manager, name="c1"):
    """A `start` that waits for the container, and what the manager hears meanwhile."""
    process = runtime.popen("start", name, env=manager.env)
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    heard = []
    wait_until(lambda: os.waitid(os.P_PID, process.pid, flags) or heard.append(manager.hear(0.05)),
               "start", 15)
    heard.append(manager.hear(0))
    return runtime.finish(process), [message for message in heard if message]


def test_start_returns_when_the_container_is_ready(bundle, runtime, manager):
    says(bundle, "STATUS=not yet", "STATUS=now\nREADY=1\nX=1")
    with runtime.created(bundle, env=manager.env) as container:
        pid = container.pid
        assert manager.hear(0) is None
        result, heard = start(runtime, manager)
        result.silent()
        assert heard == [(f"MAINPID={pid}\nREADY=1", 0), ("BARRIER=1", 1)]
        wait_until(lambda: "sent" in container.output, "the program")
        assert container.output == f"{INSIDE}\nsent\n"
        assert container.status == "running"


def test_start_waits_without_the_lock(bundle, runtime, one):
    """However long it takes: others can look at the container, change it and end it."""
    bundle.args("/bin/sleep", "1000")
    with runtime.created(bundle, env=one.env) as container:
        process = runtime.popen("start", "c1", env=one.env)
        wait_until(lambda: container.status == "running", "the program")
        container.exec("--", "/bin/true").ok()
        runtime("pause", "c1").ok()
        runtime("resume", "c1").ok()
        assert process.poll() is None
        container.kill("KILL").ok()
        runtime.finish(process).silent()
        assert one.hear(0) is None


@pytest.mark.parametrize("message, is_ready", [
    ("READY=1", True), ("A=b\nREADY=1\n", True), ("READY=0", False), ("READY=11", False),
    ("XREADY=1", False), ("MAINPID=1", False), ("STOPPING=1\nMAINPID=1", False), ("\n\n", False),
    ("x" * 5000 + "\nREADY=1", False)], ids=lambda value: repr(value)[:20])
def test_only_ready_is_passed_on(bundle, runtime, one, message, is_ready):
    says(bundle, message, after="exit 0")
    with runtime.created(bundle, env=one.env) as container:
        pid = container.pid
        result, heard = start(runtime, one)
        result.silent()
        assert heard == ([(f"MAINPID={pid}\nREADY=1", 0), ("BARRIER=1", 1)] if is_ready else [])


def test_a_barrier_of_the_container(bundle, runtime, one):
    says(bundle, "STATUS=x", "BARRIER=1", after="exec /bin/probe notify READY=1")
    with runtime.created(bundle, env=one.env) as container:
        result, heard = start(runtime, one)
        result.silent()
        assert [message for message, _fds in heard][-1] == "BARRIER=1" and len(heard) == 2
        wait_until(lambda: container.output.count("sent") == 2, "both")


def test_a_manager_that_does_not_listen(bundle, runtime, one):
    """The container runs all the same."""
    says(bundle, "READY=1")
    with runtime.created(bundle, env=one.env) as container:
        one.socket.close()
        runtime("start", "c1", env=one.env).warns("NOTIFY_SOCKET", one.name, "connection refused")
        assert container.status == "running"


def test_a_manager_that_ignores_barriers(bundle, runtime, one):
    says(bundle, "READY=1")
    with runtime.created(bundle, env=one.env) as container:
        started = time.monotonic()
        container.runtime("start", "c1", env=one.env).silent()
        assert 4 < time.monotonic() - started < 15


def test_run_in_the_foreground(bundle, runtime, manager):
    """hoy itself is what the manager watches; the socket is there until the end."""
    says(bundle, "READY=1", after="/bin/probe notify READY=1 BARRIER=1; exit 3")
    process = runtime.popen("run", "--bundle", bundle.write(), "c1", env=manager.env)
    assert manager.hear() == (f"MAINPID={process.pid}\nREADY=1", 0)
    result = runtime.finish(process)
    assert result.status == 3 and result.stderr == ""
    assert result.stdout == f"{INSIDE}\nsent\nsent\n"
    assert manager.hear(0) is None


def test_run_of_a_program_that_says_so_and_ends(bundle, runtime, one):
    for _round in range(5):
        bundle.args("/bin/probe", "notify", "STATUS=a", "READY=1")
        process = runtime.popen("run", "--bundle", bundle.write(), "c1", env=one.env)
        assert runtime.finish(process).silent().stdout == "sent\n"
        assert one.hear(0) == (f"MAINPID={process.pid}\nREADY=1", 0)


def test_run_in_the_background(bundle, runtime, one):
    says(bundle, "READY=1")
    process = runtime.popen("run", "--detach", "--bundle", bundle.write(), "c1", env=one.env)
    message, _fds = one.hear()
    pid = runtime("state", "c1").ok().json["pid"]
    assert message == f"MAINPID={pid}\nREADY=1"
    assert one.hear() == ("BARRIER=1", 1)
    runtime.finish(process).silent()
    runtime("delete", "--force", "c1").ok()


@pytest.mark.parametrize("namespace", ["user", "none"])
def test_the_socket_inside(bundle, runtime, one, namespace):
    """For every user of the container; its directory is read-only and shared with nobody."""
    if namespace == "user":
        bundle.user_namespace()
    says(bundle, "READY=1").process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["env"] += ["NOTIFY_SOCKET=/of/the/configuration"]
    bundle.mount("/run", "tmpfs", "tmpfs", ["ro"])
    with runtime.created(bundle, env=one.env) as container:
        start(runtime, one)[0].silent()
        wait_until(lambda: "sent" in container.output, "the program")
        assert container.output == f"{INSIDE}\nsent\n"
        mount, = [Mount.parse(line) for line in container.proc("mountinfo").read_text().splitlines()
                  if "/run/notify" in line]
        assert {"ro", "nosuid", "nodev", "noexec"} <= set(mount.options) and mount.peers == []
        result = container.exec("--user", "0", "--", "/bin/rm", INSIDE)
        assert result.status != 0 and "Read-only" in result.stderr


def test_without_it_there_is_nothing(bundle, runtime, one):
    """Neither for a container that was made without, nor for one that is started without."""
    bundle.sh("echo $NOTIFY_SOCKET; ls /run")
    with runtime.created(bundle, env=ENVIRONMENT | {"NOTIFY_SOCKET": ""}) as container:
        start(runtime, one)[0].silent()
        container.wait()
        assert container.output == "\n" and not (bundle.rootfs / "run").exists()
    with runtime.created(says(bundle, "READY=1"), env=one.env) as container:
        container.start().silent()
        wait_until(lambda: "\n" in container.output.removeprefix(f"{INSIDE}\n"), "the program")
        assert container.output == f"{INSIDE}\nENOENT\n"
        assert one.hear(0) is None


def test_an_address_of_another_kind(bundle, runtime):
    env = ENVIRONMENT | {"NOTIFY_SOCKET": "vsock:2:1"}
    result = runtime("run", "--bundle", bundle.sh("echo $NOTIFY_SOCKET").write(), "c1", env=env)
    result.warns("NOTIFY_SOCKET=vsock:2:1", "ignored")
    assert result.stdout == "\n"


def test_a_directory_that_was_filled_from_inside(bundle, runtime, one):
    """With the right to mount it can be made writable; what is put there goes with the container."""
    bundle.capabilities("CAP_SYS_ADMIN").sh(
        "mount -o remount,bind,rw /run/notify && cd /run/notify && mkdir -p a/b/c && echo x >a/b/file && "
        "ln -s /etc/passwd link && ln -s / root && mkfifo fifo; echo made; exec sleep 1000")
    with runtime.created(bundle, env=one.env) as container:
        container.start().silent()
        wait_until(lambda: container.output == "made\n", "the program")
        assert (runtime.state_root / "c1/notify/a/b/file").exists()
        runtime("delete", "--force", "c1").silent()
        assert not (runtime.state_root / "c1").exists()
        assert (bundle.rootfs / "etc/passwd").exists()


def test_links_in_place_of_the_socket(bundle, runtime, one, scratch):
    """Nothing of the host is made writable by a name that the container has put there."""
    canary = scratch / "canary"
    canary.touch(0o600)
    bundle.capabilities("CAP_SYS_ADMIN")
    with runtime.created(says(bundle, "READY=1"), env=one.env) as container:
        notify = runtime.state_root / "c1/notify"
        (notify / "notify.sock").symlink_to(canary)
        start(runtime, one)[0].silent()
        assert canary.stat().st_mode & 0o777 == 0o600 and canary.exists()
        wait_until(lambda: "sent" in container.output, "the program")


def test_rootless(mine, user, runtime, one):  # noqa: F811
    mine.config["root"]["readonly"] = False
    says(mine, "READY=1")
    with runtime.created(mine, env=one.env) as container:
        pid = container.pid
        result, heard = start(runtime, one)
        result.silent()
        assert heard == [(f"MAINPID={pid}\nREADY=1", 0), ("BARRIER=1", 1)]
        wait_until(lambda: "sent" in container.output, "the program")


def test_processes_of_exec_have_none(bundle, runtime, one):
    says(bundle, "READY=1")
    with runtime.created(bundle, env=one.env) as container:
        start(runtime, one)[0].silent()
        result = container.exec("--", "/bin/sh", "-c", "echo \"<$NOTIFY_SOCKET>\"").ok()
        assert result.stdout == "<>\n"
