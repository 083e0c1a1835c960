"""runtime-linux.md, file descriptors: 0 to 2 and what was asked for, nothing else, in every process."""

import contextlib
import os
import socket

import pytest

from runtime import ENVIRONMENT, is_hoy

req = pytest.mark.req


@contextlib.contextmanager
def leaking(first=3, last=20):
    """Descriptors of host directories and files that the caller of the runtime has forgotten."""
    opened = []
    try:
        for number in range(first, last + 1):
            fd = os.open("/" if number % 2 else "/etc/passwd", os.O_RDONLY)
            high = fd if fd >= 100 else os.dup2(fd, 100 + number)
            if high != fd:
                os.close(fd)
            opened.append(high)
        yield opened
    finally:
        for fd in opened:
            os.close(fd)


def numbers(seen):
    return [entry["fd"] for entry in seen["fds"]]


@req("linux-runtime.fds.only-stdio")
def test_only_stdio(bundle, runtime):
    with leaking() as fds:
        seen = runtime.probe(bundle, pass_fds=fds)
    assert numbers(seen) == [0, 1, 2]
    assert not any(entry["cloexec"] for entry in seen["fds"])


@req("linux-runtime.fds.only-stdio")
def test_only_stdio_in_exec(bundle, runtime):
    with runtime.sleeping(bundle) as container, leaking() as fds:
        result = runtime("exec", "c1", "/bin/probe", "fds", pass_fds=fds).ok()
        assert numbers(result.json) == [0, 1, 2]
        entries = os.listdir(container.proc("fd"))
        assert sorted(entries, key=int) == ["0", "1", "2"]


@req("linux-runtime.fds.only-stdio")
@pytest.mark.hoy
def test_init_before_start_holds_nothing_of_the_host(bundle, runtime):
    """No directory at all; whoever gets at it there could walk out of the container."""
    with leaking() as fds, runtime.created(bundle, pass_fds=fds) as container:
        for name in os.listdir(container.proc("fd")):
            path = container.proc(f"fd/{name}")
            assert not path.is_dir(), os.readlink(path)
            assert not os.readlink(path).endswith("passwd")


def preserved(count, runtime, bundle, *options, **keywords):
    """Runs with pipes at 3, 4 .. and returns what the program sees."""
    pipes = [os.pipe() for _ in range(count)]
    ends = [pipe[0] for pipe in pipes]

    def arrange():
        high = [os.dup2(fd, 200 + number) for number, fd in enumerate(ends)]
        for number, fd in enumerate(high):
            os.dup2(fd, 3 + number, inheritable=True)

    try:
        # close_fds comes after preexec_fn, so it must be off, and nothing else inheritable.
        return runtime.probe(bundle, *options, close_fds=False, preexec_fn=arrange, **keywords)
    finally:
        for pipe in pipes:
            os.close(pipe[0])
            os.close(pipe[1])


@req("linux-runtime.fds.extra")
def test_preserve_fds(bundle, runtime):
    seen = preserved(2, runtime, bundle, "--preserve-fds", "2")
    assert numbers(seen)[:5] == [0, 1, 2, 3, 4]
    assert seen.fd(3)["type"] == seen.fd(4)["type"] == "p"


@req("linux-runtime.fds.extra")
@pytest.mark.hoy
def test_preserve_fds_takes_no_more_than_asked(bundle, runtime):
    assert numbers(preserved(3, runtime, bundle, "--preserve-fds", "1")) == [0, 1, 2, 3]


@pytest.mark.hoy
def test_preserve_fds_that_are_not_open(bundle, runtime):
    bundle.write()
    result = runtime("create", "--bundle", bundle.path, "--preserve-fds=3", "c1")
    result.fails("preserve-fds", "3")
    runtime("state", "c1").fails("does not exist")


@pytest.mark.hoy
@pytest.mark.parametrize("command", ["create", "exec"])
def test_no_descriptor_of_our_own_is_preserved(bundle, runtime, scratch, command):
    """The log takes the first number that is free, and more is opened later: none of it is the caller's."""
    runtime.globals += ["--log", str(scratch / "log")]
    with runtime.sleeping(bundle, name="c2"):
        words = ["exec", "c2", "/bin/true"] if command == "exec" else ["create", "--bundle", bundle.path, "c1"]
        for count in (1, 5):
            result = runtime(words[0], f"--preserve-fds={count}", *words[1:])
            result.fails("preserve-fds", "descriptor 3", "not open", status=255 if command == "exec" else 1)
    runtime("state", "c1").fails("does not exist")


@pytest.mark.hoy
@pytest.mark.parametrize("value", ["x", "-1", "1x", "4294967296", ""])
def test_preserve_fds_must_be_a_number(bundle, runtime, value):
    bundle.write()
    runtime("create", "--bundle", bundle.path, f"--preserve-fds={value}", "c1").fails("preserve-fds")


@req("linux-runtime.fds.extra")
def test_socket_activation(bundle, runtime):
    with socket.socket() as listener:
        def arrange():
            os.dup2(listener.fileno(), 3, inheritable=True)
        # The pid must be the runtime's own: a shell sets it and becomes the runtime.
        runtime.wrapper = ["/bin/sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "sh"]
        seen = runtime.probe(bundle, close_fds=False, preexec_fn=arrange)
    assert numbers(seen) == [0, 1, 2, 3]
    assert seen.fd(3)["type"] == "s"
    assert "LISTEN_PID=1" in seen["env"]
    assert "LISTEN_FDS=1" in seen["env"] or not is_hoy()


@req("linux-runtime.fds.extra")
@pytest.mark.hoy
def test_socket_activation_of_somebody_else(bundle, runtime):
    seen = runtime.probe(bundle, env=ENVIRONMENT | {"LISTEN_FDS": "1", "LISTEN_PID": "1"})
    assert numbers(seen) == [0, 1, 2]
    assert not [entry for entry in seen["env"] if entry.startswith("LISTEN")]


@req("linux-runtime.fds.devnull")
@pytest.mark.hoy
@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_standard_descriptor(bundle, runtime, scratch, closed):
    """It is not taken by some file of the runtime's that would end up in the container."""
    runtime.wrapper = ["/bin/sh", "-c", f'exec "$@" {closed}>&-', "sh"]
    bundle.sh("readlink /proc/self/fd/* >/out")
    runtime.run(bundle)
    for target in (bundle.rootfs / "out").read_text().split():
        assert target.startswith(("/dev/null", "pipe:", "/out", "/proc/", "/tmp/hoy-test",
                                  "(deleted)")), target


@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.hoy
def test_pipes_on_stdio_belong_to_the_programs_user(bundle, runtime, uid):
    """So that an ordinary user can open /dev/stdout."""
    bundle.process["user"] = {"uid": uid, "gid": uid}
    read, write = os.pipe()
    runtime.run(bundle.sh("echo reopened >/dev/stdout; echo again >/proc/self/fd/1"), stdout=write).ok()
    os.close(write)
    with os.fdopen(read) as file:
        assert file.read() == "reopened\nagain\n"


@pytest.mark.hoy
def test_host_files_on_stdio_keep_their_owner(bundle, runtime, scratch):
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    null = os.stat("/dev/null")  # other runtimes give it away for good
    with open(scratch / "out", "w") as out:
        runtime.run(bundle.args("/bin/echo", "x"), stdout=out).ok()
    assert (scratch / "out").stat().st_uid == 0
    assert os.stat("/dev/null").st_uid == null.st_uid != 1000
