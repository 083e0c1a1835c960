"""Each limit is in its file when create returns (config-linux.md#control-groups)."""

import os
from pathlib import Path

import pytest

from limits import MB, device_number, keyed, limit, loop_device, needs, read, reads

PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.mark.req("linux.cgroups.resources-applied", "linux.unified.conversion",
                 "linux.cgroups.extra-controllers",
                 "linux.memory.limit", "linux.memory.reservation", "linux.memory.swap",
                 "linux.cpu.shares", "linux.cpu.quota", "linux.cpu.period", "linux.cpu.burst",
                 "linux.cpu.cpus", "linux.cpu.mems", "linux.pids.limit",
                 "linux.hugepageLimits.rsvd", "linux.unified.written",
                 "linux.unified.controllers-enabled", "linux.unified.unknown-written")
def test_every_limit_is_in_its_file(bundle, runtime):
    limit(bundle,
          memory={"limit": 100 * MB, "reservation": 50 * MB, "swap": 300 * MB},
          cpu={"shares": 1024, "quota": 50000, "period": 200000, "burst": 20000, "cpus": "0",
               "mems": "0"},
          hugepageLimits=[{"pageSize": "2MB", "limit": 8 * MB}],
          unified={"memory.high": "90000000", "memory.oom.group": "1", "cgroup.max.depth": "7"})
    with runtime.created(bundle):
        expected = {
            "memory.max": str(100 * MB), "memory.low": str(50 * MB),
            "memory.swap.max": str(200 * MB),
            "cpu.weight": "100", "cpu.max": "50000 200000", "cpu.max.burst": "20000",
            "cpuset.cpus": "0", "cpuset.cpus.effective": "0", "cpuset.mems": "0",
            "hugetlb.2MB.max": str(8 * MB), "hugetlb.2MB.rsvd.max": str(8 * MB),
            "memory.high": str(90000000 // PAGE * PAGE), "memory.oom.group": "1",
            "cgroup.max.depth": "7",
        }
        assert reads(bundle, expected) == expected


@pytest.mark.req("linux.memory.unlimited", "linux.pids.limit.unlimited", "linux.cpu.quota",
                 "linux.cpu.period", "linux.memory.swap")
def test_unlimited_and_partial_values(make_bundle, runtime):
    cases = [
        (dict(memory={"limit": -1, "swap": -1}, pids={"limit": -1},
              cpu={"quota": -1, "period": 200000}),
         {"memory.max": "max", "memory.swap.max": "max", "pids.max": "max",
          "cpu.max": "max 200000"}),
        (dict(memory={"limit": 64 * MB, "swap": 64 * MB}, cpu={"quota": 30000}),
         {"memory.max": str(64 * MB), "memory.swap.max": "0", "cpu.max": "30000 100000"}),
        (dict(memory={"limit": 50593792 + 1}, cpu={"shares": 2}),
         {"memory.max": "50593792", "cpu.weight": "1"}),
        (dict(cpu={"shares": 262144, "idle": 0}, memory={"limit": -1}),
         {"cpu.weight": "10000", "cpu.idle": "0"}),
        (dict(cpu={"idle": 1, "shares": 512}), {"cpu.idle": "1"}),
    ]
    for resources, expected in cases:
        bundle = limit(make_bundle(), **resources)
        # What is unlimited anyway enables no controller.
        (bundle.cgroup.parent / "cgroup.subtree_control").write_text("+cpu +memory +pids")
        with runtime.created(bundle):
            assert reads(bundle, expected) == expected, resources


@pytest.mark.req("linux.pids.limit", "linux.unified.precedence")
def test_pids_limit_is_in_its_file_when_the_program_runs(make_bundle, runtime):
    for resources, expected in (
            (dict(pids={"limit": 32771}), "32771"),
            (dict(pids={"limit": 10}, unified={"pids.max": "20"}), "20")):
        bundle = limit(make_bundle(), **resources)
        with runtime.sleeping(bundle):
            assert read(bundle, "pids.max") == expected


def test_limits_that_a_hook_changes_stay_changed(bundle, runtime):
    """start writes only what had to wait for the hooks."""
    bundle.hook_sh("createRuntime", f"echo 77 >{bundle.cgroup}/cpu.weight; echo max >{bundle.cgroup}/memory.max; "
                   f"echo 9 >{bundle.cgroup}/pids.max")
    limit(bundle, memory={"limit": 64 * MB}, cpu={"shares": 1024}, pids={"limit": 20})
    with runtime.sleeping(bundle):
        expected = {"cpu.weight": "77", "memory.max": "max", "pids.max": "20"}
        assert reads(bundle, expected) == expected


@pytest.mark.req("linux.cgroups.resources-applied")
def test_values_that_ask_for_nothing_are_silent(bundle, runtime):
    limit(bundle, memory={"limit": 0, "reservation": 0, "swap": 0, "kernel": 0, "kernelTCP": -1,
                          "swappiness": 0, "disableOOMKiller": False, "useHierarchy": True},
          cpu={"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": "", "realtimeRuntime": 0},
          blockIO={"weight": 0, "weightDevice": []}, network={}, hugepageLimits=[], unified={})
    result = runtime.run(bundle.args("/bin/true"))
    assert (result.status, result.stderr) == (0, "")


@pytest.mark.req("linux.blockIO.throttleReadBpsDevice", "linux.blockIO.throttleWriteBpsDevice",
                 "linux.blockIO.throttleReadIOPSDevice", "linux.blockIO.throttleWriteIOPSDevice",
                 "linux.unified.written")
def test_throttled_devices(bundle, runtime, scratch):
    with loop_device(scratch / "disk", 16 * MB) as disk, loop_device(scratch / "disk2", MB) as other:
        number, second = device_number(disk), device_number(other)
        name, second_name = ("{major}:{minor}".format_map(n) for n in (number, second))
        limit(bundle, blockIO={
            "throttleReadBpsDevice": [{**number, "rate": 1 * MB}],
            "throttleWriteBpsDevice": [{**number, "rate": 2 * MB}],
            "throttleReadIOPSDevice": [{**number, "rate": 300}],
            "throttleWriteIOPSDevice": [{**number, "rate": 400}]},
            unified={"io.max": f"{second_name} rbps=1000000\n{name} wiops=500\n"})
        with runtime.created(bundle):
            lines = set(read(bundle, "io.max").splitlines())
    assert lines == {f"{name} rbps=1048576 wbps=2097152 riops=300 wiops=500",
                     f"{second_name} rbps=1000000 wbps=max riops=max wiops=max"}


@pytest.mark.req("linux.blockIO.weight", "linux.blockIO.weightDevice")
def test_weights_of_a_bfq_device(bundle, runtime):
    disk = Path(os.environ.get("HOY_VM_DISK") or "/dev/none")
    needs(disk.is_block_device(), "the extra disk of the VM")
    (Path("/sys/block") / disk.name / "queue/scheduler").write_text("bfq")
    number = device_number(disk)
    limit(bundle, blockIO={"weight": 500, "weightDevice": [{**number, "weight": 300}]})
    with runtime.created(bundle):
        lines = read(bundle, "io.bfq.weight").splitlines()
    assert lines == ["default 500", "{major}:{minor} 300".format_map(number)]


# What is wrong, and the words of the error: field, value and reason.
REFUSED = {
    "memory-swap-below": (dict(memory={"limit": 100 * MB, "swap": 50 * MB}),
                          ["linux.resources.memory.swap", "52428800 is below the memory limit 104857600"]),
    "memory-swap-alone": (dict(memory={"swap": 100 * MB}),
                          ["linux.resources.memory.swap", "needs a memory limit"]),
    "cpu-burst": (dict(cpu={"quota": 50000, "burst": 60000}), ["linux.resources.cpu.burst"]),
    "cpu-period": (dict(cpu={"quota": 5000, "period": 5}),
                   ["linux.resources.cpu", "write cpu.max", "5000 5", "invalid argument"]),
    "cpus": (dict(cpu={"cpus": "999"}), ["linux.resources.cpu.cpus", "write cpuset.cpus", "999"]),
    "mems": (dict(cpu={"mems": "99"}), ["linux.resources.cpu.mems", "write cpuset.mems", "99"]),
    "io-device": (dict(blockIO={"throttleReadBpsDevice": [{"major": 250, "minor": 99, "rate": 1000}]}),
                  ["linux.resources.blockIO.throttleReadBpsDevice[0]", "write io.max", "250:99",
                   "no such device"]),
    "hugepage-size": (dict(hugepageLimits=[{"pageSize": "4MB", "limit": 0}]),
                      ["linux.resources.hugepageLimits[0]", "hugetlb.4MB.max"]),
    "rdma-device": (dict(rdma={"mlx5_1": {"hcaHandles": 3}}),
                    ["linux.resources.rdma.mlx5_1", "write rdma.max", "mlx5_1 hca_handle=3", "no such device"]),
    "unified-controller": (dict(unified={"foo.bar": "1"}),
                           ["linux.resources.unified", "foo.bar", "controller foo",
                            "not compiled into this kernel"]),
    "unified-file": (dict(unified={"memory.bar": "1"}),
                     ["linux.resources.unified", "write memory.bar", "no such file"]),
    "unified-value": (dict(unified={"memory.max": "abc"}),
                      ["linux.resources.unified", "write memory.max", "abc", "invalid argument"]),
}


@pytest.mark.req("linux.memory.swap-invalid", "linux.cpu.burst-vs-quota", "linux.cpu.cpus",
                 "linux.cpu.mems", "linux.blockIO.throttleReadBpsDevice",
                 "linux.hugepageLimits.pageSize", "linux.rdma.hcaHandles",
                 "linux.unified.missing-controller")
@pytest.mark.parametrize("name", REFUSED)
def test_refused_values_leave_nothing(bundle, runtime, name):
    resources, words = REFUSED[name]
    runtime.refuses(limit(bundle, **resources), *words)
    assert not bundle.cgroup.exists()


@pytest.mark.req("linux.memory.kernel", "linux.memory.kernelTCP", "linux.memory.swappiness",
                 "linux.memory.disableOOMKiller", "linux.cpu.realtime", "linux.network.classID",
                 "linux.network.priorities", "linux.blockIO.leafWeight",
                 "linux.unified.conversion-impossible")
def test_what_only_cgroup_v1_has_warns_and_strict_refuses(bundle, runtime):
    limit(bundle, memory={"kernel": MB, "kernelTCP": MB, "swappiness": 10, "disableOOMKiller": True},
          cpu={"realtimeRuntime": 1000, "realtimePeriod": 10000},
          network={"classID": 1, "priorities": [{"name": "lo", "priority": 1}]},
          blockIO={"leafWeight": 100}, pids={"limit": 10})
    result = runtime.run(bundle.args("/bin/true")).ok()
    for member in ("memory.kernel", "memory.kernelTCP", "memory.swappiness",
                   "memory.disableOOMKiller", "cpu.realtimeRuntime", "cpu.realtimePeriod",
                   "network.classID", "network.priorities", "blockIO.leafWeight"):
        assert f"linux.resources.{member}: " in result.stderr, member
    runtime.globals.append("--strict")
    runtime.refuses(bundle, "linux.resources")


@pytest.mark.req("linux.cgroupsPath.existing")
def test_an_existing_cgroup_keeps_the_limits_that_are_not_named(bundle, runtime):
    bundle.cgroup.mkdir()
    (bundle.cgroup.parent / "cgroup.subtree_control").write_text("+pids +memory")
    (bundle.cgroup / "pids.max").write_text("77")
    try:
        with runtime.created(limit(bundle, memory={"limit": 64 * MB})):
            assert reads(bundle, ["pids.max", "memory.max"]) == {"pids.max": "77",
                                                                  "memory.max": str(64 * MB)}
    finally:
        (bundle.cgroup.parent / "cgroup.subtree_control").write_text("-pids -memory")


def test_counters_begin_at_zero(bundle, runtime):
    with runtime.created(limit(bundle, memory={"limit": 64 * MB})):
        assert keyed(bundle, "memory.events")["oom_kill"] == 0
