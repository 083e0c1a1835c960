"""Annotations that crun has defined and engines set; hoy acts on them as crun does."""

import os
import socket
from pathlib import Path

import pytest

from bundle import rule

pytestmark = pytest.mark.hoy
HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def annotate(bundle, **annotations):
    """Names without their prefix; "__" is "." and "_" as it is."""
    bundle.config.setdefault("annotations", {}).update(
        {"run.oci." + name.replace("__", "."): value for name, value in annotations.items()})
    return bundle


# ---- run.oci.hooks.stdout, run.oci.hooks.stderr ----

@pytest.mark.parametrize("user_namespace", [False, True])
def test_output_of_hooks(bundle, runtime, scratch, user_namespace):
    if user_namespace:
        bundle.user_namespace()
    out, err = scratch / "out", scratch / "err"
    out.write_text("before\n")
    annotate(bundle, hooks__stdout=str(out), hooks__stderr=str(err))
    for kind in HOOKS:
        bundle.hook_sh(kind, f"echo {kind}; echo {kind} >&2")
    runtime.run(bundle.args("/bin/true")).silent()
    assert out.read_text().split() == ["before", *HOOKS]
    assert err.read_text().split() == list(HOOKS)


def test_output_of_one_kind_only(bundle, runtime, scratch):
    annotate(bundle, hooks__stderr=str(scratch / "err"))
    bundle.hook_sh("createContainer", "echo lost; echo kept >&2")
    runtime.run(bundle.args("/bin/true")).silent()
    assert (scratch / "err").read_text() == "kept\n"


@pytest.mark.parametrize("kind", HOOKS[:4])
def test_a_hook_that_cannot_run_is_told_all_the_same(bundle, runtime, scratch, kind):
    annotate(bundle, hooks__stdout=str(scratch / "out"), hooks__stderr=str(scratch / "err"))
    bundle.hook(kind, "/no/such")
    result = runtime.run(bundle.args("/bin/true"))
    result.fails(f"hooks.{kind}[0]", "/no/such", "No such file or directory")


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer"])
def test_output_that_cannot_be_opened(bundle, runtime, scratch, kind):
    annotate(bundle, hooks__stdout="/no/such/file").hook_sh(kind, "exit 0")
    runtime.refuses(bundle, "/no/such/file", "No such file or directory")


def test_output_into_a_fifo_that_nobody_reads(bundle, runtime, scratch):
    os.mkfifo(scratch / "fifo")
    annotate(bundle, hooks__stdout=str(scratch / "fifo")).hook_sh("createRuntime", "exit 0")
    runtime.refuses(bundle, str(scratch / "fifo"), "No such device or address")


# ---- run.oci.keep_original_groups ----

def test_keep_original_groups(bundle, runtime):
    annotate(bundle, keep_original_groups="1")
    runtime.wrapper = ["setpriv", "--groups", "7,8"]
    assert runtime.probe(bundle)["groups"] == [7, 8]
    annotate(bundle, keep_original_groups="0")
    assert runtime.probe(bundle, name="c2")["groups"] == []


# ---- run.oci.pidfd_receiver ----

@pytest.fixture
def listener(scratch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(scratch / "socket"))
        listener.listen()
        listener.settimeout(10)
        yield listener


def test_pidfd_receiver(bundle, runtime, scratch, listener):
    annotate(bundle, pidfd_receiver=str(scratch / "socket"))
    with runtime.created(bundle.args("/bin/sleep", "100")) as container:
        connection, _ = listener.accept()
        with connection:
            _, fds, _, _ = socket.recv_fds(connection, 100, 4)
        info = Path(f"/proc/self/fdinfo/{fds[0]}").read_text()
        os.close(fds[0])
        assert f"Pid:\t{container.pid}\n" in info


# ---- run.oci.seccomp.receiver, run.oci.seccomp_fail_unknown_syscall ----

