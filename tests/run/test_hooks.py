"""config.md, POSIX-platform hooks: when, where, with what, and what follows when one fails."""

import json
import os
import re
import time

import pytest

from bundle import busybox
from runtime import ENVIRONMENT

req = pytest.mark.req

KINDS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
RUNTIME_KINDS = ["prestart", "createRuntime", "poststart", "poststop"]
CONTAINER_KINDS = ["createContainer", "startContainer"]
NAMESPACES = ["mnt", "net", "uts", "ipc", "pid"]


def place(kind, scratch, bundle):
    """Where a hook of this kind writes, as it sees it and as we do."""
    if kind == "startContainer":
        return "/tmp", bundle.rootfs / "tmp"
    return str(scratch), scratch


def links(pid):
    return [os.readlink(f"/proc/{pid}/ns/{name}") for name in NAMESPACES]


READ_LINKS = "for n in mnt net uts ipc pid; do readlink /proc/self/ns/$n; done"


@req("runtime.hooks.supported", "lifecycle.03.prestart-invoked", "lifecycle.04.createRuntime-invoked",
     "lifecycle.05.createContainer-invoked", "lifecycle.07.startContainer-invoked",
     "lifecycle.09.poststart-invoked", "lifecycle.13.poststop-invoked",
     "config.hooks.prestart.before-createRuntime", "config.hooks.createContainer.after-createRuntime",
     *(f"config.hooks.{kind}.timing" for kind in KINDS))
def test_each_at_its_time(bundle, runtime, scratch):
    """All write to one file, which the container has too."""
    log = scratch / "log"
    log.touch()
    bundle.bind(log, "/log")
    for kind in KINDS:
        bundle.hook_sh(kind, f"echo {kind} >>{'/log' if kind == 'startContainer' else log}")
    bundle.sh("echo program >>/log; exec sleep 1000")
    with runtime.created(bundle) as container:
        assert log.read_text().split() == ["prestart", "createRuntime", "createContainer"]
        container.start().ok()
        words = log.read_text().split()
        while "program" not in words:
            words = log.read_text().split()
        assert words[3] == "startContainer"
        assert sorted(words[4:]) == ["poststart", "program"]
        container.kill("KILL")
        container.wait()
        assert len(log.read_text().split()) == 6
        container.delete().ok()
        assert log.read_text().split()[6:] == ["poststop"]


@req("config.hooks.stdin-state", "config.hooks.stdin-status", "state.status.creating",
     "state.status.running", "state.pid.runtime-hooks", "state.pid.container-hooks", "state.schema")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.hoy
def test_state_on_stdin(bundle, runtime, scratch, kind):
    inside, outside = place(kind, scratch, bundle)
    bundle.config["annotations"] = {"com.x": "1", "com.y": "\"\\\né"}
    # The pid is looked up while the hook runs: afterwards nobody may be there.
    bundle.hook_sh(kind, f"cat >{inside}/state; "
                         f"pid=$(grep -o '\"pid\": *[0-9]*' {inside}/state | grep -o '[0-9]*'); "
                         f"readlink /proc/$pid/ns/pid >{inside}/ns; "
                         f"readlink /proc/self/ns/pid >>{inside}/ns")
    with runtime.sleeping(bundle) as container:
        pid, namespace = container.pid, container.namespace("pid")
        container.kill("KILL")
        container.wait()
        container.delete().ok()
    state = json.loads((outside / "state").read_text())
    status = {"startContainer": "created", "poststart": "running", "poststop": "stopped"}
    assert state["status"] == status.get(kind, "creating")
    assert state["id"] == "c1"
    assert state["bundle"] == str(bundle.path)
    assert state["annotations"] == {"com.x": "1", "com.y": "\"\\\né"}
    assert re.fullmatch(r"\d+\.\d+\.\d+(-.*)?", state["ociVersion"])
    seen = (outside / "ns").read_text().split()
    if kind in CONTAINER_KINDS:
        assert state["pid"] == 1
    elif kind == "poststop":
        assert state.get("pid", 0) in (0, pid)
    else:
        assert state["pid"] == pid
        assert seen[0] == namespace != seen[1]


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=req(
    f"config.hooks.{kind}.exec-namespace", f"config.hooks.{kind}.path-namespace")) for kind in KINDS])
