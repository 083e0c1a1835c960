"""config-linux.md: maskedPaths, readonlyPaths, sysctl, personality, memoryPolicy, intelRdt."""

import os
from pathlib import Path

from bundle import rule
from suite import Skip, case, has, lacks, same


@case("linux.maskedPaths.unreadable")
def masked(t):
    t.bundle.file("/secret/dir/file", "secret")
    t.bundle.file("/secret/file", "secret")
    os.mkfifo(t.bundle.rootfs / "secret/fifo")
    t.linux["maskedPaths"] = ["/secret/dir", "/secret/file", "/secret/fifo", "/proc/kcore"]
    text = t.sh("cat /secret/file; head -c 9 /proc/kcore; ls /secret/dir; head -c 1 /secret/fifo; "
                "touch /secret/dir/x 2>/dev/null || echo refused")
    same(text, "refused\n")
    same((t.bundle.rootfs / "secret/file").read_text(), "secret")


@case("linux.maskedPaths.missing", "linux.readonlyPaths.missing", each=["maskedPaths", "readonlyPaths"])
def missing(t, name):
    t.linux[name] = ["/proc/nosuch", "/no/such"]
    t.runs()


@case("linux.maskedPaths.symlink", each={"up": "../../../..", "tmp": "/tmp"})
def masked_link(t, target):
    """The host keeps what it has, whether or not the runtime refuses."""
    (t.bundle.rootfs / "link").symlink_to(target)
    t.linux["maskedPaths"] = ["/link"]
    before = sorted(os.listdir("/"))
    t.runtime.run(t.bundle.args("/bin/true"))
    same(sorted(os.listdir("/")), before)
    has(t.scratch.parent.name, os.listdir("/tmp"))


@case("linux.readonlyPaths.readonly")
def readonly(t):
    t.bundle.file("/data/dir/file", "content")
    t.bundle.file("/data/file", "content")
    t.linux["readonlyPaths"] = ["/data/dir", "/data/file"]
    same(t.call(("open", "/data/file", os.O_RDONLY), ("open", "/data/file", os.O_WRONLY),
                ("mkdir", "/data/dir/x", 0o755), ("unlink", "/data/dir/file"),
                ("chmod", "/data/dir/file", 0), ("open", "/data/dir/file", os.O_RDONLY)),
         ["", "EROFS", "EROFS", "EROFS", "EROFS", ""])


@case("linux.readonlyPaths.keep-flags", each={"plain": False, "user": True})
def readonly_keeps_flags(t, user_namespace):
    if user_namespace:
        t.bundle.user_namespace()
    t.bundle.unmount("/proc").mount("/proc", "proc", "proc", ["nosuid", "noexec", "nodev"])
    t.linux["readonlyPaths"] = ["/proc/sys"]
    options = t.probe("mountinfo").mount("/proc/sys").options
    for word in ("ro", "nosuid", "noexec", "nodev"):
        has(word, options)


# ---- kernel parameters ----

@case("linux.sysctl.applied", "linux.sysctl.slash-form", each={
    "net": ("net.ipv4.ip_forward", "net/ipv4/ip_forward", "1"),
    "slashes": ("net/ipv4/ip_forward", "net/ipv4/ip_forward", "1"),
    "kernel": ("kernel.msgmax", "kernel/msgmax", "16384"),
    "mqueue": ("fs.mqueue.msg_max", "fs/mqueue/msg_max", "20")})
def sysctl(t, key, path, value):
    if "mqueue" in path:
        t.bundle.mount("/dev/mqueue", "mqueue", "mqueue")
    host = Path(f"/proc/sys/{path}")
    before = host.read_text()
    t.linux["sysctl"] = {key: value}
    same(t.sh(f"cat /proc/sys/{path}"), f"{value}\n")
    same(host.read_text(), before, "the host's value")


@case("linux.sysctl.failure", each={"missing": ("net.no.such", "1"), "value": ("kernel.msgmax", "abc")})
def sysctl_that_fails(t, key, value):
    t.linux["sysctl"] = {key: value}
    t.refused()


