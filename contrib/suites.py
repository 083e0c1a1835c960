"""Builds hoy in three ways, runs the test suites, adds up their results: the body of contrib/test.

A suite is a row of SUITES. Every suite that is asked for is run, whatever the ones before it did.
One that crashes, runs into its time limit or reports no result counts as one failed test; so does
one that a failed build has kept from running. Results come as JUnit XML, from pytest and cmocka.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
BUILD = TOP / "build"

# name: (compiler, meson options). The first one is what the other suites test.
BUILDS = {
    "gcc": ("gcc", ["--buildtype=debugoptimized", "-Dman=enabled", "-Dtests=disabled"]),
    "clang": ("clang", ["--buildtype=debugoptimized", "-Dman=disabled", "-Dtests=disabled",
                        "-Dnewest_kernel=5014"]),
    "sanitized": ("gcc", ["--buildtype=debug", "-Dman=disabled", "-Dtests=enabled",
                          "-Db_sanitize=address,undefined"]),
}
# Those that one suite alone needs.
MORE_BUILDS = {
    "fuzz": ("clang", ["--buildtype=debugoptimized", "-Dman=disabled", "-Dtests=disabled",
                       "-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false"]),
}
TESTED = BUILD / "test-gcc"
UNIT = BUILD / "test-sanitized"
OLD_KERNEL = BUILD / "test-clang"
# What the tests of this run say of themselves, a file or directory for each suite.
RESULTS = BUILD / "results"


class Result:
    """What one suite has found: its tests by outcome, and a line for each that did not pass."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def first_line(failure):
    """What a failure is about, for the summary: it may be all that is kept of the output."""
    lines = (failure.get("message") or failure.text or "").strip().splitlines()
    return lines[0][:300] if lines else "no message"


def read_junit(path, result, program=None):
    """Adds the test cases of a JUnit file to result. Returns how many there were."""
    cases = list(xml.parse(path).iter("testcase"))
    for case in cases:
        name = "::".join(filter(None, (program or case.get("classname"), case.get("name"))))
        skip = case.find("skipped")
        failures = [*case.iter("failure"), *case.iter("error")]
        if failures:
            result.failed.append(f"{name}: {first_line(failures[0])}")
        elif skip is not None:
            result.skipped.append(f"{name}: {skip.get('message', 'no reason given')}")
        else:
            result.passed += 1
    return len(cases)


def run(command, minutes, as_root=False, **keywords):
    """Runs a command with a time limit and this program's output. Returns its exit status."""
    command = ["timeout", "--kill-after=10", f"{minutes}m", *map(str, command)]
    if as_root and os.geteuid() != 0:
        kept = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("HOY")]
        command = ["sudo", "env", *kept, *command]
    return subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL, check=False,
                          **keywords).returncode


def logged(command, minutes, env=None, said=None):
    """Runs a command quietly. Returns whether it succeeded; if it did not, its output is shown.
    The lines of its output are added to the list `said`."""
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        status = run(command, minutes, env=env, stdout=log, stderr=subprocess.STDOUT)
        log.seek(0)
        text = log.read()
    if status != 0:
        print(text, flush=True)
    if said is not None:
        said += text.splitlines()
    return status == 0


def build(name):
    """Makes build/test-NAME: set up once, and again when the options above have changed."""
    compiler, options = (BUILDS | MORE_BUILDS)[name]
    directory = BUILD / f"test-{name}"
    setup = ["meson", "setup", "-Dwerror=true", *options, str(directory), str(TOP)]
    stamp = directory / "setup.json"
    if not stamp.exists() or json.loads(stamp.read_text()) != [compiler, setup]:
        shutil.rmtree(directory, ignore_errors=True)
        if not logged(setup, 5, {**os.environ, "CC": compiler}):
            return False
        stamp.write_text(json.dumps([compiler, setup]))
    return logged(["meson", "compile", "-C", directory], 10)


def suite_build(result, _options):
    for name in BUILDS:
        if build(name):
            result.passed += 1
        else:
            result.failed.append(f"build with {name}")