def test_namespaces(bundle, runtime, scratch, kind):
    """Runtime hooks run where the runtime does, the others in the container's namespaces."""
    inside, outside = place(kind, scratch, bundle)
    bundle.hook_sh(kind, f"({READ_LINKS}) >{inside}/ns; "
                         f"[ ! -e {scratch}/bundle ] || echo host >>{inside}/ns")
    with runtime.sleeping(bundle) as container:
        of_container = links(container.pid)
        container.kill("KILL")
        container.wait()
        container.delete().ok()
    lines = (outside / "ns").read_text().split()
    assert lines[:5] == (of_container if kind in CONTAINER_KINDS else links("self"))
    # createContainer runs before the pivot: it still sees the host's files.
    assert ("host" in lines) == (kind != "startContainer")


def exported(path):
    """What env(1) has printed there, without what the shell adds to every environment."""
    return {line for line in path.read_text().splitlines()
            if line.split("=")[0] not in ("PATH", "PWD", "OLDPWD", "SHLVL", "_")}


@req("config.hooks.args", "config.hooks.env")
@pytest.mark.parametrize("kind", KINDS)
def test_args_and_env(bundle, runtime, scratch, kind):
    inside, outside = place(kind, scratch, bundle)
    program = "/bin/busybox" if kind == "startContainer" else busybox()
    script = f"env >{inside}/env; echo \"$0|$1|$2\" >{inside}/args"
    bundle.hook(kind, program, "sh", "-c", script, "-x", " a b", "", env=["K=v", "L=a b"])
    with runtime.running(bundle.args("/bin/true"), env=ENVIRONMENT | {"LEAK": "1"}) as container:
        container.wait()
        container.delete().ok()
    assert (outside / "args").read_text() == "-x| a b|\n"
    assert exported(outside / "env") == {"K=v", "L=a b"}


@req("config.hooks.env")
@pytest.mark.hoy
@pytest.mark.parametrize("kind, inherits", [("prestart", True), ("createContainer", False),
                                            ("startContainer", False), ("poststop", True)])
def test_no_env(bundle, runtime, scratch, kind, inherits):
    inside, outside = place(kind, scratch, bundle)
    bundle.hook_sh(kind, f"env >{inside}/env")
    bundle.args("/bin/true")
    runtime.run(bundle, env={"LEAK": "1"}).ok()
    assert exported(outside / "env") == ({"LEAK=1"} if inherits else set())


@req("config.hooks.args")
def test_no_args(bundle, runtime, scratch):
    program = scratch / "hook"
    program.write_text(f"#!{busybox()} sh\necho \"$0 $#\" >{scratch}/args\n")
    program.chmod(0o755)
    bundle.hook("createRuntime", program)
    runtime.run(bundle.args("/bin/true")).ok()
    assert (scratch / "args").read_text() == f"{program} 0\n"


@req("config.hooks.order")
def test_in_order(bundle, runtime, scratch):
    for number, seconds in (1, 0.2), (2, 0.1), (3, 0):
        bundle.hook_sh("createRuntime", f"sleep {seconds}; echo {number} >>{scratch}/log")
    runtime.run(bundle.args("/bin/true")).ok()
    assert (scratch / "log").read_text() == "1\n2\n3\n"


@req("config.hooks.stdin-state")
@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_that_does_not_read_its_stdin(bundle, runtime, kind):
    bundle.config["annotations"] = {f"com.example.{number}": "x" * 1000 for number in range(200)}
    bundle.hook(kind, "/bin/busybox" if kind == "startContainer" else busybox(), "true")
    assert runtime.run(bundle.args("/bin/echo", "ok")).ok().stdout == "ok\n"


def test_a_hook_gets_no_descriptor_but_0_to_2(bundle, runtime, scratch):
    for kind in KINDS:
        inside, _outside = place(kind, scratch, bundle)
        bundle.hook_sh(kind, f"ls /proc/self/fd >{inside}/fds.{kind}")
    with open("/dev/null") as leak:
        os.set_inheritable(leak.fileno(), True)
        runtime.run(bundle.args("/bin/true"), close_fds=False).ok()
    for kind in KINDS:
        _inside, outside = place(kind, scratch, bundle)
        # ls has one of its own.
        assert (outside / f"fds.{kind}").read_text().split() == ["0", "1", "2", "3"], kind


