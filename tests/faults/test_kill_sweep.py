"""Whatever kills the runtime, `delete --force` finds all that is left, and harms no stranger."""

import errno
import json
import os
import shutil
import socket
import subprocess
import time

import pytest

from fixtures import is_long
from kill_sweep import Sweep, difference
from runtime import Seen, wait_until

pytestmark = pytest.mark.timeout(3600 if is_long() else 300)


def report(findings, killed, least):
    assert not findings, f"{len(findings)} of {killed} kills:\n" + "\n".join(findings)
    assert killed >= least, f"only {killed} kills: the sweep has swept nothing"


@pytest.fixture
def sweep(bundle, runtime):
    bundle.args("/bin/sleep", "1000")
    return Sweep(runtime, bundle)


def create_nearly_everything(bundle, scratch):
    """A user namespace, hooks, seccomp, devices, a pid file: more to undo."""
    bundle.user_namespace()
    bundle.hook("createRuntime", "/bin/true").hook("poststop", "/bin/true")
    bundle.seccomp({"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"})
    bundle.linux["resources"] = {"devices": [{"allow": False}]}
    bundle.write()
    return ("create", "--bundle", bundle.path, "--pid-file", scratch / "pid", "c1")


@pytest.mark.parametrize("who", ["itself", "child"])
def test_create(sweep, who):
    report(*sweep.run(sweep.create_words, who=who), least=150)


@pytest.mark.parametrize("who", ["itself", "child"])
def test_create_with_nearly_everything(sweep, bundle, scratch, who):
    report(*sweep.run(create_nearly_everything(bundle, scratch), who=who), least=150)


def test_delete_of_a_running_container(sweep, runtime):
    def prepare():
        runtime(*sweep.create_words).ok()
        runtime("start", "c1").ok()
    report(*sweep.run(("delete", "--force", "c1"), prepare), least=50)


def test_delete_of_a_stopped_container(sweep, bundle, runtime, scratch):
    bundle.args("/bin/true").hook("poststop", "/bin/touch", "touch", str(scratch / "poststop"))
    bundle.write()

    def prepare():
        runtime(*sweep.create_words).ok()
        runtime("start", "c1").ok()
        wait_until(lambda: runtime("state", "c1").json["status"] == "stopped", "the end")
    report(*sweep.run(("delete", "c1"), prepare), least=50)
    assert (scratch / "poststop").exists()


@pytest.mark.parametrize("words", [("start", "c1"), ("kill", "c1", "TERM"), ("exec", "c1", "true"),
                                   ("pause", "c1"), ("resume", "c1")], ids=lambda words: words[0])
def test_other_commands(sweep, runtime, words):
    def prepare():
        runtime(*sweep.create_words).ok()
        if words[0] != "start":
            runtime("start", "c1").ok()
        if words[0] == "resume":
            runtime("pause", "c1").ok()
    step = 1 if is_long() else 7
    report(*sweep.run(words, prepare, step=step), least=50 // step)


@pytest.fixture
def console(scratch):
    """A socket that takes any number of terminals, and never looks at one."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(scratch / "console"))
        listener.listen(4096)
        yield scratch / "console"


def test_create_with_a_terminal(sweep, bundle, console):
    bundle.process["terminal"] = True
    bundle.write()
    sweep.create_words = ("create", "--bundle", bundle.path, "--console-socket", console, "c1")
    step = 1 if is_long() else 7
    report(*sweep.run(sweep.create_words, step=step), least=100 // step)


def test_exec_with_a_terminal(sweep, runtime, console):
    def prepare():
        runtime(*sweep.create_words).ok()
        runtime("start", "c1").ok()
    step = 1 if is_long() else 7
    words = ("exec", "--tty", "--detach", "--console-socket", console, "c1", "sleep", "1000")
    report(*sweep.run(words, prepare, step=step), least=100 // step)


@pytest.mark.parametrize("command", ["update", "mounts add", "mounts remove"])
def test_commands_with_a_file(sweep, runtime, scratch, command):
    """update of what needs no controller: the device rules."""
    mounts = [{"destination": "/data", "source": str(scratch), "options": ["bind"]},
              {"destination": "/tmp", "type": "tmpfs"}]
    file = scratch / "file"
    file.write_text(json.dumps({"devices": [{"allow": False}, {"allow": True, "type": "c", "major": 1,
                                                               "access": "rw"}]}
                               if command == "update" else mounts))

    def prepare():
        runtime(*sweep.create_words).ok()
        runtime("start", "c1").ok()
        if command == "mounts remove":
            runtime("mounts", "add", "c1", file).ok()
    words = ("update", "--resources", file, "c1") if command == "update" else (*command.split(), "c1", file)
    step = 1 if is_long() else 7
    report(*sweep.run(words, prepare, step=step), least=50 // step)


def test_run(sweep, bundle):
    bundle.args("/bin/true").write()
    words = ("run", "--bundle", bundle.path, "c1")
    step = 1 if is_long() else 7
    report(*sweep.run(words, step=step), least=200 // step)


# ---- errors ----

ERRORS = ["ENOMEM", "EMFILE", "ENFILE", "ENOSPC", "EIO", "EACCES", "EPERM", "EROFS", "EAGAIN", "EINTR", "EBUSY",
          "ELOOP"]
# In CI each call fails with one of the errors, and with each of them in the long sweep.
SETS = [[error] for error in ERRORS] if is_long() else [ERRORS]
# What two runs of one configuration need not have in common.
VOLATILE = {"ids", "namespaces", "clocks", "mountinfo", "mount_points", "keyring", "maps", "cgroup_files"}


def properties(result):
    """What the container's program sees of itself, as far as it is the same in every run."""
    seen = Seen(result.json)
    mounts = [(m.point, m.fstype, m.options, m.peers, m.super_options) for m in seen.mounts()]
    fds = [entry | {"target": entry["target"].split("#")[0]} for entry in seen["fds"]]
    return {name: value for name, value in seen.items() if name not in VOLATILE} | {
        "mounts": mounts, "fds": fds}


def confined(bundle):
    """With something of each kind that bounds a process."""
    bundle.user_namespace().seccomp({"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"})
    bundle.process |= {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 512, "hard": 512}], "noNewPrivileges": True,
                       "user": {"uid": 1000, "gid": 1000, "additionalGids": [5]}}
    bundle.linux |= {"maskedPaths": ["/proc/keys", "/home"], "readonlyPaths": ["/proc/sys"]}
    return bundle


