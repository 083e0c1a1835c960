"""Memory: who takes more than the limit is killed, and everybody is told."""

import json
from pathlib import Path

import pytest

from limits import ALLOCATE, MB, keyed, limit, needs, read, wait_until

HUGE_PAGE = 2 * MB
MAP_PRIVATE_ANONYMOUS_HUGETLB = 0x40022
PROT_READ_WRITE = 3


def events(process):
    """The lines that a running `events` has printed so far."""
    process.out.seek(0)
    return [json.loads(line) for line in process.out.read().decode().splitlines()]


@pytest.mark.req("linux.memory.limit", "linux.memory.disableOOMKiller")
def test_an_allocator_is_killed_and_events_says_so(bundle, runtime):
    limit(bundle, memory={"limit": 16 * MB, "swap": 16 * MB})
    bundle.sh(f"until [ -e /go ]; do sleep 0.1; done; {ALLOCATE}; echo $?; sleep 1000")
    with runtime.running(bundle) as container:
        watching = runtime.popen("events", "--interval", "1s", "c1")
        wait_until(lambda: events(watching), "the first line of events")
        bundle.file("/go")
        wait_until(lambda: {"type": "oom", "id": "c1"} in events(watching), "the oom event", 15)
        wait_until(lambda: container.output == "137\n", "the shell to see SIGKILL")
        assert container.status == "running"
        assert keyed(bundle, "memory.events")["oom_kill"] == 1
        container.kill("KILL").ok()
        assert runtime.finish(watching).status == 0
    lines = events(watching)
    assert [line["type"] for line in lines].count("oom") == 1
    stats = [line["data"] for line in lines if line["type"] == "stats"]
    assert stats[0]["memory"]["usage"]["limit"] == 16 * MB
    assert stats[-1]["memory"]["usage"]["max"] <= 16 * MB


@pytest.mark.req("linux.memory.limit")
def test_events_of_a_container_that_dies_of_it(bundle, runtime):
    """The kill and the end come at once: none may be lost."""
    limit(bundle, memory={"limit": 16 * MB, "swap": 16 * MB})
    with runtime.created(bundle.args("/bin/tail", "/dev/zero")) as container:
        watching = runtime.popen("events", "--interval", "500ms", "c1")
        wait_until(lambda: events(watching), "the first line of events")
        container.start().ok()
        assert runtime.finish(watching).status == 0
        assert {"type": "oom", "id": "c1"} in events(watching)
        container.wait()
        runtime("events", "c1").fails("container not running")
    runtime("events", "c1").fails("does not exist")


@pytest.mark.req("linux.memory.limit")
def test_the_status_of_a_killed_container(bundle, runtime):
    limit(bundle, memory={"limit": 16 * MB, "swap": 16 * MB})
    assert runtime.run(bundle.args("/bin/tail", "/dev/zero")).status == 128 + 9


@pytest.mark.req("linux.memory.limit")
def test_memory_that_a_killed_process_has_used_can_be_used_again(bundle, runtime):
    limit(bundle, memory={"limit": 16 * MB, "swap": 16 * MB})
    result = runtime.sh(bundle, f"{ALLOCATE}; {ALLOCATE}; echo alive").ok()
    assert result.stdout == "alive\n"


@pytest.mark.req("linux.hugepageLimits.rsvd")
def test_huge_pages_beyond_the_limit_cannot_be_reserved(bundle, runtime):
    count = Path("/proc/sys/vm/nr_hugepages")
    before = count.read_text()
    count.write_text("4")
    try:
        needs(int(count.read_text()) >= 4, "huge pages")
        limit(bundle, hugepageLimits=[{"pageSize": "2MB", "limit": HUGE_PAGE}])
        results = runtime.call(bundle, *[("mmap", 0, pages * HUGE_PAGE, PROT_READ_WRITE,
                                          MAP_PRIVATE_ANONYMOUS_HUGETLB, -1, 0)
                                         for pages in (2, 1, 1)])
        assert results == ["ENOMEM", "", "ENOMEM"]
    finally:
        count.write_text(before)


@pytest.mark.req("linux.memory.limit")
def test_init_killed_during_set_up_is_told(bundle, runtime):
    """A copy of the root's files into a tmpfs is more than the limit, and cannot be reclaimed."""
    for number in range(8):
        bundle.file(f"/data/{number}", "x" * MB)
    bundle.mount("/data", "tmpfs", "tmpfs", ["tmpcopyup"])
    limit(bundle, memory={"limit": 4 * MB, "swap": 4 * MB})
    runtime.refuses(bundle, "linux.resources.memory.limit",
                    "init was killed for lack of memory while the container was set up")
    assert not bundle.cgroup.exists()


@pytest.mark.parametrize("kib", [4, 32, 64])
@pytest.mark.req("linux.memory.limit")
def test_a_limit_that_is_too_small_is_told(bundle, runtime, kib):
    """Wherever init is killed, be it in execve, the reason is not sought in the filter."""
    limit(bundle, memory={"limit": kib * 1024, "swap": kib * 1024})
    runtime.run(bundle.args("/bin/probe", "pid")).fails("linux.resources.memory.limit",
                                                        "init was killed for lack of memory")
    assert not bundle.cgroup.exists()


@pytest.mark.req("linux.memory.checkBeforeUpdate", "linux.memory.checkBeforeUpdate.reject")
def test_check_before_update(bundle, runtime):
    limit(bundle, memory={"limit": 64 * MB, "swap": 64 * MB})
    bundle.mount("/tmp", "tmpfs", "tmpfs")
    bundle.sh("dd if=/dev/zero of=/tmp/file bs=1M count=20 2>/dev/null; echo ready; sleep 1000")
    with runtime.running(bundle) as container:
        wait_until(lambda: container.output == "ready\n", "the memory to be in use")
        change = bundle.path / "change"
        change.write_text(json.dumps({"memory": {"limit": 10 * MB, "swap": 10 * MB,
                                                 "checkBeforeUpdate": True}}))
        runtime("update", "--resources", change, "c1").fails(
            "linux.resources.memory.limit", "bytes are in use, more than the new limit of 10485760")
        assert read(bundle, "memory.max") == str(64 * MB)
        assert (container.status, keyed(bundle, "memory.events")["oom_kill"]) == ("running", 0)
        change.write_text(json.dumps({"memory": {"limit": 30 * MB, "checkBeforeUpdate": True}}))
        runtime("update", "--resources", change, "c1").ok()
        assert read(bundle, "memory.max") == str(30 * MB)