def test_a_hook_has_no_signal_blocked_and_a_session_of_its_own(bundle, runtime, scratch):
    bundle.hook_sh("createRuntime", f"grep ^Sig /proc/self/status >{scratch}/status;"
                                    f"cut -d' ' -f6 /proc/self/stat >{scratch}/session")
    runtime.run(bundle.args("/bin/true")).ok()
    status = dict(line.split(":\t") for line in (scratch / "status").read_text().splitlines())
    assert int(status["SigBlk"], 16) == int(status["SigIgn"], 16) == 0
    assert int((scratch / "session").read_text()) != os.getsid(0)


# ---- the mounts around hooks ----

@req("config.hooks.createRuntime.mounts-done", "config.hooks.createContainer.timing")
@pytest.mark.hoy
def test_the_mounts_are_there_before_the_pivot(bundle, runtime, scratch):
    """In init's mount namespace, at the host's path of the root."""
    for kind in ("prestart", "createRuntime"):
        bundle.hook_sh(kind, f"cat >{scratch}/s; pid=$(grep -o '\"pid\": *[0-9]*' {scratch}/s | "
                             f"grep -o '[0-9]*'); grep ' {bundle.rootfs}/proc ' /proc/$pid/mountinfo "
                             f">{scratch}/{kind}")
    bundle.hook_sh("createContainer", f"grep ' {bundle.rootfs}/proc ' /proc/self/mountinfo "
                                      f">{scratch}/createContainer")
    runtime.run(bundle.args("/bin/true")).ok()
    for kind in ("prestart", "createRuntime", "createContainer"):
        assert " - proc proc" in (scratch / kind).read_text()


@req("config.hooks.prestart.timing")
@pytest.mark.hoy
def test_a_mount_that_a_prestart_hook_makes_shows_up_inside(bundle, runtime, scratch):
    """What hooks for GPUs do: setns into init's mount namespace, mount below the root's host path."""
    (scratch / "data").mkdir()
    (scratch / "data/file").write_text("injected")
    (bundle.rootfs / "injected").mkdir()
    script = (f"cat >{scratch}/s; pid=$(grep -o '\"pid\": *[0-9]*' {scratch}/s | grep -o '[0-9]*');"
              f"nsenter -t $pid -m mount --bind {scratch}/data {bundle.rootfs}/injected")
    bundle.hook("prestart", "/bin/sh", "sh", "-c", script)
    assert runtime.sh(bundle, "cat /injected/file").ok().stdout == "injected"


@req("config.hooks.createRuntime.timing")
def test_a_network_interface_that_a_hook_moves_in(bundle, runtime, scratch):
    name = f"hoyt{os.getpid() % 100000}"
    script = (f"cat >{scratch}/s; pid=$(grep -o '\"pid\": *[0-9]*' {scratch}/s | grep -o '[0-9]*');"
              f"ip link add {name} type veth peer name inside netns $pid && ip link del {name}x; :")
    bundle.hook("createRuntime", "/bin/sh", "sh", "-c", script)
    assert "inside" in runtime.probe(bundle)["interfaces"]


@req("config.hooks.poststart.timing")
def test_poststart_sees_the_program_and_start_waits(bundle, runtime, scratch):
    bundle.hook_sh("poststart", f"cat >{scratch}/s; pid=$(grep -o '\"pid\": *[0-9]*' {scratch}/s | "
                                f"grep -o '[0-9]*'); sleep 0.2; readlink /proc/$pid/exe >{scratch}/exe")
    with runtime.created(bundle.args("/bin/sleep", "1000")) as container:
        assert container.start().ok().seconds >= 0.2
        assert (scratch / "exe").read_text() == "/bin/busybox\n"


