"""Kills the runtime at its system calls, or lets them fail, one after the other; what is left?

The points are (system call, how many of them so far), taken from a trace of the runtime's own process:
strace counts injections by system call. A point that a run does not come to is no fault: the command
then ends as it would have.
"""

import contextlib
import itertools
import os
import re
import signal

import leaks
from runtime import wait_until

CALL = re.compile(r"^(\w+)\(")
# They change nothing that would be left: one of their kind stands for all.
HARMLESS = {"brk", "mmap", "munmap", "mprotect", "getpid", "geteuid", "getegid", "getuid", "prctl", "read",
            "fstat", "newfstatat", "fcntl", "rt_sigaction", "rt_sigprocmask", "getrandom", "pread64",
            "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "uname", "capget",
            "readlink", "statfs", "fstatfs", "lseek", "close", "access", "poll", "ppoll", "getdents64",
            "clock_gettime", "clock_nanosleep", "gettid", "umask", "write"}

# The kernel never lets these fail, and nobody looks.
UNFAILING = {"brk", "mmap", "munmap", "mprotect", "getpid", "gettid", "geteuid", "getegid", "getuid", "umask",
             "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "close", "execve", "execveat",
             "rt_sigaction", "rt_sigprocmask", "pread64"}


class Sweep:
    """One container, killed and deleted over and over under one id and one state root."""

    def __init__(self, runtime, bundle):
        self.runtime = runtime
        self.bundle = bundle
        bundle.write()
        self.create_words = ("create", "--bundle", bundle.path, "c1")

    def strace(self, words, *options):
        """A command under strace, which does not follow its children."""
        self.runtime.wrapper = ["strace", "-qq", *options, "--"]
        try:
            return self.runtime(*words)
        finally:
            self.runtime.wrapper = []

    def points(self, words, is_long):
        """Where to kill a command: all of its calls, or those of each kind that matter."""
        path = self.runtime.scratch / "trace"
        self.strace(words, "-o", str(path), "-e", "signal=none").ok()
        counts, found = {}, []
        for line in path.read_text(errors="replace").splitlines():
            match = CALL.match(line)
            if match and match[1] not in ("execve", "exit_group"):
                counts[match[1]] = counts.get(match[1], 0) + 1
                if is_long or match[1] not in HARMLESS or counts[match[1]] % 8 == 1:
                    found.append((match[1], counts[match[1]]))
        return found

    def kill(self, words, point):
        """Runs a command and kills it as it enters the call. Returns whether it came to that."""
        name, count = point
        result = self.strace(words, "-o", "/dev/null", "-e", f"trace={name}", "-e",
                             f"inject={name}:signal=KILL:when={count}")
        return result.status in (-signal.SIGKILL, 128 + signal.SIGKILL)

    def fail(self, words, point, error):
        """Runs a command in which this call fails with this error; returns its result."""
        name, count = point
        return self.strace(words, "-o", "/dev/null", "-e", f"trace={name}", "-e",
                           f"inject={name}:error={error}:when={count}")

    def remains(self):
        """What there still is of the container."""
        leaks.reap()
        found = [f"process {pid} {what}" for pid, what in leaks.children().items()
                 if self.runtime.is_ours(pid)]
        found += ["cgroup"] if self.bundle.cgroup.exists() else []
        found += [f"state {name}" for name in self.names_in_state_root()]
        return found

    def names_in_state_root(self):
        """Also the directories under temporary names; only the caches may stay."""
        root = self.runtime.state_root
        return [entry.name for entry in root.iterdir() if not leaks.is_cache(entry)] \
            if root.exists() else []

    def check_clean(self, point):
        """`delete --force` leaves nothing, and the id can be used again. Returns what is wrong."""
        result = self.runtime("delete", "--force", "c1")
        if result.status != 0:
            return f"{point}: delete --force: {result}"
        try:
            wait_until(lambda: not self.remains(), "nothing to remain", leaks.PATIENCE_SECONDS)
        except AssertionError:
            return f"{point}: left: {self.remains()}"
        for words in (self.create_words, ("delete", "--force", "c1")):
            result = self.runtime(*words)
            if result.status != 0:
                return f"{point}: the id cannot be used again: {result}"
        return None

    def clear(self):
        """After a finding: back to where the sweep can go on."""
        with contextlib.suppress(OSError):
            (self.bundle.cgroup / "cgroup.kill").write_text("1")
        for pid in filter(self.runtime.is_ours, leaks.children()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not [what for what in self.remains() if what.startswith("process")], "the end")
        leaks.remove_cgroups(self.bundle.cgroup)
        with contextlib.suppress(OSError):
            self.bundle.cgroup.rmdir()
        for name in self.names_in_state_root():
            leaks.remove_tree(self.runtime.state_root / name)

    def fail_everywhere(self, errors):
        """Lets every call of create fail with each error: an error and nothing left, or a success."""
        findings, failed = [], 0
        points = [(name, count) for name, count in self.points(self.create_words, True)
                  if name not in UNFAILING]
        self.runtime("delete", "--force", "c1").ok()
        for point, error in itertools.product(points, errors):
            result = self.fail(self.create_words, point, error)
            wrong = self.what_is_wrong(result)
            failed += result.status != 0
            wrong = f"{point} {error}: {wrong}" if wrong else self.check_clean((point, error))
            self.runtime.close()
            if wrong:
                findings.append(wrong)
                self.clear()
        return findings, failed

    def what_is_wrong(self, result):
        """A create that has met an error says so in words and leaves nothing; delete has no part in it."""
        if result.seconds > 5:
            return f"took {result.seconds:.0f} s"
        if result.status == 0 or "error while loading shared libraries" in result.stderr:
            return None  # the latter are words of the dynamic linker: hoy was not there yet
        if result.status not in (1, 126, 127) or not result.stderr.startswith("hoy: "):
            return f"ended without words: {result}"
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.remains(), "nothing to remain", leaks.PATIENCE_SECONDS)
            return None
        return f"left: {self.remains()}: {result}"

    def run(self, words, prepare=None, is_long=False):
        """Kills the command at every point; `prepare` goes before each. Returns findings and count."""
        if prepare:
            prepare()
        points = self.points(words, is_long)
        self.runtime("delete", "--force", "c1").ok()
        findings, killed = [], 0
        for point in points:
            if prepare:
                prepare()
            killed += self.kill(words, point)
            wrong = self.check_clean(point)
            self.runtime.close()
            if wrong:
                findings.append(wrong)
                self.clear()
        return findings, killed
