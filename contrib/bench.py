"""Times hoy, crun and runc: one operation of each per round, so that all meet the same machine.

The container runs a static program that does nothing; its configuration is what `hoy spec` writes,
without a terminal. A time is from before posix_spawn of the runtime to after wait4, and for an
operation of several commands their sum. These are benchmarks, never tests: they depend on the
machine and on what else it does, so compare ratios, and only within one run.

With --vm all this happens in a virtual machine (tests/vm: Debian 13 and its kernel, crun and runc)
where every cgroup controller is on, and the containers have limits like Docker's. It is emulated,
so everything takes 10 to 30 times as long.
"""

import argparse
import contextlib
import ctypes
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
OURS = "hoy"
WARM_UP_ROUNDS = 3
ROUNDS, VM_ROUNDS = 100, 20
PR_SET_CHILD_SUBREAPER = 36

# What is timed has no C library: the start of one takes longer than all else that it does.
TRUE = """
#include <sys/syscall.h>
void _start(void)
{
#if defined(__x86_64__)
	__asm__ volatile("syscall" : : "a"(SYS_exit_group), "D"(0));
#elif defined(__aarch64__)
	register long number __asm__("x8") = SYS_exit_group, status __asm__("x0") = 0;
	__asm__ volatile("svc 0" : : "r"(number), "r"(status));
#endif
	__builtin_trap();
}
"""
PAUSE = "#include <unistd.h>\nint main(void) { for (;;) pause(); }"
# Source text and compiler options.
PROGRAMS = {"true": (TRUE, ["-nostdlib"]), "pause": (PAUSE, [])}

# docker run --memory 512m --memory-reservation 256m --memory-swap 1g --cpus 1.5 --cpu-shares 512
# --cpuset-cpus 0-1 --pids-limit 200 --blkio-weight 500, and the devices that it always allows.
LIMITS = {
    "memory": {"limit": 512 << 20, "reservation": 256 << 20, "swap": 1 << 30},
    "cpu": {"shares": 512, "quota": 150000, "period": 100000, "cpus": "0-1"},
    "pids": {"limit": 200},
    "blockIO": {"weight": 500},
    "devices": [{"allow": False, "access": "rwm"},
                {"allow": True, "type": "c", "access": "m"},
                {"allow": True, "type": "b", "access": "m"},
                *({"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"}
                  for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1)))],
}
# The state directories of the runtimes go to /run, a tmpfs, in a mount namespace of our own.
GUEST = """
install -m 755 hoy /usr/local/bin/hoy
exec unshare --mount --propagation private -- python3 -B contrib/bench.py "$@"
"""


class Failed(Exception):
    """A runtime could not do what it was asked; the text is what it said."""


class Runtime:
    """One runtime with its global options, run with a state directory of its own."""

    def __init__(self, name, program, options, directory):
        self.name = name
        self.directory = directory / name
        self.directory.mkdir(exist_ok=True)
        self.messages = self.directory / "messages"
        self.program = program
        self.options = [*options, "--root", str(self.directory / "state")]

    def __call__(self, *arguments):
        """Runs one command. Returns the nanoseconds it took."""
        command = [self.program, *self.options, *arguments]
        streams = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                   (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
                   (os.POSIX_SPAWN_OPEN, 2, self.messages,
                    os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)]
        started = time.perf_counter_ns()
        pid = os.posix_spawn(self.program, command, os.environ, file_actions=streams)
        _, status, _ = os.wait4(pid, 0)
        took = time.perf_counter_ns() - started
        if status != 0:
            said = self.messages.read_text(errors="replace").strip().splitlines() or ["(nothing)"]
            raise Failed(f"{arguments[0]}: {said[-1]}")
        return took


def operation_run(runtime, bundles):
    return runtime("run", "--bundle", bundles["true"], "bench")


def operation_lifecycle(runtime, bundles):
    """create, start and delete. The wait for the container's end in between does not count."""
    pid_file = runtime.directory / "pid"
    took = runtime("create", "--bundle", bundles["true"], "--pid-file", str(pid_file), "bench")
    took += runtime("start", "bench")
    os.waitpid(int(pid_file.read_text()), 0)
    return took + runtime("delete", "bench")


def operation_exec(runtime, _bundles):
    return runtime("exec", runtime.name, "/true")


OPERATIONS = {
    "run": (operation_run, "run a container that ends at once"),
    "lifecycle": (operation_lifecycle, "create, start and delete of such a container"),
    "exec": (operation_exec, "exec of such a program in a running container"),
}


