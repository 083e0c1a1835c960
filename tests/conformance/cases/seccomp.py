"""config-linux.md, seccomp: actions, operators, flags, and the listener."""

import array
import contextlib
import errno
import fcntl
import os
import select
import socket
import struct
import threading

from bundle import arg, rule, syscalls
from runtime import wait_until
from state_document import SEMVER, check_state
from suite import Skip, case, document, has, same

MKDIR = ("mkdir", "/tmp/made", 0o755)


@case("linux.seccomp.loaded", "config.noNewPrivileges.default", each={"nnp": True, "plain": False})
def loaded(t, nnp):
    t.bundle.seccomp(rule("ERRNO", "getcwd"))
    t.process["noNewPrivileges"] = nnp
    seen = t.probe("seccomp", "cwd", "no_new_privileges")
    same((seen["seccomp"], seen["cwd"], seen["no_new_privileges"]), (2, None, int(nnp)))


@case("linux.seccomp.no-nnp-load", "config.noNewPrivileges.default")
def loaded_without_privilege_left(t):
    t.bundle.seccomp(rule("ERRNO", "getcwd")).capabilities()
    t.process["user"] = {"uid": 1000, "gid": 1000}
    seen = t.probe("seccomp", "no_new_privileges")
    same((seen["seccomp"], seen["no_new_privileges"]), (2, 0))


@case("linux.seccomp.load-late", each=["getcwd", "chdir", "setgroups", "setresuid", "setresgid", "mount",
                                       "umask", "pivot_root", "sethostname", "unshare"])
def denied_calls_are_the_programs(t, name):
    t.bundle.seccomp(rule("ERRNO", name))
    t.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5], "umask": 0o77}
    t.process["cwd"] = "/tmp"
    t.runs()


@case("linux.seccomp.load-late")
def capset_denied_with_no_new_privileges(t):
    t.bundle.seccomp(rule("ERRNO", "capset"))
    t.process["noNewPrivileges"] = True
    t.runs()


PASSING = ("ALLOW", "LOG")
REPLIES = {"ERRNO": "EPERM", "TRACE": "ENOSYS", "ALLOW": "", "LOG": ""}


@case("linux.seccomp.action.{}", each={name: (name, reply) for name, reply in REPLIES.items()})
def action(t, name, reply):
    t.bundle.seccomp(rule(name, "mkdir"))
    same(t.call(MKDIR), [reply])
    same((t.bundle.rootfs / "tmp/made").exists(), name in PASSING, "the directory is there")


@case("linux.seccomp.action.TRAP")
def trap(t):
    t.bundle.seccomp(rule("TRAP", "mkdir"))
    t.bundle.args("/bin/probe", "call", str(syscalls()["mkdir"]), ":/tmp/made", "0755")
    assert t.runtime.run(t.bundle).ok().lines[0]["trapped"], "no SIGSYS"


@case("linux.seccomp.action.{}", each={"KILL": ("KILL", True), "KILL_THREAD": ("KILL_THREAD", True),
                                       "KILL_PROCESS": ("KILL_PROCESS", False)})
def kill(t, name, survives):
    t.bundle.seccomp(rule(name, "mkdir")).args("/bin/probe", "thread", str(syscalls()["mkdir"]), ":/x", "0")
    same(t.runtime.run(t.bundle).stdout, "the process lives\n" if survives else "")


@case("linux.seccomp.errnoRet", each={"ENOENT": (2, "ENOENT"), "ENOSYS": (38, "ENOSYS"), "0": (0, "")})
def errno_of_a_rule(t, value, reply):
    t.bundle.seccomp(rule("ERRNO", "mkdir", errnoRet=value))
    same(t.call(MKDIR), [reply])
    assert not (t.bundle.rootfs / "tmp/made").exists(), "it is there"


def all_but(*names):
    return rule("ALLOW", *(name for name in syscalls() if name not in names))


@case("linux.seccomp.defaultErrnoRet", each={
    "absent": ({}, "EPERM"), "ENOSYS": ({"defaultErrnoRet": 38}, "ENOSYS"),
    "EINVAL": ({"defaultErrnoRet": 22}, "EINVAL")})
def default_errno(t, more, reply):
    t.bundle.seccomp(all_but("mkdir"), default="SCMP_ACT_ERRNO", **more)
    same(t.call(MKDIR), [reply])


