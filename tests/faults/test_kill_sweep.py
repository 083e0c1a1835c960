"""Whatever kills the runtime, `delete --force` finds all that is left, and harms no stranger."""

import json
import os
import shutil
import subprocess
import time

import pytest

from fixtures import is_long
from kill_sweep import Sweep
from runtime import wait_until

pytestmark = pytest.mark.timeout(3600 if is_long() else 120)


def report(findings, killed, least):
    assert not findings, f"{len(findings)} of {killed} kills:\n" + "\n".join(findings)
    assert killed >= least, f"only {killed} kills: the sweep has swept nothing"


@pytest.fixture
def sweep(bundle, runtime):
    bundle.args("/bin/sleep", "1000")
    return Sweep(runtime, bundle)


def test_create(sweep):
    report(*sweep.run(sweep.create_words, is_long=is_long()), least=50)


def test_create_with_nearly_everything(sweep, bundle, scratch):
    """A user namespace, hooks, seccomp, devices, a terminal's absence: more to undo."""
    bundle.user_namespace()
    bundle.hook("createRuntime", "/bin/true").hook("poststop", "/bin/true")
    bundle.seccomp({"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"})
    bundle.linux["resources"] = {"devices": [{"allow": False}]}
    bundle.write()
    words = ("create", "--bundle", bundle.path, "--pid-file", scratch / "pid", "c1")
    report(*sweep.run(words, is_long=is_long()), least=50)


def test_delete_of_a_running_container(sweep, runtime):
    def prepare():
        runtime(*sweep.create_words).ok()
        runtime("start", "c1").ok()
    report(*sweep.run(("delete", "--force", "c1"), prepare, is_long()), least=20)


def test_delete_of_a_stopped_container(sweep, bundle, runtime, scratch):
    bundle.args("/bin/true").hook("poststop", "/bin/touch", "touch", str(scratch / "poststop"))
    bundle.write()

    def prepare():
        runtime(*sweep.create_words).ok()
        runtime("start", "c1").ok()
        wait_until(lambda: runtime("state", "c1").json["status"] == "stopped", "the end")
    report(*sweep.run(("delete", "c1"), prepare, is_long()), least=20)
    assert (scratch / "poststop").exists()


@pytest.mark.skipif(not is_long(), reason="a full sweep: HOY_LONG=1")
@pytest.mark.parametrize("words", [("start", "c1"), ("kill", "c1", "TERM"), ("exec", "c1", "true")])
def test_other_commands(sweep, runtime, words):
    def prepare():
        runtime(*sweep.create_words).ok()
        if words[0] != "start":
            runtime("start", "c1").ok()
    report(*sweep.run(words, prepare, is_long=True), least=20)


@pytest.mark.skipif(not is_long(), reason="a full sweep: HOY_LONG=1")
def test_run(sweep, bundle):
    bundle.args("/bin/true").write()
    words = ("run", "--bundle", bundle.path, "c1")
    report(*sweep.run(words, is_long=True), least=50)


@pytest.mark.skipif(not is_long(), reason="a full sweep: HOY_LONG=1")
@pytest.mark.parametrize("error", ["ENOMEM", "EMFILE", "ENOSPC", "EIO", "EACCES", "EPERM", "EROFS", "EAGAIN",
                                   "EINTR", "EBUSY", "ELOOP"])
def test_an_error_anywhere(sweep, error):
    """In the runtime's own calls; what fails in init is told by init."""
    findings, failed = sweep.fail_everywhere([error])
    report(findings, failed, least=50)


def test_a_stranger_in_the_cgroup_survives(sweep, bundle, runtime):
    """create meets a cgroup that is there already, with a process in it, and is killed at any point.

    Whatever it has written down by then: delete --force must not take the cgroup for its own.
    """
    path = runtime.scratch / "trace"
    bundle.cgroup.mkdir()
    with subprocess.Popen(["sleep", "1000"]) as canary:
        (bundle.cgroup / "cgroup.procs").write_text(str(canary.pid))
        try:
            sweep.strace(sweep.create_words, "-o", str(path), "-e", "signal=none").fails("cgroup")
            names = ("mkdirat", "renameat", "renameat2", "openat2", "symlinkat", "unlinkat", "clone3", "openat",
                     "close", "write", "flock")
            counts = {name: path.read_text().count(f"\n{name}(") + 1 for name in names}
            for name in names:
                for count in range(1, min(counts[name], 999 if is_long() else 12) + 1):
                    sweep.kill(sweep.create_words, (name, count))
                    runtime("delete", "--force", "c1")
                    assert canary.poll() is None, f"{name} {count}: the stranger was killed"
                    assert (bundle.cgroup / "cgroup.procs").read_text().split() == [str(canary.pid)]
        finally:
            canary.kill()
            canary.wait()
            runtime("delete", "--force", "c1")
            wait_until(lambda: "populated 0" in (bundle.cgroup / "cgroup.events").read_text(), "its end")
            bundle.cgroup.rmdir()


# ---- damaged state ----

def damaged(bundle, runtime, damage):
    """A running container whose state is then damaged: delete --force ends clean or says what remains."""
    bundle.args("/bin/sleep", "1000").write()
    runtime("create", "--bundle", bundle.path, "c1").ok()
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
    step = 1 if is_long() else 41 if name == "state.json" else 211
    while position <= length:
        damaged(bundle, runtime, cut)
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
