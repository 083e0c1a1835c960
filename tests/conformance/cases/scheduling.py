"""config.md, Linux process: scheduler, ioPriority, execCPUAffinity."""

import ctypes
import os
import struct

from suite import case, same

SYS_SCHED_SETATTR = 314
SYS_SCHED_GETATTR = 315
MS = 1000000
POLICIES = {"SCHED_OTHER": 0, "SCHED_BATCH": 3, "SCHED_IDLE": 5}


def attributes(pid):
    """policy, flags, nice, priority, runtime, deadline, period of a process of the host."""
    buffer = ctypes.create_string_buffer(64)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.syscall(SYS_SCHED_GETATTR, pid, buffer, 64, 0) == 0, os.strerror(ctypes.get_errno())
    return struct.unpack_from("IIQiIQQQ", buffer.raw)[1:]


def seen(t, **scheduler):
    t.process["scheduler"] = scheduler
    with t.sleeping() as it:
        return attributes(it.pid)


@case("config.scheduler.policy.{}", each={name: (name, value) for name, value in POLICIES.items()})
def policy(t, name, number):
    same(seen(t, policy=name)[0], number)


@case("config.scheduler.policy.{}", "config.scheduler.priority",
      each={"SCHED_FIFO": ("SCHED_FIFO", 1), "SCHED_RR": ("SCHED_RR", 2)})
def real_time(t, name, number):
    found = seen(t, policy=name, priority=10)
    same((found[0], found[3]), (number, 10))


@case("config.scheduler.policy.SCHED_DEADLINE", "config.scheduler.runtime",
      "config.scheduler.deadline", "config.scheduler.period")
def deadline(t):
    found = seen(t, policy="SCHED_DEADLINE", runtime=5 * MS, deadline=50 * MS, period=100 * MS)
    same((found[0], *found[4:]), (6, 5 * MS, 50 * MS, 100 * MS))


@case("config.scheduler.policy.SCHED_ISO")
def what_no_kernel_has(t):
    t.process["scheduler"] = {"policy": "SCHED_ISO"}
    t.bundle.args("/bin/true")
    t.refused_by_start()


@case("config.scheduler.nice")
def nice(t):
    same(seen(t, policy="SCHED_OTHER", nice=5)[2], 5)


@case("config.scheduler.nice")
def nice_is_0_if_absent(t):
    t.runtime.wrapper = ["nice", "-n", "3"]
    same(seen(t, policy="SCHED_OTHER")[2], 0)


@case("config.scheduler.flags.RESET_ON_FORK")
def reset_on_fork(t):
    found = seen(t, policy="SCHED_BATCH", flags=["SCHED_FLAG_RESET_ON_FORK"])
    same(found[1] & 1, 1)


@case("config.scheduler.flags.RECLAIM", "config.scheduler.flags.DL_OVERRUN",
      each={"RECLAIM": 2, "DL_OVERRUN": 4})
def flags_of_deadline(t, bit):
    name = {2: "RECLAIM", 4: "DL_OVERRUN"}[bit]
    found = seen(t, policy="SCHED_DEADLINE", runtime=5 * MS, deadline=50 * MS, period=100 * MS,
                 flags=[f"SCHED_FLAG_{name}"])
    same(found[1] & bit, bit)


@case("config.scheduler.flags.KEEP_POLICY")
def keep_policy(t):
    """The parameters change, the policy does not."""
    found = seen(t, policy="SCHED_BATCH", nice=7, flags=["SCHED_FLAG_KEEP_POLICY"])
    same((found[0], found[2]), (0, 7))


@case("config.scheduler.flags.KEEP_PARAMS")
def keep_parameters(t):
    """The parameters stay those of the caller, whatever the others are."""
    found = seen(t, policy="SCHED_BATCH", nice=7, flags=["SCHED_FLAG_KEEP_PARAMS"])
    same(found[2], os.nice(0))


def kernel_takes(flag):
    """Whether sched_setattr(2) of this kernel knows a flag, with all else as it is."""
    libc = ctypes.CDLL(None)
    pid = os.fork()
    if pid == 0:
        attr = struct.pack("IIQiIQQQII", 56, 0, flag, 0, 0, 0, 0, 0, 0, 0)
        os._exit(libc.syscall(SYS_SCHED_SETATTR, 0, attr, 0) != 0)
    return os.waitpid(pid, 0)[1] == 0


@case("config.scheduler.flags.UTIL_CLAMP_MIN", "config.scheduler.flags.UTIL_CLAMP_MAX",
      each={"UTIL_CLAMP_MIN": ("UTIL_CLAMP_MIN", 0x20), "UTIL_CLAMP_MAX": ("UTIL_CLAMP_MAX", 0x40)})
def utilization(t, name, flag):
    """A kernel without utilization clamping refuses the flag, which must then be an error."""
    t.process["scheduler"] = {"policy": "SCHED_OTHER", "flags": [f"SCHED_FLAG_{name}"]}
    result = t.runtime.run(t.bundle.args("/bin/true"))
    same(result.status == 0, kernel_takes(flag), "success")
    assert result.status == 0 or result.stderr, "it says nothing"


@case("config.scheduler.invalid-combination", each={
    "priority": {"policy": "SCHED_OTHER", "priority": 50},
    "deadline": {"policy": "SCHED_DEADLINE", "runtime": 60 * MS, "deadline": 50 * MS, "period": 50 * MS},
    "fifo": {"policy": "SCHED_FIFO"}})
def what_the_kernel_refuses(t, scheduler):
    t.process["scheduler"] = scheduler
    t.bundle.args("/bin/true")
    t.refused_by_start()


@case("config.ioPriority.class.{}", each={"RT": ("RT", 1), "BE": ("BE", 2), "IDLE": ("IDLE", 3)})
def io_class(t, name, number):
    t.process["ioPriority"] = {"class": f"IOPRIO_CLASS_{name}", "priority": 4}
    same(t.probe("scheduler")["scheduler"]["io"], number << 13 | 4)


@case("config.ioPriority.priority", each={"0": 0, "7": 7})
def io_priority(t, value):
    t.process["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": value}
    same(t.probe("scheduler")["scheduler"]["io"], 2 << 13 | value)


@case("config.ioPriority.process-group")
def io_priority_of_children(t):
    t.process["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}
    t.bundle.sh("/bin/probe scheduler; :")
    same(t.runtime.run(t.bundle).ok().json["scheduler"]["io"], 2 << 13 | 6)


@case("config.execCPUAffinity.not-init")
def affinity_is_not_of_the_first_process(t):
    t.process["execCPUAffinity"] = {"initial": "0", "final": "0"}
    same(t.probe("affinity")["affinity"], sorted(os.sched_getaffinity(0)))
