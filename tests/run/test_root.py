"""config.md, root, and config-linux.md, rootfsPropagation: the container's root and what it hides."""

import os
import subprocess
from pathlib import Path

import pytest

req = pytest.mark.req


@req("config.root.path.absolute")
def test_absolute_path(bundle, make_bundle, runtime):
    other = make_bundle()
    other.file("/marker", "other")
    bundle.config["root"]["path"] = str(other.rootfs)
    assert runtime.sh(bundle, "cat /marker").ok().stdout == "other"


@req("config.root.path.relative", "config.root.path.conventional")
@pytest.mark.parametrize("path", ["fs0", "./fs0", "../bundle/fs0", "fs0/", "fs0/../fs0/."])
def test_relative_path(bundle, runtime, path):
    bundle.rootfs.rename(bundle.path / "fs0")
    bundle.config["root"]["path"] = path
    assert runtime.run(bundle.args("/bin/echo", "ok")).ok().stdout == "ok\n"


@req("config.root.path.relative")
def test_the_bundle_itself_as_root(bundle, runtime):
    for entry in bundle.rootfs.iterdir():
        entry.rename(bundle.path / entry.name)
    bundle.config["root"]["path"] = "."
    assert runtime.run(bundle.args("/bin/echo", "ok")).ok().stdout == "ok\n"


@req("config.root.path.exists", "bundle.rootfs.present", "errors.no-residue")
@pytest.mark.parametrize("kind, words", [
    ("missing", "No such file or directory"), ("file", "Not a directory"),
    ("dangling", "No such file or directory")])
def test_path_that_is_no_directory(bundle, runtime, kind, words):
    bundle.config["root"]["path"] = kind
    if kind == "file":
        (bundle.path / kind).touch()
    if kind == "dangling":
        (bundle.path / kind).symlink_to("nowhere")
    runtime.refuses(bundle, "root.path", kind, words)
    assert not bundle.cgroup.exists()


@req("config.root.required", "config.root.path.required")
@pytest.mark.hoy
@pytest.mark.parametrize("root, word", [(None, "root"), ({}, "root"), ({"path": 7}, "root.path")])
def test_root_is_required(bundle, runtime, root, word):
    del bundle.config["root"]
    if root is not None:
        bundle.config["root"] = root
    runtime.refuses(bundle, word)


@req("config.root.readonly.true")
@pytest.mark.parametrize("user_namespace", [False, True])
def test_readonly(bundle, runtime, user_namespace):
    if user_namespace:
        bundle.user_namespace()
    bundle.config["root"]["readonly"] = True
    assert "ro" in runtime.probe(bundle).mount("/").options
    assert "Read-only file system" in runtime.sh(bundle, "touch /x").stderr
    (bundle.rootfs / "x").touch()


@req("config.root.readonly.default")
def test_writable_by_default(bundle, runtime):
    runtime.sh(bundle, "touch /x").ok()
    assert (bundle.rootfs / "x").exists()


@req("config.root.readonly.submounts")
def test_readonly_leaves_mounts_writable(bundle, runtime):
    bundle.config["root"]["readonly"] = True
    bundle.mount("/newdir", "tmpfs", "tmpfs")
    result = runtime.sh(bundle, "touch /newdir/x && echo made; touch /x || echo refused")
    assert result.stdout == "made\nrefused\n"


# ---- what is hidden ----

def test_only_its_own_mounts(bundle, runtime):
    """In order; nothing of the host but the root's own file system."""
    assert [mount.point for mount in runtime.probe(bundle).mounts()] == ["/", "/proc", "/dev",
                                                                         "/dev/pts"]