@case("linux.sysctl.host-wide", each={"vm": "vm.swappiness", "net": "net.ipv4.ip_forward",
                                      "kernel": "kernel.msgmax"})
def sysctl_of_the_host(t, key):
    host = Path("/proc/sys") / key.replace(".", "/")
    t.linux["sysctl"] = {key: host.read_text().strip()}
    t.bundle.without_namespace("network", "ipc")
    t.refused()


# ---- personality ----

@case("linux.personality.domain", each={"LINUX": ("LINUX", "x86_64"), "LINUX32": ("LINUX32", "i686")})
def personality(t, domain, machine):
    if os.uname().machine != "x86_64":
        raise Skip("about x86_64")
    t.linux["personality"] = {"domain": domain, "flags": []}
    same(t.probe("uname")["uname"]["machine"], machine)


@case("linux.personality.locked")
def personality_denied_by_seccomp(t):
    t.linux["personality"] = {"domain": "LINUX32"}
    t.bundle.seccomp(rule("ERRNO", "personality"))
    lacks("64", t.probe("uname")["uname"]["machine"])


# ---- memory policy ----

def memory_policy(t, **policy):
    """What the kernel says about the program's memory."""
    t.linux["memoryPolicy"] = policy
    with t.sleeping() as it:
        return {line.split()[1] for line in it.proc("numa_maps").read_text().splitlines()}


MODES = {"MPOL_DEFAULT": (None, "default"), "MPOL_BIND": ("0", "bind:0"),
         "MPOL_INTERLEAVE": ("0", "interleave:0"), "MPOL_PREFERRED": ("0", "prefer:0"),
         "MPOL_WEIGHTED_INTERLEAVE": ("0", "weighted interleave:0"), "MPOL_LOCAL": (None, "local"),
         "MPOL_PREFERRED_MANY": ("0", "prefer (many):0")}


@case("linux.memoryPolicy.mode.{}", "linux.memoryPolicy.applied", "linux.memoryPolicy.nodes",
      each={mode: (mode, *value) for mode, value in MODES.items()})
def memory_mode(t, mode, nodes, shown):
    if not Path("/proc/self/numa_maps").exists():
        raise Skip("a kernel without NUMA")
    policy = {"mode": mode} | ({"nodes": nodes} if nodes else {})
    # The kernel has put blanks into two of the names.
    has(shown.split()[0].split(":")[0], {word.split(":")[0] for word in memory_policy(t, **policy)})


@case("linux.memoryPolicy.flags.{}", each={
    "STATIC_NODES": ("STATIC_NODES", "bind=static:0"), "RELATIVE_NODES": ("RELATIVE_NODES", "bind=relative:0"),
    "NUMA_BALANCING": ("NUMA_BALANCING", "bind")})
def memory_flag(t, flag, shown):
    if not Path("/proc/self/numa_maps").exists():
        raise Skip("a kernel without NUMA")
    words = memory_policy(t, mode="MPOL_BIND", nodes="0", flags=[f"MPOL_F_{flag}"])
    assert any(word.startswith(shown) for word in words), words


# ---- resctrl ----

@case("linux.intelRdt.no-resctrl", each={"empty": {}, "schema": {"l3CacheSchema": "L3:0=f"}})
def without_resctrl(t, value):
    if os.path.exists("/sys/fs/resctrl/schemata"):
        raise Skip("there is a resctrl file system here")
    t.linux["intelRdt"] = value
    t.refused()


@case("linux.mountLabel", "config.valid-values.unsupported")
def label_of_mounts(t):
    if os.path.exists("/sys/fs/selinux/enforce"):
        raise Skip("there is SELinux here")
    t.linux["mountLabel"] = "system_u:object_r:container_file_t:s0:c1,c2"
    t.bundle.mount("/t", "tmpfs", "tmpfs")
    t.refused()
