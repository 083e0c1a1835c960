"""config-linux.md, seccomp: every action, operator, flag, and the listener, by their effect."""

import array
import contextlib
import errno
import fcntl
import json
import os
import socket
import struct
import threading

import pytest

from bundle import arg, rule, syscalls
from runtime import wait_until

req = pytest.mark.req

MKDIR = ("mkdir", "/tmp/made", 0o755)
ACTIONS = {"KILL": 159, "KILL_THREAD": 159, "KILL_PROCESS": 159, "TRAP": 0, "ERRNO": 0, "TRACE": 0,
           "ALLOW": 0, "LOG": 0}


@req("linux.seccomp.loaded")
@pytest.mark.parametrize("nnp", [True, False])
def test_loaded(bundle, runtime, nnp):
    bundle.seccomp(rule("ERRNO", "getcwd")).process["noNewPrivileges"] = nnp
    seen = runtime.probe(bundle)
    assert (seen["seccomp"], seen["cwd"], seen["no_new_privileges"]) == (2, None, nnp)


@req("linux.seccomp.no-nnp-load", "config.noNewPrivileges.default")
def test_loaded_without_privilege_left(bundle, runtime):
    bundle.seccomp(rule("ERRNO", "getcwd")).capabilities()
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    seen = runtime.probe(bundle)
    assert (seen["seccomp"], seen["no_new_privileges"]) == (2, 0)


@req("linux.seccomp.load-late", "linux.personality.locked")
@pytest.mark.parametrize("name", [
    "getcwd", "chdir", "setgroups", "setresuid", "setresgid", "setuid", "mount", "umask", "close_range",
    "fchown", "openat", "openat2", "dup3", "fcntl", "personality", "setsid", "sendmsg", "read",
    "pivot_root", "unshare", "setns", "clone", "clone3", "getpid", "sethostname", "keyctl", "rt_sigprocmask",
    "rt_sigaction", "prlimit64", "getuid", "getresuid", "capget", "close", "fstat", "poll", "ppoll"])
@pytest.mark.hoy
def test_a_denied_call_does_not_disturb_the_set_up(bundle, runtime, name):
    bundle.seccomp(rule("ERRNO", name))
    bundle.process |= {"user": {"uid": 1000, "gid": 1000, "additionalGids": [5], "umask": 0o77},
                       "cwd": "/tmp"}
    bundle.linux["personality"] = {"domain": "LINUX"}
    runtime.call(bundle, ("access", "/", 0))


@req("linux.seccomp.load-late")
@pytest.mark.parametrize("name", ["capset", "prctl"])
@pytest.mark.hoy
def test_calls_that_can_be_denied_with_no_new_privileges_only(bundle, runtime, name):
    bundle.seccomp(rule("ERRNO", name)).process["noNewPrivileges"] = True
    runtime.call(bundle, ("access", "/", 0))


@req(*(f"linux.seccomp.action.{name}" for name in ACTIONS))
@pytest.mark.parametrize("name", ACTIONS)
def test_actions(bundle, runtime, name):
    bundle.seccomp(rule(name, "mkdir")).args("/bin/probe", "call", str(syscalls()["mkdir"]),
                                             ":/tmp/made", "0755")
    result = runtime.run(bundle)
    made = (bundle.rootfs / "tmp/made").is_dir()
    assert result.status == ACTIONS[name], result
    assert made == (name in ("ALLOW", "LOG"))
    if name == "TRAP":
        assert result.lines[0]["trapped"]
    if name in ("ERRNO", "TRACE"):
        assert result.lines[0]["errno"] == {"ERRNO": "EPERM", "TRACE": "ENOSYS"}[name]


@req("linux.seccomp.action.KILL", "linux.seccomp.action.KILL_THREAD", "linux.seccomp.action.KILL_PROCESS")
@pytest.mark.parametrize("name, survives", [("KILL", True), ("KILL_THREAD", True),
                                            ("KILL_PROCESS", False)])
def test_killing_a_thread_or_the_process(bundle, runtime, name, survives):
    bundle.seccomp(rule(name, "mkdir")).args("/bin/probe", "thread", str(syscalls()["mkdir"]), ":/x", "0")
    result = runtime.run(bundle)
    assert result.stdout == ("the process lives\n" if survives else "")
    assert result.status == (0 if survives else 159)


@req("linux.seccomp.errnoRet", "linux.seccomp.defaultErrnoRet")
@pytest.mark.parametrize("value, seen", [(2, "ENOENT"), (38, "ENOSYS"), (0, "")])
def test_errno_of_a_rule(bundle, runtime, value, seen):
    bundle.seccomp(rule("ERRNO", "mkdir", errnoRet=value))
    assert runtime.call(bundle, MKDIR) == [seen]
    assert not (bundle.rootfs / "tmp/made").exists()


