"""config.md, POSIX-platform hooks; runtime.md, steps of the life cycle that run them."""

import os
import time

from bundle import busybox
from runtime import wait_until
from state_document import check_state
from suite import case, document, lacks, same

KINDS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
OF_CREATE = KINDS[:3]
INSIDE = ("createContainer", "startContainer")
NAMESPACES = ("mnt", "net", "uts", "ipc", "pid")
STATUS = {"startContainer": "created", "poststart": "running", "poststop": "stopped"}


def directories(t, kind):
    """Where a hook of this kind writes, as it sees it and as we do."""
    return ("/tmp", t.bundle.rootfs / "tmp") if kind == "startContainer" else (t.scratch, t.scratch)


def links(pid):
    return [os.readlink(f"/proc/{pid}/ns/{name}") for name in NAMESPACES]


def whole_life(t):
    """Returns the container's pid and namespaces, when it is deleted."""
    with t.runtime.running(t.bundle.sh("echo; exec sleep 1000")) as it:
        wait_until(lambda: it.output, "the program")
        pid, namespaces = it.pid, links(it.pid)
        it.kill("KILL").ok()
        it.wait()
        it.delete().ok()
    return pid, namespaces


@case("runtime.hooks.supported", "lifecycle.03.prestart-invoked",
      "lifecycle.04.createRuntime-invoked", "lifecycle.05.createContainer-invoked",
      "lifecycle.07.startContainer-invoked", "lifecycle.09.poststart-invoked",
      "lifecycle.13.poststop-invoked", "config.hooks.prestart.timing",
      "config.hooks.createRuntime.timing", "config.hooks.createContainer.timing",
      "config.hooks.startContainer.timing", "config.hooks.prestart.before-createRuntime",
      "config.hooks.createContainer.after-createRuntime")
def each_at_its_time(t):
    log = t.scratch / "log"
    log.touch()
    t.bundle.bind(log, "/log")
    for kind in KINDS:
        t.bundle.hook_sh(kind, "cat >/dev/null; "
                               f"echo {kind} >>{'/log' if kind == 'startContainer' else log}")
    t.bundle.sh("echo program >>/log; exec sleep 1000")
    with t.created() as it:
        same(log.read_text().split(), OF_CREATE, "hooks of create")
        it.start().ok()
        wait_until(lambda: "program" in log.read_text(), "the program")
        words = log.read_text().split()[3:]
        same((words[0], sorted(words[1:])), ("startContainer", ["poststart", "program"]))
        it.kill("KILL").ok()
        it.wait()
        same(len(log.read_text().split()), 6, "hooks before delete")
        it.delete().ok()
    same(log.read_text().split()[6:], ["poststop"], "hooks of delete")


@case("config.hooks.optional", each=KINDS)
def one_alone(t, kind):
    t.mark(kind, "ran")
    t.runs()
    marks = t.marks or (t.bundle.rootfs / "marks").read_text().split()
    same(marks, ["ran"])


@case("config.hooks.optional")
def none(t):
    t.config["hooks"] = {}
    t.runs()
    t.config["hooks"] = {kind: [] for kind in KINDS}
    t.runs()


@case("config.hooks.{}.path-namespace", "config.hooks.{}.exec-namespace", each=KINDS)
def namespaces(t, kind):
    """busybox is at another path on the host than inside, so the path says where it is looked up."""
    inside, outside = directories(t, kind)
    t.bundle.hook_sh(kind, "cat >/dev/null; for n in mnt net uts ipc pid; do "
                           f"readlink /proc/self/ns/$n; done >{inside}/ns")
    _pid, of_container = whole_life(t)
    same((outside / "ns").read_text().split(), of_container if kind in INSIDE else links("self"))


@case("config.hooks.stdin-state", "state.schema", each=KINDS)
def state_on_stdin(t, kind):
    inside, outside = directories(t, kind)
    t.config["annotations"] = {"com.x": "1", "com.y": "\"\\\né"}
    t.bundle.hook_sh(kind, f"cat >{inside}/state")
    whole_life(t)
    state = document((outside / "state").read_text())
    check_state(state)
    same(state["id"], "c1")
    same(state["bundle"], str(t.bundle.path))
    same(state["annotations"], t.config["annotations"])