@contextlib.contextmanager
def paused_container(runtime, bundles):
    """A container to exec into, for as long as the context lasts."""
    pid_file = runtime.directory / "pid"
    # Two builds of one runtime would have their cgroups at the same place.
    name = runtime.name
    runtime("create", "--bundle", bundles["pause"], "--pid-file", str(pid_file), name)
    pid = int(pid_file.read_text())
    try:
        runtime("start", name)
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        runtime("delete", name)


def make_bundles(hoy, directory, limits):
    """A bundle for each program, as `hoy spec` has it, in this directory: NAME."""
    for name in PROGRAMS:
        bundle = directory / name
        root = bundle / "rootfs"
        root.mkdir(parents=True)
        for program, (text, options) in PROGRAMS.items():
            subprocess.run(["gcc", "-static", "-O2", *options, "-x", "c", "-", "-o", root / program],
                           input=text, text=True, check=True)
        subprocess.run([hoy, "spec"], cwd=bundle, check=True)
        config = json.loads((bundle / "config.json").read_text())
        config["ociVersion"] = "1.0.2"  # the newest that every peer takes
        config["process"]["terminal"] = False
        config["process"]["args"] = [f"/{name}"]
        if limits:
            config["linux"]["resources"] = LIMITS
        (bundle / "config.json").write_text(json.dumps(config))


def measure(operation, runtimes, bundles, rounds):
    """Returns {name: times in ns}, and {name: message} of the runtimes that cannot do it here."""
    function = OPERATIONS[operation][0]
    times, failures = {}, {}
    with contextlib.ExitStack() as stack:
        for runtime in runtimes:
            try:
                if operation == "exec":
                    stack.enter_context(paused_container(runtime, bundles))
                for _ in range(WARM_UP_ROUNDS):
                    function(runtime, bundles)
                times[runtime] = []
            except Failed as failure:
                failures[runtime.name] = str(failure)
        order = list(times)
        for _ in range(rounds):
            for runtime in order:
                times[runtime].append(function(runtime, bundles))
            order.append(order.pop(0))
    return {runtime.name: taken for runtime, taken in times.items()}, failures