def allowing_all_but(*names):
    return rule("ALLOW", *(name for name in syscalls() if name not in names))


@req("linux.seccomp.defaultErrnoRet")
@pytest.mark.parametrize("more, seen", [({}, "EPERM"), ({"defaultErrnoRet": 38}, "ENOSYS"),
                                        ({"defaultErrnoRet": 22}, "EINVAL")])
def test_default_errno(bundle, runtime, more, seen):
    bundle.seccomp(allowing_all_but("mkdir"), default="SCMP_ACT_ERRNO", **more)
    assert runtime.call(bundle, MKDIR) == [seen]


@req("linux.seccomp.errnoRet.unsupported", "linux.seccomp.defaultErrnoRet.unsupported")
@pytest.mark.hoy
@pytest.mark.parametrize("action", ["ALLOW", "KILL", "LOG", "TRAP", "KILL_PROCESS"])
def test_errno_on_an_action_without(bundle, runtime, action):
    bundle.seccomp(rule(action, "mkdir", errnoRet=1))
    runtime.refuses(bundle, "linux.seccomp.syscalls[0].errnoRet")
    bundle.seccomp(default=f"SCMP_ACT_{action}", defaultErrnoRet=1)
    runtime.refuses(bundle, "linux.seccomp.defaultErrnoRet")


@req("linux.seccomp.defaultErrnoRet")
@pytest.mark.hoy
def test_a_call_newer_than_the_profile_does_not_exist(bundle, runtime):
    """libc falls back on ENOSYS only; what the profile cannot have known must look that way."""
    newest = syscalls()["openat2"]
    bundle.seccomp(rule("ALLOW", *(name for name, number in syscalls().items() if number <= newest)),
                   default="SCMP_ACT_ERRNO", defaultErrnoRet=1)
    bundle.args("/bin/probe", "call", "600", "--", str(newest + 2), "0", "0", "0")
    assert [line["errno"] for line in runtime.run(bundle).ok().lines] == ["ENOSYS", "ENOSYS"]


@req("linux.seccomp.syscalls.optional")
def test_killing_everything(bundle, runtime):
    del bundle.seccomp(default="SCMP_ACT_KILL").linux["seccomp"]["syscalls"]
    result = runtime.run(bundle)
    assert result.status != 0 and result.seconds < 5


@req("linux.seccomp.syscalls.names.unknown")
def test_unknown_calls_are_skipped(bundle, runtime):
    bundle.seccomp(rule("ERRNO", "no_such_call", "mkdir", "neither_this"), rule("ERRNO", "nor_this"))
    assert runtime.call(bundle, MKDIR) == ["EPERM"]


# ---- arguments ----

OPERATORS = {  # the values of an argument compared with 5 for which the rule holds
    "NE": [4, 6], "LT": [4], "LE": [4, 5], "EQ": [5], "GE": [5, 6], "GT": [6]}


@pytest.mark.parametrize("op", [pytest.param(op, marks=req(f"linux.seccomp.op.{op}"))
                                for op in OPERATORS])
def test_operators(bundle, runtime, op):
    bundle.seccomp(rule("ERRNO", "close", errnoRet=38, args=[arg(0, op, 1005)]))
    values = [1004, 1005, 1006]
    errors = runtime.call(bundle, *(("close", value) for value in values))
    denied = [value - 1000 for value, error in zip(values, errors) if error == "ENOSYS"]
    assert denied == OPERATORS[op]


@req("linux.seccomp.op.MASKED_EQ", "linux.seccomp.args.valueTwo")
def test_masked(bundle, runtime):
    """Of socket's second argument only the type counts, not the flags beside it."""
    bundle.seccomp(rule("ERRNO", "socket", errnoRet=38, args=[arg(1, "MASKED_EQ", 0xf, 2)]))
    dgram, stream, cloexec = 2, 1, 0o2000000
    assert runtime.call(bundle, ("socket", 1, dgram, 0), ("socket", 1, dgram | cloexec, 0),
                        ("socket", 1, stream | cloexec, 0)) == ["ENOSYS", "ENOSYS", ""]


@req("linux.seccomp.args.valueTwo")
def test_the_usual_rule_for_clone(bundle, runtime):
    new = 0x7e020000
    bundle.seccomp(rule("ERRNO", "unshare"),
                   rule("ERRNO", "clone3", errnoRet=38),
                   rule("ALLOW", "clone", args=[arg(0, "MASKED_EQ", new, 0)]),
                   allowing_all_but("clone", "clone3", "unshare"), default="SCMP_ACT_ERRNO")
    assert runtime.sh(bundle, "(echo child); unshare -U true || echo denied").stdout == "child\ndenied\n"