@case("config.hooks.stdin-status", each=KINDS)
def status_on_stdin(t, kind):
    inside, outside = directories(t, kind)
    t.bundle.hook_sh(kind, f"cat >{inside}/state")
    whole_life(t)
    same(document((outside / "state").read_text())["status"], STATUS.get(kind, "creating"))


@case("state.status.creating", each=OF_CREATE)
def status_while_creating(t, kind):
    status_on_stdin(t, kind)


@case("state.status.running")
def status_when_running(t):
    status_on_stdin(t, "poststart")


@case("state.pid.runtime-hooks", each=["prestart", "createRuntime", "poststart"])
def pid_for_the_runtimes_hooks(t, kind):
    t.bundle.hook_sh(kind, f"cat >{t.scratch}/state; pid=$(grep -o '\"pid\": *[0-9]*' {t.scratch}/state"
                           f" | grep -o '[0-9]*'); readlink /proc/$pid/ns/pid >{t.scratch}/ns")
    pid, of_container = whole_life(t)
    same(document((t.scratch / "state").read_text())["pid"], pid)
    same((t.scratch / "ns").read_text().strip(), of_container[4])


@case("state.pid.container-hooks", each=INSIDE)
def pid_for_the_containers_hooks(t, kind):
    inside, outside = directories(t, kind)
    t.bundle.hook_sh(kind, f"cat >{inside}/state")
    whole_life(t)
    same(document((outside / "state").read_text())["pid"], 1)


@case("config.hooks.args", each=KINDS)
def args(t, kind):
    inside, outside = directories(t, kind)
    program = "/bin/busybox" if kind == "startContainer" else busybox()
    t.bundle.hook(kind, program, "sh", "-c", f"cat >/dev/null; echo \"$0|$1|$2\" >{inside}/args", "-x",
                  " a b", "")
    whole_life(t)
    same((outside / "args").read_text(), "-x| a b|\n")


@case("config.hooks.env", each=KINDS)
def environment(t, kind):
    inside, outside = directories(t, kind)
    # The shell itself reads its environment: a child's would have what the shell adds.
    t.bundle.hook_sh(kind, f'cat >/dev/null; read -r e </proc/self/environ; echo "$e" >{inside}/env',
                     env=["K=v", "L=a b"])
    t.runs(env={"PATH": os.environ["PATH"], "LEAK": "1"})
    same((outside / "env").read_text(), "K=vL=a b\n")


@case("config.hooks.order", each=KINDS)
def one_after_the_other(t, kind):
    inside, outside = directories(t, kind)
    for number, seconds in (("1", 0.2), ("2", 0.1), ("3", 0)):
        t.bundle.hook_sh(kind, f"cat >/dev/null; sleep {seconds}; echo {number} >>{inside}/order")
    t.runs()
    same((outside / "order").read_text().split(), ["1", "2", "3"])


@case("config.hooks.stdin-state", each=KINDS)
def a_hook_that_reads_nothing(t, kind):
    t.config["annotations"] = {"com.x": "x" * 100000}
    t.bundle.hook(kind, "/bin/true")
    t.runs()


def gone(t):
    t.is_unknown()
    assert not t.bundle.cgroup.exists(), "its cgroup is there"


@case("config.hooks.failure", "config.hooks.path.no-search", "lifecycle.hook-failure.later-hooks-skipped",
      "errors.no-residue", each={"status": "exit 3", "signal": "kill -KILL $$", "missing": None})
def failure_of_any_kind(t, script):
    if script:
        t.bundle.hook_sh("createRuntime", f"cat >/dev/null; {script}")
    else:
        t.bundle.hook("createRuntime", "/nonexistent")
    t.mark("createRuntime", "second")
    t.mark("createContainer", "later")
    assert t.runtime.create(t.bundle.args("/bin/true")).status != 0, "create succeeds"
    gone(t)
    same(t.marks, [])


@case("lifecycle.03.prestart-fail", "lifecycle.04.createRuntime-fail",
      "lifecycle.05.createContainer-fail", "errors.no-residue", each=OF_CREATE)
def failure_in_create(t, kind):
    t.mark(kind, "failing", hook_status=1)
    t.mark("poststop", "poststop")
    assert t.runtime.create(t.bundle.args("/bin/true")).status != 0, "create succeeds"
    gone(t)
    same(t.marks, ["failing", "poststop"])


