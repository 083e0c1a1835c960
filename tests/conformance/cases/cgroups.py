"""config-linux.md, control groups: where they are, whose they are, what they limit."""

import os
import re
from pathlib import Path

from bundle import CGROUP2
from suite import Skip, case, controllers, has, same

MIB = 1 << 20
DELEGATE = Path("/sys/kernel/cgroup/delegate")


@case("linux.cgroupsPath.absolute", "op.delete.resources")
def absolute_path(t):
    with t.sleeping() as it:
        path = CGROUP2 / t.linux["cgroupsPath"].lstrip("/")
        has(str(it.pid), (path / "cgroup.procs").read_text().split())
        it.kill("KILL").ok()
        it.wait()
        it.delete().ok()
        assert not path.exists(), "the cgroup is there"


@case("linux.cgroupsPath.created")
def missing_cgroups_on_the_way(t):
    t.linux["cgroupsPath"] += "/x/y/z"
    path = CGROUP2 / t.linux["cgroupsPath"].lstrip("/")
    with t.sleeping():
        assert path.is_dir(), "it is not there"
    remove_empty(path.parent)


@case("op.delete.resources", "lifecycle.12.destroy")
def cgroups_on_the_way_are_removed_again(t):
    t.linux["cgroupsPath"] += "/x/y/z"
    t.runs()


@case("linux.cgroupsPath.consistent")
def always_the_same(t):
    seen = []
    for directory in ("/", "/tmp"):
        with t.runtime.created(t.bundle.args("/bin/true"), cwd=directory) as it:
            seen.append(it.proc("cgroup").read_text().splitlines()[-1])
    same(seen[0], seen[1])


@case("linux.cgroupsPath.relative", "linux.cgroupsPath.default", each={"relative": "a/b", "absent": None})
def without_absolute_path(t, value):
    del t.linux["cgroupsPath"]
    name = f"hoy-test-{t.cgroup.name}-{os.getpid()}"
    if value:
        t.linux["cgroupsPath"] = f"{name}/b"
    with t.runtime.created(t.bundle.args("/bin/true"), name=name) as it:
        line, = (line for line in it.proc("cgroup").read_text().splitlines() if line.startswith("0:"))
        has(name, line)
        path = CGROUP2 / line.split(":")[2].lstrip("/")
        assert path.is_dir(), path
    remove_empty(path)


def remove_empty(path):
    """Removes what a runtime keeps above the cgroups of its own choice."""
    while path != CGROUP2:
        if path.exists():
            try:
                path.rmdir()
            except OSError:
                return
        path = path.parent


@case("linux.cgroupsPath.existing")
def existing(t):
    t.bundle.cgroup.mkdir()
    (t.bundle.cgroup / "cgroup.max.depth").write_text("7")
    try:
        with t.runtime.created(t.bundle.args("/bin/true")):
            same((t.bundle.cgroup / "cgroup.max.depth").read_text(), "7\n")
    finally:
        if t.bundle.cgroup.exists():
            t.bundle.cgroup.rmdir()


@case("linux.cgroupsPath.invalid", each={"up": "/../../x", "newline": "/a\n"})
def path_out_of_the_tree(t, value):
    """It is refused, or made to stay below."""
    t.linux["cgroupsPath"] = f"{t.linux['cgroupsPath']}/{value}"
    result = t.runtime.create(t.bundle.args("/bin/true"))
    if result.status == 0:
        pid = t.runtime("state", "c1").ok().json["pid"]
        lines = Path(f"/proc/{pid}/cgroup").read_text()
        assert "0::/.." not in lines, lines
        t.runtime("delete", "--force", "c1").ok()
        remove_empty(CGROUP2 / "x")


@case("linux.cgroups.fitness-error", "linux.cgroups.fitness-check")
def frozen(t):
    """It is refused, or works; it does not hang."""
    t.bundle.cgroup.mkdir()
    (t.bundle.cgroup / "cgroup.freeze").write_text("1")
    try:
        result = t.runtime.create(t.bundle.args("/bin/true"), limit=10)
        if result.status == 0:
            t.runtime("start", "c1", limit=10)
            t.runtime("delete", "--force", "c1", limit=10)
        if t.bundle.cgroup.exists():
            same((t.bundle.cgroup / "cgroup.procs").read_text(), "")
    finally:
        if t.bundle.cgroup.exists():
            (t.bundle.cgroup / "cgroup.freeze").write_text("0")
            t.bundle.cgroup.rmdir()


# ---- owners ----