@req("linux.seccomp.args.value", "config.valid-values.int-range")
@pytest.mark.parametrize("value", [0xffffffff, 2**53 + 1, 2**63 + 1, 2**64 - 1])
def test_large_values_are_exact(bundle, runtime, value):
    """All 64 bits count: lseek's offset is one of few arguments that are as wide."""
    bundle.seccomp(rule("ERRNO", "lseek", errnoRet=38, args=[arg(1, "EQ", value)]))
    assert runtime.call(bundle, ("lseek", 1000, value, 0), ("lseek", 1000, value - 1, 0)) == ["ENOSYS",
                                                                                             "EBADF"]


@req("linux.seccomp.args.index")
def test_several_arguments_all_count(bundle, runtime):
    bundle.seccomp(rule("ERRNO", "lseek", errnoRet=38, args=[arg(1, "EQ", 7), arg(2, "EQ", 1)]))
    assert runtime.call(bundle, ("lseek", 1000, 7, 1), ("lseek", 1000, 7, 0),
                        ("lseek", 1000, 6, 1)) == ["ENOSYS", "EBADF", "EBADF"]


@req("linux.seccomp.args.same-index")
@pytest.mark.hoy
def test_one_argument_twice_means_either(bundle, runtime):
    bundle.seccomp(rule("ERRNO", "close", errnoRet=38, args=[arg(0, "EQ", 1001), arg(0, "EQ", 1002)]))
    bundle.args("/bin/probe", "call", *(f"{syscalls()['close']} 1001 -- {syscalls()['close']} 1002 -- "
                                        f"{syscalls()['close']} 1003").split())
    result = runtime.run(bundle)
    result.warns("linux.seccomp.syscalls[0].args")
    assert [line["errno"] for line in result.lines] == ["ENOSYS", "ENOSYS", "EBADF"]


# ---- architectures and flags ----

