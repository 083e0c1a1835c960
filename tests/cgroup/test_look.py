"""pause and resume, ps, events --stats."""

import json
import time

import pytest

from limits import MB, keyed, limit, pids, read, wait_until


def test_a_paused_container_stands_still(bundle, runtime):
    limit(bundle, cpu={"shares": 1024})
    with runtime.running(bundle.sh("while :; do :; done")) as container:
        wait_until(lambda: keyed(bundle, "cpu.stat")["usage_usec"] > 0, "the loop to run")
        runtime("pause", "c1").silent()
        assert container.status == "paused"
        assert keyed(bundle, "cgroup.events")["frozen"] == 1
        before = keyed(bundle, "cpu.stat")["usage_usec"]
        time.sleep(0.5)
        assert keyed(bundle, "cpu.stat")["usage_usec"] - before < 10000
        container.exec("--", "/bin/true").fails("paused", status=255)
        runtime("pause", "c1").fails("already paused")
        assert runtime("ps", "--format", "json", "c1").ok().json == pids(bundle)
        runtime("update", "--cpu-share", "2048", "c1").silent()
        runtime("resume", "c1").silent()
        assert container.status == "running"
        wait_until(lambda: keyed(bundle, "cpu.stat")["usage_usec"] > before + 100000, "it to go on")
        runtime("resume", "c1").fails("not paused")


@pytest.mark.parametrize("how", ["kill", "delete"])
def test_a_paused_container_can_be_ended(bundle, runtime, how):
    with runtime.sleeping(bundle) as container:
        runtime("pause", "c1").ok()
        if how == "kill":
            container.kill("KILL").ok()
            container.wait()
        else:
            container.delete("--force").ok()
            assert not bundle.cgroup.exists()


def test_ps(bundle, runtime):
    bundle.sh("sleep 1001 & sleep 1002 & wait")
    with runtime.running(bundle):
        wait_until(lambda: len(pids(bundle)) == 3, "three processes")
        assert runtime("ps", "-f", "json", "c1").silent().json == sorted(pids(bundle))
        lines = runtime("ps", "c1").silent().stdout.splitlines()
        assert lines[0].split()[:2] == ["UID", "PID"]
        assert [int(line.split()[1]) for line in lines[1:]] == sorted(pids(bundle))
        lines = runtime("ps", "c1", "-e", "-o", "pid,args").silent().stdout.splitlines()
        assert sorted(line.split()[2] for line in lines[1:]) == ["-c", "1001", "1002"]
        runtime("ps", "c1", "-e", "-o", "args").fails("no column PID")
        runtime("ps", "c1", "--nonsense").fails("ps ")
        runtime("ps", "--format", "xml", "c1").fails("--format", "xml")
    runtime("ps", "c1").fails("does not exist")


def test_ps_of_a_delegated_cgroup_and_of_a_stopped_container(bundle, runtime):
    with runtime.sleeping(bundle) as container:
        below = bundle.cgroup / "below"
        below.mkdir()
        pid = container.pid
        (below / "cgroup.procs").write_text(str(pid))
        assert runtime("ps", "--format=json", "c1").silent().json == [pid]
        container.kill("KILL").ok()
        container.wait()
        assert runtime("ps", "--format=json", "c1").silent().json == []


def test_statistics(bundle, runtime):
    limit(bundle, memory={"limit": 64 * MB, "swap": 64 * MB}, pids={"limit": 20},
          cpu={"cpus": "0", "mems": "0"}, blockIO={"weight": 100},
          hugepageLimits=[{"pageSize": "2MB", "limit": 4 * MB}])
    bundle.mount("/tmp", "tmpfs", "tmpfs")
    bundle.sh("dd if=/dev/zero of=/tmp/file bs=1M count=8 2>/dev/null; echo ready; sleep 1000")
    with runtime.running(bundle) as container:
        wait_until(lambda: container.output == "ready\n", "the memory to be in use")
        line = runtime("events", "--stats", "c1").silent().stdout
        assert line.count("\n") == 1
        event = json.loads(line)
        assert (event["type"], event["id"]) == ("stats", "c1")
        data = event["data"]
        assert set(data) == {"cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt",
                             "network_interfaces"}
        usage = data["cpu"]["usage"]
        assert 0 < usage["total"] <= keyed(bundle, "cpu.stat")["usage_usec"] * 1000
        assert data["cpuset"] == {"cpus": "0", "mems": "0"}
        memory = data["memory"]["usage"]
        assert 8 * MB <= memory["usage"] <= memory["max"] <= memory["limit"] == 64 * MB
        assert data["memory"]["raw"]["shmem"] >= 8 * MB
        assert data["pids"] == {"current": int(read(bundle, "pids.current")), "limit": 20}
        assert data["hugetlb"] == {"2MB": {"usage": 0, "max": 0, "failcnt": 0, "limit": 4 * MB}}
        for name in ("cpu", "memory", "blkio"):
            assert set(data[name]["psi"]) == {"some", "full"}, name
            assert set(data[name]["psi"]["some"]) == {"avg10", "avg60", "avg300", "total"}


def test_events_at_an_interval(bundle, runtime):
    with runtime.sleeping(bundle) as container:
        watching = runtime.popen("events", "--interval", "300ms", "c1")
        wait_until(lambda: watching.out.seek(0) == 0 and len(watching.out.readlines()) >= 3,
                   "three lines")
        assert watching.poll() is None
        container.kill("KILL").ok()
        assert runtime.finish(watching).silent().stdout.count('{"type":"stats","id":"c1"') >= 3
    for interval in ("5", "0s", "-1s", "s", "1d", "99999999999s"):
        runtime("events", "--interval", interval, "c1").fails("--interval", f'"{interval}"')