@pytest.mark.parametrize("errors", SETS, ids=lambda errors: errors[0] if len(errors) == 1 else "all")
@pytest.mark.parametrize("who", ["itself", "child"])
def test_an_error_anywhere(sweep, bundle, who, errors):
    """Whatever fails is told, or the container is what it would have been."""
    confined(bundle).args("/bin/probe").write()
    words = ("run", "--bundle", bundle.path, "c1")
    findings, failed = sweep.fail_everywhere(words, errors, who, properties)
    report(findings, failed, least=50)


@pytest.mark.parametrize("errors", SETS, ids=lambda errors: errors[0] if len(errors) == 1 else "all")
@pytest.mark.parametrize("who", ["itself", "child", "init"])
def test_an_error_anywhere_in_exec(sweep, bundle, runtime, who, errors):
    """The process has all the rights and bounds that it should have, or it does not come to be."""
    confined(bundle).args("/bin/sleep", "1000").write()
    runtime(*sweep.create_words).ok()
    runtime("start", "c1").ok()
    words = ("exec", "c1", "/bin/probe")
    wanted = properties(runtime(*words).ok())

    def attempt(number):
        name = errors[number // step % len(errors)]
        result, came = sweep.stop(words, number, getattr(errno, name), who)
        where = f"{number} {name}"
        assert result.seconds < 10, where
        if result.status == 0:
            assert properties(result) == wanted, f"{where}: {difference(wanted, properties(result))}"
        else:
            assert "hoy: " in result.stderr or "error while loading" in result.stderr, f"{where}: {result}"
        assert runtime("state", "c1").json["status"] == "running", where
        wait_until(lambda: len((bundle.cgroup / "cgroup.procs").read_text().split()) == 1, where, 5)
        return came

    step = 1 if is_long() else 2
    assert sweep.points(attempt, step) > 3
    runtime("delete", "--force", "c1").ok()


@pytest.mark.parametrize("error", ERRORS if is_long() else ["EPERM", "ENOMEM", "ELOOP"])
def test_an_error_anywhere_in_delete(sweep, runtime, error):
    """Success means that nothing remains, whatever the command did not get to see."""
    def attempt(number):
        runtime(*sweep.create_words).ok()
        result, came = sweep.stop(("delete", "--force", "c1"), number, getattr(errno, error))
        if result.status == 0:
            wait_until(lambda: not sweep.remains(), f"nothing to remain: {number}: {result}", 2)
        else:
            assert "hoy: " in result.stderr or "error while loading" in result.stderr, f"{number}: {result}"
        runtime("delete", "--force", "c1").ok()
        wait_until(lambda: not sweep.remains(), f"nothing to remain after {number}", 2)
        return came
    assert sweep.points(attempt) > 50


def test_a_stranger_in_the_cgroup_survives(sweep, bundle, runtime):
    """create meets a cgroup that is there already, with a process in it, and is killed at any point.

    Whatever it has written down by then: delete --force must not take the cgroup for its own.
    """
    bundle.cgroup.mkdir()
    with subprocess.Popen(["sleep", "1000"]) as canary:
        (bundle.cgroup / "cgroup.procs").write_text(str(canary.pid))

        def attempt(number):
            result, was_killed = sweep.stop(sweep.create_words, number)
            if not was_killed:
                result.fails("cgroup")
            runtime("delete", "--force", "c1")
            assert canary.poll() is None, f"{number}: the stranger was killed"
            assert (bundle.cgroup / "cgroup.procs").read_text().split() == [str(canary.pid)]
            return was_killed
        try:
            assert sweep.points(attempt) > 50
        finally:
            canary.kill()
            canary.wait()
            runtime("delete", "--force", "c1")
            wait_until(lambda: "populated 0" in (bundle.cgroup / "cgroup.events").read_text(), "its end")
            bundle.cgroup.rmdir()


# ---- damaged state ----

def damaged(bundle, runtime, damage, is_started=True):
    """A container whose state is then damaged: delete --force ends clean or says what remains."""
    bundle.args("/bin/sleep", "1000").write()
    runtime("create", "--bundle", bundle.path, "c1").ok()
    if is_started:
        runtime("start", "c1").ok()
    damage(runtime.state_root / "c1")
    started = time.monotonic()
    result = runtime("delete", "--force", "c1")
    assert time.monotonic() - started < 10
    sweep = Sweep(runtime, bundle)
    if result.status == 0:
        wait_until(lambda: not sweep.remains(), f"nothing to remain: {result}", 2)
    else:
        result.fails("c1")
        assert "remain" in result.stderr or "left" in result.stderr, result
        assert sweep.names_in_state_root() == ["c1"], "the state is kept as long as something remains"
        sweep.clear()
        shutil.rmtree(runtime.state_root / "c1", ignore_errors=True)


@pytest.mark.hoy
@pytest.mark.parametrize("name", ["state.json", "config.json"])
def test_state_cut_anywhere(bundle, runtime, name):
    length = 0

    def cut(directory):
        nonlocal length
        length = (directory / name).stat().st_size
        with open(directory / name, "r+b") as file:
            file.truncate(position)

    position = 0
    step = 1 if is_long() or name == "state.json" else 211  # the latter is not read by delete
    while position <= length:
        damaged(bundle, runtime, cut, is_started=position % 10 == 0)
        runtime.close()
        position += step
    assert length > 100


@pytest.mark.hoy
def test_state_with_flipped_bits(bundle, runtime):
    """Also into other values that are well formed: another pid, another cgroup."""
    for position in range(5, 2000, 3 if is_long() else 97):
        def flip(directory, where=position):
            text = bytearray((directory / "state.json").read_bytes())
            text[where % len(text)] ^= 1 << where % 7
            (directory / "state.json").write_bytes(text)
        damaged(bundle, runtime, flip)


@pytest.mark.hoy
@pytest.mark.parametrize("change", [
    {"pid": 1}, {"cgroup": "/sys/fs/cgroup"}, {"cgroup": "/sys/fs/cgroup/../.."}, {"cgroup": ""},
    {"phase": "created"}, {"phase": "nonsense"}, {"pid": -1}, {"pid": "x"}, {"startTime": 1},
    {"pidInode": 1}, {"bootId": "x"}])
def test_state_that_lies(bundle, runtime, change):
    """Well formed and wrong: no stranger is signalled, whatever the record says."""
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        time.sleep(0.05)  # start times are in hundredths of a second

        def lie(directory):
            state = json.loads((directory / "state.json").read_text())
            new = {"pid": stranger.pid} if change == {"pid": 1} else change
            assert set(new) <= set(state), f"{set(new)} not in {set(state)}"
            (directory / "state.json").write_text(json.dumps(state | new))
        try:
            damaged(bundle, runtime, lie)
            assert stranger.poll() is None
        finally:
            stranger.kill()


@pytest.mark.hoy
@pytest.mark.parametrize("name", ["state.json", "config.json", "go", "result", "all", "cgroup", "init"])
def test_state_files_that_are_gone(bundle, runtime, name):
    def remove(directory):
        for path in directory.iterdir():
            if name in ("all", path.name):
                path.unlink()
    damaged(bundle, runtime, remove)


@pytest.mark.hoy
@pytest.mark.parametrize("kind", ["directory", "link", "fifo", "large"])
def test_state_files_that_are_something_else(bundle, runtime, scratch, kind):
    (scratch / "canary").write_text("canary")

    def replace(directory):
        path = directory / "state.json"
        path.unlink()
        if kind == "directory":
            path.mkdir()
        elif kind == "link":
            path.symlink_to(scratch / "canary")
        elif kind == "fifo":
            os.mkfifo(path)
        else:
            with open(path, "wb") as file:
                file.truncate(2**34)
    damaged(bundle, runtime, replace)
    assert (scratch / "canary").read_text() == "canary"
