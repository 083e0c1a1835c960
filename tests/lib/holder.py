"""Namespaces and networks made outside of any container, for containers to join."""

import contextlib
import os
import subprocess

from runtime import wait_until

# The option of unshare(1) for each kind of the specification, and the name in /proc/PID/ns.
KINDS = {"pid": "pid", "network": "net", "mount": "mnt", "ipc": "ipc", "uts": "uts", "user": "user",
         "cgroup": "cgroup", "time": "time"}
OPTIONS = {"network": "--net"}


class Holder:
    """A sleeping process in new namespaces."""

    def __init__(self, pid):
        self.pid = pid

    def path(self, kind):
        return f"/proc/{self.pid}/ns/{KINDS[kind]}"

    def link(self, kind):
        return os.readlink(self.path(kind))


def child_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = file.read().split()
    return int(children[0]) if children else None


@contextlib.contextmanager
def holding(*kinds, script=":", options=()):
    """New namespaces of these kinds, held by a process that has run the script in them first."""
    command = ["unshare", "--fork", "--kill-child", *options,
               *(OPTIONS.get(kind, f"--{kind}") for kind in kinds),
               "--", "/bin/sh", "-c", f"{script}; echo; exec sleep 1000"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.read(1) == b"\n"
            yield Holder(wait_until(lambda: child_of(process.pid), "the holder"))
        finally:
            process.kill()
