"""config-linux.md, namespaces: new, joined by path, inherited; user and time namespaces."""

import os
import subprocess
import time
from pathlib import Path

from holder import KINDS, holding
from suite import case, has, same

OTHERS = {"ipc": "mnt", "network": "uts", "pid": "net", "mount": "ipc", "uts": "pid", "user": "cgroup",
          "cgroup": "user", "time": "mnt"}


def own(kind):
    return os.readlink(f"/proc/self/ns/{KINDS[kind]}")


def seen(t, kind):
    return t.probe("namespaces")["namespaces"][KINDS[kind]]


@case("linux.namespaces.type.{}", "linux.namespaces.path.absent-new", each=list(KINDS))
def new(t, kind):
    if kind == "user":
        t.bundle.user_namespace()
    else:
        t.bundle.namespace(kind)
    assert seen(t, kind) != own(kind), "it is the runtime's"


@case("linux.namespaces.inherit", each=["pid", "network", "ipc", "uts", "cgroup", "user", "time"])
def inherited(t, kind):
    t.bundle.without_namespace(kind)
    same(seen(t, kind), own(kind))


@case("linux.namespaces.path.join", "op.delete.foreign-resources",
      each=[kind for kind in KINDS if kind not in ("user", "mount")])
def joined(t, kind):
    with holding(kind) as holder:
        t.bundle.namespace(kind, holder.path(kind))
        same(seen(t, kind), holder.link(kind))
        assert os.path.exists(holder.path(kind)), "it is gone"


@case("linux.namespaces.path.join")
def joined_user_namespace(t):
    with holding("user", options=["--map-root-user"]) as holder:
        t.bundle.namespace("user", holder.path("user")).unmount("/dev/pts")  # gid=5 is not mapped
        same(seen(t, "user"), holder.link("user"))


@case("linux.namespaces.order-free")
def owner_listed_last(t):
    kinds = ["ipc", "uts", "network", "user"]
    with holding(*kinds, options=["--map-root-user"]) as holder:
        t.bundle.without_namespace(*kinds)
        for kind in kinds:
            t.bundle.namespace(kind, holder.path(kind))
        t.bundle.unmount("/dev/pts")
        found = t.probe("namespaces")["namespaces"]
        same([found[KINDS[kind]] for kind in kinds], [holder.link(kind) for kind in kinds])


@case("linux.namespaces.pid.join-fork")
def joined_pid_namespace(t):
    with holding("pid") as holder:
        t.bundle.namespace("pid", holder.path("pid"))
        with t.sleeping() as it:
            same(it.namespace("pid"), holder.link("pid"))
            line, = (line for line in it.proc("status").read_text().splitlines()
                     if line.startswith("NSpid:"))
            outer, inner = map(int, line.split()[-2:])
            same(outer, it.pid)
            assert inner > 1, f"it is number {inner} there"


@case("linux.namespaces.path.join")
def those_of_another_container(t):
    other = t.make_bundle()
    with t.runtime.sleeping(other, name="pod") as pod:
        for kind in ("network", "ipc", "uts", "pid"):
            t.bundle.namespace(kind, pod.proc(f"ns/{KINDS[kind]}"))
        found = t.probe("namespaces", "ids", "uname")
        same(found["namespaces"]["net"], pod.namespace("net"))
        same(found["uname"]["hostname"], "hoy-test")
        assert found["ids"]["pid"] > 1
        same(pod.status, "running")


@case("linux.namespaces.path.wrong-type", each={kind: (kind, f"/proc/self/ns/{other}")
                                                for kind, other in OTHERS.items()})
def path_of_another_kind(t, kind, path):
    t.bundle.namespace(kind, path)
    t.refused()


@case("linux.namespaces.path.wrong-type", each={"file": "/etc/passwd", "missing": "/no/such"})
def path_of_no_namespace(t, path):
    t.bundle.namespace("network", path)
    t.refused()


@case("linux.namespaces.type.pid")
def processes(t):
    words = t.sh("echo $$; ls -d /proc/[0-9]* | wc -l").split()
    same(words[0], "1")
    assert int(words[1]) <= 3, f"{words[1]} processes"


@case("linux.namespaces.type.network")
def interfaces(t):
    has("lo", t.probe("interfaces")["interfaces"])
    text = t.sh("cat /proc/net/dev")
    assert "eth" not in text and "veth" not in text, text


@case("linux.namespaces.type.ipc")
def queues(t):
    made = subprocess.run(["ipcmk", "--queue"], capture_output=True, text=True, check=True)
    try:
        same(t.sh("wc -l </proc/sysvipc/msg"), "1\n")
    finally:
        subprocess.run(["ipcrm", "--queue-id", made.stdout.split()[-1]], check=True)


@case("linux.namespaces.type.uts")
def name_set_inside(t):
    before = os.uname().nodename
    t.bundle.capabilities("CAP_SYS_ADMIN")
    same(t.sh("hostname other; hostname"), "other\n")
    same(os.uname().nodename, before, "the host's name")


@case("linux.namespaces.type.cgroup")
def cgroup(t):
    has("0::/", t.probe("cgroup")["cgroup"])


# ---- user ----

