"""update: all of it or nothing, and it lasts."""

import json
import subprocess

import pytest

from limits import MB, device_number, keyed, limit, loop_device, read, reads, wait_until


def update(runtime, resources, name="c1"):
    """`update` with the resources on its stdin."""
    with subprocess.Popen(["echo", json.dumps(resources)], stdout=subprocess.PIPE) as text:
        return runtime("update", "--resources", "-", name, stdin=text.stdout)


def test_every_option(bundle, runtime):
    with runtime.sleeping(bundle):
        runtime("update", "--cpu-period", "200000", "--cpu-quota=50000", "--cpu-burst", "10000",
                "--cpu-share", "2048", "--cpuset-cpus", "0", "--cpuset-mems", "0",
                "--memory", "64M", "--memory-reservation", "32m", "--memory-swap", "128MB",
                "--pids-limit", "50", "--blkio-weight", "100", "c1").silent()
        expected = {"cpu.max": "50000 200000", "cpu.max.burst": "10000", "cpuset.cpus": "0",
                    "cpuset.mems": "0", "memory.max": str(64 * MB), "memory.low": str(32 * MB),
                    "memory.swap.max": str(64 * MB), "pids.max": "50"}
        assert reads(bundle, expected) == expected
        assert read(bundle, "cpu.weight") == "174"
        weight = "io.bfq.weight" if (bundle.cgroup / "io.bfq.weight").exists() else "io.weight"
        assert read(bundle, weight).split()[1] == ("100" if weight == "io.bfq.weight" else "910")
        # What is not named stays, "no limit" takes a limit back.
        runtime("update", "--memory-swap", "-1", "--cpu-quota", "-1", "--cpu-burst", "0",
                "--pids-limit=-1", "c1").silent()
        expected |= {"memory.swap.max": "max", "cpu.max": "max 200000", "cpu.max.burst": "0",
                     "pids.max": "max"}
        assert reads(bundle, expected) == expected
        runtime("update", "--cpu-idle", "1", "c1").silent()
        assert read(bundle, "cpu.idle") == "1"


def test_options_that_cannot_be(bundle, runtime):
    with runtime.sleeping(bundle):
        runtime("update", "c1").fails("no limit is given")
        runtime("update", "--memory", "1X", "c1").fails('option --memory: "1X"', "invalid argument")
        runtime("update", "--pids-limit", "many", "c1").fails("--pids-limit", "many")
        runtime("update", "--kernel-memory", "1M", "--cpu-rt-period=1000", "c1").warns(
            "--kernel-memory is ignored")
        runtime("update", "--resources", "/none", "c1").fails("open /none", "no such file")
        update(runtime, []).fails("linux.resources", "an object is needed")
        update(runtime, {"memory": {"limit": "64M"}}).fails("memory.limit")
    runtime("update", "--memory", "64M", "c1").fails("does not exist")


def test_resources_from_stdin_and_what_warns(bundle, runtime):
    with runtime.sleeping(limit(bundle, memory={"limit": 100 * MB})):
        update(runtime, {"pids": {"limit": 20}, "unified": {"memory.high": str(50 * MB)}}).silent()
        assert reads(bundle, ["pids.max", "memory.high", "memory.max"]) == {
            "pids.max": "20", "memory.high": str(50 * MB), "memory.max": str(100 * MB)}
        update(runtime, {"memory": {"swappiness": 5, "limit": 90 * MB}}).warns(
            "linux.resources.memory.swappiness")
        assert read(bundle, "memory.max") == str(90 * MB)


def test_a_failed_update_changes_nothing(bundle, runtime, scratch):
    limit(bundle, memory={"limit": 100 * MB, "reservation": 10 * MB}, pids={"limit": 30},
          cpu={"quota": 50000, "burst": 1000})
    with loop_device(scratch / "disk", MB) as disk, runtime.sleeping(bundle):
        number = device_number(disk)
        update(runtime, {"blockIO": {"throttleWriteIOPSDevice": [{**number, "rate": 700}]}}).silent()
        files = ("memory.max", "memory.low", "memory.high", "pids.max", "cpu.max", "cpu.max.burst",
                 "cpu.weight", "cpuset.cpus.effective", "io.max")
        before = reads(bundle, files)
        change = {"memory": {"limit": 64 * MB, "reservation": 20 * MB}, "pids": {"limit": 3},
                  "cpu": {"quota": 20000, "burst": 2000, "shares": 2, "cpus": "0"},
                  "blockIO": {"throttleReadBpsDevice": [{**number, "rate": MB}]},
                  "unified": {"memory.high": "1000000"}}
        update(runtime, change | {"unified": {"memory.high": "1000000", "memory.min": "x"}}).fails(
            "linux.resources.unified", "write memory.min", "invalid argument")
        assert reads(bundle, files) == before
        # Nor has it been saved: the next one brings nothing of it.
        runtime("update", "--pids-limit", "40", "c1").silent()
        assert reads(bundle, files) == before | {"pids.max": "40"}
        update(runtime, change).silent()
        assert read(bundle, "memory.max") == str(64 * MB)
        assert "rbps=1048576" in read(bundle, "io.max") and "wiops=700" in read(bundle, "io.max")