@case("lifecycle.07.startContainer-fail")
def failure_of_startContainer(t):  # the word of the specification
    t.mark("startContainer", "failing", hook_status=1)
    t.mark("poststop", "poststop")
    t.runtime.create(t.bundle.sh("touch /ran")).ok()
    assert t.runtime("start", "c1").status != 0, "start succeeds"
    assert not (t.bundle.rootfs / "ran").exists(), "the program has run"
    gone(t)
    same(t.marks, ["poststop"])


@case("lifecycle.09.poststart-fail")
def failure_of_poststart(t):
    t.mark("poststart", "failing", hook_status=1)
    t.mark("poststop", "poststop")
    t.runtime.create(t.bundle.args("/bin/sleep", "1000")).ok()
    assert t.runtime("start", "c1").status != 0, "start succeeds"
    gone(t)
    same(t.marks, ["failing", "poststop"])


@case("lifecycle.13.poststop-fail-warns")
def failure_of_poststop(t):
    t.mark("poststop", "failing", hook_status=1)
    t.mark("poststop", "second")
    t.runs()
    t.is_unknown()
    same(t.marks, ["failing", "second"])


@case("config.hooks.timeout.abort", each=["createRuntime", "createContainer", "startContainer"])
def a_hook_that_takes_too_long(t, kind):
    t.bundle.hook_sh(kind, "sleep 60; :", timeout=1)
    started = time.monotonic()
    t.refused_by_start()
    seconds = time.monotonic() - started
    assert seconds < 8, f"it takes {seconds:.0f} s"


@case("config.hooks.createRuntime.mounts-done")
def mounts_are_there_for_createRuntime(t):  # the word of the specification
    t.bundle.hook_sh("createRuntime", "pid=$(grep -o '\"pid\": *[0-9]*' | grep -o '[0-9]*'); "
                                      f"cat /proc/$pid/mountinfo >{t.scratch}/mounts")
    t.runs()
    points = [line.split()[4] for line in (t.scratch / "mounts").read_text().splitlines()]
    assert any(point.endswith("/proc") and point != "/proc" for point in points), points


@case("config.hooks.createContainer.timing")
def the_host_is_there_for_createContainer(t):  # the word of the specification
    t.bundle.hook_sh("createContainer", f"cat >/dev/null; cat /proc/self/mountinfo >{t.scratch}/mounts")
    t.runs()
    text = (t.scratch / "mounts").read_text()
    assert any(line.split()[4].endswith("/rootfs/proc") for line in text.splitlines()), text


@case("config.hooks.poststart.timing")
def poststart_finds_the_program(t):
    t.bundle.hook_sh("poststart", "pid=$(grep -o '\"pid\": *[0-9]*' | grep -o '[0-9]*'); "
                                  f"tr '\\0' ' ' </proc/$pid/cmdline >{t.scratch}/cmdline; sleep 0.5")
    started = time.monotonic()
    with t.sleeping():
        assert time.monotonic() - started >= 0.5, "start has not waited"
        same((t.scratch / "cmdline").read_text(), "/bin/sleep 1000 ")


@case("config.hooks.poststop.timing")
def poststop_finds_nothing(t):
    t.bundle.hook_sh("poststop", f"cat >/dev/null; [ -e {t.bundle.cgroup} ] && echo cgroup "
                                 f">>{t.scratch}/found; {' '.join(t.runtime.command('state', 'c1'))} "
                                 f">>{t.scratch}/found 2>/dev/null; sleep 0.5")
    with t.runtime.running(t.bundle.args("/bin/true")) as it:
        it.wait()
        started = time.monotonic()
        it.delete().ok()
        assert time.monotonic() - started >= 0.5, "delete has not waited"
    lacks("cgroup", (t.scratch / "found").read_text())
    same((t.scratch / "found").read_text(), "", "state")


@case("config.hooks.createRuntime.timing")
def createRuntime_gives_a_network(t):  # the word of the specification
    """A hook that does what network plugins do: it makes a device in the container's network."""
    t.bundle.hook_sh("createRuntime", "pid=$(grep -o '\"pid\": *[0-9]*' | grep -o '[0-9]*'); "
                                      "nsenter --net=/proc/$pid/ns/net "
                                      "/sbin/ip link add hoyt0 type veth peer name hoyt1")
    assert {"hoyt0", "hoyt1"} <= set(t.probe("interfaces")["interfaces"])
