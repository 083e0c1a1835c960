#!/usr/bin/env python3
"""boots.py RESULTS [-- PYTEST-ARGUMENT...]: runs the tests that need a machine of their own: each row of
BOOTS is a virtual machine (tests/vm) with the files of tests that need what it has, two at a time.
Writes RESULTS/NAME.xml (JUnit) for each. HOY_BOOTS names some rows, to run only those.

The status is 0, 1 if a test has failed, 2 if a machine has ended without results.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/lib"))

import bundle  # noqa: E402
from runtime import program  # noqa: E402

UNIT = TOP / "build/test-sanitized/tests/unit/test_cgroup_controllers"
EVERYWHERE = ["values", "memory", "cpu", "io", "pids", "update", "look", "delegation", "controllers",
              "rootless", "apparmor"]
# Of what is run natively, that of which the newer calls have come with the kernel.
NEWER = [f"tests/run/test_{name}.py" for name in ("overlay", "mount_options", "mounts", "rootless")]
ENGINES = ["--flavour=systemd", "--with=engines"]
# name: (options of `tests/vm/vm run`, tests). The longest first.
BOOTS = {
    # Three runtimes a test, of which one takes seconds in here.
    "peers": (["--kernel=6.12", "--timeout=2100"], ["tests/differential"]),
    "6.12": (["--kernel=6.12", "--numa", "--disk=64M", "--modules=loop,bfq"],
             [*EVERYWHERE, "scale", "elsewhere",
              "tests/conformance/test_bundles.py::test_with_hoy[cgroup-limits]"]),
    "systemd": (ENGINES, ["systemd", "callers", "engines"]),
    "podman": ([*ENGINES, "--timeout=2100"],
               ["tests/engines/test_podman.py", "tests/engines/test_podman_callers.py"]),
    "engines": ([*ENGINES, "--timeout=2100"],
                ["tests/engines/test_docker.py", "tests/engines/test_containerd.py",
                 "tests/engines/test_undo.py"]),
    "checkpoint": (ENGINES, ["checkpoint", "checkpoint_engines"]),
    "6.1": (["--kernel=6.1", "--numa", "--disk=64M", "--modules=loop,bfq"], EVERYWHERE),
    "selinux": (["--with=lsm", "--append=security=selinux selinux=1 enforcing=0"], ["selinux"]),
    "run-6.12": (["--kernel=6.12", "--modules=overlay", "--timeout=2100"], NEWER),
    "run-6.1": (["--kernel=6.1", "--modules=overlay", "--timeout=2100"], NEWER),
}
# Where tests have their files: /tmp is in memory, and tmpfs has mapped ids only since Linux 6.3.
ON_DISK = ("run-6.12", "run-6.1")
AT_ONCE = 2
# QEMU trips over kernels that patch themselves, now and then: that says nothing about hoy.
VM_FAILED = 125
TRIES = 3
LIMIT_SECONDS = 1200
# What the tests of engines run in hoy's place, for comparison.
RUNTIME = os.environ.get("HOY_RUNTIME", "hoy")
# In the VM: the probe and what it is made by come from here, since no compiler is there.
GUEST = """
umask 022
export TMPDIR=$1
shift
[ "$TMPDIR" = /tmp ] || mount -o remount,relatime /
cp -a /work/cache "$TMPDIR/hoy-test-cache-0"
install -m 755 /work/hoy /usr/local/bin/hoy
export HOY=/usr/local/bin/hoy
exec "$@"
"""


def add_unit_tests(archive):
    """The one program of them that needs controllers, with the libraries that are not there."""
    archive.add(UNIT, f"unit/{UNIT.name}")
    for line in subprocess.run(["ldd", UNIT], check=True, text=True,
                               capture_output=True).stdout.splitlines():
        name, arrow, place = (line.split() + [None] * 3)[:3]
        if arrow == "=>" and not name.startswith(("libc.", "libm.")):
            archive.add(os.path.realpath(place), f"unit/{name}")


def pack(path):
    """What goes into every machine: the program, the tests, and what the tests would compile."""
    with tempfile.TemporaryDirectory() as directory, tarfile.open(path, "w") as archive:
        cache = Path(directory) / "cache"
        cache.mkdir(mode=0o700)
        shutil.copy2(bundle.probe(), cache)
        bundle.syscalls()
        shutil.copy2(bundle.cache_directory() / "syscalls.json", cache)
        archive.add(cache, "cache")
        archive.add(program(), "hoy")
        for name in ("lib", "cgroup", "conformance", "differential", "engines", "run"):
            archive.add(TOP / "tests" / name, f"tests/{name}")
        for name in ("contrib/conformance", "bundles"):
            archive.add(TOP / name, name)
        if UNIT.exists():
            add_unit_tests(archive)


def tests(name):
    """What pytest is told: a path, or the topic of a file beside this one."""
    return name if "/" in name else f"tests/cgroup/test_{name}.py"


def run(name, work, results, arguments):
    """Runs one boot. Returns its status."""
    options, files = BOOTS[name]
    out = results / f"{name}.tar"
    command = [TOP / "tests/vm/vm", "run", f"--timeout={LIMIT_SECONDS}", *options, "--work", work,
               "--out", out, "--", "env", f"HOY_RUNTIME={RUNTIME}", "sh", "-c", GUEST, "sh",
               "/var/tmp" if name in ON_DISK else "/tmp", "python3", "-B", "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider",
               "--junitxml=/out/junit.xml", *arguments, *map(tests, files)]
    for _ in range(TRIES):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        print(f"-- {name}\n{done.stdout}", end="", flush=True)
        if done.returncode != VM_FAILED:
            break
    if out.exists():
        with tarfile.open(out) as archive, archive.extractfile("./junit.xml") as text:
            (results / f"{name}.xml").write_bytes(text.read())
        out.unlink()
    return done.returncode


def main():
    results = Path(sys.argv[1])
    arguments = sys.argv[sys.argv.index("--") + 1:] if "--" in sys.argv else []
    names = os.environ.get("HOY_BOOTS", " ".join(BOOTS)).split()
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(AT_ONCE) as pool:
        work = Path(directory) / "work.tar"
        pack(work)
        codes = list(pool.map(lambda name: run(name, work, results, arguments), names))
    if any(code > 1 for code in codes):
        return 2
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
