"""features.md, features-linux.md: the document, and that what it names is so."""

import json
import re
import sys

from bundle import rule
from state_document import SEMVER
from suite import Skip, case, document, has, same

TOP = {"ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux", "annotations",
       "potentiallyUnsafeConfigAnnotations"}
LINUX = {"namespaces", "capabilities", "cgroup", "seccomp", "apparmor", "selinux", "intelRdt",
         "memoryPolicy", "mountExtensions", "netDevices"}
SECCOMP = {"enabled", "actions", "operators", "archs", "knownFlags", "supportedFlags"}


def features(t):
    """The command is no part of the specification: without it there is nothing to look at."""
    result = t.runtime("features")
    if result.status != 0:
        raise Skip("the runtime has no features")
    return document(result.stdout)


def listed(t, *path):
    value = features(t)
    for name in path:
        value = (value or {}).get(name)
    if value is None:
        raise Skip(f"{'.'.join(path)} is not known")
    return value


@case("features.optional", "features.null", "features.null-vs-empty")
def types(t):
    found = features(t)
    for name in ("hooks", "mountOptions", "potentiallyUnsafeConfigAnnotations"):
        value = found.get(name)
        assert value is None or all(isinstance(word, str) for word in value), f"{name}: {value!r}"
    for name in ("namespaces", "capabilities"):
        value = (found.get("linux") or {}).get(name)
        assert value is None or isinstance(value, list), f"linux.{name}: {value!r}"


@case("features.ociVersionMin", "features.ociVersionMax", each=["Min", "Max"])
def versions(t, which):
    value = listed(t, f"ociVersion{which}")
    assert SEMVER.fullmatch(value), value
    t.config["ociVersion"] = value
    t.runs()


@case("features.version-order")
def version_order(t):
    def numbers(which):
        return [int(word) for word in re.findall(r"\d+", listed(t, f"ociVersion{which}"))[:3]]
    assert numbers("Min") <= numbers("Max")


@case("features.no-undefined-properties")
def members(t):
    found = features(t)
    assert set(found) <= TOP, set(found) - TOP
    platform = found.get("linux") or {}
    assert set(platform) <= LINUX, set(platform) - LINUX
    assert set(platform.get("seccomp") or {}) <= SECCOMP


@case("features.compile-time")
def the_same_everywhere(t):
    first = features(t)
    t.runtime.wrapper = ["unshare", "--user", "--net", "--mount", "--"]
    same(features(t), first)


@case("features.annotations")
def annotations(t):
    for name, value in listed(t, "annotations").items():
        assert name and isinstance(value, str), (name, value)


@case("features.unsafe-annotations")
def unsafe_annotations(t):
    assert all(listed(t, "potentiallyUnsafeConfigAnnotations"))


@case("features.hooks")
def hooks(t):
    for kind in listed(t, "hooks"):
        t.bundle.hook(kind, "/bin/true" if kind != "startContainer" else "/bin/busybox", "true")
    t.runs()


FREE = {"bind", "rbind", "remount", "idmap", "ridmap", "copy-symlink", "src-nofollow", "tmpcopyup",
        "noexec", "rnoexec"}


@case("features.mountOptions", "config.mounts.options.custom", "config.mounts.options.custom-mount8")
def mount_options(t):
    """All at once on one tmpfs: a word that were data would be refused by it."""
    words = [word for word in listed(t, "mountOptions") if word not in FREE and "=" not in word
             and not word.startswith("r") or word in ("relatime", "ro", "rw")]
    t.bundle.mount("/t", "tmpfs", "tmpfs", words)
    t.runs()


@case("features.mountOptions.no-fs-specific")
def no_data_of_file_systems(t):
    words = listed(t, "mountOptions")
    for word in ("size", "mode", "lowerdir", "gid", "nr_inodes"):
        assert not any(option.split("=")[0] == word for option in words), word