def ranges(*entries):
    return [dict(zip(("containerID", "hostID", "size"), entry)) for entry in entries]


@case("linux.uidMappings.applied", "linux.gidMappings.applied", "linux.namespaces.type.user",
      "linux.idMappings.multiple", each={
          "one": [(0, 100000, 2000)], "three": [(0, 100000, 10), (10, 200000, 20), (1000, 300000, 5)]})
def id_maps(t, entries):
    t.bundle.user_namespace()
    t.linux["uidMappings"] = ranges(*entries)
    t.linux["gidMappings"] = ranges(*entries, (70000, 400000, 1))
    maps = t.probe("maps")["maps"]
    for name, expected in (("uid", entries), ("gid", [*entries, (70000, 400000, 1)])):
        same([tuple(map(int, line.split())) for line in maps[name]], expected, name)


@case("config.user.uid", "config.user.gid", "config.user.additionalGids")
def user_in_a_user_namespace(t):
    t.bundle.user_namespace()
    t.process["user"] = {"uid": 10, "gid": 20, "additionalGids": [5, 6]}
    with t.sleeping() as it:
        lines = it.proc("status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines)
    same(status["Uid"].split(), ["100010"] * 4)
    same(status["Gid"].split(), ["100020"] * 4)
    same(set(status["Groups"].split()) - {"100020"}, {"100005", "100006"})


@case("config.user.unmapped", each={"uid": {"uid": 5000, "gid": 0}, "gid": {"uid": 0, "gid": 5000},
                                    "group": {"uid": 0, "gid": 0, "additionalGids": [5000]}})
def unmapped(t, user):
    t.bundle.user_namespace(size=1000).args("/bin/true")
    t.process["user"] = user
    t.refused_by_start()


@case("linux.idMappings.limit")
def too_many_ranges(t):
    t.bundle.user_namespace()
    t.linux["uidMappings"] = ranges(*((2 * i, 100000 + 2 * i, 1) for i in range(400)))
    t.refused()


@case("linux.idMappings.no-chown")
def owners_stay(t):
    def owners():
        return {str(path): (path.lstat().st_uid, path.lstat().st_gid)
                for path in t.bundle.rootfs.rglob("*")}
    t.bundle.user_namespace()
    before = owners()
    t.runs()
    same(owners(), before)


@case("linux.idMappings.without-userns")
def maps_without_a_namespace(t):
    t.bundle.user_namespace().without_namespace("user").args("/bin/true")
    t.refused()


# ---- time ----

@case("linux.timeOffsets.clocks", "linux.timeOffsets.secs", "linux.timeOffsets.nanosecs",
      "linux.namespaces.type.time")
def time_offsets(t):
    t.bundle.namespace("time")
    t.linux["timeOffsets"] = {"monotonic": {"secs": 86400, "nanosecs": 500000000},
                              "boottime": {"secs": 172800}}
    clocks = t.probe("clocks")["clocks"]
    same([line.split() for line in clocks["offsets"]], [["monotonic", "86400", "500000000"],
                                                        ["boottime", "172800", "0"]])
    assert abs(clocks["monotonic"] - time.clock_gettime(time.CLOCK_MONOTONIC) - 86400) < 10
    assert abs(clocks["boottime"] - time.clock_gettime(time.CLOCK_BOOTTIME) - 172800) < 10


@case("linux.timeOffsets.secs")
def negative_time_offset(t):
    t.bundle.namespace("time").linux["timeOffsets"] = {"monotonic": {"secs": -10}}
    same(t.probe("clocks")["clocks"]["offsets"][0].split(), ["monotonic", "-10", "0"])


@case("linux.timeOffsets.clocks", "linux.timeOffsets.nanosecs", each={
    "clock": {"realtime": {"secs": 1}}, "nanoseconds": {"monotonic": {"nanosecs": 1000000000}}})
def bad_time_offset(t, offsets):
    t.bundle.namespace("time").linux["timeOffsets"] = offsets
    t.refused()


@case("linux.timeOffsets.without-timens")
def time_offset_without_a_namespace(t):
    t.linux["timeOffsets"] = {"monotonic": {"secs": 1}}
    t.refused()


@case("linux.timeOffsets.without-timens")
def time_offset_for_a_joined_namespace(t):
    with holding("time") as holder:
        t.bundle.namespace("time", holder.path("time"))
        t.linux["timeOffsets"] = {"monotonic": {"secs": 1}}
        t.refused()


@case("linux.namespaces.inherit")
def none_at_all(t):
    """In a mount namespace that is the runtime's own here, lest the worker's is spoilt."""
    before = Path("/proc/self/mountinfo").read_text()
    t.runtime.wrapper = ["unshare", "--mount", "--propagation", "private", "--"]
    t.linux["namespaces"] = []
    del t.config["hostname"]
    t.bundle.unmount("/dev", "/dev/pts").args("/bin/probe", "namespaces", "cwd")
    created = t.runtime.create(t.bundle).ok()
    t.runtime.wrapper = []
    t.runtime("start", "c1").ok()
    text = t.wait_for_output(created)
    has('"cwd":"/"', text)
    has(own("network"), text)
    same(Path("/proc/self/mountinfo").read_text(), before, "mounts")
