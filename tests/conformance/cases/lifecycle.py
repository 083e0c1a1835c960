"""runtime.md, life cycle and operations."""

import os
import time
from pathlib import Path

from runtime import wait_until
from suite import case, lacks, same


@case("lifecycle.01.create-invoked", "lifecycle.06.start-invoked", "lifecycle.11.delete-invoked",
      "operations.supported", "op.create.new-container", "op.state.deleted",
      "runtime.scope.same-entity")
def every_operation_from_elsewhere(t):
    t.is_unknown()
    t.runtime.create(t.bundle.args("/bin/sleep", "1000"), cwd="/tmp").ok()
    same(t.runtime("state", "c1", cwd="/").ok().json["status"], "created")
    t.runtime("start", "c1", cwd="/usr").ok()
    t.runtime("kill", "c1", "KILL", cwd="/etc").ok()
    wait_until(lambda: t.runtime("state", "c1").ok().json["status"] == "stopped", "the end")
    t.runtime("delete", "c1", cwd="/var").ok()
    t.is_unknown()


@case("lifecycle.02.program-not-run", "lifecycle.08.program-run", "op.start.runs-program",
      "op.create.process-rest")
def the_program_runs_at_start_and_once(t):
    with t.runtime.created(t.bundle.sh("echo process called >>/output")) as it:
        time.sleep(0.2)
        assert not (t.bundle.rootfs / "output").exists(), "it has run before start"
        it.start().ok()
        it.wait()
        same((t.bundle.rootfs / "output").read_text(), "process called\n")


@case("lifecycle.02.environment-created", "op.create.all-properties")
def what_stands_before_start(t):
    t.config["hostname"] = "early"
    t.bundle.mount("/data", "tmpfs", "tmpfs", ["size=64k"])
    t.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    with t.runtime.created(t.bundle.args("/bin/true")) as it:
        for name in ("pid", "net", "ipc", "uts", "mnt"):
            assert it.namespace(name) != os.readlink(f"/proc/self/ns/{name}"), name
        assert " /data " in it.proc("mountinfo").read_text(), "the mount is missing"
        same(t.enter(it.pid, "uts", "uname", "-n"), "early\n")
        same(t.enter(it.pid, "net", "cat", "/proc/sys/net/ipv4/ip_forward"), "1\n")
        assert str(it.pid) in (t.bundle.cgroup / "cgroup.procs").read_text().split()


@case("lifecycle.02.unable-error", "op.create.cannot-apply", "errors.no-residue",
      "config.mounts.type.kernel", "config.mounts.failure", "linux.sysctl.failure",
      each={"type": ("mount", "nosuchfs", "none", None), "source": ("mount", "none", "/no/such", ["bind"]),
            "data": ("mount", "tmpfs", "tmpfs", ["size=bogus"]), "sysctl": ("sysctl",)})
def what_cannot_be_made(t, kind, fstype=None, source=None, options=None):
    if kind == "mount":
        t.bundle.mount("/t", fstype, source, options)
    else:
        t.linux["sysctl"] = {"kernel.no_such": "1"}
    pid_file = t.scratch / "pid"
    result = t.runtime.create(t.bundle.args("/bin/true"), "--pid-file", pid_file)
    assert result.status != 0, "create succeeds"
    t.is_unknown()
    assert not t.bundle.cgroup.exists(), "its cgroup is there"
    assert not pid_file.exists() or not pid_file.read_text(), "its pid file is there"
    if kind == "mount":
        t.config["mounts"].pop()
    else:
        del t.linux["sysctl"]
    t.runs()


@case("lifecycle.02.config-frozen", "op.create.later-changes")
def later_changes_have_no_effect(t):
    t.config["annotations"] = {"com.x": "old"}
    t.mark("poststart", "old-poststart")
    t.mark("poststop", "old-poststop")
    with t.runtime.created(t.bundle.args("/bin/echo", "old")) as it:
        t.config["annotations"] = {"com.x": "new"}
        t.config["hooks"] = {}
        t.mark("poststart", "new-poststart")
        t.mark("poststop", "new-poststop")
        t.bundle.args("/bin/echo", "new").write()
        it.start().ok()
        it.wait()
        same(it.output, "old\n")
        same(it.state["annotations"], {"com.x": "old"})
        (t.bundle.path / "config.json").unlink()
        it.delete().ok()
    same(t.marks, ["old-poststart", "old-poststop"])


