"""config.md, root; config-linux.md, rootfsPropagation."""

import contextlib
import os
import subprocess
from pathlib import Path

from suite import case, has, same


@case("config.root.path.absolute")
def absolute_path(t):
    other = t.make_bundle()
    other.file("/marker", "other")
    t.config["root"]["path"] = str(other.rootfs)
    same(t.sh("cat /marker"), "other")


@case("config.root.path.relative", "config.root.path.conventional",
      each={"plain": "fs0", "dot": "./fs0", "up": "../bundle/fs0"})
def relative_path(t, path):
    t.bundle.rootfs.rename(t.bundle.path / "fs0")
    t.config["root"]["path"] = path
    t.runs()


@case("config.root.readonly.true", each={"user": True, "plain": False})
def readonly(t, user_namespace):
    if user_namespace:
        t.bundle.user_namespace()
    t.config["root"]["readonly"] = True
    has("ro", t.probe("mountinfo").mount("/").options)
    same(t.call(("mkdir", "/x", 0o755)), ["EROFS"])
    (t.bundle.rootfs / "x").touch()


@case("config.root.readonly.default")
def writable(t):
    t.sh("touch /x")
    assert (t.bundle.rootfs / "x").exists()


@case("config.root.readonly.submounts")
def readonly_with_mounts(t):
    t.config["root"]["readonly"] = True
    t.bundle.mount("/newdir", "tmpfs", "tmpfs")
    same(t.call(("mkdir", "/newdir/x", 0o755), ("mkdir", "/x", 0o755)), ["", "EROFS"])


@contextlib.contextmanager
def shared_root(t):
    """The root as a mount of the host that shares, as it is where systemd has set it so."""
    rootfs = t.bundle.rootfs
    subprocess.run(["mount", "--bind", rootfs, rootfs], check=True)
    subprocess.run(["mount", "--make-shared", rootfs], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", rootfs], check=True)


def peers(t, value):
    t.linux["rootfsPropagation"] = value
    return t.probe("mountinfo").mount("/").peers


@case("linux.rootfsPropagation.private", "linux.rootfsPropagation.unbindable",
      each={"private": [], "unbindable": ["unbindable"]})
def propagation(t, expected):
    kind = "unbindable" if expected else "private"
    with shared_root(t):
        same(peers(t, kind), expected)
        t.bundle.capabilities("CAP_SYS_ADMIN")
        same(t.call(("mount", "/", "/tmp", "", 0x1000, 0)), ["EINVAL" if expected else ""])


@case("linux.rootfsPropagation.shared")
def propagation_shared(t):
    with shared_root(t):
        words = [word for word in peers(t, "shared") if word.startswith("shared:")]
        same(len(words), 1, "peer groups")
        assert f" {words[0]} " not in Path("/proc/self/mountinfo").read_text(), "a peer of the host"


@case("linux.rootfsPropagation.slave")
def propagation_slave(t):
    (t.bundle.rootfs / "late").mkdir()
    t.linux["rootfsPropagation"] = "slave"
    late = t.bundle.rootfs / "late"
    with shared_root(t), t.sleeping() as it:
        subprocess.run(["mount", "-t", "tmpfs", "late", late], check=True)
        try:
            has(" /late ", it.proc("mountinfo").read_text())
        finally:
            subprocess.run(["umount", late], check=True)


@case("linux.rootfsPropagation.unset", "linux.namespaces.type.mount")
def what_is_mounted_inside_stays_inside(t):
    t.bundle.capabilities("CAP_SYS_ADMIN")
    t.bundle.sh("mount -t tmpfs inside /tmp && echo done; sleep 1000")
    with shared_root(t), t.running() as it:
        while it.output != "done\n":
            os.kill(it.pid, 0)
        has(" - tmpfs inside ", it.proc("mountinfo").read_text())
        assert " - tmpfs inside " not in Path("/proc/self/mountinfo").read_text(), "the host has it"
