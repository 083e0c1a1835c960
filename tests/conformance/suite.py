"""The engine of contrib/conformance: what a case is, what it gets, how it is run.

A case is a function of a file of cases/ with the ids of the requirements that it checks. It gets a
Trial: a bundle that works, which it changes, and the runtime, of which it uses create, start, state,
kill and delete alone. It fails by an exception, or by what is left behind after it.
"""

import contextlib
import fcntl
import importlib.util
import inspect
import json
import os
import signal
import subprocess
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import leaks
from bundle import CGROUP2, Bundle
from runtime import Container, Runtime, Seen, call_words, program, wait_until

HERE = Path(__file__).resolve().parent
PREFIX = "hoy-test"
LIMIT_SECONDS = 30
CLONE_NEWNS = 0x20000
CAP_SYS_RESOURCE = 24
MS_REC_PRIVATE = 0x44000


class Skip(Exception):
    """The case cannot be tried here; says why."""


class TimeLimit(Exception):
    pass


@dataclass
class Case:
    name: str
    ids: tuple
    function: object
    arguments: tuple = ()
    needs: tuple = ()


@dataclass
class Outcome:
    name: str
    word: str = "pass"
    message: str = ""
    seconds: float = 0.0
    ids: tuple = field(default=())


cases = {}


def case(*ids, each=None, needs=()):
    """Makes a function a case, or with `each` one for every key, whose value is the arguments.

    {} in an id stands for the key. A value that is no tuple is one argument; a list's members are
    both. `needs` are controllers of cgroup v2 without which the case is skipped.
    """

    def decorate(function):
        name = f"{Path(inspect.getfile(function)).stem}/{function.__name__}"
        if each is None:
            add(Case(name, ids, function, (), tuple(needs)))
            return function
        for key, value in each.items() if isinstance(each, dict) else zip(each, each):
            add(Case(f"{name}[{key}]", tuple(text.replace("{}", str(key)) for text in ids), function,
                     value if isinstance(value, tuple) else (value,), tuple(needs)))
        return function

    return decorate


def add(item):
    assert item.name not in cases, item.name
    cases[item.name] = item