@case("features.linux.namespaces")
def namespaces(t):
    kinds = listed(t, "linux", "namespaces")
    t.linux["namespaces"] = [{"type": kind} for kind in kinds if kind != "user"]
    if "uts" not in kinds:
        del t.config["hostname"]
    t.runs()


@case("features.linux.capabilities")
def capabilities(t):
    names = listed(t, "linux", "capabilities")
    t.bundle.capabilities(*names, sets=("bounding",)).args("/bin/true")
    result = t.runtime.create(t.bundle).ok()
    assert "unknown" not in result.stderr.lower(), result


@case("features.linux.cgroup")
def cgroup(t):
    found = listed(t, "linux", "cgroup")
    for name in ("v1", "v2", "systemd", "systemdUser", "rdma"):
        has(found.get(name), (None, True, False))


def with_seccomp(t, **more):
    t.bundle.seccomp(rule("ERRNO", "mkdir"), **more)
    same(t.call(("mkdir", "/x", 0o755)), ["EPERM"])


@case("features.linux.seccomp.enabled")
def seccomp(t):
    if listed(t, "linux", "seccomp", "enabled"):
        with_seccomp(t)


LITTLE = {f"SCMP_ARCH_{name}" for name in (
    "X86", "X86_64", "X32", "ARM", "AARCH64", "MIPSEL", "MIPSEL64", "MIPSEL64N32", "PPC64LE", "RISCV64",
    "LOONGARCH64")}


@case("features.linux.seccomp.archs")
def seccomp_architectures(t):
    """A filter cannot be for both byte orders: only those of this machine's can be tried."""
    names = listed(t, "linux", "seccomp", "archs")
    with_seccomp(t, architectures=[name for name in names if (name in LITTLE) == (sys.byteorder == "little")])


@case("features.linux.seccomp.actions")
def seccomp_actions(t):
    t.bundle.seccomp(*({"names": ["syslog"], "action": action, "args": [
        {"index": 0, "value": 1000 + number, "op": "SCMP_CMP_EQ"}]}
        for number, action in enumerate(listed(t, "linux", "seccomp", "actions"))
        if action != "SCMP_ACT_NOTIFY"))
    t.runs()


@case("features.linux.seccomp.operators")
def seccomp_operators(t):
    t.bundle.seccomp(*({"names": ["syslog"], "action": "SCMP_ACT_ERRNO", "args": [
        {"index": 0, "value": 1000, "op": op}]} for op in listed(t, "linux", "seccomp", "operators")))
    t.runs()


@case("features.linux.seccomp.knownFlags", "features.linux.seccomp.supportedFlags")
def seccomp_flags(t):
    known = listed(t, "linux", "seccomp", "knownFlags")
    supported = listed(t, "linux", "seccomp", "supportedFlags")
    assert set(supported) <= set(known), set(supported) - set(known)
    for flag in supported:
        if flag != "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV":  # which wants a listener
            with_seccomp(t, flags=[flag])


@case("features.linux.apparmor", "features.linux.selinux", "features.linux.intelRdt",
      "features.linux.netDevices", "features.linux.mountExtensions.idmap", each=[
          "apparmor", "selinux", "intelRdt", "netDevices", "mountExtensions.idmap"])
def whether_it_is_there(t, path):
    has(listed(t, "linux", *path.split("."), "enabled"), (True, False))


@case("features.linux.memoryPolicy.modes", "features.linux.memoryPolicy.flags")
def memory_policy(t):
    has("MPOL_BIND", listed(t, "linux", "memoryPolicy", "modes"))
    for mode in listed(t, "linux", "memoryPolicy", "modes"):
        nodes = {} if mode in ("MPOL_DEFAULT", "MPOL_LOCAL") else {"nodes": "0"}
        t.linux["memoryPolicy"] = {"mode": mode, **nodes}
        t.runs()
    for flag in listed(t, "linux", "memoryPolicy", "flags"):
        t.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0", "flags": [flag]}
        t.runs()


@case("features.optional")
def one_document_and_no_word_more(t):
    features(t)
    result = t.runtime("features").ok()
    json.loads(result.stdout + result.stderr)