def test_limits_that_bound_each_other_change_in_any_order(bundle, runtime):
    limit(bundle, cpu={"quota": 20000, "burst": 15000})
    with runtime.sleeping(bundle):
        for quota, burst in ((60000, 50000), (10000, 5000), (30000, 30000), (5000, 0)):
            runtime("update", "--cpu-quota", quota, "--cpu-burst", burst, "c1").silent()
            assert reads(bundle, ["cpu.max", "cpu.max.burst"]) == {
                "cpu.max": f"{quota} 100000", "cpu.max.burst": str(burst)}


def test_update_of_a_created_container_holds_when_it_starts(bundle, runtime):
    limit(bundle, pids={"limit": 1}).sh("sleep 1000 & sleep 1000 & echo forked; sleep 1000")
    with runtime.created(bundle) as container:
        runtime("update", "--pids-limit", "4", "c1").silent()
        container.start().ok()
        wait_until(lambda: container.output, "the forks")
        assert container.output == "forked\n"
        assert read(bundle, "pids.max") == "4"


def test_update_of_a_stopped_container(bundle, runtime):
    with runtime.running(bundle.args("/bin/true")) as container:
        container.wait()
        runtime("update", "--memory", "64M", "c1").fails("container not running", "stopped")


def test_a_lower_limit_kills_what_does_not_fit(bundle, runtime):
    """The kernel reclaims first; what cannot be reclaimed is killed."""
    limit(bundle, memory={"limit": 64 * MB, "swap": 64 * MB}).mount("/tmp", "tmpfs", "tmpfs")
    bundle.sh("dd if=/dev/zero of=/tmp/file bs=1M count=30 2>/dev/null; echo ready; sleep 1000")
    with runtime.running(bundle) as container:
        wait_until(lambda: container.output == "ready\n", "the memory to be in use", 20)
        runtime("update", "--memory", "10M", "--memory-swap", "10M", "c1")
        container.wait()
        assert keyed(bundle, "memory.events")["oom_kill"] >= 1


DENIED, ALLOWED = "Operation not permitted", ""


@pytest.mark.req("linux.resources.devices.order", "linux.resources.devices.v2",
                 "linux.resources.devices.access", "linux.resources.devices.defaults-usable")
def test_device_rules_are_replaced_in_one_step(bundle, runtime):
    """A denied device stays denied, also while the rules are replaced."""
    fuse = {"type": "c", "major": 10, "minor": 229}
    full = {"type": "c", "major": 1, "minor": 7}
    bundle.linux["devices"] = [{"path": "/dev/fuse", **fuse}]
    deny_all = {"allow": False, "access": "rwm"}
    limit(bundle, devices=[deny_all])
    bundle.sh("while :; do true </dev/fuse && echo leak; done 2>/dev/null")

    def opened(mode):
        result = runtime("exec", "c1", "/bin/sh", "-c", f"true {mode}/dev/fuse && true </dev/full")
        return result.stderr.strip().rpartition(": ")[2]

    with runtime.running(bundle) as container:
        assert opened("<") == DENIED
        for _ in range(5):
            update(runtime, {"devices": [deny_all, {"allow": True, "access": "m", **fuse}]}).silent()
            update(runtime, {"devices": [deny_all, {"allow": True, "access": "w", **fuse}]}).silent()
        assert opened("<") == DENIED
        assert container.output == ""
        assert opened(">>") == ALLOWED
        container.kill("STOP").ok()
        update(runtime, {"devices": [deny_all, {"allow": True, "access": "r", **fuse},
                                     {"allow": False, "access": "r", **full}]}).silent()
        assert (opened("<"), opened(">>")) == (ALLOWED, DENIED)
        update(runtime, {"devices": [{"allow": True, "access": "r", **fuse}, deny_all]}).silent()
        assert opened("<") == DENIED
        update(runtime, {"devices": [{"allow": True, "access": "rwm"}]}).silent()
        assert (opened("<"), opened(">>")) == (ALLOWED, ALLOWED)
