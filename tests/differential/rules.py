"""Why a field may differ: field (a pattern), runtime, reason, and what the two values must be like."""

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    field: str
    # "crun", "runc" or "both"
    runtime: str
    reason: str
    # Of hoy's value and the other one's; None stands for a field that is not there.
    fits: Callable = lambda ours, theirs: True
    # Where: natively with the runtimes of Debian 12, or in the VM with those of Debian 13; both if empty.
    only: str = ""


def missing_there(ours, theirs):
    return ours is not None and theirs is None


def missing_here(ours, theirs):
    return ours is None and theirs is not None


def words(text):
    return set((text or "").split())


def without(text, *patterns):
    """The words of a text but those that are one of the patterns."""
    return {word for word in words(text) if not any(re.fullmatch(one, word) for one in patterns)}


def says(text):
    """A refusal of the other one's, by what it says."""
    return lambda ours, theirs: ours is None and text in theirs


RULES = [
    # ---- what is refused ----
    Rule("refused", "both", "capabilities that are not permitted: hoy leaves them out with a warning",
         lambda ours, theirs: ours is None and re.search(r"capset:|apply caps", theirs)),
    Rule("refused", "crun", "its device program needs CAP_SYS_RESOURCE, which the kernel no longer asks",
         says("setrlimit"),
         only="native"),
    Rule("refused", "crun", "runbindable: nothing can be bound any more, its masks neither",
         says("Invalid argument")),
    Rule("refused", "runc", "rootfsPropagation unbindable: its own bind of the root is refused",
         says("error preparing rootfs"),
         only="native"),
    Rule("refused", "runc", "'defaults' is handed to tmpfs as data", says("data: defaults")),
    Rule("refused", "runc", "it cannot do without a /proc in the container", says("/proc/self/fd")),
    Rule("exit", "both", "a program that cannot be run: as a shell has it, hoy ends with 126 or 127",
         lambda ours, theirs: ours in (126, 127) and theirs == 1),

    # ---- process ----
    Rule("keyring", "runc", "the name of the session keyring is the runtime's own",
         lambda ours, theirs: theirs == f"_ses.{ours}"),
    Rule("env.HOME", "crun", "no HOME for a user without a line in passwd",
         lambda ours, theirs: (ours, theirs) == ("/", None),
         only="native"),
    Rule("personality", "runc", "not implemented", lambda ours, theirs: (ours, theirs) == (8, 0)),
    Rule("uname.machine", "runc", "no personality",
         lambda ours, theirs: (ours, theirs) == ("i686", "x86_64")),
    Rule("uname.domainname", "runc", "not implemented", lambda ours, theirs: theirs == "(none)"),

    # ---- devices ----
    Rule("devices./dev/core", "runc", "it does not make this link", missing_there,
         only="native"),
    Rule("devices./dev/*", "crun", "it makes links into a /proc that is not there",
         lambda ours, theirs: ours is None and "-> /proc/" in theirs),
    Rule("*/dev/mqueue*", "runc", "the ipc namespace is made with a group that nobody has inside",
         lambda ours, theirs: ours.split()[-1] == "0:0" and theirs.split()[-1] == "0:65534"),
    Rule("mounts./dev/*.flags", "crun", "devices bound in a user namespace are nosuid and noexec",
         lambda ours, theirs: words(theirs) - words(ours) == {"nosuid", "noexec"}, only="native"),

    # ---- what masks are made of ----
    Rule("mounts.*.flags", "both", "the tmpfs of a mask: hoy's is nosuid, nodev and noexec",
         lambda ours, theirs: words(ours) - words(theirs) == {"nosuid", "nodev", "noexec"} and
         "ro" in words(theirs)),
    Rule("mounts.*.source", "both", "the tmpfs of a mask has another name",
         lambda ours, theirs: (ours, theirs) == ("none", "tmpfs")),
    Rule("mounts.*.data", "both", "the tmpfs of a mask: hoy's holds nothing and is one for all",
         lambda ours, theirs: "nr_inodes=1" in words(ours) and without(ours, "mode=755", "size=0k",
                                                                      "nr_inodes=1", "r[ow]") ==
         without(theirs, "size=0k", "r[ow]")),
    Rule("mounts.*.mode", "both", "the tmpfs of a mask on a directory: theirs is for all to write",
         lambda ours, theirs: (ours, theirs) == ("0755 0:0", "1777 0:0")),
    Rule("mounts.*.flags", "crun", "the null of a mask is read-only, which nobody can tell",
         lambda ours, theirs: words(ours) ^ words(theirs) == {"ro", "rw"} and "rw" in words(ours)),
    Rule("mounts./proc/*.flags", "runc", "the null of a mask is the container's, not the host's",
         lambda ours, theirs: (ours, theirs) == ("relatime rw", "nosuid rw"),
         only="native"),
    Rule("mounts./proc/*", "runc", "the null of a mask is the container's, not the host's",
         lambda ours, theirs: re.search("devtmpfs|^dev$|/null|mode=755", ours) and
         re.search("tmpfs|ext4|ROOTFS|/dev/|mode=755|rw", theirs)),

    # ---- mounts ----
    Rule("mounts./sys.data", "runc", "read-only is asked of the file system as well",
         lambda ours, theirs: (ours, theirs) == ("rw", "ro")),
    Rule("mounts./sys/fs/cgroup.source", "crun", "the name of the cgroup mount is its type",
         lambda ours, theirs: theirs == "cgroup2"),
    Rule("mounts./m.data", "both", "the mode is an option of hoy's mount, and a chmod of runc's",
         lambda ours, theirs: without(ours, "mode=\\d+") == words(theirs),
         only="native"),
    Rule("mounts./m.mode", "crun", "a tmpfs without mode= is for all, whatever it covers",
         lambda ours, theirs: theirs == "1777 0:0",
         only="native"),
    Rule("mounts./m.propagation", "crun", "shared and unbindable of a mount are undone later",
         lambda ours, theirs: ours in ("shared", "unbindable") and theirs == ""),
    Rule("mounts./.propagation", "runc", "the propagation of the old root, not of the new one",
         lambda ours, theirs: (ours, theirs) == ("shared", "")),
    Rule("mounts./*.propagation", "crun", "rshared of the root is meant for all its mounts",
         lambda ours, theirs: (ours, theirs) == ("", "shared")),

    Rule("mounts.*.flags", "both", "flags of the mount that is bound: hoy adds to them, they replace them",
         lambda ours, theirs: words(ours) - words(theirs) <= {"nosuid", "nodev"} and
         words(theirs) < words(ours), only="vm"),
    Rule("mounts./proc/*.flags", "both", "the null of a mask is the container's, or read-only",
         lambda ours, theirs: without(ours, "relatime", "r[ow]") >= without(theirs, "relatime", "r[ow]"),
         only="vm"),
    Rule("mounts./dev/*.flags", "crun", "devices bound in a user namespace are noexec",
         lambda ours, theirs: words(theirs) - words(ours) == {"noexec"}, only="vm"),
    Rule("mounts.*.propagation", "both", "slave of the host's mount, as asked",
         lambda ours, theirs: "master" in words(ours) and words(theirs) == words(ours) - {"master"},
         only="vm"),
    Rule("mounts./m.propagation", "crun", "shared of a mount is undone later",
         lambda ours, theirs: (ours, theirs) == ("master shared", ""), only="vm"),
    Rule("mounts./.propagation", "runc", "unbindable of the root is undone later",
         lambda ours, theirs: (ours, theirs) == ("unbindable", ""), only="vm"),
    Rule("mounts.*.propagation", "both", "binds of the host's devices stay slaves of its /dev",
         lambda ours, theirs: (ours, theirs) == ("", "master"), only="vm"),
    Rule("mounts./sys/fs/cgroup.data", "both", "without a cgroup namespace they mount the tree anew",
         lambda ours, theirs: words(theirs) < words(ours), only="vm"),
    Rule("mounts./sys/fs/cgroup.source", "runc", "the name of the cgroup mount is its type in config.json",
         lambda ours, theirs: (ours, theirs) == ("cgroup2", "cgroup"), only="vm"),
    Rule("refused", "runc", "a root on a mount without devices cannot have a null of its own",
         says("reopening /dev/null"), only="vm"),

    # ---- cgroup ----
    Rule("cgroup.cpu.weight*", "both", "the formula for cpu.shares before runc 1.3 and crun 1.23",
         lambda ours, theirs: (ours, theirs) in (("59", "20"), ("2", "7")), only="vm"),
    Rule("cgroup.cgroup.controllers", "crun", "rdma is not among those that it enables",
         lambda ours, theirs: words(ours) - words(theirs) == {"rdma"}, only="vm"),
    Rule("cgroup.*", "both", "they enable every controller there is, hoy those that limits need",
         missing_here),
    Rule("cgroup.cgroup.controllers", "both", "they enable every controller there is",
         lambda ours, theirs: words(ours) < words(theirs)),
    Rule("mounts./sys/fs/cgroup.root", "both", "without a cgroup namespace they show the whole tree",
         lambda ours, theirs: (ours, theirs) == ("CGROUP", "/")),
    Rule("mounts./sys/fs/cgroup.source", "both", "without a cgroup namespace hoy's is a bind",
         lambda ours, theirs: ours == "none", only="native"),
    Rule("mounts./sys/fs/cgroup.mode", "both", "the root of the whole tree has another mode",
         lambda ours, theirs: (ours, theirs) == ("0755 0:0", "0555 0:0")),
    Rule("cgroup.*", "both", "the root of the whole tree has other files", missing_there),
    Rule("cgroup.cgroup.subtree_control", "both", "it is that of the root of the whole tree",
         lambda ours, theirs: ours == ""),
    Rule("mounts./sys/fs/cgroup.mode", "crun", "a user namespace is given a cgroup it may not write",
         lambda ours, theirs: (ours, theirs) == ("0755 65534:65534", "0755 0:0")),
]