def test_seccomp_receiver(bundle, runtime, scratch):
    bundle.seccomp(rule("NOTIFY", "mkdir", "mkdirat"))
    runtime.refuses(bundle, "linux.seccomp.syscalls[0].action", "listenerPath")
    annotate(bundle, seccomp__receiver=str(scratch / "agent"))
    runtime.refuses(bundle, str(scratch / "agent"), "No such file or directory")


def test_seccomp_receiver_comes_after_the_listener_path(bundle, runtime, scratch):
    bundle.seccomp(rule("NOTIFY", "mkdir"), listenerPath=str(scratch / "path"))
    annotate(bundle, seccomp__receiver=str(scratch / "agent"))
    runtime.refuses(bundle, str(scratch / "path"), "No such file or directory")


def test_seccomp_fail_unknown_syscall(bundle, runtime):
    bundle.seccomp(rule("ERRNO", "no_such_syscall"))
    runtime.run(bundle.args("/bin/true")).ok()
    annotate(bundle, seccomp_fail_unknown_syscall="1")
    runtime.refuses(bundle, "linux.seccomp.syscalls[0].names[0]", "no_such_syscall")
    annotate(bundle, seccomp_fail_unknown_syscall="0")
    runtime.run(bundle.args("/bin/true"), name="c2").ok()


# ---- run.oci.delegate-cgroup ----

@pytest.mark.parametrize("leaf", ["payload", "a/b"])
def test_delegate_cgroup(bundle, runtime, leaf):
    bundle.config["annotations"] = {"run.oci.delegate-cgroup": leaf}
    bundle.without_namespace("cgroup")
    with runtime.sleeping(bundle) as container:
        path = f"{bundle.linux['cgroupsPath']}/{leaf}"
        assert f"0::{path}\n" in container.proc("cgroup").read_text()
        assert f"0::{path}" in container.probe()["cgroup"]
        assert (bundle.cgroup / "cgroup.procs").read_text() == ""
        container.kill("KILL").ok()
        container.wait()
        container.delete().ok()
    assert not bundle.cgroup.exists()


def test_delegate_cgroup_is_the_root_of_the_view(bundle, runtime):
    bundle.config["annotations"] = {"run.oci.delegate-cgroup": "payload"}
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup")
    with runtime.sleeping(bundle) as container:
        assert "0::/" in container.probe()["cgroup"]
        result = container.exec("--", "/bin/sh", "-c", "mkdir /sys/fs/cgroup/x && cat /sys/fs/cgroup/cgroup.procs")
        assert "1\n" in result.ok().stdout
        assert (bundle.cgroup / "payload/x").is_dir()


def test_an_empty_name_delegates_nothing(bundle, runtime):
    bundle.config["annotations"] = {"run.oci.delegate-cgroup": ""}
    assert f"0::{bundle.linux['cgroupsPath']}" in runtime.probe(
        bundle.without_namespace("cgroup"))["cgroup"]


# ---- values ----

@pytest.mark.parametrize("name, value", [
    ("hooks.stdout", "relative"), ("hooks.stderr", "relative"), ("pidfd_receiver", "relative"),
    ("seccomp.receiver", "relative"), ("mount_context_type", "xcontext"),
    ("delegate-cgroup", "../x"), ("delegate-cgroup", "/x"), ("delegate-cgroup", "a//b"),
    ("delegate-cgroup", "a/.."), ("systemd.subgroup", "..")])
def test_values_that_are_none(bundle, runtime, name, value):
    bundle.config["annotations"] = {f"run.oci.{name}": value}
    runtime.refuses(bundle, f"annotations[\"run.oci.{name}\"]", value)


def test_others_are_the_callers(bundle, runtime):
    bundle.config["annotations"] = {"run.oci.unknown": "../x", "com.example": "y"}
    with runtime.created(bundle) as container:
        assert container.state["annotations"] == bundle.config["annotations"]
