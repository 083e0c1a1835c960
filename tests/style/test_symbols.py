"""What the object files call: only what is safe where they run."""

import json
import re
import subprocess

import pytest

from conftest import TOP

ALLOWED = TOP / "tests/style/init-symbols.txt"

# These follow symbolic links and races wherever the path leads; everything beneath a hostile root
# goes by descriptor, and the rest can do so as well.
BY_PATH = set("""
    access chdir chmod chown chroot creat fopen ftw lchown link lstat mkdir mkfifo mknod mount nftw
    opendir pivot_root readlink realpath remove rename rmdir scandir stat statfs symlink
    truncate umount umount2 unlink
""".split())

# source file: the calls by path that it may make, and why
BY_PATH_ALLOWED = {
    # The container's cwd is a path by its nature; getcwd(2) then tells whether it lies inside.
    "init/confine.c": {"chdir"},
    # The target is a link of the verified procfs to a descriptor; mount(2) for long options only.
    "init/mounts.c": {"mount"},
    # The same for one that is taken out.
    "init/running_mounts.c": {"umount2"},
    # The host's mounts, by the names that mountinfo has for them.
    "init/host_views.c": {"umount2"},
    # They take nothing but "." and "/".
    "init/root.c": {"chdir", "chroot", "umount2"},
    # The caller's own words, on the host's side: bundle, root and sources of mounts.
    "runtime/creation.c": {"stat"},
    # The program criu, by PATH.
    "runtime/criu.c": {"access", "stat"},
    "runtime/input.c": {"realpath", "stat"},
    # Mounts made in the runtime's own namespace, for a container without one.
    "runtime/host_mounts.c": {"umount2"},
    # A mount namespace of its own, for CRIU: all of it private, binds by their descriptors.
    "runtime/restore_root.c": {"mount", "umount2"},
    # The host's newuidmap and its /etc/passwd.
    "runtime/maps.c": {"stat"},
    "runtime/state.c": {"fopen"},
}

# The plan is pure: it neither asks the system nor changes it.
IMPURE = set("""
    clock_gettime close fcntl fopen fork fprintf fstat getegid getenv geteuid getgid getpid getuid
    ioctl open openat prctl pread printf pwrite read readlinkat secure_getenv stat statx syscall
    time write
""".split())


def objects(build, *layers):
    """The object files of src/libhoy/LAYER/, by source file. A file built twice is taken once."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = (build / entry["file"]).resolve()
        if path.is_relative_to(TOP) and str(path.relative_to(TOP)).startswith(
                tuple(f"src/libhoy/{layer}/" for layer in layers)):
            found[str(path.relative_to(TOP))] = build / entry["output"]
    return found


def undefined(*object_files):
    """The symbols that object files leave open; fortified and 64-bit names as the plain ones."""
    output = subprocess.run(["nm", "-u", "--format=posix", *object_files], check=True,
                            capture_output=True, text=True).stdout
    names = {line.split()[0] for line in output.splitlines() if " U" in line}
    return {re.sub(r"^__(\w+)_chk$", r"\1", name).removesuffix("64") for name in names}


def allowed(source):
    return BY_PATH_ALLOWED.get(source.removeprefix("src/libhoy/"), set())


def test_init_calls_only_what_is_safe_after_clone(build, tmp_path):
    found = objects(build, "sys", "init")
    if not any(name.startswith("src/libhoy/init/") for name in found):
        pytest.fail("no object files of init/ in the build")
    linked = tmp_path / "init.o"
    subprocess.run(["ld", "-r", "-o", linked, *found.values()], check=True)
    safe = {line for line in ALLOWED.read_text().splitlines() if not line.startswith("#")}
    wrong = sorted(undefined(linked) - safe)
    assert not wrong, ", ".join(wrong)


def test_nothing_takes_paths_that_can_be_redirected(build):
    wrong = []
    core = objects(build, "sys", "init", "plan", "cgroup", "state", "runtime")
    for source, object_file in core.items():
        for name in sorted(undefined(object_file) & BY_PATH - allowed(source)):
            wrong.append(f"{source} calls {name}()")
    assert not wrong, "\n".join(wrong)


def test_plan_does_no_input_or_output(build):
    wrong = [f"{source} calls {name}()"
             for source, object_file in objects(build, "plan").items()
             for name in sorted(undefined(object_file) & IMPURE)]
    assert not wrong, "\n".join(wrong)


def test_the_list_is_sorted():
    lines = [line for line in ALLOWED.read_text().splitlines() if line and not line.startswith("#")]
    assert lines == sorted(set(lines))
