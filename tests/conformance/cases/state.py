"""runtime.md, state: what `state` says, and when."""

import os
import subprocess
import sys
import threading

from runtime import wait_until
from state_document import check_state
from suite import Skip, case, document, same

@case("state.ociVersion", "state.id.reported", "state.status.required", "state.bundle.absolute",
      "state.schema", "op.state.returns-state", "state.additional-properties", "state.status.created",
      "state.status.running", "state.status.stopped")
def through_the_life(t):
    with t.runtime.created(t.bundle.args("/bin/sleep", "1000"), name="a_B-1.2") as it:
        for status, step in (("created", it.start), ("running", lambda: it.kill("KILL")),
                             ("stopped", it.delete)):
            wait_until(lambda wanted=status: it.status == wanted, status)
            state = it.state
            check_state(state)
            same(state["id"], "a_B-1.2")
            same(state["bundle"], str(t.bundle.path))
            step().ok()


@case("state.status.created", "op.create.args-deferred")
def created_is_alive_and_has_not_run(t):
    with t.runtime.created(t.bundle.sh("touch /ran; sleep 1000")) as it:
        same(it.status, "created")
        os.kill(it.pid, 0)
        assert b"touch" not in it.proc("cmdline").read_bytes(), "the program runs"
        assert not (t.bundle.rootfs / "ran").exists(), "the program has run"


@case("state.pid.created-running")
def pid_is_the_hosts(t):
    with t.runtime.created(t.bundle.args("/bin/sleep", "1000")) as it:
        pid = it.pid
        assert os.readlink(f"/proc/{pid}/ns/pid") != os.readlink("/proc/self/ns/pid")
        it.start().ok()
        same(it.pid, pid)
        wait_until(lambda: it.proc("cmdline").read_bytes() == b"/bin/sleep\x001000\x00", "the program")


@case("state.pid.optional-otherwise")
def pid_of_the_stopped(t):
    with t.runtime.running(t.bundle.args("/bin/true")) as it:
        pid = it.wait().state.get("pid", 0)
        assert type(pid) is int and pid >= 0, pid


@case("state.status.stopped")
def stopped_before_anybody_has_reaped_it(t):
    with t.runtime.created(t.bundle.args("/bin/true")) as it:
        pid = it.pid
        it.start().ok()
        it.wait()
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            same(file.read().rsplit(")", 1)[1].split()[0], "Z")


@case("state.status.stopped", "op.kill.created")
def killed_before_start(t):
    with t.runtime.created(t.bundle.args("/bin/true")) as it:
        it.kill("KILL").ok()
        it.wait()


# Arguments: a bundle, the command of the runtime. Runs as the first process of a pid namespace.
REUSE = """
import json, os, subprocess, sys, time

def run(*words):
    return subprocess.call([*sys.argv[2:], *words], stdout=subprocess.DEVNULL)

def state():
    return subprocess.check_output([*sys.argv[2:], "state", "c1"], text=True)

assert run("create", "--bundle", sys.argv[1], "c1") == 0
pid = json.loads(state())["pid"]
assert run("start", "c1") == 0
os.waitpid(pid, 0)
while True:
    open("/proc/sys/kernel/ns_last_pid", "w").write(str(pid - 1))
    child = os.fork()
    if child == 0:
        time.sleep(1000)
    if child == pid:
        break
    os.kill(child, 9)
    os.waitpid(child, 0)
print(state())
run("kill", "c1", "KILL")
time.sleep(0.2)
print(os.waitpid(pid, os.WNOHANG)[0])
run("delete", "--force", "c1")
"""


@case("state.status.pid-reuse", "op.kill.wrong-state.no-effect")
def a_stranger_with_the_pid(t):
    if not os.path.exists("/proc/sys/kernel/ns_last_pid"):
        raise Skip("the kernel lets nobody choose a pid")
    t.bundle.args("/bin/true").write()
    done = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable,
                           "-c", REUSE, t.bundle.path, *t.runtime.command()],
                          check=False, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    text, killed = done.stdout.rsplit("\n", 2)[:2]
    same(document(text)["status"], "stopped")
    same(killed, "0", "the stranger that has been killed")


@case("state.bundle.absolute", "config.root.path.relative")
def relative_bundle(t):
    t.bundle.args("/bin/true").write()
    t.runtime.names.add("c1")
    t.runtime("create", "--bundle", "./bundle", "c1", cwd=t.scratch).ok()
    same(t.runtime("state", "c1").ok().json["bundle"], str(t.bundle.path))


@case("state.annotations.reported", "config.annotations.value.empty", "config.annotations.unknown",
      "config.annotations.reserved", "config.annotations.reserved.unknown",
      "config.annotations.key.reverse-domain", "config.annotations.reserved.values")
def annotations(t):
    t.config["annotations"] = {
        "com.x": "1", "com.y": "", "foo": "é\"\\", "org.opencontainers.image.os": "linux",
        "org.opencontainers.foo": "bar", "org.opencontainers.image.stopSignal": "NOSUCH"}
    with t.runtime.created(t.bundle.args("/bin/true")) as it:
        state = it.state
        check_state(state)
        same(state["annotations"], t.config["annotations"])


@case("state.annotations.empty", "config.annotations.empty", each={"empty": {}, "absent": None})
def no_annotations(t, value):
    if value is not None:
        t.config["annotations"] = value
    with t.runtime.created(t.bundle.args("/bin/true")) as it:
        same(it.state.get("annotations", {}), {})


@case("config.annotations.stopSignal")
def an_explicit_signal_wins(t):
    t.config["annotations"] = {"org.opencontainers.image.stopSignal": "SIGUSR1"}
    with t.runtime.running(t.bundle.args("/bin/probe", "catch", "10", "15")) as it:
        wait_until(lambda: it.output == "ready\n", "the program")
        it.kill("TERM").ok()
        wait_until(lambda: it.output == "ready\n15\n", "SIGTERM")


@case("state.id.unique-per-host")
def two_creates_at_once(t):
    others = [t.make_bundle(), t.make_bundle()]
    results = []
    threads = [threading.Thread(target=lambda b=other: results.append(
        t.runtime.create(b.args("/bin/true")))) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(sorted(result.status == 0 for result in results), [False, True], "successes")
    same(t.runtime("state", "c1").ok().json["status"], "created")
    t.runtime("start", "c1").ok()


@case("op.state.no-id", "op.start.no-id", "op.kill.no-id", "op.delete.no-id",
      "op.create.no-bundle-or-id", "errors.exposure-free",
      each=["state", "start", "kill", "delete", "create"])
def no_id(t, command):
    t.bundle.write()
    result = t.runtime(command, cwd=t.bundle.path)
    assert result.status != 0, result
    assert result.stderr or result.stdout, "it says nothing"


@case("op.state.nonexistent", "op.start.not-created.error", "op.kill.wrong-state.error",
      "op.delete.nonexistent", each={"state": ("state",), "start": ("start",), "kill": ("kill",),
                                     "delete": ("delete",)})
def an_id_that_does_not_exist(t, command):
    words = ["KILL"] if command == "kill" else []
    result = t.runtime(command, "nosuch", *words)
    assert result.status != 0, result
    assert not result.stdout.lstrip().startswith("{"), "it prints a state"
