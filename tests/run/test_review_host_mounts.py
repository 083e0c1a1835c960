"""A container without a mount namespace: what hoy mounts on the host is undone, and nothing else is."""

import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.hoy


def points(path):
    """The mount points at and below a path, in order."""
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()
            if f"{line.split()[4]}/".startswith(f"{path}/")]


@pytest.fixture
def shared(bundle):
    """Mounts are the host's."""
    return bundle.without_namespace("mount")


@pytest.fixture
def mounted(scratch):
    """A mount of the host that is none of the container's business."""
    victim = scratch / "victim"
    (victim / "x").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "victim", victim / "x"], check=True)
    yield victim
    while points(victim):
        subprocess.run(["umount", victim / "x"], check=True)


def test_readonly_root(shared, runtime):
    shared.config["root"]["readonly"] = True
    assert "Read-only file system" in runtime.sh(shared, "touch /x").stderr
    assert points(shared.path) == []
    (shared.rootfs / "x").touch()


def test_masked_and_readonly_paths(shared, runtime):
    shared.linux["maskedPaths"] = ["/etc/passwd", "/home", "/missing"]
    shared.linux["readonlyPaths"] = ["/usr", "/missing"]
    result = runtime.sh(shared, "cat /etc/passwd; ls /home; touch /usr/x")
    assert result.stdout == "" and "Read-only file system" in result.stderr
    assert points(shared.path) == []


def test_console(shared, runtime, scratch):
    shared.process["terminal"] = True
    subprocess.run(["script", "-qec", " ".join(runtime.command("run", "-b", str(shared.write()), "c1")),
                    "/dev/null"], check=True, stdout=subprocess.DEVNULL, timeout=20)
    assert points(shared.path) == []


def test_two_mounts_at_one_place(shared, runtime):
    shared.mount("/tmp", "tmpfs", "one").mount("/tmp", "tmpfs", "two").mount("/tmp/in", "tmpfs", "three")
    with runtime.created(shared) as container:
        assert points(shared.rootfs / "tmp") == [str(shared.rootfs / "tmp")] * 2 + [
            str(shared.rootfs / "tmp/in")]
        container.delete("--force").ok()
    assert points(shared.path) == []


@pytest.mark.parametrize("target", ["absolute", "relative"])
def test_delete_follows_no_link_out_of_the_root(shared, runtime, mounted, target):
    """The container puts a link where the mount point's parent was."""
    shared.mount("/d/x", "tmpfs", "tmpfs")
    link = mounted if target == "absolute" else "../" * 20 + str(mounted).lstrip("/")
    shared.sh(f"mv /d /e && ln -s {link} /d && sleep 1000")
    with runtime.running(shared) as container:
        for _try in range(500):
            if (shared.rootfs / "d").is_symlink():
                break
            container.status
        container.delete("--force").ok()
    assert points(mounted) == [str(mounted / "x")]
    subprocess.run(["umount", shared.rootfs / "e/x"], check=True)


def test_what_was_mounted_before_stays(shared, runtime, mounted):
    """Also if the create that was to mount over it has failed on its way there."""
    subprocess.run(["mount", "--bind", mounted / "x", shared.rootfs / "home"], check=True)
    try:
        shared.mount("/missing", "nosuchfs", "x").mount("/home", "tmpfs", "tmpfs")
        runtime.create(shared).fails("nosuchfs")
        assert points(shared.path) == [str(shared.rootfs / "home")]
        shared.unmount("/missing")
        runtime.run(shared.args("/bin/true")).ok()
        assert points(shared.path) == [str(shared.rootfs / "home")]
    finally:
        subprocess.run(["umount", shared.rootfs / "home"], check=True)


def test_a_remount_is_not_unmounted(shared, runtime, mounted):
    subprocess.run(["mount", "--bind", mounted / "x", shared.rootfs / "home"], check=True)
    try:
        shared.mount("/home", options=["remount", "bind", "ro"])
        runtime.run(shared.args("/bin/true"))
        assert points(shared.path) == [str(shared.rootfs / "home")]
    finally:
        subprocess.run(["umount", shared.rootfs / "home"], check=True)
