"""Plans for configurations in situations: cases/SITUATION.case says what is given and expected.

[config]   a JSON merge patch (RFC 7396) on base.json
[given]    NAME=VALUE, of the host (root on an ordinary one) and the options: see plan_dump.c;
           with cause=WHAT:ERRNO the plan is the one line that says why that has failed
[exec]     no lines: the plan is that of one more process
[plan]     lines of the dump, in their order; "~ GLOB" is a line that matches, "! GLOB" is none;
           a warning that no line tells of fails the test
[error]    all that is printed in place of a plan
"""

import json
import os
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CASES = sorted(path.stem for path in (HERE / "cases").glob("*.case"))
SECTIONS = {"config", "given", "exec", "plan", "error"}


@pytest.fixture(scope="session")
def plan_dump():
    """The tool; contrib/test names the build directory."""
    if "HOY_BUILD" not in os.environ:
        pytest.skip("HOY_BUILD does not name a build directory")
    return Path(os.environ["HOY_BUILD"], "tests/plan/plan-dump")


def read_case(name):
    """The sections of a case: name -> lines."""
    sections = {}
    for line in (HERE / "cases" / f"{name}.case").read_text().splitlines():
        if line.startswith("[") and line.endswith("]") and line[1:-1] in SECTIONS:
            lines = sections[line[1:-1]] = []
        elif sections:
            lines.append(line)
        else:
            assert line.startswith("#") or not line, f"{name}: nothing may precede a section"
    return {name: [line for line in lines if line.strip()] for name, lines in sections.items()}


def merge(target, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = merge(target.get(key), value)
    return target


def run(plan_dump, sections, tmp_path, *options):
    patch = json.loads("\n".join(sections.get("config", [])) or "{}")
    config = tmp_path / "config.json"
    config.write_text(json.dumps(merge(json.loads((HERE / "base.json").read_text()), patch)))
    if "exec" in sections:
        options += ("--exec",)
    done = subprocess.run([plan_dump, *options, config, *sections.get("given", [])], text=True,
                          capture_output=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def check(expected, lines):
    """What is expected, in its order; then what must not be, and warnings nobody expects."""
    place = 0
    for pattern in expected:
        if pattern.startswith("! "):
            found = [line for line in lines if fnmatchcase(line, pattern[2:])]
            assert not found, f"not expected: {found[0]}"
            continue
        matches = [i for i in range(place, len(lines)) if lines[i] == pattern or
                   (pattern.startswith("~ ") and fnmatchcase(lines[i], pattern[2:]))]
        assert matches, "\n".join([f"missing: {pattern}", "after:", *lines])
        place = matches[0] + 1
    warnings = sum(line.startswith("warning ") for line in lines)
    told = sum(pattern.removeprefix("~ ").startswith("warning ") for pattern in expected)
    assert warnings == told, "\n".join(line for line in lines if line.startswith("warning "))


@pytest.mark.parametrize("name", CASES)
def test_plan(name, plan_dump, tmp_path):
    sections = read_case(name)
    status, output = run(plan_dump, sections, tmp_path)
    if "error" in sections:
        assert output.splitlines() == sections["error"]
        assert status == 1
    else:
        assert status == 0, output
        check(sections["plan"], output.splitlines())


def has_plan(name):
    sections = read_case(name)
    return "error" not in sections and not any(
        line.startswith("cause=") for line in sections.get("given", []))


@pytest.mark.parametrize("name", filter(has_plan, CASES))
def test_json_is_complete(name, plan_dump, tmp_path):
    """The same walk: as many entries as lines, and a document that others can read."""
    sections = read_case(name)
    lines = run(plan_dump, sections, tmp_path)[1].splitlines()
    document = json.loads(run(plan_dump, sections, tmp_path, "--json")[1])
    assert len(lines) == sum(len(value) if isinstance(value, list) else 1
                             for value in document.values())


@pytest.mark.parametrize("shares, weight", [
    (1, 1), (2, 1), (3, 2), (256, 35), (512, 59), (1000, 99), (1024, 100), (1025, 101),
    (4096, 303), (262143, 10000), (262144, 10000), (2**64 - 1, 10000)])
def test_cpu_weight(shares, weight, plan_dump, tmp_path):
    config = {"linux": {"resources": {"cpu": {"shares": shares}}}}
    output = run(plan_dump, {"config": [json.dumps(config)]}, tmp_path)[1]
    assert f"write file=cpu.weight value={weight} " in output