def load():
    """All cases, topic by topic."""
    for path in sorted((HERE / "cases").glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"conformance_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return cases


def same(actual, expected, what="value"):
    assert actual == expected, f"{what}: {actual!r} instead of {expected!r}"


def has(part, whole):
    assert part in whole, f"{part!r} is not in {whole!r}"


def lacks(part, whole):
    assert part not in whole, f"{part!r} is in {whole!r}"


class Commands(Runtime):
    """The runtime by the commands of the specification only: `run` is made of them."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.names = set()

    def create(self, bundle, *options, name="c1", **keywords):
        self.names.add(name)
        return super().create(bundle, *options, name=name, **keywords)

    def run(self, bundle, *options, name="c1", **keywords):
        """A whole life. The status is the program's, or of the first command that has failed."""
        result = self.create(bundle, *options, name=name, **keywords)
        if result.status != 0:
            return result
        container = Container(self, name, result)
        pid = container.pid
        started = container.start()
        if started.status != 0:
            return started
        result.status = self.status_of(container, pid)
        container.delete().ok()
        return result

    def status_of(self, container, pid):
        """Waits for the program, which is our child, as the runtime has ended and we inherit."""
        try:
            found, status = wait_until(lambda: any(found := os.waitpid(pid, os.WNOHANG)) and found,
                                       "the program to end", LIMIT_SECONDS)
        except ChildProcessError:
            container.wait()
            return 0
        assert found == pid
        container.wait()
        return os.waitstatus_to_exitcode(status)

    def clean_up(self):
        for name in self.names:
            self("delete", "--force", name)
        self.close()


# Options that make a runtime keep to the letter of the specification where it otherwise does not.
STRICT = {"hoy": ["--strict"]}


class Trial:
    """What a case works with. Its attributes `bundle` and `runtime` do the rest."""

    def __init__(self, scratch, state_root, cgroup):
        self.scratch = scratch
        self.cgroup = cgroup
        self.runtime = Commands(state_root, scratch, cgroup)
        self.bundles = 0
        self.bundle = self.make_bundle("bundle")

    def make_bundle(self, name=None):
        self.bundles += 1
        path = f"/{self.cgroup.relative_to(CGROUP2)}/{self.bundles}"
        return Bundle(self.scratch / (name or f"bundle{self.bundles}"), path)

    @property
    def config(self):
        return self.bundle.config

    @property
    def process(self):
        return self.bundle.process

    @property
    def linux(self):
        return self.bundle.linux

    def probe(self, *fields, **keywords):
        """What the container's program sees."""
        self.bundle.args("/bin/probe", *fields)
        return Seen(self.runtime.run(self.bundle, **keywords).ok().json)

    def sh(self, script, **keywords):
        """What a script in the container prints; it must succeed."""
        return self.runtime.run(self.bundle.sh(script), **keywords).ok().stdout

    def runs(self, **keywords):
        """The container lives and ends well, its program being what it is."""
        self.bundle.args("/bin/true")
        return self.runtime.run(self.bundle, **keywords).ok()

    def call(self, *calls):
        """System calls of the container's program: the errno of each, "" for success."""
        self.bundle.args("/bin/probe", "call", *call_words(*calls))
        return [line["errno"] for line in self.runtime.run(self.bundle).ok().lines]

    def strictly(self):
        """From now on the runtime is called with its options for that, if it has any."""
        self.runtime.globals += STRICT.get(Path(program()).name, [])

    def created(self, *options, **keywords):
        return self.runtime.created(self.bundle, *options, **keywords)

    def running(self, *options, **keywords):
        return self.runtime.running(self.bundle, *options, **keywords)

    def sleeping(self, *options, **keywords):
        return self.runtime.sleeping(self.bundle, *options, **keywords)

    def refused(self, **keywords):
        """create fails, and there is no container."""
        result = self.runtime.create(self.bundle, **keywords)
        assert result.status != 0, f"create succeeds: {result}"
        self.is_unknown()
        assert not self.bundle.cgroup.exists(), "its cgroup is there"
        return result

    def refused_by_start(self, **keywords):
        """create fails, or else start does."""
        result = self.runtime.create(self.bundle, **keywords)
        if result.status == 0:
            result = self.runtime("start", "c1")
            assert result.status != 0, f"create and start succeed: {result}"
        return result

    def create_as_it_is(self, name="c1", **keywords):
        """create with the bundle's files as they are now."""
        self.runtime.names.add(name)
        return self.runtime("create", "--bundle", self.bundle.path, name, **keywords)

    def is_unknown(self, name="c1"):
        result = self.runtime("state", name)
        assert result.status != 0, f"there is a container: {result.stdout}"

    def enter(self, pid, namespace, *command):
        """What a command of the host prints in one namespace of a process."""
        option = {"mnt": "--mount"}.get(namespace, f"--{namespace}")
        return subprocess.run(["nsenter", "--target", str(pid), option, "--", *command], check=True,
                              capture_output=True, text=True, timeout=10).stdout

    def wait_for_output(self, created, name="c1"):
        """All that the program has printed when it has ended."""
        Container(self.runtime, name, created).wait()
        return created.stdout

    def mark(self, kind, text, hook_status=0):
        """A hook that appends a line to the file `marks`, on the side where it runs."""
        path = "/marks" if kind == "startContainer" else self.scratch / "marks"
        self.bundle.hook_sh(kind, f"cat >/dev/null; echo {text} >>{path}; exit {hook_status}")

    @property
    def marks(self):
        path = self.scratch / "marks"
        return path.read_text().split() if path.exists() else []


class Session:
    """The directories of this run, all of one name: state roots, cgroups, scratch."""

    def __init__(self):
        name = f"{PREFIX}.{os.getpid()}.0.{leaks.pid_namespace()}"
        self.state = Path("/run") / name
        self.cgroup = CGROUP2 / name
        self.scratch = Path(tempfile.gettempdir()) / name

    def __enter__(self):
        with open(Path(tempfile.gettempdir()) / f"{PREFIX}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            leaks.remove_dead_runs(PREFIX, "/run", CGROUP2, tempfile.gettempdir())
            for path in (self.state, self.cgroup, self.scratch):
                path.mkdir()
        self.scratch.chmod(0o755)
        return self

    def __exit__(self, *_):
        for top in (self.scratch, self.state):
            leaks.remove_tree(top)
        # The kernel takes a process out of its cgroup a moment after its end has been seen.
        wait_until(self.remove_cgroup, f"{self.cgroup} to be empty")

    def remove_cgroup(self):
        leaks.remove_cgroups(self.cgroup)
        with contextlib.suppress(OSError):
            self.cgroup.rmdir()
        return not self.cgroup.exists()


# A runtime under test may spoil the devices of what it takes for the host.
OWN_DEVICES = """
mkdir "$0"
mount -t tmpfs -o mode=755 dev "$0"
for path in /dev/*; do
    case $path in
    /dev/pts | /dev/shm | /dev/mqueue | /dev/hugepages)
        mkdir "$0/${path##*/}"
        mount --rbind "$path" "$0/${path##*/}" ;;
    *)
        cp -a "$path" "$0" || : ;;
    esac
done
mount --move "$0" /dev
rmdir "$0"
"""


def become_worker(session):
    """Each worker inherits what its containers leave, and has mounts and devices of its own."""
    leaks.become_subreaper()
    if leaks.libc.unshare(CLONE_NEWNS) != 0 or \
            leaks.libc.mount(None, b"/", None, MS_REC_PRIVATE, None) != 0:
        raise OSError("no mount namespace for the tests")
    subprocess.run(["sh", "-euc", OWN_DEVICES, session.scratch / f"dev{os.getpid()}"], check=True)

    def stop(_number, _frame):
        raise TimeLimit(f"has taken {LIMIT_SECONDS} s")

    signal.signal(signal.SIGALRM, stop)


def controllers():
    return set((CGROUP2 / "cgroup.controllers").read_text().split())


def attempt(item, trial):
    """Runs the case. Returns what went wrong, or None."""
    missing = set(item.needs) - controllers()
    if missing:
        raise Skip(f"no cgroup controller {', '.join(sorted(missing))} here")
    try:
        signal.setitimer(signal.ITIMER_REAL, LIMIT_SECONDS)
        item.function(trial, *item.arguments)
    except (AssertionError, TimeLimit) as problem:
        return f"{place(problem)}{problem}"
    except Skip:
        raise
    except Exception as problem:  # whatever goes wrong is a failure of this case only
        return f"{place(problem)}{type(problem).__name__}: {problem}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def place(problem):
    """The line of the case that has raised it."""
    for frame in reversed(traceback.extract_tb(problem.__traceback__)):
        if Path(frame.filename).parent == HERE / "cases":
            return f"line {frame.lineno}: "
    return ""


def try_case(session, number, name):
    """Runs one case in directories of its own, and looks what it leaves."""
    item = cases[name]
    scratch = session.scratch / str(number)
    cgroup = session.cgroup / str(number)
    state_root = session.state / str(number)
    scratch.mkdir()
    scratch.chmod(0o755)
    cgroup.mkdir()
    watch = leaks.Watch(cgroup, state_root)
    outcome = Outcome(item.name, ids=item.ids)
    started = time.monotonic()
    trial = Trial(scratch, state_root, cgroup)
    try:
        problem = attempt(item, trial)
        if problem:
            outcome.word, outcome.message = "fail", problem
    except Skip as reason:
        outcome.word, outcome.message = "skip", str(reason)
    try:
        trial.runtime.clean_up()
        left = watch.finish()
    except Exception:  # of this case too: the others still count
        outcome.word, outcome.message = "fail", traceback.format_exc().replace("\n", " | ")
    else:
        if left and outcome.word == "pass":
            outcome.word, outcome.message = "fail", "left behind: " + ", ".join(left)
    outcome.seconds = time.monotonic() - started
    leaks.remove_tree(state_root)
    leaks.remove_tree(scratch)
    with contextlib.suppress(OSError):
        cgroup.rmdir()
    return outcome


def version(runtime):
    """Name and version of a runtime, as it says itself."""
    done = subprocess.run([runtime, "--version"], check=False, capture_output=True, text=True,
                          timeout=20)
    words = (done.stdout.splitlines() or [""])[0].split()
    return (words[0], words[-1]) if len(words) >= 3 else (Path(runtime).name, "unknown")


def expected(name, release):
    """The cases that this release of a runtime is known to fail, each with the reason.

    "*: RE" stands for any case that fails with a message that matches. A reason that starts with
    "without CAP_SYS_RESOURCE" does not count for a caller that has it; one that starts with
    "sometimes" excuses a failure without expecting it.
    """
    path = HERE / "expected" / f"{name}.tsv"
    if not path.exists():
        return {}
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    return {row[2]: row[3] for row in rows if row[:2] == [name, release]
            and not (row[3].startswith("without CAP_SYS_RESOURCE") and may_raise_limits())}


def may_raise_limits():
    """Whether this process has CAP_SYS_RESOURCE."""
    status = Path("/proc/self/status").read_text()
    mask, = (line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(mask, 16) >> CAP_SYS_RESOURCE & 1)


def document(text):
    """A JSON document that the specification says is one object."""
    value = json.loads(text)
    assert isinstance(value, dict), f"no object: {text}"
    return value