@case("linux.seccomp.syscalls.optional")
def killing_everything(t):
    del t.bundle.seccomp(default="SCMP_ACT_KILL").linux["seccomp"]["syscalls"]
    t.runtime.create(t.bundle.args("/bin/true"))
    t.runtime("start", "c1")
    wait_until(lambda: '"running"' not in t.runtime("state", "c1").stdout, "the end")


@case("linux.seccomp.syscalls.names.unknown")
def unknown_calls(t):
    t.bundle.seccomp(rule("ERRNO", "no_such_call", "mkdir", "neither_this"), rule("ERRNO", "nor_this"))
    same(t.call(MKDIR), ["EPERM"])


OPERATORS = {"NE": [4, 6], "LT": [4], "LE": [4, 5], "EQ": [5], "GE": [5, 6], "GT": [6]}


@case("linux.seccomp.op.{}", each={name: (name, values) for name, values in OPERATORS.items()})
def operator(t, name, matching):
    """Of the values 4, 5 and 6, compared with 5; each plus 1000, as pids that nobody has."""
    t.bundle.seccomp(rule("ERRNO", "getpgid", errnoRet=38, args=[arg(0, name, 1005)]))
    replies = t.call(*(("getpgid", value) for value in (1004, 1005, 1006)))
    same([value for value, reply in zip((4, 5, 6), replies) if reply == "ENOSYS"], matching)


@case("linux.seccomp.op.MASKED_EQ", "linux.seccomp.args.valueTwo")
def masked(t):
    t.bundle.seccomp(rule("ERRNO", "socket", errnoRet=38, args=[arg(1, "MASKED_EQ", 0xf, 2)]))
    stream, datagram, cloexec = 1, 2, 0o2000000
    same(t.call(("socket", 1, datagram, 0), ("socket", 1, datagram | cloexec, 0),
                ("socket", 1, stream | cloexec, 0)), ["ENOSYS", "ENOSYS", ""])


@case("linux.seccomp.args.value", "config.valid-values.int-range", each={
    "32": 2**32 - 1, "53": 2**53 + 1, "63": 2**63 + 1, "64": 2**64 - 1})
def all_64_bits(t, value):
    t.bundle.seccomp(rule("ERRNO", "lseek", errnoRet=38, args=[arg(1, "EQ", value)]))
    same(t.call(("lseek", 1000, value, 0), ("lseek", 1000, value - 1, 0)), ["ENOSYS", "EBADF"])


@case("linux.seccomp.args.index")
def several_arguments(t):
    t.bundle.seccomp(rule("ERRNO", "lseek", errnoRet=38, args=[arg(1, "EQ", 7), arg(2, "EQ", 1)]))
    same(t.call(("lseek", 1000, 7, 1), ("lseek", 1000, 7, 0), ("lseek", 1000, 6, 1)),
         ["ENOSYS", "EBADF", "EBADF"])


@case("linux.seccomp.args.same-index")
def one_argument_twice(t):
    """Refused, or two rules; neither condition is dropped."""
    t.bundle.seccomp(rule("ERRNO", "close", errnoRet=38, args=[arg(0, "EQ", 1001), arg(0, "EQ", 1002)]))
    number = str(syscalls()["close"])
    t.bundle.args("/bin/probe", "call", number, "1001", "--", number, "1002", "--", number, "1003")
    result = t.runtime.run(t.bundle)
    if result.status == 0:
        same([line["errno"] for line in result.lines], ["ENOSYS", "ENOSYS", "EBADF"])


@case("linux.seccomp.architectures.names", "linux.seccomp.architectures.effect")
def architectures(t):
    if os.uname().machine != "x86_64":
        raise Skip("about x86_64")
    names = [f"SCMP_ARCH_{name}" for name in ("X86_64", "X86", "X32")]
    t.bundle.seccomp(rule("ERRNO", "mkdir"), architectures=names)
    same(t.call(MKDIR), ["EPERM"])


@case("linux.seccomp.flags.{}", each=["TSYNC", "LOG", "SPEC_ALLOW"])
def flag(t, name):
    t.bundle.seccomp(rule("ERRNO", "mkdir"), flags=[f"SECCOMP_FILTER_FLAG_{name}"])
    same(t.call(MKDIR), ["EPERM"])


# ---- the listener ----

IOCTL_RECV = 0xc0502100
IOCTL_SEND = 0xc0182101