@case("lifecycle.10.exit-any-cause", each={"0": "exit 0", "3": "exit 3", "abort": "kill -ABRT $$",
                                           "kill": "kill -KILL $$"})
def however_it_ends(t, script):
    t.bundle.without_namespace("pid")
    with t.runtime.running(t.bundle.sh(script)) as it:
        it.wait()
        it.delete().ok()


@case("lifecycle.12.destroy", "op.delete.resources")
def nothing_stays(t):
    mounts = Path("/proc/self/mountinfo").read_text()
    t.bundle.mount("/data", "tmpfs", "tmpfs")
    with t.runtime.running(t.bundle.sh("sleep 1000 & sleep 1000")) as it:
        nested = t.bundle.cgroup / "a/b"
        nested.mkdir(parents=True)
        (nested / "cgroup.procs").write_text(str(it.pid))
        it.kill("KILL").ok()
        it.wait()
        it.delete().ok()
    assert not t.bundle.cgroup.exists(), "the cgroup is there"
    same(Path("/proc/self/mountinfo").read_text(), mounts, "mounts")
    same([entry.name for entry in t.runtime.state_root.iterdir()
          if not entry.name.startswith(".")] if t.runtime.state_root.exists() else [], [], "state")


@case("op.delete.foreign-resources")
def what_was_there_before_stays(t):
    parent = t.bundle.cgroup / "parent"
    parent.mkdir(parents=True)
    t.linux["cgroupsPath"] += "/parent/child"
    t.runs()
    assert parent.is_dir(), "the cgroup above is gone"
    parent.rmdir()
    parent.parent.rmdir()
    assert (t.bundle.rootfs / "bin/busybox").exists(), "files of the root are gone"


@case("op.create.id-in-use")
def an_id_in_use(t):
    with t.runtime.created(t.bundle.args("/bin/echo", "first")) as it:
        before = it.state
        other = t.make_bundle()
        assert t.runtime.create(other).status != 0, "create succeeds"
        assert not other.cgroup.exists(), "it has made a cgroup"
        same(it.state, before, "state")
        it.start().ok()
        it.wait()
        same(it.output, "first\n")


@case("op.create.id-invalid", each={"empty": "", "dots": "..", "slash": "a/b", "up": "../x",
                                    "long": "x" * 2000})
def an_id_that_is_no_file_name(t, name):
    t.bundle.args("/bin/true").write()
    result = t.runtime("create", "--bundle", t.bundle.path, "--", name)
    if result.status == 0:
        t.runtime("delete", "--force", "--", name)
    assert result.status != 0, "create succeeds"
    assert not (t.runtime.state_root.parent / "x").exists(), "it is outside of the state root"


@case("op.start.not-created.error", "op.start.not-created.no-effect")
def start_twice(t):
    t.mark("poststart", "hook")
    with t.runtime.running(t.bundle.sh("echo ran >>/ran; sleep 1000")) as it:
        wait_until((t.bundle.rootfs / "ran").exists, "the program")
        before = it.state
        assert it.start().status != 0, "the second start succeeds"
        same(it.state, before, "state")
        same((t.bundle.rootfs / "ran").read_text(), "ran\n")
        same(t.marks, ["hook"])


@case("op.start.not-created.error", "op.start.not-created.no-effect")
def start_of_a_stopped_container(t):
    with t.runtime.running(t.bundle.sh("echo ran >>/ran")) as it:
        it.wait()
        assert it.start().status != 0, "start succeeds"
        same(it.status, "stopped")
        same((t.bundle.rootfs / "ran").read_text(), "ran\n")