def owners(t, *, namespace=True, destination="/sys/fs/cgroup", options=()):
    """Which files of the cgroup belong to the container's root, by a mount of type cgroup."""
    t.bundle.user_namespace()
    if not namespace:
        t.bundle.without_namespace("cgroup")
    if destination:
        t.bundle.mount(destination, "cgroup", "cgroup", ["nosuid", *options])
    with t.runtime.created(t.bundle.args("/bin/true")):
        top = t.bundle.cgroup
        return {path.name if path != top else "." for path in (top, *top.iterdir())
                if path.stat().st_uid == 100000}


@case("linux.cgroup-owner.change", "linux.cgroup-owner.iff-rw-mount",
      "linux.cgroup-owner.only-delegate-files", "linux.cgroup-owner.missing-files-ok",
      "linux.cgroup-owner.existing-files", "linux.cgroup-owner.nothing-else")
def the_containers_root_owns_it(t):
    if not DELEGATE.exists():
        raise Skip("an old kernel")
    found = owners(t)
    assert found <= {".", *DELEGATE.read_text().split()}, f"too much: {found}"
    for name in (".", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
        has(name, found)


@case("linux.cgroup-owner.iff-rw-mount", "linux.cgroup-owner.no-mount-no-change",
      "linux.cgroup-owner.needs-cgroupns", each={
          "ro": {"options": ["ro"]}, "elsewhere": {"destination": "/cgroup"},
          "no-mount": {"destination": None}, "no-namespace": {"namespace": False}})
def owners_stay(t, how):
    same(owners(t, **how), set())


# ---- limits ----

# What a file holds that sets no limit; nor does one that is not there, for want of a limit.
UNLIMITED = {"memory.max": "max", "pids.max": "max", "cpu.max": "max 100000"}


def held(t, name):
    """What a file of the container's cgroup holds."""
    path = t.bundle.cgroup / name
    if name in UNLIMITED and not path.exists():
        return UNLIMITED[name]
    return path.read_text().strip()


def limits(t, files, **resources):
    """What the files of the cgroup hold before start."""
    t.linux["resources"] = resources
    with t.runtime.created(t.bundle.args("/bin/true")):
        return [held(t, name) for name in files.split()]


@case("linux.memory.limit", "linux.cgroups.resources-applied", "linux.unified.conversion",
      needs=["memory"])
def memory_limit(t):
    same(limits(t, "memory.max", memory={"limit": 64 * MIB}), [str(64 * MIB)])


@case("linux.memory.unlimited", needs=["memory"])
def memory_unlimited(t):
    same(limits(t, "memory.max", memory={"limit": -1, "swap": -1}), ["max"])


@case("linux.memory.reservation", needs=["memory"])
def memory_reservation(t):
    same(limits(t, "memory.low", memory={"reservation": 16 * MIB}), [str(16 * MIB)])


@case("linux.memory.swap", needs=["memory"], each={"more": (300, str(200 * MIB)), "equal": (100, "0")})
def memory_swap(t, swap, expected):
    if not (CGROUP2 / "cgroup.procs").exists() or not os.path.exists("/proc/swaps"):
        raise Skip("no swap")
    same(limits(t, "memory.swap.max", memory={"limit": 100 * MIB, "swap": swap * MIB}), [expected])


@case("linux.memory.swap-invalid", needs=["memory"], each={
    "below": {"limit": 100 * MIB, "swap": 50 * MIB}, "alone": {"swap": 100 * MIB}})
def memory_swap_that_cannot_be(t, value):
    t.linux["resources"] = {"memory": value}
    t.refused()


@case("linux.cpu.shares", needs=["cpu"], each={"2": 2, "262144": 262144})
def cpu_shares(t, shares):
    same(limits(t, "cpu.weight", cpu={"shares": shares}), [{2: "1", 262144: "10000"}[shares]])


@case("linux.cpu.quota", "linux.cpu.period", needs=["cpu"], each={
    "both": ({"quota": 50000, "period": 200000}, "50000 200000"), "quota": ({"quota": 50000}, "50000 100000"),
    "period": ({"period": 200000}, "max 200000"), "none": ({"quota": -1}, "max 100000")})
def cpu_max(t, value, expected):
    same(limits(t, "cpu.max", cpu=value), [expected])


@case("linux.cpu.burst", needs=["cpu"])
def cpu_burst(t):
    same(limits(t, "cpu.max.burst", cpu={"quota": 50000, "burst": 20000}), ["20000"])


@case("linux.cpu.burst-vs-quota", needs=["cpu"])
def cpu_burst_above_quota(t):
    t.linux["resources"] = {"cpu": {"quota": 50000, "burst": 60000}}
    t.refused()


@case("linux.cpu.idle", needs=["cpu"])
def cpu_idle(t):
    same(limits(t, "cpu.idle", cpu={"idle": 1}), ["1"])


@case("linux.cpu.cpus", "linux.cpu.mems", needs=["cpuset"])
def cpu_sets(t):
    same(limits(t, "cpuset.cpus cpuset.mems", cpu={"cpus": "0", "mems": "0"}), ["0", "0"])


@case("linux.cpu.cpus", "linux.cpu.mems", needs=["cpuset"], each={
    "cpus": {"cpus": "9999"}, "text": {"cpus": "x"}, "mems": {"mems": "99"}})
def cpu_sets_that_cannot_be(t, value):
    t.linux["resources"] = {"cpu": value}
    t.refused()


@case("linux.pids.limit", "linux.pids.limit.unlimited", needs=["pids"], each={
    "77": (77, "77"), "-1": (-1, "max")})
def pids(t, limit, expected):
    """When the program runs: whatever sets it up may need processes of its own."""
    t.linux["resources"] = {"pids": {"limit": limit}}
    with t.sleeping():
        same(held(t, "pids.max"), expected)


@case("linux.pids.limit.zero", needs=["pids"])
def no_more_pids(t):
    t.linux["resources"] = {"pids": {"limit": 0}}
    t.bundle.sh("echo started; true & wait; echo forked")
    with t.running() as it:
        same((t.bundle.cgroup / "pids.max").read_text(), "0\n")
        it.wait()
        has("started", it.output)
        assert "forked" not in it.output, "it can fork"


def page_size():
    for name in sorted(os.listdir(CGROUP2)):
        if match := re.fullmatch(r"hugetlb\.(\w+)\.rsvd\.max", name):
            return match[1]
    raise Skip("no huge pages with reservations here")


@case("linux.hugepageLimits.rsvd", "linux.hugepageLimits.pageSize", needs=["hugetlb"])
def huge_pages(t):
    size = page_size()
    limit = 1 << 31
    found = limits(t, f"hugetlb.{size}.rsvd.max", hugepageLimits=[{"pageSize": size, "limit": limit}])
    same(found, [str(limit)])


@case("linux.hugepageLimits.pageSize", needs=["hugetlb"], each=["3MB", "2M", ""])
def huge_pages_of_no_size(t, size):
    t.linux["resources"] = {"hugepageLimits": [{"pageSize": size, "limit": 1 << 21}]}
    t.refused()


@case("linux.unified.written", "linux.unified.unknown-written", needs=["hugetlb"])
def unified(t):
    size = page_size()
    name = f"hugetlb.{size}.max"
    same(limits(t, name, unified={name: str(1 << 30)}), [str(1 << 30)])


@case("linux.unified.controllers-enabled", needs=["hugetlb"])
def unified_in_nested_cgroups(t):
    size = page_size()
    t.linux["cgroupsPath"] += "/x/y"
    found = limits(t, f"hugetlb.{size}.max", unified={f"hugetlb.{size}.max": str(1 << 30)})
    remove_empty(t.bundle.cgroup.parent)
    same(found, [str(1 << 30)])


@case("linux.unified.precedence", needs=["hugetlb"])
def unified_has_the_last_word(t):
    size = page_size()
    name = f"hugetlb.{size}.rsvd.max"
    found = limits(t, name, hugepageLimits=[{"pageSize": size, "limit": 1 << 31}],
                   unified={name: str(1 << 30)})
    same(found, [str(1 << 30)])


@case("linux.unified.missing-controller", each={"unknown": "foo.bar", "absent": "rdma.max"})
def unified_without_controller(t, name):
    if name.split(".")[0] in controllers():
        raise Skip("the controller is here")
    t.linux["resources"] = {"unified": {name: "1"}}
    t.refused()


@case("linux.unified.no-escape", each=["../x", "a/b"])
def unified_elsewhere(t, name):
    t.linux["resources"] = {"unified": {name: "1"}}
    t.refused()


@case("linux.cgroups.extra-controllers")
def whatever_controllers(t):
    t.sh("cat /proc/self/cgroup")


@case("linux.blockIO.throttleReadBpsDevice", "linux.blockIO.throttleWriteBpsDevice",
      "linux.blockIO.throttleReadIOPSDevice", "linux.blockIO.throttleWriteIOPSDevice", needs=["io"])
def throttle(t):
    device = os.stat(t.scratch).st_dev
    if not Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").exists():
        raise Skip("no block device below")
    numbers = {"major": os.major(device), "minor": os.minor(device)}
    rates = {"ReadBps": 1 << 20, "WriteBps": 1 << 21, "ReadIOPS": 100, "WriteIOPS": 200}
    line, = limits(t, "io.max", blockIO={f"throttle{name}Device": [{**numbers, "rate": rate}]
                                         for name, rate in rates.items()})
    same(set(line.split()[1:]), {f"rbps={1 << 20}", f"wbps={1 << 21}", "riops=100", "wiops=200"})
