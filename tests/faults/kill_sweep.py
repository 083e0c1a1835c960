"""Kills the runtime or init at its system calls, or lets them fail, one after the other; what is left?

A point is a number: how many system calls the process has entered (stop_at.c). A sweep goes on until the
command comes to its end before the fault does.
"""

import contextlib
import errno
import functools
import hashlib
import os
import signal
import subprocess
from pathlib import Path

import leaks
from bundle import cache_directory, syscalls
from runtime import wait_until

# The kernel never lets these fail, and nobody looks.
UNFAILING = {"brk", "mmap", "munmap", "mprotect", "getpid", "gettid", "geteuid", "getegid", "getuid", "umask",
             "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "close", "execve", "execveat", "exit",
             "exit_group", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "pread64"}
# Who is killed, or meets an error, by the order in which they are made.
GENERATIONS = {"itself": 0, "child": 1, "init": 2}
KILLED = 128 + signal.SIGKILL
# Two runs of one command differ by a few calls: how often something is waited for.
LATE_ENOUGH = 3


@functools.cache
def compiled(name, *options):
    """A C file of this directory, compiled at its first use and again whenever its text changes."""
    source = Path(__file__).resolve().parent / name
    path = cache_directory() / f"{source.stem}-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}"
    if not path.exists():
        new = path.with_suffix(f".{os.getpid()}")
        subprocess.run(["gcc", "-O1", "-D_GNU_SOURCE", *options, "-o", new, source], check=True, timeout=60)
        new.rename(path)
    return path


class Sweep:
    """One container, killed and deleted over and over under one id and one state root."""

    def __init__(self, runtime, bundle):
        self.runtime = runtime
        self.bundle = bundle
        bundle.write()
        self.create_words = ("create", "--bundle", bundle.path, "c1")

    def stop(self, words, number, fault="kill", who="itself"):
        """A command with a fault at one point; returns its result, and whether it came to that."""
        exempt = [] if fault == "kill" else [syscalls()[name] for name in UNFAILING if name in syscalls()]
        self.runtime.wrapper = [str(compiled("stop_at.c")), str(GENERATIONS[who]), str(number), str(fault),
                                "".join(f"{call}," for call in exempt)]
        try:
            result = self.runtime(*words)
        finally:
            self.runtime.wrapper = []
        assert "cannot trace" not in result.stderr, result
        return result, "stop_at: " not in result.stderr

    def points(self, attempt, step=1):
        """Calls attempt(number) for every point, or every so manieth, until it returns False."""
        number, late = 1, 0
        while late < LATE_ENOUGH:
            late = 0 if attempt(number) else late + 1
            self.runtime.close()
            number += step
        return number // step - LATE_ENOUGH

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

    def check_clean(self):
        """`delete --force` leaves nothing, and the id can be used again. Returns what is wrong."""
        result = self.runtime("delete", "--force", "c1")
        if result.status != 0:
            return f"delete --force: {result}"
        try:
            wait_until(lambda: not self.remains(), "nothing to remain", leaks.PATIENCE_SECONDS)
        except AssertionError:
            return f"left: {self.remains()}"
        for words in (self.create_words, ("delete", "--force", "c1")):
            result = self.runtime(*words)
            if result.status != 0:
                return f"the id cannot be used again: {result}"
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

    def run(self, words, prepare=None, who="itself", step=1):
        """Kills the command, or init during it, at every point; `prepare` goes before each.

        Returns the findings and how many kills there were.
        """
        findings = []

        def attempt(number):
            if prepare:
                prepare()
            result, was_killed = self.stop(words, number, who=who)
            wrong = self.after_kill(result, who) if was_killed else None
            wrong = wrong or self.check_clean()
            if wrong:
                findings.append(f"{number}: {wrong}")
                self.clear()
            return was_killed

        return findings, self.points(attempt, step)

    def after_kill(self, result, who):
        """The runtime's own death leaves what it leaves; init's is an error like any other."""
        if who == "itself":
            return None if result.status == KILLED else f"ended by itself: {result.stderr}"
        if result.status == 0:  # killed behind its last message: it had been created by then
            status = self.runtime("state", "c1").ok().json["status"]
            return None if status == "stopped" else f"no error, and the container is {status}"
        return self.what_is_wrong(result)

    def fail_everywhere(self, words, errors, who, look, step=1):
        """Lets calls of a command fail, one in each run: an error and nothing left, or a success.

        What a success has made, look(result), must be what it makes without a fault. Returns findings, and how
        many of the runs have failed.
        """
        findings, failed = [], 0
        wanted = look(self.runtime(*words).ok())
        self.runtime("delete", "--force", "c1")

        def attempt(number):
            nonlocal failed
            name = errors[number // step % len(errors)]
            result, came = self.stop(words, number, getattr(errno, name), who)
            failed += result.status != 0
            wrong = self.what_is_wrong(result)
            if not wrong and result.status == 0 and look(result) != wanted:
                wrong = f"a success that differs: {difference(wanted, look(result))}"
            wrong = wrong or self.check_clean()
            if wrong:
                findings.append(f"{number} {name}: {wrong}")
                self.clear()
            return came

        self.points(attempt, step)
        return findings, failed

    def what_is_wrong(self, result):
        """A command that has met an error says so in words and leaves nothing; delete has no part in it."""
        if result.seconds > 10:
            return f"took {result.seconds:.0f} s"
        if result.status == 0 or "error while loading shared libraries" in result.stderr:
            return None  # the latter are words of the dynamic linker: hoy was not there yet
        if result.status not in (1, 126, 127) or "hoy: " not in result.stderr:
            return f"ended without words: status {result.status}: {result.stderr}"
        if "the process has ended with status" in result.stderr:
            return None  # the error has hit the removal: what remains is said, and the next one finishes it
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.remains(), "nothing to remain", leaks.PATIENCE_SECONDS)
            return None
        return f"left: {self.remains()}: {result.stderr}"


def difference(one, other):
    """What differs between two values, members of objects for themselves."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {name: (one.get(name), other.get(name)) for name in one | other
                if one.get(name) != other.get(name)}
    return one, other