def unit_program(test, directory):
    """Runs one program of the unit tests, with the results of its tests in files of its own."""
    result = Result()
    name = test["name"]
    results = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=directory))
    env = {**os.environ, **test["env"], "CMOCKA_MESSAGE_OUTPUT": "XML",
           "CMOCKA_XML_FILE": str(results / "%g.xml"),
           "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
           "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
    said = []
    done = logged(test["cmd"], 5, env, said)
    try:
        count = sum(read_junit(path, result, name) for path in results.iterdir())
    except xml.ParseError:
        count = 0
    # cmocka has no place for it in its file, so that each test prints why it is skipped.
    reasons = [line for line in said if line.startswith("skipped: ")]
    for number, reason in enumerate(reasons[:len(result.skipped)]):
        test_name = result.skipped[number].partition(": ")[0]
        result.skipped[number] = f"{test_name}: {reason.removeprefix('skipped: ')}"
    if not done and not result.failed:
        result.failed.append(f"{name}: crash, leak or time-out")
    elif done and count == 0:
        result.passed += 1
    for path in results.iterdir() if result.failed else ():
        print(path.read_text(errors="replace"))
    return result


def suite_unit(result, _options):
    tests = json.loads(subprocess.run(["meson", "introspect", "--tests", UNIT], check=True,
                                      capture_output=True, text=True).stdout)
    with tempfile.TemporaryDirectory() as directory:
        for test in tests:
            result.add(unit_program(test, directory))


def pytest_suite(name, wrapper=(), as_root=False, minutes=20):
    """A suite of pytest files: tests/NAME, a directory or one file."""

    def suite(result, options):
        junit = RESULTS / f"{name.replace('/', '.')}.xml"
        status = run([*wrapper, sys.executable, "-B", "-m", "pytest", "-q", "--tb=short",
                      "-p", "no:cacheprovider", f"--junitxml={junit}", *options.pytest,
                      f"tests/{name}"], minutes, as_root)
        count = read_junit(junit, result) if junit.exists() else 0
        if status not in (0, 1) or count == 0:
            result.failed.append(f"tests/{name}: ended with status {status} after {count} tests")

    return suite


def conformance(result, name, runtime):
    junit = RESULTS / f"conformance-of-{name}.xml"
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        status = run([sys.executable, "-B", "contrib/conformance", "--runtime", runtime,
                      "--junit", junit], 20, as_root=True, stderr=log)
        log.seek(0)
        said = log.read()
    print(said, end="", flush=True)
    count = read_junit(junit, result) if junit.exists() else 0
    if status not in (0, 1) or count == 0 or status == 1 and not result.failed:
        last = (said.splitlines() or ["no word on stderr"])[-1]
        result.failed.append(f"contrib/conformance --runtime {runtime}: ended with status {status}: "
                             f"{last}")


def suite_conformance(result, _options):
    conformance(result, "hoy", os.environ["HOY"])


def suite_peers(result, _options):
    """What others are known to fail is a list, explained; anything else fails here, if it does so
    twice: a race that somebody else loses now and then is no news."""
    for name in ("crun", "runc"):
        first, again = Result(), Result()
        conformance(first, name, name)
        if first.failed:
            conformance(again, name, name)
            still = {line.partition(": ")[0] for line in again.failed}
            whole = not any(line.startswith("contrib/") for line in first.failed + again.failed)
            lost = [line for line in first.failed
                    if whole and line.partition(": ")[0] not in still]
            print("passed the second time:", *lost, flush=True)
            first.failed = [line for line in first.failed if line not in lost]
            first.passed += len(lost)
        result.add(first)


def suite_coverage(result, _options):
    """Whether every requirement is claimed, and by a test that has passed if it was run."""
    if run(["tests/coverage", "--results", RESULTS], 5) == 0:
        result.passed += 1
    else:
        result.failed.append("tests/coverage")


def run_with(hoy, names, result, options):
    """Some files of tests/run with another build of hoy."""
    os.environ["HOY"] = str(hoy)
    try:
        for name in names:
            suite = pytest_suite(f"run/test_{name}.py", IN_CGROUP2, as_root=True)
            suite(result, options)
    finally:
        os.environ["HOY"] = str(TESTED / "src" / "hoy")


def suite_old_kernel(result, options):
    """What newer calls have replaced must still work where they are not: the other way of each."""
    os.environ["HOY_KERNEL"] = "5.14"
    try:
        run_with(OLD_KERNEL / "src/hoy", ("mount_options", "mounts", "mounts_command", "overlay"),
                 result, options)
    finally:
        del os.environ["HOY_KERNEL"]


def suite_musl(result, options):
    """The other C library: where what comes from it is used most."""
    if run(["contrib/build", "--musl"], 10) != 0:
        raise RuntimeError("contrib/build --musl failed")
    foreign = re.findall(r"LINK_ARGS = .* (/usr/\S*\.a)", (BUILD / "musl/build.ninja").read_text())
    if foreign:
        raise RuntimeError(f"the program with musl has archives of another C library: {foreign}")
    run_with(BUILD / "musl/src/hoy", ("lifecycle", "process", "exec", "seccomp", "terminal", "hooks",
                                      "rootless", "hostile_root"), result, options)


def suite_fresh(result, _options):
    for distribution in ("bookworm", "trixie"):
        if run(["tests/fresh", distribution], 20) == 0:
            result.passed += 1
        else:
            result.failed.append(f"tests/fresh {distribution}")


def boot(result, options, names):
    """Tests in virtual machines; one that ends without results counts as a failed test."""
    if run(["contrib/setup", "vm"], 20) != 0:
        raise RuntimeError("contrib/setup vm failed")
    wanted = os.environ.get("HOY_BOOTS", names).split()
    names = " ".join(name for name in names.split() if name in wanted)
    if not names:
        return
    directory = Path(tempfile.mkdtemp(prefix="vm-", dir=RESULTS))
    status = run(["env", f"HOY_BOOTS={names}", sys.executable, "-B", "tests/cgroup/boots.py",
                  directory, "--", *options.pytest], 70, as_root=True)
    counts = [read_junit(path, result, path.stem) for path in sorted(directory.iterdir())]
    if status not in (0, 1) or 0 in counts or not counts:
        result.failed.append(f"virtual machines {names}: ended with status {status}")


def suite_cgroup(result, options):
    """All machines in one go, two at once, so that none of the processors waits for the last one."""
    boot(result, options, "peers podman engines 6.12 systemd checkpoint 6.1 run-6.12 run-6.1 selinux")


def suite_engines(result, options):
    """The engines' machines, unless they were among those of "cgroup"; and what crun and runc make
    of the same tests, if that is asked for."""
    if not list(RESULTS.glob("vm-*/podman.xml")):
        boot(result, options, "podman engines")
    if options.peers and run(["tests/engines/peers.py", RESULTS], 240, as_root=True) != 0:
        result.failed.append("tests/engines/peers.py")


def fuzz_words(path):
    """What the sources compare with, so that the fuzzer need not guess it: a file of words."""
    words = set()
    for name in ("config/table_*.c", "spec/*.c", "plan/mount_*.c", "state/record.c"):
        for source in (TOP / "src/libhoy").glob(name):
            words |= set(re.findall(r'"[\w./+-]{2,40}"', source.read_text()))
    path.write_text("\n".join(sorted(words)) + "\n")


def suite_fuzz(result, options):
    """Each target for a while, from its seeds; what is found stays in build/fuzz-findings."""
    if not build("fuzz"):
        raise RuntimeError("build with fuzz")
    findings = BUILD / "fuzz-findings"
    findings.mkdir(exist_ok=True)
    fuzz_words(BUILD / "fuzz.words")
    seconds = 1200 if options.long else 15
    for seeds in sorted((TOP / "tests/fuzz/seeds").iterdir()):
        name = seeds.name
        with tempfile.TemporaryDirectory() as corpus:
            command = [BUILD / f"test-fuzz/tests/fuzz/fuzz-{name}", f"-max_total_time={seconds}",
                       "-timeout=20", "-rss_limit_mb=2048", f"-dict={BUILD / 'fuzz.words'}",
                       f"-artifact_prefix={findings}/{name}-", corpus, seeds,
                       *([TOP / "bundles"] if name == "config" else [])]
            env = {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
            if logged(command, 2 * seconds // 60 + 2, env):
                result.passed += 1
            else:
                result.failed.append(f"fuzz {name}: the input is in {findings}")


def suite_package(result, _options):
    for distribution in ("bookworm", "trixie"):
        if run(["tests/package", distribution], 20) == 0:
            result.passed += 1
        else:
            result.failed.append(f"tests/package {distribution}")


def suite_bench(result, _options):
    """The table of the virtual machine is printed, and nobody is judged by it."""
    if run(["contrib/bench", "--vm", "--rounds=5"], 20, as_root=True) == 0:
        result.passed += 1
    else:
        result.failed.append("contrib/bench --vm")


def suite_vm(result, options):
    if run(["contrib/setup", "vm"], 20) != 0:
        raise RuntimeError("contrib/setup vm failed")
    pytest_suite("vm/selftest.py", as_root=True, minutes=40)(result, options)


IN_CGROUP2 = ["tests/lib/in-cgroup2"]

# name: (function, part of --quick, what it needs beyond the builds: a file of the tree). What is
# neither in --quick nor out of it (None) is run by name or with --peers only.
SUITES = {
    "build": (suite_build, True, "meson.build"),
    "style": (pytest_suite("style"), True, "tests/style"),
    "unit": (suite_unit, True, "tests/unit"),
    "config": (pytest_suite("config"), True, "tests/config"),
    "plan": (pytest_suite("plan"), True, "tests/plan"),
    "install": (pytest_suite("install"), True, "tests/install"),
    "run": (pytest_suite("run", IN_CGROUP2, as_root=True), True, "tests/run"),
    "old-kernel": (suite_old_kernel, True, "tests/run/test_overlay.py"),
    "musl": (suite_musl, False, "contrib/musl"),
    "faults": (pytest_suite("faults", IN_CGROUP2, as_root=True), True, "tests/faults"),
    "conformance": (suite_conformance, True, "contrib/conformance"),
    "fuzz": (suite_fuzz, False, "tests/fuzz"),
    "bundles": (pytest_suite("conformance", IN_CGROUP2, as_root=True), True, "tests/conformance"),
    "defects": (pytest_suite("defects", as_root=True), False, "tests/defects"),
    "peers": (suite_peers, False, "tests/conformance/expected"),
    # With the runtimes of the next Debian it is one of the machines of "cgroup".
    "differential": (pytest_suite("differential", IN_CGROUP2, as_root=True), False,
                     "tests/differential"),
    "fresh": (suite_fresh, False, "tests/fresh"),
    "cgroup": (suite_cgroup, False, "tests/cgroup"),
    "engines": (suite_engines, None, "tests/engines"),
    "bench": (suite_bench, False, "contrib/bench"),
    "package": (suite_package, False, "tests/package"),
    "vm": (suite_vm, False, "tests/vm/selftest.py"),
    "coverage": (suite_coverage, True, "tests/coverage"),
}


def parse_arguments():
    parser = argparse.ArgumentParser(prog="contrib/test", allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="native suites only: minutes")
    parser.add_argument("--long", action="store_true", help="full sweeps instead of samples")
    parser.add_argument("--peers", action="store_true", help="compare with crun and runc too")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=" ".join(SUITES))
    arguments = sys.argv[1:]
    rest = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:rest])
    options.pytest = arguments[rest + 1:]
    unknown = set(options.suites) - set(SUITES)
    if unknown:
        parser.error(f"no such suite: {', '.join(sorted(unknown))}")
    return options