class Agent:
    """Takes the descriptors of listeners; every call that they ask about fails with EXDEV."""

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
        self.messages.append((text.decode(), len(fds), parts))
        thread = threading.Thread(target=self.answer, args=(fds[0],), daemon=True)
        self.threads.append(thread)
        thread.start()

    @staticmethod
    def answer(fd):
        """Until nobody is left under the filter. A caller that is killed takes its question back."""
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        while not poll.poll()[0][1] & select.POLLHUP:
            request = bytearray(80)
            with contextlib.suppress(FileNotFoundError):
                fcntl.ioctl(fd, IOCTL_RECV, request)
                cookie, = struct.unpack_from("Q", request)
                fcntl.ioctl(fd, IOCTL_SEND, struct.pack("QqiI", cookie, 0, -errno.EXDEV, 0))
        os.close(fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for thread in self.threads:
            thread.join(5)


@case("linux.seccomp.action.NOTIFY", "linux.seccomp.listenerPath.connect", "linux.seccomp.seccompFd",
      "linux.seccomp.listenerPath.one-state", "linux.seccomp.listenerPath.close",
      "linux.seccomp.listenerMetadata", "linux.seccomp-state.payload", "linux.seccomp-state.fds-first",
      "linux.seccomp-state.fds", "linux.seccomp-state.pid", "linux.seccomp-state.ociVersion",
      "linux.seccomp-state.multi-sendmsg", "linux.seccomp-state.state", each={"nnp": True, "plain": False})
def listener(t, nnp):
    t.config["annotations"] = {"com.x": "1"}
    t.process["noNewPrivileges"] = nnp
    with Agent(t.scratch / "agent") as agent:
        t.bundle.seccomp(rule("NOTIFY", "mkdir"), listenerPath=agent.path, listenerMetadata="data é")
        t.bundle.sh(f"/bin/probe call {syscalls()['mkdir']} :/tmp/made 0755; sleep 1000")
        with t.running() as it:
            wait_until(lambda: it.output, "the program")
            same(document(it.output)["errno"], "EXDEV")
            (text, count, parts), = agent.messages
            message = document(text)
            same(message["fds"], ["seccompFd"])
            same((count, parts[0], sum(parts[1:])), (1, 1, 0), "descriptors")
            same(message["metadata"], "data é")
            assert SEMVER.fullmatch(message["ociVersion"]), message["ociVersion"]
            same(message["pid"], it.pid)
            check_state(message["state"])
            same(message["state"]["id"], "c1")
            has(message["state"]["status"], ("creating", "created"))
            same(message["state"]["bundle"], str(t.bundle.path))
            same(message["state"].get("annotations"), {"com.x": "1"})


@case("linux.seccomp-state.metadata")
def listener_without_metadata(t):
    with Agent(t.scratch / "agent") as agent:
        t.bundle.seccomp(rule("NOTIFY", "mkdir"), listenerPath=agent.path)
        same(t.call(MKDIR), ["EXDEV"])
        same(document(agent.messages[0][0]).get("metadata", ""), "")


@case("linux.seccomp.flags.WAIT_KILLABLE_RECV")
def flag_of_the_listener(t):
    with Agent(t.scratch / "agent") as agent:
        t.bundle.seccomp(rule("NOTIFY", "mkdir"), listenerPath=agent.path,
                         flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"])
        same(t.call(MKDIR), ["EXDEV"])


@case("linux.seccomp.listenerPath.send-error", each=["missing", "file"])
def nobody_listens(t, kind):
    path = t.scratch / "nobody"
    if kind == "file":
        path.touch()
    t.bundle.seccomp(rule("NOTIFY", "mkdir"), listenerPath=str(path)).args("/bin/true")
    t.refused_by_start()


@case("linux.seccomp.listenerPath.ignored")
def listener_that_nothing_needs(t):
    t.bundle.seccomp(rule("ERRNO", "mkdir"), listenerPath="/no/such")
    same(t.call(MKDIR), ["EPERM"])


@case("linux.seccomp.notify-write", each={"default": None, "write": "write", "sendmsg": "sendmsg"})
def notified_of_the_hand_over(t, name):
    """Refused, or it works; it does not hang."""
    with Agent(t.scratch / "agent") as agent:
        if name:
            t.bundle.seccomp(rule("NOTIFY", name), listenerPath=agent.path)
        else:
            t.bundle.seccomp(default="SCMP_ACT_NOTIFY", listenerPath=agent.path)
        if t.runtime.create(t.bundle.args("/bin/true"), limit=10).status == 0:
            t.runtime("start", "c1", limit=10)
            t.runtime("kill", "c1", "KILL")
            wait_until(lambda: '"running"' not in t.runtime("state", "c1").stdout, "the end")