@case("op.start.no-process", "config.process.optional", "config.process.required-at-start")
def no_process(t):
    del t.config["process"]
    t.refused_by_start()


@case("op.start.exec-failure", each={"missing": "/nonexistent", "mode": "/plain", "directory": "/etc"})
def a_program_that_cannot_be_executed(t, path):
    t.bundle.file("/plain", "text")
    t.bundle.args(path)
    t.refused_by_start()


@case("op.kill.wrong-state.error", "op.kill.wrong-state.no-effect", each=["KILL", "TERM", "0"])
def kill_of_a_stopped_container(t, signal):
    with t.runtime.running(t.bundle.args("/bin/true")) as it:
        it.wait()
        before = it.state
        assert it.kill(signal).status != 0, "kill succeeds"
        same(it.state, before, "state")


SIGNALS = {"USR1": 10, "SIGUSR2": 12, "HUP": 1, "3": 3, "TERM": 15, "SIGWINCH": 28}


@case("op.kill.sends-signal")
def signals(t):
    t.bundle.args("/bin/probe", "catch", *map(str, SIGNALS.values()))
    with t.runtime.running(t.bundle) as it:
        wait_until(lambda: it.output == "ready\n", "the program")
        for count, (name, number) in enumerate(SIGNALS.items(), 2):
            it.kill(name).ok()
            wait_until(lambda n=count: it.output.count("\n") == n, name)
            same(it.output.splitlines()[-1], str(number), name)


@case("op.kill.unknown-signal", each=["NOSUCH", "99"])
def a_signal_that_does_not_exist(t, name):
    with t.sleeping() as it:
        assert it.kill(name).status != 0, "kill succeeds"
        same(it.status, "running")


@case("op.delete.not-stopped.error", "op.delete.not-stopped.no-effect")
def delete_of_a_running_container(t):
    with t.sleeping() as it:
        before = it.state
        assert it.delete().status != 0, "delete succeeds"
        same(it.state, before, "state")
        os.kill(it.pid, 0)


@case("op.delete.not-stopped.error", "op.delete.not-stopped.no-effect")
def delete_of_a_created_container(t):
    t.strictly()
    with t.runtime.created(t.bundle.args("/bin/echo", "ran")) as it:
        assert it.delete().status != 0, "delete succeeds"
        same(it.status, "created")
        it.start().ok()
        it.wait()
        same(it.output, "ran\n")


@case("op.delete.id-reuse")
def an_id_again(t):
    for text in ("one", "two"):
        same(t.sh(f"echo {text}"), f"{text}\n")


@case("warnings.continue", "config.capabilities.unknown-warn",
      "config.capabilities.ungrantable-no-fail")
def after_a_warning(t):
    t.bundle.capabilities("CAP_KILL", "CAP_TEST")
    same(t.probe("capabilities")["capabilities"]["effective"], 1 << 5)


@case("linux-runtime.fds.only-stdio")
def no_descriptors_of_the_callers(t):
    extra = [os.open("/dev/null", os.O_RDONLY) for _ in range(15)]
    try:
        for fd in extra:
            os.set_inheritable(fd, True)
        fds = t.probe("fds", close_fds=False)["fds"]
    finally:
        for fd in extra:
            os.close(fd)
    same([entry["fd"] for entry in fds], [0, 1, 2], "descriptors")


@case("linux-runtime.fds.devnull")
def standard_input_is_open(t):
    has_stdin = [entry for entry in t.probe("fds", stdin=None)["fds"] if entry["fd"] == 0]
    assert has_stdin, "descriptor 0 is closed"


@case("linux-runtime.fds.only-stdio")
def no_way_out_by_a_working_directory(t):
    """What the runtime has opened on the host is no directory for the program to start in."""
    for number in range(3, 12):
        t.process["cwd"] = f"/proc/self/fd/{number}"
        result = t.runtime.run(t.bundle.sh("ls ../../../../../../.."))
        lacks(t.scratch.parts[1], result.stdout.split() if number else [])
        if result.status == 0:
            lacks("boot", result.stdout.split())
