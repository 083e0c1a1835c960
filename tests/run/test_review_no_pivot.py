"""--no-pivot: the host's mounts stay below the root, but not a procfs or sysfs that would undo masks."""

import subprocess

import pytest

pytestmark = pytest.mark.hoy

# A procfs of its own, in namespaces of its own: the kernel grants it to whom it would show nothing new.
NEW_PROC = ("unshare -U -r -m -p -f /bin/sh -c 'id -u; mkdir -p /tmp/p; mount -t proc proc /tmp/p && echo "
            "mounted'")
REFUSED = ("0\n", "mount: permission denied (are you root?)\n")


@pytest.fixture
def masked(bundle):
    bundle.linux["maskedPaths"] = ["/proc/sys", "/proc/irq", "/proc/timer_list", "/sys/kernel"]
    bundle.mount("/sys", "sysfs", "sysfs", ["ro"])
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    return bundle


@pytest.mark.parametrize("user_namespace", [False, True])
def test_a_new_procfs_is_refused(masked, runtime, user_namespace):
    if user_namespace:
        masked.user_namespace()
    for options in ([], ["--no-pivot"]):
        result = runtime.sh(masked, NEW_PROC, *options)
        assert (result.stdout, result.stderr) == REFUSED


def test_views_in_odd_places_are_gone(masked, runtime, scratch):
    odd = scratch / "a b\\c"
    odd.mkdir()
    subprocess.run(["mount", "-t", "proc", "proc", odd], check=True)
    try:
        result = runtime.sh(masked, NEW_PROC, "--no-pivot")
        assert (result.stdout, result.stderr) == REFUSED
        assert subprocess.run(["mountpoint", "-q", odd]).returncode == 0
        assert subprocess.run(["mountpoint", "-q", "/proc"]).returncode == 0
    finally:
        subprocess.run(["umount", odd], check=True)


def test_the_containers_own_stay(masked, runtime):
    """And sysctls are written after theirs are gone, through a procfs of hoy's own."""
    masked.linux["sysctl"] = {"kernel.msgmax": "1234"}
    masked.linux["maskedPaths"] = []
    seen = runtime.probe(masked, "--no-pivot")
    assert {"/proc", "/sys", "/dev"} <= {mount.point for mount in seen.mounts()}
    assert runtime.sh(masked, "cat /proc/sys/kernel/msgmax", "--no-pivot").stdout == "1234\n"


def test_exec_into_it(masked, runtime):
    with runtime.sleeping(masked, "--no-pivot") as container:
        result = container.exec("--", "/bin/sh", "-c", "pwd; hostname; ls /proc/1/comm")
        assert result.ok().stdout == "/\nhoy-test\n/proc/1/comm\n"
