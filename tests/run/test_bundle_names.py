"""A bundle may lie in a directory of any name: nothing that hoy writes or compares trips over it."""

import json
import os

import pytest

req = pytest.mark.req
NAMES = {"blanks": " a  b ", "line feed": "a\nb", "percent": "%s%n%d", "quotes": "a\"b'c\\d",
         "not UTF-8": "a\udcffb", "octal": r"\040\012", "dots": "...", "long": "x" * 200,
         "shell": "$(id);`id`&|*?", "tab": "a\tb", "option": "--root"}


def as_json(path):
    """JSON has no other bytes than those of UTF-8: U+FFFD stands for them."""
    return os.fsencode(path).decode("utf-8", "replace")


@pytest.fixture(params=NAMES.values(), ids=NAMES)
def named(request, make_bundle):
    return make_bundle(request.param)


@req("bundle.config-json.location")
@pytest.mark.hoy
def test_whole_life(named, runtime, scratch):
    """With a mount below it, hooks that are told its name, and a user namespace's staging of it."""
    (named.path / "volume").mkdir()
    (named.path / "volume" / "file").write_text("here\n")
    named.bind("volume", "/volume", "ro")
    is_text = as_json(named.path) == str(named.path)
    named.bind(named.path / "volume" if is_text else "volume", "/again")
    named.hook_sh("createRuntime", f"cat >{scratch}/state")
    with runtime.running(named.sh("cat /volume/file /again/file; sleep 1000")) as container:
        state = runtime("state", "c1").ok().json
        assert state["bundle"] == as_json(named.path)
        assert container.exec("--", "/bin/cat", "/volume/file").ok().stdout == "here\n"
        listed, = runtime("list", "--format", "json").ok().json
        assert listed["bundle"] == state["bundle"]
    assert json.loads((scratch / "state").read_text())["bundle"] == as_json(named.path)


@pytest.mark.hoy
def test_as_the_working_directory(named, runtime):
    named.args("/bin/true").write()
    runtime("run", "c1", cwd=named.path).silent()


@pytest.mark.hoy
def test_an_error_is_one_line(named, runtime):
    named.config["root"]["path"] = "no such"
    result = runtime.create(named).fails("root.path", "No such file or directory")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.hoy
def test_list_is_a_line_for_each_container(named, runtime):
    with runtime.created(named.args("/bin/true")):
        lines = runtime("list").ok().stdout.splitlines()
    assert len(lines) == 2 and lines[1].startswith("c1 ")
