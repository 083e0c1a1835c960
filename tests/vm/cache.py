"""The cache directory: what was built, the locks around building, and how many VMs may run.

Every entry is a directory named KIND-HASH, the hash being that of the recipe it was built from. It
is built under another name and renamed when complete, so whatever has its final name is whole.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from pathlib import Path

VMS_AT_ONCE = 2
RUNS_KEPT = 50


def directory():
    """The cache directory, created if missing: $HOY_VM_CACHE, or hoy-vm in the user's cache."""
    path = os.environ.get("HOY_VM_CACHE")
    if not path:
        path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hoy-vm"
    path = Path(path).absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def locked(name, wait=True):
    """Hold an exclusive lock on NAME.lock; without wait, BlockingIOError if somebody else does."""
    with open(directory() / (name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def entry_path(kind, recipe):
    """Where the entry built from this recipe (anything JSON can hold) is or would be."""
    text = json.dumps(recipe, sort_keys=True)
    return directory() / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def entry(kind, recipe, build):
    """Return the path of the entry; if there is none, make it by build(empty directory, recipe)."""
    path = entry_path(kind, recipe)
    if path.is_dir():
        return path
    with locked(path.name):
        if path.is_dir():
            return path
        unfinished = path.with_name(path.name + ".building")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        started = time.monotonic()
        print(f"vm: building {path}", file=sys.stderr, flush=True)
        try:
            build(unfinished, recipe)
            (unfinished / "recipe.json").write_text(json.dumps(recipe, indent=1) + "\n")
            unfinished.rename(path)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        took = time.monotonic() - started
        print(f"vm: built {path.name} in {took:.0f} s", file=sys.stderr, flush=True)
    return path


def entries():
    """Yield (path, recipe) of everything that is built."""
    for recipe in sorted(directory().glob("*/recipe.json")):
        yield recipe.parent, json.loads(recipe.read_text())


def bytes_on_disk(path):
    """What the files below path occupy; most of an image is a hole."""
    return sum(file.stat().st_blocks * 512 for file in path.rglob("*") if file.is_file())


@contextlib.contextmanager
def slot():
    """Hold one of the slots for running VMs; wait while all are taken."""
    waiting = False
    with contextlib.ExitStack() as held:
        while True:
            for number in range(VMS_AT_ONCE):
                try:
                    held.enter_context(locked(f"slot-{number}", wait=False))
                except BlockingIOError:
                    continue
                yield
                return
            if not waiting:
                print(f"vm: waiting: {VMS_AT_ONCE} VMs are running", file=sys.stderr, flush=True)
                waiting = True
            time.sleep(0.2)


def new_run():
    """A new directory for one run's files and logs; the oldest ones go."""
    runs = directory() / "runs"
    runs.mkdir(exist_ok=True)
    with locked("runs"):
        for old in sorted(runs.iterdir())[: 1 - RUNS_KEPT]:
            shutil.rmtree(old)
        path = runs / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        path.mkdir()
    return path
