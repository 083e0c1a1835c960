"""The symlink zoo: images whose every name leads out of them. Nothing outside is touched, ever."""

import os
import shutil
import socket
import stat
import time

import pytest

from canary import Canary
from fixtures import is_long
from runtime import is_hoy

req = pytest.mark.req

# Every place of the image that the runtime goes to, with what it is told to do there.
PLACES = ["dev", "dev/pts", "dev/shm", "dev/null", "dev/zero", "dev/ptmx", "dev/fd", "dev/stdin", "dev/core",
          "dev/console", "proc", "sys", "etc", "tmp", "work", "target", "target/below", "made",
          "file-target", "masked", "readonly", "device"]
# What stands there instead of what the runtime expects.
CREATURES = {
    "absolute": lambda path, canary: path.symlink_to(canary.path / "sub"),
    "relative": lambda path, canary: path.symlink_to("../" * 20 + str(canary.path / "sub")[1:]),
    "same-name": lambda path, canary: path.symlink_to(canary.path / path.name),
    "to-a-file": lambda path, canary: path.symlink_to(canary.path / "file"),
    "to-a-missing-file": lambda path, canary: path.symlink_to(canary.path / "missing"),
    "proc-fd": lambda path, _canary: path.symlink_to("/proc/self/fd/3"),
    "proc-root": lambda path, canary: path.symlink_to(f"/proc/1/root{canary.path}/sub"),
    "loop": lambda path, _canary: path.symlink_to(path.name),
    "dangling": lambda path, _canary: path.symlink_to("/no/such/place"),
    "fifo": lambda path, _canary: os.mkfifo(path),
    "socket": lambda path, _canary: make_socket(path),
    "file": lambda path, _canary: path.write_text("x"),
    "directory": lambda path, _canary: path.mkdir(),
    "device": lambda path, _canary: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 1)),
}


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        where = os.getcwd()
        os.chdir(path.parent)
        try:
            listener.bind(path.name)
        finally:
            os.chdir(where)


@pytest.fixture
def canary(scratch):
    canary = Canary(scratch / "canary")
    yield canary
    canary.check()


def everything(bundle, scratch):
    """A configuration that makes the runtime go to every place."""
    (scratch / "volume").mkdir()
    (scratch / "volume/file").write_text("x")
    bundle.mount("/dev/shm", "tmpfs", "shm", ["mode=1777"])
    bundle.mount("/sys", "sysfs", "sysfs", ["ro"])
    bundle.bind(scratch / "volume", "/target/below").mount("/tmp", "tmpfs", "tmpfs", ["tmpcopyup"])
    bundle.bind(scratch / "volume/file", "/file-target").bind(scratch / "volume", "/made/new")
    bundle.linux |= {"maskedPaths": ["/masked", "/proc/kcore"], "readonlyPaths": ["/readonly", "/proc/sys"],
                     "devices": [{"path": "/device", "type": "c", "major": 1, "minor": 3}]}
    for name in ("target/below", "work", "masked", "readonly", "made"):
        (bundle.rootfs / name).mkdir(parents=True)
    bundle.process["cwd"] = "/work"
    return bundle.args("/bin/busybox", "true")


def put(bundle, place, creature, canary):
    """Puts a creature in a place."""
    path = bundle.rootfs / place
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    CREATURES[creature](path, canary)


VARIANTS = ["root", "image-dev", "user-namespace"]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("creature", CREATURES)
@pytest.mark.timeout(60)
def test_zoo(make_bundle, runtime, scratch, canary, creature, variant):
    """It runs or it is refused; in either case nothing but the image itself may have changed."""
    for number, place in enumerate(PLACES):
        if not is_long() and (number + list(CREATURES).index(creature)) % 3 != VARIANTS.index(variant):
            continue
        bundle = everything(make_bundle(f"b{number}", applets=()), scratch)
        if variant == "image-dev":
            bundle.unmount("/dev", "/dev/pts", "/dev/shm")
        if variant == "user-namespace":
            bundle.user_namespace()
        put(bundle, place, creature, canary)
        result = runtime.run(bundle, limit=10)
        assert result.status in (0, 1, 126, 127), f"{place}: {result}"
        if result.status != 0:
            # Whoever reads it is told what was wrong, and with which file.
            assert result.stderr.startswith("hoy: ") or not is_hoy(), f"{place}: {result}"
        canary.check()
        shutil.rmtree(bundle.path)
        shutil.rmtree(scratch / "volume")


@pytest.mark.parametrize("target", ["/tmp", "CANARY", "../../../../../../proc", "self/fd", "proc"])
@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.hoy
def test_proc_and_sys_that_are_links(bundle, runtime, canary, name, target):
    """Nothing may start with a procfs elsewhere, which the masks would miss."""
    (bundle.rootfs / name).rmdir()
    (bundle.rootfs / name).symlink_to(str(canary.path / "proc") if target == "CANARY" else target)
    bundle.mount("/sys", "sysfs", "sysfs", ["ro"])
    runtime.create(bundle).fails("mounts[", f"/{name}")
    runtime("state", "c1").fails("does not exist")


@pytest.mark.parametrize("kind", ["fifo", "sparse", "zero", "directory", "long-line"])
@pytest.mark.parametrize("name", ["passwd", "group"])
def test_passwd_and_group_that_are_traps(bundle, runtime, name, kind):
    """They are read for HOME only, without waiting for anybody and up to a limit."""
    path = bundle.rootfs / "etc" / name
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "sparse":
        with open(path, "wb") as file:
            file.truncate(10 * 2**30)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "directory":
        path.mkdir()
    else:
        path.write_text("x" * 2**20 + ":" * 2**20 + "\n")
    result = runtime.run(bundle.args("/bin/echo", "ok"), limit=5)
    assert result.stdout == "ok\n" or result.status != 0


@pytest.mark.timeout(90)
def test_a_racing_volume(bundle, runtime, scratch, canary, racing):
    """Another container exchanges a directory and a link in a volume that this one mounts on."""
    volume = scratch / "volume"
    (volume / "a/b").mkdir(parents=True)
    (volume / "link").symlink_to(canary.path)
    bundle.bind(volume, "/volume").mount("/volume/a/sub", "tmpfs", "inner", ["nosuid"])
    bundle.linux["maskedPaths"] = ["/volume/a/sub", "/volume/a/etc"]
    bundle.linux["readonlyPaths"] = ["/volume/a/dev"]
    bundle.args("/bin/cat", "/proc/self/mountinfo").write()
    racing(volume / "a", volume / "link")
    deadline = time.monotonic() + (60 if is_long() else 3)
    while time.monotonic() < deadline:
        result = runtime("run", "--bundle", bundle.path, "c1")
        assert result.status in (0, 1), result
        if result.status == 0:
            points = [line.split()[4] for line in result.stdout.splitlines()]
            assert all(point.startswith(("/proc", "/dev", "/volume")) or point == "/" or
                       str(canary.path) in point for point in points), points
        canary.check()
    assert not [line for line in open("/proc/self/mountinfo") if str(canary.path) in line]
