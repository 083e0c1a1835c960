"""Processor time, processors and memory nodes."""

import os
import time

import pytest

from limits import MB, keyed, limit, needs, read, wait_until

SPIN = "while :; do :; done"


@pytest.mark.req("linux.cpu.quota", "linux.cpu.period")
def test_a_tenth_of_a_processor(bundle, runtime):
    limit(bundle, cpu={"quota": 10000, "period": 100000})
    with runtime.running(bundle.sh(SPIN)):
        wait_until(lambda: keyed(bundle, "cpu.stat")["nr_throttled"] > 0, "the loop to be throttled")
        before, started = keyed(bundle, "cpu.stat"), time.monotonic()
        time.sleep(3)
        after, seconds = keyed(bundle, "cpu.stat"), time.monotonic() - started
        share = (after["usage_usec"] - before["usage_usec"]) / (seconds * 1e6)
        assert 0.05 <= share <= 0.2
        assert after["nr_throttled"] > before["nr_throttled"]
        throttling = runtime("events", "--stats", "c1").ok().json["data"]["cpu"]["throttling"]
        assert throttling["throttledPeriods"] >= after["nr_throttled"]


@pytest.mark.req("linux.cpu.cpus")
def test_one_processor_only(bundle, runtime):
    needs(os.cpu_count() > 1, "two processors")
    for number in ("0", "1"):
        limit(bundle, cpu={"cpus": number})
        result = runtime.sh(bundle, "nproc; grep Cpus_allowed_list /proc/self/status").ok()
        assert result.stdout.split() == ["1", "Cpus_allowed_list:", number]


@pytest.mark.req("linux.cpu.mems")
def test_one_of_two_memory_nodes(bundle, runtime):
    needs(os.path.exists("/sys/devices/system/node/node1"), "two memory nodes")
    limit(bundle, cpu={"mems": "1"}, memory={"limit": 64 * MB}).mount("/tmp", "tmpfs", "tmpfs")
    script = ("grep Mems_allowed_list /proc/self/status; "
              "dd if=/dev/zero of=/tmp/file bs=1M count=8 2>/dev/null; echo ready; sleep 1000")
    with runtime.running(bundle.sh(script)) as container:
        wait_until(lambda: "ready" in container.output, "the memory to be in use")
        assert container.output.split()[:2] == ["Mems_allowed_list:", "1"]
        assert read(bundle, "cpuset.mems") == "1"
        nodes = dict(word.split("=") for line in read(bundle, "memory.numa_stat").splitlines()
                     if line.startswith("shmem ") for word in line.split()[1:])
        assert int(nodes["N1"]) >= 8 << 20 and int(nodes["N0"]) == 0


@pytest.mark.req("linux.cpu.idle")
def test_an_idle_container_gives_way(make_bundle, runtime):
    """On one processor, the other has nearly all of it."""
    idle = limit(make_bundle(), cpu={"idle": 1, "cpus": "0"}).sh(SPIN)
    busy = limit(make_bundle(), cpu={"cpus": "0"}).sh(SPIN)
    with runtime.running(idle, name="idle"), runtime.running(busy, name="busy"):
        before = [keyed(bundle, "cpu.stat")["usage_usec"] for bundle in (idle, busy)]
        time.sleep(2)
        used = [keyed(bundle, "cpu.stat")["usage_usec"] - start
                for bundle, start in zip((idle, busy), before)]
    assert used[0] * 5 < used[1]


@pytest.mark.req("linux.cpu.shares")
def test_shares_divide_a_processor(make_bundle, runtime):
    small = limit(make_bundle(), cpu={"shares": 128, "cpus": "0"}).sh(SPIN)
    large = limit(make_bundle(), cpu={"shares": 4096, "cpus": "0"}).sh(SPIN)
    with runtime.running(small, name="small"), runtime.running(large, name="large"):
        before = [keyed(bundle, "cpu.stat")["usage_usec"] for bundle in (small, large)]
        time.sleep(2)
        used = [keyed(bundle, "cpu.stat")["usage_usec"] - start
                for bundle, start in zip((small, large), before)]
    assert used[0] * 3 < used[1]