@req("config.hooks.poststop.timing", "lifecycle.13.poststop-invoked")
@pytest.mark.hoy
def test_poststop_runs_when_all_is_gone(bundle, runtime, scratch):
    runtime_words = " ".join(map(str, runtime.command("state", "c1")))
    bundle.hook_sh("poststop", f"{runtime_words} 2>{scratch}/state; echo $? >>{scratch}/state;"
                               f"ls -d {bundle.cgroup} >{scratch}/cgroup 2>&1; sleep 0.2")
    with runtime.running(bundle.args("/bin/true")) as container:
        container.wait()
        assert container.delete().ok().seconds >= 0.2
    assert "does not exist" in (scratch / "state").read_text()
    assert (scratch / "state").read_text().split()[-1] == "1"
    assert "No such file" in (scratch / "cgroup").read_text()


@pytest.mark.hoy
def test_a_hook_may_ask_for_the_state(bundle, runtime, scratch):
    words = " ".join(map(str, runtime.command("state", "c1")))
    for kind in ("prestart", "createRuntime", "poststart"):
        bundle.hook_sh(kind, f"{words} >{scratch}/{kind} 2>&1")
    runtime.run(bundle.args("/bin/sleep", "0.1")).ok()
    for kind, status in ("createRuntime", "creating"), ("poststart", "running"):
        assert json.loads((scratch / kind).read_text())["status"] == status


# ---- failure ----

def failing(kind):
    return "/bin/busybox" if kind == "startContainer" else busybox()


@req("lifecycle.03.prestart-fail", "lifecycle.04.createRuntime-fail", "lifecycle.05.createContainer-fail",
     "lifecycle.hook-failure.later-hooks-skipped", "config.hooks.failure")
@pytest.mark.hoy
@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_failing_hook_of_create(bundle, runtime, scratch, kind):
    bundle.hook_sh(kind, "echo out of luck >&2; exit 3")
    bundle.hook_sh(kind, f"touch {scratch}/second")
    bundle.hook_sh("startContainer", "touch /later")
    bundle.hook_sh("poststop", f"touch {scratch}/poststop")
    runtime.refuses(bundle, f"hooks.{kind}[0]", str(busybox()), "3")
    assert not (scratch / "second").exists() and not (bundle.rootfs / "later").exists()
    assert (scratch / "poststop").exists()
    assert not bundle.cgroup.exists()


@req("lifecycle.07.startContainer-fail", "config.hooks.failure")
@pytest.mark.hoy
def test_a_failing_start_container_hook(bundle, runtime, scratch):
    bundle.hook_sh("startContainer", "exit 3")
    bundle.hook_sh("poststart", f"touch {scratch}/poststart")
    bundle.hook_sh("poststop", f"touch {scratch}/poststop")
    with runtime.created(bundle.sh("touch /ran")) as container:
        container.start().fails("hooks.startContainer[0]", "/bin/busybox", "3")
        runtime("state", "c1").fails("does not exist")
        assert (scratch / "poststop").exists()
        assert not (scratch / "poststart").exists() and not (bundle.rootfs / "ran").exists()
        assert not bundle.cgroup.exists()


@req("lifecycle.09.poststart-fail", "config.hooks.failure")
@pytest.mark.hoy
def test_a_failing_poststart_hook(bundle, runtime, scratch):
    bundle.hook_sh("poststart", "exit 3")
    bundle.hook_sh("poststop", f"touch {scratch}/poststop")
    with runtime.created(bundle.args("/bin/sleep", "1000")) as container:
        container.start().fails("hooks.poststart[0]", "3")
        runtime("state", "c1").fails("does not exist")
        assert (scratch / "poststop").exists()
        assert not bundle.cgroup.exists()


@req("lifecycle.13.poststop-fail-warns", "warnings.continue")
@pytest.mark.hoy
def test_a_failing_poststop_hook_is_a_warning(bundle, runtime, scratch):
    bundle.hook_sh("poststop", "exit 3")
    bundle.hook_sh("poststop", f"touch {scratch}/second")
    with runtime.running(bundle.args("/bin/true")) as container:
        container.wait()
        container.delete().warns("hooks.poststop[0]", "3")
    assert (scratch / "second").exists()
    runtime("state", "c1").fails("does not exist")


@req("config.hooks.failure", "config.hooks.path.no-search")
@pytest.mark.hoy
@pytest.mark.parametrize("path, args, words", [
    ("/no/such", [], "No such file or directory"), ("/etc/passwd", [], "Permission denied"),
    ("SHELL", ["sh", "-c", "kill -KILL $$"], "signal 9")])
