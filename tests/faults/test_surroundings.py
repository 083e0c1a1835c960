"""What hoy stands on gives way: the state root is full or read-only, the root is gone, peers are silent."""

import json
import os
import shutil
import signal
import subprocess

import pytest

from fixtures import is_long
from leaks import is_alive
from runtime import wait_until

pytestmark = pytest.mark.hoy


@pytest.fixture
def small(runtime):
    """The state root on a file system of its own; small("options") remounts it."""
    runtime.state_root.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "small", runtime.state_root], check=True)

    def remount(options):
        subprocess.run(["mount", "-o", f"remount,{options}", runtime.state_root], check=True)
    yield remount
    subprocess.run(["umount", runtime.state_root], check=True)
    runtime.state_root.rmdir()


@pytest.mark.parametrize("pages", range(1, 8))
def test_create_on_a_full_state_root(bundle, runtime, small, pages):
    small(f"size={pages * 4}k")
    bundle.args("/bin/true")
    result = runtime.create(bundle)
    if result.status != 0:
        result.fails("No space left on device")
        small("size=1m")
        runtime("state", "c1").fails("does not exist")
        assert not bundle.cgroup.exists()
    runtime("delete", "--force", "c1").ok()
    assert [name for name in os.listdir(runtime.state_root) if not name.startswith(".")] == []


@pytest.mark.parametrize("inodes", range(2, 12))
def test_create_without_inodes(bundle, runtime, small, inodes):
    small(f"nr_inodes={inodes}")
    bundle.args("/bin/true")
    result = runtime.create(bundle)
    if result.status != 0:
        result.fails("No space left on device")
    small("nr_inodes=1000")
    runtime("delete", "--force", "c1").ok()
    assert [name for name in os.listdir(runtime.state_root) if not name.startswith(".")] == []


def test_delete_on_a_read_only_state_root(bundle, runtime, small):
    with runtime.running(bundle.args("/bin/sleep", "1000")):
        small("ro")
        result = runtime("delete", "--force", "c1").fails("Read-only file system")
        assert "c1" in result.stderr
        small("rw")
        runtime("delete", "--force", "c1").ok()
        runtime("state", "c1").fails("does not exist")
        assert not bundle.cgroup.exists()


def test_delete_where_the_cgroup_tree_is_not_mounted(bundle, runtime):
    """In another mount namespace a cgroup that is not seen may well be there."""
    with runtime.running(bundle.args("/bin/sleep", "1000")) as container:
        runtime.wrapper = ["unshare", "--mount", "sh", "-c", 'umount -l /sys/fs/cgroup && exec "$@"', "sh"]
        runtime("delete", "--force", "c1").fails("no cgroup2 tree is mounted where cgroup", str(bundle.cgroup))
        runtime.wrapper = []
        assert container.status == "running"
        runtime("delete", "--force", "c1").silent()
        assert not bundle.cgroup.exists()


def test_a_cgroup_of_another_boot_is_a_strangers(bundle, runtime):
    """Inode numbers begin anew with each boot, so only the boot's id tells."""
    with runtime.created(bundle.args("/bin/sleep", "1000")) as container:
        directory = runtime.state_root / "c1"
        pid, state = container.pid, json.loads((directory / "state.json").read_text())
        boot = "01234567-89ab-cdef-0123-456789abcdef"
        (directory / "state.json").write_text(json.dumps(state | {"bootId": boot}))
        words = os.readlink(directory / "init").split()
        (directory / "init").unlink()
        (directory / "init").symlink_to(" ".join([*words[:-1], boot]))
        runtime("delete", "--force", "c1").silent()
        assert is_alive(pid) and bundle.cgroup.exists()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: "populated 0" in (bundle.cgroup / "cgroup.events").read_text(), "its end")
        bundle.cgroup.rmdir()


def test_delete_on_a_full_state_root(bundle, runtime, small):
    """Deleting needs no space: it is what people do when there is none."""
    with runtime.running(bundle.args("/bin/sleep", "1000")):
        small("size=128k")
        with open(runtime.state_root / ".fill", "wb", buffering=0) as file, pytest.raises(OSError):
            while True:
                file.write(b"x" * 4096)
        runtime("delete", "--force", "c1").ok()
        runtime("state", "c1").fails("does not exist")
        (runtime.state_root / ".fill").unlink()


def test_start_after_the_root_has_been_removed(bundle, runtime):
    with runtime.created(bundle.args("/bin/sleep", "1000")) as container:
        shutil.rmtree(bundle.rootfs, ignore_errors=True)
        container.start().fails("/bin/sleep", "No such file or directory", status=127)
        assert container.runtime("state", "c1").status != 0


def test_delete_after_the_bundle_has_been_removed(bundle, runtime):
    with runtime.running(bundle.args("/bin/sleep", "1000")):
        shutil.rmtree(bundle.path)
        runtime("delete", "--force", "c1").silent()


@pytest.mark.timeout(60)
def test_a_stopped_init_does_not_hold_a_command(bundle, runtime):
    """Of what would wait for it: start has a deadline of minutes, so only the others are asked."""
    with runtime.created(bundle.args("/bin/sleep", "1000")) as container:
        os.kill(container.pid, signal.SIGSTOP)
        for words in (("state", "c1"), ("list",), ("kill", "c1", "CONT")):
            assert runtime(*words).ok().seconds < 2
        container.start().ok()


def held(bundle, runtime):
    """A container whose lock a start holds, as its poststart hook does not end."""
    bundle.hook("poststart", "/bin/sleep", "sleep", "1000").args("/bin/sleep", "1000").write()
    runtime("create", "--bundle", bundle.path, "c1").ok()
    start = runtime.popen("start", "c1")
    wait_until(lambda: runtime("state", "c1").json["status"] == "running", "start")
    return start


def test_readers_and_kill_take_no_lock(bundle, runtime):
    start = held(bundle, runtime)
    assert runtime("list", "-q").ok().stdout == "c1\n"
    assert runtime("exec", "c1", "true").ok().seconds < 2
    assert runtime("kill", "c1", "0").ok().seconds < 2
    start.kill()
    runtime.finish(start)
    runtime("delete", "--force", "c1").ok()


@pytest.mark.skipif(not is_long(), reason="a wait of 15 s: HOY_LONG=1")
def test_forced_delete_does_not_wait_for_ever(bundle, runtime):
    """It ends the container in any case, and says that another command has to end first."""
    start = held(bundle, runtime)
    result = runtime("delete", "--force", "c1", limit=25)
    result.fails("c1", "the processes were killed, but the rest remains")
    assert runtime("state", "c1").json["status"] == "stopped"
    start.kill()
    runtime.finish(start)
    runtime("delete", "--force", "c1").ok()
    assert not bundle.cgroup.exists()


@pytest.mark.parametrize("limit", ["--nofile=3", "--nofile=8", "--nofile=12", "--nproc=1", "--as=20000000",
                                   "--fsize=0", "--stack=65536"])
def test_create_with_hardly_any_resources(bundle, runtime, limit):
    """It runs or it says why; in either case nothing is left and nobody hangs."""
    runtime.wrapper = ["prlimit", limit, "--"]
    result = runtime.create(bundle.args("/bin/true"))
    runtime.wrapper = []
    assert result.seconds < 5
    if result.status == 1:
        assert "hoy: " in result.stderr
        runtime("state", "c1").fails("does not exist")
    runtime("delete", "--force", "c1").ok()
    assert not bundle.cgroup.exists()
