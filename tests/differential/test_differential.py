"""
The same bundle by hoy, crun and runc: what the container sees and how it ends are the same, or a rule
says why not. A rule is about a field and a runtime, never about a bundle; one that explains nothing
any more has to go.
"""

import shutil
from fnmatch import fnmatchcase

import pytest

import leaks
from cases import CASES, base, needs_controllers
from fixtures import has_controllers
from record import Surroundings, record
from rules import RULES
from runtime import Runtime, program

PEERS = ("crun", "runc")
used = set()


class Named(Runtime):
    """A runtime by its program."""

    def __init__(self, path, *arguments):
        super().__init__(*arguments)
        self.path = path
        if path != program():
            self.keep_null()

    def command(self, *words):
        return [*self.wrapper, self.path, *self.globals, *map(str, words)]


@pytest.fixture
def run(session, scratch, make_bundle):
    """Runs a case by a runtime; returns the record of it, and what there is to say."""
    def run(name, path, change):
        around = Surroundings(base(make_bundle(f"by-{name}")))
        bundle = around.bundle
        # Beside no other's, as what one enables above its cgroup another would see.
        parent = session.cgroup / f"{name}-{session.count}"
        parent.mkdir()
        bundle.linux["cgroupsPath"] = f"/{session.name}/{parent.name}/c1"
        runtime = Named(path, session.state / f"{session.count}-{name}", scratch, f"/{session.name}")
        watch = leaks.Watch(session.cgroup, runtime.state_root)
        change(bundle)
        try:
            result = runtime.run(bundle)
            if bundle.process["args"] != ["/bin/probe"]:
                found = {"exit": result.status}
            elif result.status:
                found = {"refused": last_words(result.stderr)}
            else:
                found = record(result.stdout, around)
            return found, str(result)
        finally:
            runtime("delete", "--force", "c1")
            runtime.close()
            left = leaks.cgroups(parent)
            for path in (*left, parent):
                path.rmdir()
            left += watch.finish()
            leaks.remove_tree(runtime.state_root)
            assert not left or name != "hoy", f"left behind: {left}"
    return run


def last_words(text):
    """What a runtime says when it refuses."""
    lines = [line for line in text.splitlines() if not line.startswith("hint: ")]
    return lines[-1] if lines else "nothing"


def differing(ours, theirs):
    """The fields that differ; of a refusal only that there is one."""
    if "refused" in ours or "refused" in theirs:
        return [] if "refused" in ours and "refused" in theirs else ["refused"]
    return [field for field in sorted(ours.keys() | theirs.keys())
            if ours.get(field) != theirs.get(field)]


def here():
    """Where the tests run, for rules that hold in one place only."""
    return "vm" if has_controllers() else "native"


def explain(name, field, ours, theirs):
    """The first rule that fits, or None."""
    for rule in RULES:
        if rule.only in ("", here()) and rule.runtime in (name, "both") and \
                fnmatchcase(field, rule.field) and rule.fits(ours, theirs):
            used.add(rule)
            return rule
    return None


@pytest.mark.parametrize("title", CASES)
def test_the_same(run, title):
    if needs_controllers(title) and not has_controllers():
        pytest.skip("needs controllers: run in the VM")
    ours, said = run("hoy", program(), CASES[title])
    wrong = []
    for name in PEERS:
        path = shutil.which(name)
        if not path:
            pytest.skip(f"no {name}")
        theirs, their_words = run(name, path, CASES[title])
        found = [f"{field}: hoy {ours.get(field)!r}, {name} {theirs.get(field)!r}"
                 for field in differing(ours, theirs)
                 if not explain(name, field, ours.get(field), theirs.get(field))]
        wrong += found + ([their_words] if found else [])
    assert not wrong, "\n".join([*wrong, said])


def test_every_rule_is_needed(request):
    """Only if all cases were run: each rule has explained a difference."""
    selected = {item.callspec.params["title"] for item in request.session.items
                if hasattr(item, "callspec")}
    if selected != set(CASES):
        pytest.skip("not all cases were run")
    unused = [rule for rule in RULES if rule not in used and rule.only in ("", here())]
    assert not unused, "\n".join(map(str, unused))