@pytest.mark.parametrize("kind", ["createRuntime", "createContainer"])
def test_ways_to_fail(bundle, runtime, kind, path, args, words):
    bundle.hook(kind, busybox() if path == "SHELL" else path, *args)
    runtime.refuses(bundle, f"hooks.{kind}[0]", words)


@req("config.hooks.timeout.abort")
@pytest.mark.hoy
@pytest.mark.parametrize("kind", ["createRuntime", "createContainer"])
def test_timeout_kills_the_hook_and_all_it_started(bundle, runtime, kind):
    bundle.hook_sh(kind, "sleep 60 & sleep 60; :", timeout=1)
    started = time.monotonic()
    runtime.refuses(bundle, f"hooks.{kind}[0]", "1 s")
    assert 0.9 < time.monotonic() - started < 3


@req("config.hooks.timeout.abort")
@pytest.mark.hoy
def test_timeout_of_a_start_container_hook(bundle, runtime):
    bundle.hook_sh("startContainer", "sleep 60 & sleep 60; :", timeout=1)
    with runtime.created(bundle.args("/bin/true")) as container:
        result = container.start()
        result.fails("hooks.startContainer[0]", "1 s")
        assert 0.9 < result.seconds < 3


@req("config.hooks.timeout.abort")
@pytest.mark.hoy
@pytest.mark.parametrize("kind", KINDS)
def test_a_background_child_does_not_delay(bundle, runtime, kind):
    """It holds the hook's output open; it lives on as long as it was not a timeout that ended the hook."""
    bundle.hook_sh(kind, "sleep 1.5 & exit 0")
    result = runtime.run(bundle.args("/bin/true"))
    assert result.ok().seconds < 1.2


@req("config.hooks.timeout.positive")
@pytest.mark.hoy
@pytest.mark.parametrize("timeout", [0, -1])
def test_timeout_must_be_positive(bundle, runtime, timeout):
    bundle.hook("poststop", "/bin/true", timeout=timeout)
    runtime.refuses(bundle, "hooks.poststop[0].timeout", str(timeout))


@req("config.hooks.path.required", "config.hooks.path.absolute")
@pytest.mark.hoy
@pytest.mark.parametrize("entry", [{}, {"path": "bin/true"}, {"path": ""}])
def test_path_must_be_absolute(bundle, runtime, entry):
    bundle.config["hooks"] = {"createRuntime": [entry]}
    runtime.refuses(bundle, "hooks.createRuntime[0]", "path")


@req("config.hooks.optional")
@pytest.mark.parametrize("hooks", [{}, {"prestart": []}, {kind: [] for kind in KINDS}])
def test_no_hooks(bundle, runtime, hooks):
    bundle.config["hooks"] = hooks
    assert runtime.run(bundle.args("/bin/echo", "ok")).ok().stdout == "ok\n"


@pytest.mark.hoy
def test_output_of_a_hook_with_escape_sequences(bundle, runtime, scratch):
    """What a hook prints may be in the message; it is one line, and no control byte comes through."""
    bundle.hook_sh("createRuntime", r"printf 'a\033[2Jb\nc\r\000d' >&2; exit 1")
    log = scratch / "log"
    runtime.globals += ["--log", str(log), "--log-format", "json"]
    result = runtime.create(bundle).fails("hooks.createRuntime[0]")
    assert "\x1b" not in result.stderr and "\r" not in result.stderr
    json.loads(log.read_text())


@pytest.mark.hoy
@pytest.mark.parametrize("kind", ["prestart", "createRuntime", None])
def test_no_wait_for_hooks_ends_by_itself(bundle, runtime, kind):
    """Those without a timeout have no limit, however long they take; all else has one."""
    if kind:
        bundle.hook_sh(kind, "cat >/dev/null")
    lines = runtime.trace(bundle.args("/bin/true"), "poll,ppoll,prctl")
    init, = {line.split()[0] for line in lines if 'PR_SET_NAME, "hoy-init"' in line}
    endless = [line for line in lines if line.startswith(f"{init} ") and "poll(" in line
               and "-1" in line.split("]")[-1]]
    assert bool(endless) == bool(kind), lines
