"""Finds what a test has left behind: processes, mounts, cgroups, state, descriptors.

Only what is ours counts: processes that have become our children (we are their subreaper), mounts of our
own mount namespace, cgroups below our own one, our own descriptors. Nothing is matched by name.
"""

import contextlib
import ctypes
import os
import signal
import stat
import time
from pathlib import Path

from bundle import CGROUP2
from pace import SLOWER

PATIENCE_SECONDS = 2 * SLOWER
PR_SET_CHILD_SUBREAPER = 36
MNT_DETACH = 2
libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper():
    """From now on whatever a command of ours leaves behind becomes our child."""
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def children():
    """Our children, by pid; each with its state and its name."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            pids = (task / "children").read_text().split()
        except OSError:  # a thread that has ended
            continue
        for pid in pids:
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/stat").read_text()
                name, rest = text[text.index("(") + 1:].rsplit(")", 1)
                found[int(pid)] = (rest.split()[0], name)
    return found


def reap(is_wanted=lambda pid: True):
    """Reaps ended processes that we have inherited; those that subprocess waits for are not wanted."""
    for pid, (state, _name) in children().items():
        if state == "Z" and is_wanted(pid):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def mounts():
    """The mount points of our namespace with the ids of their mounts, in order."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [(fields[0], fields[4]) for fields in (line.split() for line in lines)]


def descriptors():
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


def cgroups(top):
    """The cgroups below one, the deepest first."""
    return [Path(directory) for directory, _names, _files in os.walk(top, topdown=False)
            if Path(directory) != top]


def containers(state_root):
    """What stands in a state root but the caches, which begin with a dot."""
    if not state_root.exists():
        return []
    return sorted(entry.name for entry in state_root.iterdir() if not is_cache(entry))


def is_cache(entry):
    return entry.name in (".cache", ".seccomp", "..seccomp")


def devices():
    """Who owns the host's own devices: what a container is given of them must not become its own."""
    found = {}
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        status = os.stat(f"/dev/{name}")
        found[name] = (status.st_uid, status.st_gid, status.st_mode)
    return found


class Watch:
    """What there was before a test. finish() says what there is too much after it, and removes it."""

    def __init__(self, cgroup, state_root):
        self.cgroup = Path(cgroup)
        self.state_root = Path(state_root)
        self.mounts = mounts()
        self.descriptors = descriptors()
        self.children = set(children())
        self.devices = devices()

    def processes(self):
        reap()
        return {pid: what for pid, what in children().items() if pid not in self.children}

    def found(self):
        """All that is too much now, a line for each."""
        lines = [f"process {pid} ({state} {name})"
                 for pid, (state, name) in self.processes().items()]
        lines += [f"mount {point}" for mount in mounts() if mount not in self.mounts
                  for _id, point in [mount]]
        # A directory that somebody else removes takes the mounts on it along, in every namespace.
        lines += [f"mount {point} is gone" for mount in self.mounts if mount not in mounts()
                  for _id, point in [mount] if os.path.exists(point)]
        lines += [f"cgroup {path}" for path in cgroups(self.cgroup)]
        lines += [f"state {name}" for name in containers(self.state_root)]
        lines += [f"descriptor {fd} {target}" for fd, target in descriptors().items()
                  if fd not in self.descriptors and not target.startswith("/proc/")]
        lines += [f"the host's /dev/{name} is now {now}" for name, now in devices().items()
                  if now != self.devices[name] and now[:2] != (0, 0)]
        return lines

    def finish(self):
        """Returns what stays although it has had time to go; nothing of it is there afterwards."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := self.found()) and time.monotonic() < deadline:
            time.sleep(0.01)
        if found:
            self.remove()
        return found

    def remove(self):
        for name, (uid, gid, mode) in self.devices.items():
            os.chown(f"/dev/{name}", uid, gid)
            os.chmod(f"/dev/{name}", stat.S_IMODE(mode))
        for cgroup in cgroups(self.cgroup):
            with contextlib.suppress(OSError):
                (cgroup / "cgroup.kill").write_text("1")
        for _round in range(10):
            for pid in self.processes():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        for mount in reversed(mounts()):
            if mount not in self.mounts:
                libc.umount2(os.fsencode(mount[1]), MNT_DETACH)
        remove_cgroups(self.cgroup)
        remove_tree(self.state_root)


def remove_cgroups(top):
    """Removes all cgroups below one."""
    for cgroup in cgroups(top):
        with contextlib.suppress(OSError):
            cgroup.rmdir()


def remove_tree(top):
    """Removes a directory with what is in it."""
    for directory, names, files in os.walk(top, topdown=False):
        for name in names + files:
            path = os.path.join(directory, name)
            with contextlib.suppress(OSError):
                (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.unlink)(path)
    with contextlib.suppress(OSError):
        os.rmdir(top)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pid_namespace():
    """The number of ours: in another one a pid says nothing."""
    return os.stat("/proc/self/ns/pid").st_ino


def remove_dead_runs(prefix, *directories):
    """Removes what killed runs of these tests have left: PREFIX.PID.NUMBER.NAMESPACE of a dead PID."""
    for directory in map(Path, directories):
        for path in directory.glob(f"{prefix}.*.{pid_namespace()}"):
            pid = path.name[len(prefix) + 1:].split(".")[0]
            if not pid.isdigit() or is_alive(int(pid)):
                continue
            if directory == CGROUP2:
                with contextlib.suppress(OSError):
                    (path / "cgroup.kill").write_text("1")
                remove_cgroups(path)
                with contextlib.suppress(OSError):
                    path.rmdir()
            else:
                remove_tree(path)
