"""config.md, process: scheduler, ioPriority, execCPUAffinity; config-linux.md, memoryPolicy."""

import json
import os

import pytest

req = pytest.mark.req
pytestmark = pytest.mark.hoy

POLICIES = {"SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3, "SCHED_IDLE": 5}
RESET_ON_FORK = 1
IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
MEMORY_MODES = {"MPOL_DEFAULT": 0, "MPOL_PREFERRED": 1, "MPOL_BIND": 2, "MPOL_INTERLEAVE": 3,
                "MPOL_LOCAL": 4, "MPOL_PREFERRED_MANY": 5}


def scheduled(bundle, **scheduler):
    bundle.process["scheduler"] = scheduler
    return bundle


@pytest.mark.parametrize("name", [pytest.param(name, marks=req(f"config.scheduler.policy.{name}"))
                                  for name in POLICIES])
def test_policy(bundle, runtime, name):
    more = {"priority": 5} if name in ("SCHED_FIFO", "SCHED_RR") else {}
    seen = runtime.probe(scheduled(bundle, policy=name, **more))["scheduler"]
    assert (seen["policy"], seen["priority"]) == (POLICIES[name], more.get("priority", 0))


@req("config.scheduler.nice")
@pytest.mark.parametrize("nice", [-20, -5, 0, 19])
def test_nice(bundle, runtime, nice):
    assert runtime.probe(scheduled(bundle, policy="SCHED_OTHER", nice=nice))["scheduler"]["nice"] == nice


@req("config.scheduler.policy.SCHED_DEADLINE", "config.scheduler.runtime", "config.scheduler.deadline",
     "config.scheduler.period")
def test_deadline(bundle, runtime):
    scheduled(bundle, policy="SCHED_DEADLINE", runtime=10**7, deadline=2 * 10**7, period=3 * 10**7)
    calls = runtime.trace(bundle, "sched_setattr")
    assert "sched_runtime=10000000, sched_deadline=20000000, sched_period=30000000" in calls[-1]


@req("config.scheduler.flags.RESET_ON_FORK")
def test_reset_on_fork(bundle, runtime):
    scheduled(bundle, policy="SCHED_FIFO", priority=5, flags=["SCHED_FLAG_RESET_ON_FORK"])
    seen = runtime.probe(bundle)["scheduler"]
    assert (seen["policy"], seen["flags"]) == (POLICIES["SCHED_FIFO"], RESET_ON_FORK)


@pytest.mark.parametrize("scheduler, words", [
    pytest.param({"nice": 5}, ["process.scheduler", "policy"], marks=req("config.scheduler.policy.required")),
    pytest.param({"policy": "SCHED_FOO"}, ["process.scheduler.policy", "SCHED_FOO"],
                 marks=req("config.scheduler.policy.unknown")),
    pytest.param({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_FOO"]},
                 ["process.scheduler.flags[0]", "SCHED_FLAG_FOO"], marks=req("config.scheduler.flags.unknown")),
    pytest.param({"policy": "SCHED_OTHER", "nice": 20}, ["process.scheduler.nice", "20"],
                 marks=req("config.scheduler.nice")),
    pytest.param({"policy": "SCHED_FIFO"}, ["process.scheduler"], marks=req("config.scheduler.priority")),
    pytest.param({"policy": "SCHED_OTHER", "priority": 5}, ["process.scheduler"],
                 marks=req("config.scheduler.invalid-combination")),
    pytest.param({"policy": "SCHED_DEADLINE"}, ["process.scheduler"],
                 marks=req("config.scheduler.invalid-combination"))])
def test_schedulers_that_are_refused(bundle, runtime, scheduler, words):
    runtime.refuses(scheduled(bundle, **scheduler), *words)


@req(*(f"config.ioPriority.class.{name[13:]}" for name in IO_CLASSES), "config.ioPriority.priority")
@pytest.mark.parametrize("name", IO_CLASSES)
def test_io_priority(bundle, runtime, name):
    bundle.process["ioPriority"] = {"class": name, "priority": 4}
    number = runtime.probe(bundle)["scheduler"]["io"]
    assert (number >> 13, number & 0x1fff) == (IO_CLASSES[name], 4)


@pytest.mark.parametrize("value, words", [
    pytest.param({"priority": 4}, ["process.ioPriority", "class"],
                 marks=req("config.ioPriority.class.required")),
    pytest.param({"class": "IOPRIO_CLASS_FOO", "priority": 4}, ["process.ioPriority.class", "FOO"],
                 marks=req("config.ioPriority.class.unknown")),
    pytest.param({"class": "IOPRIO_CLASS_BE", "priority": 8}, ["process.ioPriority.priority", "8"],
                 marks=req("config.ioPriority.priority"))])
def test_io_priorities_that_are_refused(bundle, runtime, value, words):
    bundle.process["ioPriority"] = value
    runtime.refuses(bundle, *words)


# ---- CPUs of exec ----

two_cpus = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2 or 1 not in os.sched_getaffinity(0),
                              reason="needs the CPUs 0 and 1")


def probe_by_process_file(bundle, runtime, scratch, **affinity):
    process = {"args": ["/bin/probe", "affinity"], "cwd": "/", "user": {"uid": 0, "gid": 0},
               "env": ["PATH=/bin"]} | ({"execCPUAffinity": affinity} if affinity else {})
    (scratch / "process.json").write_text(json.dumps(process))
    with runtime.sleeping(bundle):
        return runtime("exec", "--process", scratch / "process.json", "c1")


@two_cpus
@req("config.execCPUAffinity.not-init")
def test_affinity_is_not_that_of_init(bundle, runtime):
    bundle.process["execCPUAffinity"] = {"initial": "0", "final": "1"}
    assert runtime.probe(bundle)["affinity"] == sorted(os.sched_getaffinity(0))


@two_cpus
@req("config.execCPUAffinity.initial")
def test_initial_affinity_of_exec(bundle, runtime, scratch):
    """It is set when the process is not in the container's cgroup yet, and is kept without a final one."""
    trace = scratch / "trace"
    bundle.process["execCPUAffinity"] = {"initial": "1"}
    with runtime.sleeping(bundle) as container:
        runtime.wrapper = ["strace", "-f", "-qq", "-y", "-e", "trace=sched_setaffinity,write",
                           "-o", trace, "--"]
        assert container.probe()["affinity"] == [1]
        runtime.wrapper = []
    lines = trace.read_text().splitlines()
    # The first process is the runtime's own, whose affinity is another matter.
    changes = [number for number, line in enumerate(lines)
               if "sched_setaffinity(" in line and line.split()[0] != lines[0].split()[0]]
    moves = [number for number, line in enumerate(lines) if "/cgroup.procs>" in line]
    assert moves and any(", [1" in lines[number] for number in changes if number < moves[0]), lines
    assert not [number for number in changes if number > moves[0]], lines


@two_cpus
@req("config.execCPUAffinity.final")
@pytest.mark.parametrize("final, cpus", [("1", [1]), ("0-1", [0, 1]), ("0,1", [0, 1])])
def test_final_affinity_of_exec(bundle, runtime, final, cpus):
    bundle.process["execCPUAffinity"] = {"initial": "0", "final": final}
    with runtime.sleeping(bundle) as container:
        assert container.probe()["affinity"] == cpus


@two_cpus
@req("config.execCPUAffinity.final")
def test_affinity_of_a_process_file(bundle, runtime, scratch):
    result = probe_by_process_file(bundle, runtime, scratch, final="1")
    assert result.ok().json["affinity"] == [1]


@two_cpus
@req("config.execCPUAffinity.final-unset")
def test_affinity_unset_is_all(bundle, runtime, scratch):
    runtime.wrapper = ["taskset", "-c", "0"]
    assert probe_by_process_file(bundle, runtime, scratch).ok().json["affinity"] == sorted(
        os.sched_getaffinity(0))


@req("config.execCPUAffinity.format")
@pytest.mark.parametrize("text", ["x", "1-", "2-1", "-1", "0 1", "99999"])
def test_affinities_that_are_refused(bundle, runtime, text):
    bundle.process["execCPUAffinity"] = {"final": text}
    runtime.refuses(bundle, "process.execCPUAffinity.final", text)


# ---- memory ----

numa = pytest.mark.skipif(not os.path.exists("/sys/devices/system/node/node0"), reason="no NUMA here")


@numa
@req("linux.memoryPolicy.applied", *(f"linux.memoryPolicy.mode.{name}" for name in MEMORY_MODES))
@pytest.mark.parametrize("name", MEMORY_MODES)
def test_memory_policy(bundle, runtime, name):
    bundle.linux["memoryPolicy"] = {"mode": name} | (
        {} if name in ("MPOL_DEFAULT", "MPOL_LOCAL") else {"nodes": "0"})
    assert runtime.probe(bundle)["memory_policy"]["mode"] == MEMORY_MODES[name]


@pytest.mark.parametrize("value, words", [
    pytest.param({"nodes": "0"}, ["linux.memoryPolicy", "mode"],
                 marks=req("linux.memoryPolicy.mode.required")),
    pytest.param({"mode": "MPOL_FOO"}, ["linux.memoryPolicy.mode", "MPOL_FOO"],
                 marks=req("linux.memoryPolicy.mode.unknown")),
    pytest.param({"mode": "MPOL_BIND", "nodes": "x"}, ["linux.memoryPolicy.nodes", "x"],
                 marks=req("linux.memoryPolicy.nodes")),
    pytest.param({"mode": "MPOL_DEFAULT", "nodes": "0"}, ["linux.memoryPolicy"],
                 marks=req("linux.memoryPolicy.nodes.mode-rules")),
    pytest.param({"mode": "MPOL_BIND"}, ["linux.memoryPolicy"],
                 marks=req("linux.memoryPolicy.nodes.mode-rules")),
    pytest.param({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_FOO"]},
                 ["linux.memoryPolicy.flags[0]", "MPOL_F_FOO"],
                 marks=req("linux.memoryPolicy.flags.unknown"))])
def test_memory_policies_that_are_refused(bundle, runtime, value, words):
    bundle.linux["memoryPolicy"] = value
    runtime.refuses(bundle, *words)