@req("linux.seccomp.architectures.names")
@pytest.mark.hoy
def test_every_architecture_of_features(bundle, runtime):
    """Applied, or refused because this libseccomp is too old; never ignored."""
    names = runtime("features").ok().json["linux"]["seccomp"]["archs"]
    assert {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64", "SCMP_ARCH_RISCV64"} <= set(names)
    for name in names:
        bundle.seccomp(rule("ERRNO", "mkdir"), architectures=[name])
        result = runtime.run(bundle.args("/bin/probe", "call", str(syscalls()["mkdir"]), ":/x", "0"))
        if result.status == 0 and name == f"SCMP_ARCH_{os.uname().machine.upper()}":
            assert result.lines[0]["errno"] == "EPERM"
        elif result.status == 1:
            result.fails("linux.seccomp.architectures[0]", "libseccomp does not support it")


@req("linux.seccomp.architectures.effect")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="about x86")
@pytest.mark.parametrize("architectures, survives", [(["SCMP_ARCH_X86_64"], False),
                                                     (["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], True)])
def test_calls_of_another_architecture(bundle, runtime, scratch, architectures, survives):
    """An int $0x80 is a call of the 32-bit architecture, whoever makes it."""
    source = scratch / "int80.c"
    source.write_text("int main(void) { long r; __asm__ volatile(\"int $0x80\" : \"=a\"(r)"
                      " : \"a\"(20) : \"memory\"); return r > 0 ? 0 : 1; }")
    os.system(f"gcc -static -o {bundle.rootfs}/bin/int80 {source}")
    bundle.seccomp(rule("ERRNO", "mkdir"), architectures=architectures)
    result = runtime.run(bundle.args("/bin/int80"))
    assert (result.status == 0) == survives


@req("linux.seccomp.flags.TSYNC", "linux.seccomp.flags.LOG", "linux.seccomp.flags.SPEC_ALLOW")
@pytest.mark.hoy
@pytest.mark.parametrize("flag, bit", [("TSYNC", 1), ("LOG", 2), ("SPEC_ALLOW", 4)])
def test_flags(bundle, runtime, flag, bit):
    bundle.seccomp(rule("ERRNO", "mkdir"), flags=[f"SECCOMP_FILTER_FLAG_{flag}"])
    calls = [line for line in runtime.trace(bundle, "seccomp") if "SET_MODE_FILTER" in line]
    assert f"SECCOMP_FILTER_FLAG_{flag}" in calls[-1]


@req("linux.seccomp.flags.WAIT_KILLABLE_RECV")
@pytest.mark.hoy
def test_flag_wait_killable(bundle, runtime, agent):
    bundle.seccomp(rule("NOTIFY", "mkdir"), listenerPath=agent.path,
                   flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"])
    bundle.args("/bin/true")
    calls = [line for line in runtime.trace(bundle, "seccomp") if "SET_MODE_FILTER" in line]
    assert "WAIT_KILLABLE_RECV" in calls[-1] or "0x20" in calls[-1]
    assert "NEW_LISTENER" in calls[-1]


@pytest.mark.hoy
@pytest.mark.parametrize("value, words", [
    pytest.param({"defaultAction": "ALLOW"}, ["linux.seccomp.defaultAction", "ALLOW"],
                 marks=req("linux.seccomp.defaultAction.required")),
    pytest.param({}, ["linux.seccomp", "defaultAction"],
                 marks=req("linux.seccomp.defaultAction.required")),
    pytest.param({"architectures": ["SCMP_ARCH_FOO"]}, ["linux.seccomp.architectures[0]", "SCMP_ARCH_FOO"],
                 marks=req("linux.seccomp.architectures.unknown")),
    pytest.param({"architectures": ["amd64"]}, ["linux.seccomp.architectures[0]", "amd64"],
                 marks=req("linux.seccomp.architectures.unknown")),
    pytest.param({"flags": ["SECCOMP_FILTER_FLAG_FOO"]}, ["linux.seccomp.flags[0]", "FLAG_FOO"],
                 marks=req("linux.seccomp.flags.unknown")),
    pytest.param({"syscalls": [rule("FOO", "mkdir")]}, ["linux.seccomp.syscalls[0].action", "FOO"],
                 marks=req("linux.seccomp.action.unknown")),
    pytest.param({"syscalls": [{"names": ["mkdir"]}]}, ["linux.seccomp.syscalls[0]", "action"],
                 marks=req("linux.seccomp.action.unknown")),
    pytest.param({"syscalls": [rule("ERRNO")]}, ["linux.seccomp.syscalls[0].names"],
                 marks=req("linux.seccomp.syscalls.names")),
    pytest.param({"syscalls": [{"action": "SCMP_ACT_ERRNO"}]}, ["linux.seccomp.syscalls[0]", "names"],
                 marks=req("linux.seccomp.syscalls.names")),
    pytest.param({"syscalls": [rule("ERRNO", "close", args=[arg(6, "EQ", 1)])]},
                 ["linux.seccomp.syscalls[0].args[0].index", "6"],
                 marks=req("linux.seccomp.args.index")),
    pytest.param({"syscalls": [rule("ERRNO", "close", args=[arg(0, "FOO", 1)])]},
                 ["linux.seccomp.syscalls[0].args[0].op", "FOO"], marks=req("linux.seccomp.op.unknown")),
    pytest.param({"syscalls": [rule("NOTIFY", "mkdir")]}, ["linux.seccomp", "listenerPath"],
                 marks=req("linux.seccomp.notify-without-listener")),
    pytest.param({"listenerMetadata": "x"}, ["linux.seccomp.listenerMetadata"],
                 marks=req("linux.seccomp.listenerMetadata.alone")),
    pytest.param({"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/tmp/x"},
                 ["linux.seccomp", "NOTIFY"], marks=req("linux.seccomp.notify-write")),
    pytest.param({"syscalls": [rule("NOTIFY", "write")], "listenerPath": "/tmp/x"},
                 ["linux.seccomp", "write"], marks=req("linux.seccomp.notify-write")),
])
def test_what_is_refused(bundle, runtime, value, words):
    bundle.linux["seccomp"] = value if value == {} else {"defaultAction": "SCMP_ACT_ALLOW"} | value
    runtime.refuses(bundle, *words)


# ---- listener ----

IOCTL_RECV = 0xc0502100
IOCTL_SEND = 0xc0182101


class Agent:
    """Takes listeners from hoy, each with its message, and answers their notifications."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(self.path)
        self.socket.listen()
        self.messages = []
        self.threads = [threading.Thread(target=self.serve, daemon=True)]
        self.threads[0].start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                with connection:
                    self.take(connection)

    def take(self, connection):
        fds, text, parts = array.array("i"), b"", []
        while True:
            data, ancillary, _flags, _ = connection.recvmsg(65536, socket.CMSG_SPACE(4 * 16))
            if not data:
                break
            text += data
            parts.append(len(ancillary))
            for _level, _kind, content in ancillary:
                fds.frombytes(content)
        message = json.loads(text)
        self.messages.append((message, len(fds), parts))
        thread = threading.Thread(target=self.answer, args=(fds[0],), daemon=True)
        self.threads.append(thread)
        thread.start()

    @staticmethod
    def answer(fd):
        """Every notified call fails with EXDEV, which nobody else would say."""
        with contextlib.suppress(OSError):
            while True:
                request = bytearray(80)
                fcntl.ioctl(fd, IOCTL_RECV, request)
                cookie, = struct.unpack_from("Q", request)
                fcntl.ioctl(fd, IOCTL_SEND, struct.pack("QqiI", cookie, 0, -errno.EXDEV, 0))
        os.close(fd)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for thread in self.threads:
            thread.join(5)


@pytest.fixture
def agent(scratch):
    agent = Agent(scratch / "agent")
    yield agent
    agent.close()


@req("linux.seccomp.action.NOTIFY", "linux.seccomp.listenerPath.connect", "linux.seccomp.seccompFd",
     "linux.seccomp.listenerPath.one-state", "linux.seccomp.listenerPath.close",
     "linux.seccomp.listenerMetadata", "linux.seccomp-state.payload", "linux.seccomp-state.fds-first",
     "linux.seccomp-state.fds", "linux.seccomp-state.pid", "linux.seccomp-state.metadata",
     "linux.seccomp-state.state", "linux.seccomp-state.ociVersion", "linux.seccomp-state.multi-sendmsg")
@pytest.mark.hoy
@pytest.mark.parametrize("nnp", [True, False])
def test_listener(bundle, runtime, agent, nnp):
    bundle.config["annotations"] = {"com.x": "1"}
    bundle.seccomp(rule("NOTIFY", "mkdir"), listenerPath=agent.path, listenerMetadata="data é")
    bundle.process["noNewPrivileges"] = nnp
    bundle.args("/bin/sh", "-c", f"/bin/probe call {syscalls()['mkdir']} :/tmp/made 0755; sleep 1000")
    with runtime.running(bundle) as container:
        wait_until(lambda: container.output, "the program")
        assert container.created.lines[0]["errno"] == "EXDEV"
        (message, count, parts), = agent.messages
        assert message["fds"] == ["seccompFd"] and count == 1
        assert parts[0] == 1 and not any(parts[1:])
        assert message["metadata"] == "data é"
        assert message["ociVersion"].count(".") >= 2
        assert message["pid"] == container.pid
        assert message["state"]["id"] == "c1"
        assert message["state"]["status"] in ("creating", "created")
        assert message["state"]["bundle"] == str(bundle.path)
        assert message["state"]["annotations"] == {"com.x": "1"}


@req("linux.seccomp.listenerPath.close", "linux.seccomp-state.pid")
@pytest.mark.hoy
def test_listener_of_exec(bundle, runtime, agent):
    bundle.seccomp(rule("NOTIFY", "mkdir"), listenerPath=agent.path)
    with runtime.sleeping(bundle) as container:
        result = container.exec("--", "/bin/probe", "call", str(syscalls()["mkdir"]), ":/x", "0755")
        assert result.ok().lines[0]["errno"] == "EXDEV"
        assert len(agent.messages) == 2
        message = agent.messages[1][0]
        assert message["pid"] not in (0, container.pid)
        assert message["state"]["pid"] == container.pid


@req("linux.seccomp.listenerPath.send-error")
@pytest.mark.hoy
@pytest.mark.parametrize("kind", ["missing", "file"])
def test_nobody_listens(bundle, runtime, scratch, kind):
    path = scratch / "nobody"
    if kind == "file":
        path.touch()
    bundle.seccomp(rule("NOTIFY", "mkdir"), listenerPath=str(path))
    result = runtime.create(bundle)
    if result.status == 0:
        result = runtime("start", "c1")
        runtime("delete", "--force", "c1")
    result.fails("linux.seccomp.listenerPath", str(path))


@req("linux.seccomp.listenerPath.ignored")
@pytest.mark.hoy
def test_a_listener_that_nothing_needs(bundle, runtime):
    bundle.seccomp(rule("ERRNO", "mkdir"), listenerPath="/no/such")
    assert runtime.call(bundle, MKDIR) == ["EPERM"]


@pytest.mark.hoy
def test_the_compiled_program_is_reused(bundle, runtime):
    """The second container of a profile gets the same filter, whatever way it comes."""
    bundle.seccomp(rule("ERRNO", "mkdir", errnoRet=38))
    for _round in range(3):
        assert runtime.call(bundle, MKDIR) == ["ENOSYS"]
    bundle.seccomp(rule("ERRNO", "mkdir", errnoRet=39))
    assert runtime.call(bundle, MKDIR) == ["ENOTEMPTY"]