def in_ms(times):
    ordered = sorted(times)
    return {"median_ms": statistics.median(ordered) / 1e6, "min_ms": ordered[0] / 1e6,
            "p90_ms": ordered[len(ordered) * 9 // 10] / 1e6}


def spawn_floor(program, rounds):
    """What the measurement itself costs: the same spawn and wait of the static `true`."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter_ns()
        os.wait4(os.posix_spawn(program, [program], {}), 0)
        times.append(time.perf_counter_ns() - started)
    return in_ms(times)


def version(program):
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or ["unknown"])[0]


def installed(program, path):
    """A copy of a program that was just linked: like an installed one it is a file in one piece, which
    the kernel maps faster than what a linker has written here and there."""
    path.parent.mkdir()
    return str(shutil.copy2(program, path))


def find_runtimes(options):
    """The programs to compare, by name: ours, crun and runc, and those of --runtime."""
    found = {OURS: str(Path(options.hoy).resolve())}
    for name in ("crun", "runc"):
        if shutil.which(name):
            found[name] = shutil.which(name)
    found.update(extra.split("=", 1) for extra in options.runtime)
    for program in found.values():
        if not shutil.which(program):
            sys.exit(f"contrib/bench: no program {program}")
    return found


def compare(options, programs, directory):
    """Measures every operation with and without cgroups. Returns a list of rows of results."""
    made = options.bundles or directory / "bundles"
    if not options.bundles:
        make_bundles(programs[OURS], made, options.limits)
    bundles = {name: str(made / name) for name in PROGRAMS}
    rows = []
    for cgroups in [options.cgroups] if options.cgroups else ["off", "on"]:
        runtimes = []
        for name, program in programs.items():
            if cgroups == "off" and name.startswith("runc"):
                continue  # it has no such option
            flags = ["--cgroup-manager=disabled"] if cgroups == "off" else []
            state = directory / f"cgroups-{cgroups}"
            state.mkdir(exist_ok=True)
            runtimes.append(Runtime(name, program, flags, state))
        for operation in options.operation:
            times, failures = measure(operation, runtimes, bundles, options.rounds)
            rows.append({"operation": operation, "cgroups": cgroups, "failures": failures,
                         "times": {name: in_ms(taken) for name, taken in times.items()}})
    floor = spawn_floor(f"{bundles['true']}/rootfs/true", options.rounds)
    return rows, floor


def in_vm(options):
    """Runs this program in a virtual machine, where no compiler is. Returns its exit status."""
    with tempfile.TemporaryDirectory(prefix="hoy-bench-") as directory:
        bundles, work = Path(directory) / "bundles", Path(directory) / "work.tar"
        make_bundles(str(Path(options.hoy).resolve()), bundles, limits=True)
        with tarfile.open(work, "w") as archive:
            archive.add(bundles, "bundles")
            archive.add(options.hoy, "hoy")
            for name, program in (extra.split("=", 1) for extra in options.runtime):
                archive.add(program, f"runtimes/{name}")
            archive.add(TOP / "contrib/bench.py", "contrib/bench.py")
        arguments = ["--hoy=/usr/local/bin/hoy", "--bundles=/work/bundles", "--limits",
                     f"--cgroups={options.cgroups or 'on'}", f"--rounds={options.rounds}",
                     *(f"--operation={name}" for name in options.operation),
                     *(f"--runtime={name}=/work/runtimes/{name}" for name in
                       (extra.partition("=")[0] for extra in options.runtime)),
                     *(["--json"] if options.json else [])]
        return subprocess.run([TOP / "tests/vm/vm", "run", "--timeout=3000", "--work", work, "--",
                               "sh", "-euc", GUEST, "sh", *arguments], check=False).returncode


def print_table(rows, floor, host):
    print(f"Linux {host['kernel']}, {host['cpus']} CPUs, {host['rounds']} rounds"
          f"{', with limits' if host['limits'] else ''}. "
          "Benchmarks, not tests: compare ratios, within one run.")
    for name, text in host["versions"].items():
        print(f"{name}: {text}")
    print(f"the spawn and wait alone: {floor['median_ms']:.2f} ms")
    print(f"\n{'operation':10} {'cgroups':8} {'runtime':10} {'median ms':>10} {'min':>8} {'p90':>8}"
          f"  hoy takes")
    for row in rows:
        ours = row["times"].get(OURS)
        for name, ms in row["times"].items():
            line = f"{row['operation']:10} {row['cgroups']:8} {name:10} {ms['median_ms']:10.2f} "
            line += f"{ms['min_ms']:8.2f} {ms['p90_ms']:8.2f}"
            if ours and name != OURS:
                line += f"  {ours['median_ms'] / ms['median_ms']:.2f} of it"
            print(line)
        for name, message in row["failures"].items():
            print(f"{row['operation']:10} {row['cgroups']:8} {name:10} cannot here: {message}")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="contrib/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vm", action="store_true", help="in a virtual machine, with limits")
    parser.add_argument("--rounds", type=int, metavar="N",
                        help=f"{ROUNDS} unless told otherwise, {VM_ROUNDS} with --vm")
    parser.add_argument("--operation", action="append", choices=list(OPERATIONS),
                        help="; ".join(f"{name}: {text}" for name, (_, text) in OPERATIONS.items()))
    parser.add_argument("--cgroups", choices=["off", "on"], help="only this one of the two")
    parser.add_argument("--limits", action="store_true",
                        help="with limits like Docker's; needs the controllers on cgroup v2")
    parser.add_argument("--hoy", default=TOP / "build/release/src/hoy", metavar="PROGRAM")
    parser.add_argument("--runtime", action="append", default=[], metavar="NAME=PROGRAM",
                        help="compare with this one as well, or with this one as NAME")
    parser.add_argument("--bundles", type=Path, help=argparse.SUPPRESS)  # made by in_vm()
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.limits and not options.cgroups:
        options.cgroups = "on"
    options.rounds = options.rounds or (VM_ROUNDS if options.vm else ROUNDS)
    options.operation = options.operation or (list(OPERATIONS) if options.vm else ["run"])
    return options


def main():
    options = parse_arguments()
    if options.vm:
        return in_vm(options)
    # What `create` leaves behind becomes a child of this process, which can then wait for it.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    programs = find_runtimes(options)
    versions = {name: version(program) for name, program in programs.items()}
    # State belongs on a tmpfs, as /run is nearly everywhere; the mount namespace is our own.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    with tempfile.TemporaryDirectory(prefix="hoy-bench-", dir="/run") as directory, \
            tempfile.TemporaryDirectory(prefix="hoy-bench-") as place:
        programs = {name: program if program.startswith("/usr/") else
                    installed(program, Path(place) / name / Path(program).name)
                    for name, program in programs.items()}
        try:
            rows, floor = compare(options, programs, Path(directory))
        except Failed as failure:
            sys.exit(f"contrib/bench: in the middle of the rounds, {failure}")
        # crun leaves the parent of its containers' cgroups, empty.
        with contextlib.suppress(OSError):
            os.rmdir("/sys/fs/cgroup/crun")
    host = {"kernel": platform.release(), "cpus": os.cpu_count(), "rounds": options.rounds,
            "limits": options.limits, "versions": versions}
    if options.json:
        print(json.dumps({"host": host, "spawn": floor, "results": rows}, indent=2))
    else:
        print_table(rows, floor, host)
    return 0 if all(OURS in row["times"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