def chosen(options):
    """The names of the suites to run; the builds always come first."""
    for name, (_function, quick, needs) in SUITES.items():
        everything = not options.quick and options.peers if quick is None else quick or not options.quick
        wanted = name in options.suites if options.suites else everything
        if name == "build" or wanted and (TOP / needs).exists():
            yield name


def main():
    options = parse_arguments()
    os.environ.update(HOY_BUILD=str(TESTED), HOY=str(TESTED / "src" / "hoy"),
                      HOY_LONG=str(int(options.long)), HOY_PEERS=str(int(options.peers)))
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    results = {}
    for name in chosen(options):
        print(f"== {name}", flush=True)
        started = time.monotonic()
        result = results[name] = Result()
        try:
            if name != "build" and results["build"].failed not in ([], ["build with clang"]):
                raise RuntimeError("not run, since its build failed")
            SUITES[name][0](result, options)
        except Exception as error:  # whatever goes wrong in one suite, the others still run
            result.failed.append(f"{name}: {error}")
        print(f"== {name}: {result} ({time.monotonic() - started:.0f} s)", flush=True)
    total = Result()
    for result in results.values():
        total.add(result)
    print()
    for line in total.skipped:
        print("skipped:", line)
    for line in total.failed:
        print("failed:", line)
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