def test_the_old_root_is_out_of_reach(bundle, runtime, scratch):
    """Not even a process with every privilege finds a way up."""
    (scratch / "secret").write_text("secret")
    bundle.capabilities(*(f"CAP_{name}" for name in (
        "SYS_CHROOT", "SYS_ADMIN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "SYS_PTRACE")))
    script = f"""
        cat {scratch}/secret ../../../../../../{scratch}/secret /proc/1/root{scratch}/secret
        for fd in /proc/1/fd/*; do cat $fd{scratch}/secret $fd/../../../..{scratch}/secret; done
        mkdir /jail && chroot /jail /bin/sh 2>/dev/null
        umount -l / && cat {scratch}/secret
        exit 0"""
    result = runtime.sh(bundle, script)
    assert "secret" not in result.ok().stdout


def test_chroot_and_up(bundle, runtime, scratch):
    """The classical way out of a chroot ends at the container's root."""
    (bundle.rootfs / "jail").mkdir()
    bundle.file("/marker")
    bundle.capabilities("CAP_SYS_CHROOT")
    calls = [("chroot", "/jail")] + [("chdir", "..")] * 40 + [("access", "marker", 0),
                                                             ("access", "run", 0)]
    errors = runtime.call(bundle, *calls)
    assert errors[-2:] == ["", "ENOENT"]


@pytest.mark.hoy
def test_no_pivot(bundle, runtime, scratch):
    (scratch / "secret").write_text("secret")
    bundle.capabilities("CAP_SYS_CHROOT", "CAP_SYS_ADMIN")
    result = runtime.sh(bundle, f"cat {scratch}/secret /proc/1/root{scratch}/secret; pwd; hostname",
                        "--no-pivot")
    assert result.ok().stdout == "/\nhoy-test\n"


def test_root_without_directories_for_its_mounts(bundle, runtime):
    for name in ("proc", "dev", "sys"):
        (bundle.rootfs / name).rmdir()
    runtime.probe(bundle)
    assert (bundle.rootfs / "proc").stat().st_mode & 0o7777 == 0o755


def test_the_runtimes_mounts_are_left_alone(bundle, runtime):
    before = Path("/proc/self/mountinfo").read_text()
    with runtime.created(bundle) as container:
        assert Path("/proc/self/mountinfo").read_text() == before
        container.start().ok()
        container.wait()
    assert Path("/proc/self/mountinfo").read_text() == before


def test_a_root_that_is_a_mount_point_of_its_own(bundle, runtime, scratch):
    """As engines prepare it: an overlay, or a bind."""
    subprocess.run(["mount", "--bind", bundle.rootfs, bundle.rootfs], check=True)
    try:
        assert runtime.probe(bundle).mount("/").options[0] == "rw"
    finally:
        subprocess.run(["umount", bundle.rootfs], check=True)


def test_a_root_with_mounts_below(bundle, runtime):
    (bundle.rootfs / "below").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "below", bundle.rootfs / "below"], check=True)
    try:
        assert runtime.probe(bundle).mount("/below").source == "below"
    finally:
        subprocess.run(["umount", bundle.rootfs / "below"], check=True)


# ---- propagation ----

def peers(runtime, bundle, value, **keywords):
    if value:
        bundle.linux["rootfsPropagation"] = value
    return [word.split(":")[0] for word in runtime.probe(bundle, **keywords).mount("/").peers]


@req("linux.rootfsPropagation.private")
def test_private(bundle, runtime):
    assert peers(runtime, bundle, "private") == []


@req("linux.rootfsPropagation.unbindable")
@pytest.mark.hoy
def test_unbindable(bundle, runtime):
    assert peers(runtime, bundle, "unbindable") == ["unbindable"]
    bundle.capabilities("CAP_SYS_ADMIN")
    assert runtime.call(bundle, ("mkdir", "/x", 0o755), ("mount", "/", "/x", "", 0x1000, 0))[1] == \
        "EINVAL"


@req("linux.rootfsPropagation.shared")
@pytest.mark.hoy
def test_shared_is_a_new_peer_group(bundle, runtime):
    bundle.linux["rootfsPropagation"] = "shared"
    words = runtime.probe(bundle).mount("/").peers
    assert len(words) == 1 and words[0].startswith("shared:")
    assert f" {words[0]} " not in Path("/proc/self/mountinfo").read_text()


@req("linux.rootfsPropagation.slave")
@pytest.mark.parametrize("value, arrives", [("slave", True), ("private", False)])
@pytest.mark.hoy
def test_slave_receives_the_hosts_mounts(bundle, runtime, value, arrives):
    """A mount that the host makes below the root's source appears inside, and not the reverse."""
    bundle.linux["rootfsPropagation"] = value
    (bundle.rootfs / "late").mkdir()
    subprocess.run(["mount", "--bind", bundle.rootfs, bundle.rootfs], check=True)
    subprocess.run(["mount", "--make-shared", bundle.rootfs], check=True)
    try:
        bundle.capabilities("CAP_SYS_ADMIN")
        bundle.sh("mount -t tmpfs inside /tmp; echo; sleep 1000")
        with runtime.running(bundle) as container:
            while not container.output:
                pass
            subprocess.run(["mount", "-t", "tmpfs", "late", bundle.rootfs / "late"], check=True)
            try:
                inside = container.proc("mountinfo").read_text()
            finally:
                subprocess.run(["umount", bundle.rootfs / "late"], check=True)
            assert (" /late " in inside) == arrives
            assert " - tmpfs inside" in inside
            assert " - tmpfs inside" not in Path("/proc/self/mountinfo").read_text()
    finally:
        subprocess.run(["umount", bundle.rootfs], check=True)


@req("linux.rootfsPropagation.unset")
def test_no_mount_is_a_peer_of_the_hosts(bundle, runtime, scratch):
    """Not even when all of the host's are shared, as systemd makes them."""
    (scratch / "data").mkdir()
    bundle.bind(scratch / "data", "/data").bind(scratch / "data", "/more", "rbind")
    runtime.wrapper = ["unshare", "--mount", "--propagation", "shared", "--"]
    for mount in runtime.probe(bundle).mounts():
        assert not [word for word in mount.peers if word.startswith("shared:")], mount


@req("linux.rootfsPropagation.unknown")
def test_unknown_propagation(bundle, runtime):
    bundle.linux["rootfsPropagation"] = "foo"
    runtime.refuses(bundle, "linux.rootfsPropagation", "foo")


def test_a_root_below_a_directory_that_only_its_owner_enters(bundle, runtime):
    """With a user namespace: the container's root user cannot walk to its own root on the host."""
    bundle.user_namespace()
    bundle.path.chmod(0o700)
    os.chown(bundle.path, 0, 0)
    assert runtime.run(bundle.args("/bin/echo", "ok")).ok().stdout == "ok\n"
