"""What hoy says about configurations: every problem and warning, with path, line and column.

The cases are in *.cases, named by the part of config.json they are about:

    = [OPTION...] JSON     what surrounds the cases below it; they take the place of the three dots
    JSON LINES             a case; "-" stands for nothing at all
    <tab>[@ ]MESSAGE       what is said about it, all of it; a case without messages is silent

The first message belongs to the first "^" in the case, which stands before the value (or the name)
in question, and so on; one that begins with "@ " belongs to the "@" in what surrounds the case.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
CHECKER = os.environ.get("HOY_CHECK_CONFIG",
                         str(TOP / "build/test-sanitized/tests/config/check-config"))


class Case:
    """One configuration and what is expected to be said about it."""

    def __init__(self, path, line, frame, body, messages):
        words = frame.split(" ")
        self.options = tuple(word for word in words if word.startswith("--"))
        self.name = f"{path.stem}:{line}"
        frame = " ".join(word for word in words if not word.startswith("--"))
        if body == ["-"]:
            text = re.sub(r",\s*\.\.\.|\.\.\.\s*,?", "", frame)
        else:
            text = frame.replace("...", "\n    " + "\n    ".join(body) + "\n")
        self.text, marks = self.take_marks(text)
        self.expected = []
        for message in messages:
            mark = "@" if message.startswith("@ ") else "^"
            where = marks[mark][0] if mark == "@" else marks[mark].pop(0)
            self.expected.append((*where, message.removeprefix("@ ")))
        assert not marks["^"], f"{path}:{line}: a mark without a message"

    @staticmethod
    def take_marks(text):
        """Removes the marks. Returns the text and the line and column that each mark stood for."""
        marks = {"^": [], "@": []}
        plain = []
        for number, line in enumerate(text.split("\n"), 1):
            column = 1
            kept = ""
            for letter in line:
                if letter in marks:
                    marks[letter].append((number, column))
                else:
                    kept += letter
                    column += len(letter.encode())
            plain.append(kept)
        return "\n".join(plain), marks


def read_cases(path):
    frame = None
    body, messages, first = [], [], 0
    for number, line in enumerate([*path.read_text().split("\n"), ""], 1):
        if line.startswith("\t"):
            messages.append(line[1:])
        elif line and not line.startswith(("#", "= ")):
            first = first or number
            body.append(line)
        else:
            if body:
                yield Case(path, first, frame, body, messages)
            body, messages, first = [], [], 0
            if line.startswith("= "):
                frame = line[2:]


CASES = {path.stem: list(read_cases(path)) for path in sorted(HERE.glob("*.cases"))}


def check(*arguments, stdin=None):
    """Runs the checker. Returns its lines of output and its status."""
    if not os.path.exists(CHECKER):
        pytest.fail(f"{CHECKER} is not built (HOY_CHECK_CONFIG names another)", pytrace=False)
    done = subprocess.run([CHECKER, *map(str, arguments)], stdin=stdin or subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace", timeout=60, check=False)
    assert done.returncode in (0, 1) and not done.stderr, done.stderr
    return done.stdout.splitlines(), done.returncode


@pytest.fixture(scope="session")
def said(tmp_path_factory):
    """What was said about each case: (line, column, text) by its name; one program for many."""
    directory = tmp_path_factory.mktemp("cases")
    cases = [case for group in CASES.values() for case in group]
    result = {case.name: [] for case in cases}
    for case in cases:
        (directory / case.name).write_text(case.text)
    for options in sorted({case.options for case in cases}):
        files = [directory / case.name for case in cases if case.options == options]
        for output in check(*options, *files)[0]:
            name, line, column, text = re.fullmatch(
                rf"{re.escape(str(directory))}/([^:]+:\d+):(\d+):(\d+): (.*)", output).groups()
            result[name].append((int(line), int(column), text))
    return result


@pytest.mark.parametrize("case", [case for group in CASES.values() for case in group],
                         ids=lambda case: case.name)
def test_case(case, said):
    assert sorted(said[case.name]) == sorted(case.expected), case.text


def test_there_are_a_hundred_broken_configurations():
    broken = [case for group in CASES.values() for case in group
              if any("warning: " not in text for _line, _column, text in case.expected)]
    assert len(broken) >= 100


def paths(value, prefix=""):
    """The paths of all members in a document, without indices."""
    if isinstance(value, dict):
        for key, member in value.items():
            path = f"{prefix}.{key}".lstrip(".")
            yield path
            yield from paths(member, path)
    elif isinstance(value, list):
        for item in value:
            yield from paths(item, prefix)


def fields():
    """The paths of all fields that hoy has a row for; "*" is any name."""
    for line in check("--fields")[0]:
        path = line.removesuffix(" ignored").replace("[]", "")
        if path.endswith("{}"):
            yield path.removesuffix("{}")
        yield path.replace("{}", ".*")


def test_each_field_has_a_case():
    """A new field comes with a case in the file of its object."""
    seen = set()
    prefixes = {"--process": "process", "--resources": "linux.resources"}
    for group in CASES.values():
        for case in group:
            try:
                document = json.loads(case.text)
            except ValueError:
                continue
            prefix = "".join(prefixes.get(option, "") for option in case.options)
            seen.update(paths(document, prefix))
    missing = [field for field in fields()
               if not any(re.fullmatch(re.escape(field).replace(r"\*", "[^.]+"), path)
                          for path in seen)]
    assert not missing, "\n".join(missing)


SCHEMAS = [
    Path(os.environ.get("HOY_SCHEMA", "/nonexistent")),
    Path("/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema"),
    Path("/usr/share/gocode/src/github.com/opencontainers/specs/schema"),
]


class Schema:
    """The properties of a JSON schema that is spread over files."""

    def __init__(self, directory):
        self.directory = directory
        self.files = {}

    def load(self, name):
        if name not in self.files:
            self.files[name] = json.loads((self.directory / name).read_text())
        return self.files[name]

    def resolve(self, node, file):
        """Follows references; those to files that are not there are of other platforms."""
        while "$ref" in node:
            name, _, path = node["$ref"].partition("#")
            file = name or file
            if not (self.directory / file).exists():
                return {}, file
            target = self.load(file)
            for part in path.strip("/").split("/"):
                target = target[part]
            node = target
        return node, file

    def properties(self, node, file, prefix=""):
        node, file = self.resolve(node, file)
        for part in node.get("allOf", []) + node.get("anyOf", []):
            yield from self.properties(part, file, prefix)
        for name, member in node.get("properties", {}).items():
            path = f"{prefix}.{name}".lstrip(".")
            yield path
            yield from self.properties(member, file, path)
        if isinstance(node.get("items"), dict):
            yield from self.properties(node["items"], file, prefix)
        if isinstance(node.get("additionalProperties"), dict):
            yield from self.properties(node["additionalProperties"], file, f"{prefix}.*")


# What only older versions had.
REMOVED = {"linux.intelRdt.enableCMT", "linux.intelRdt.enableMBM"}


def is_ignored(path):
    """Of another platform: the parser has a row that passes over all of it."""
    return path.startswith(tuple(line.removesuffix(" ignored") for line in check("--fields")[0]
                                 if line.endswith(" ignored")))


def known_properties():
    """Those of version 1.3, one a line: the schemas that distributions have are older."""
    return (Path(__file__).parent / "properties.txt").read_text().split()


def test_each_property_of_the_specification_has_a_row():
    known = known_properties()
    assert len(known) > 200 and known == sorted(set(known))
    rows = set(fields())
    assert not [path for path in known if path not in rows and not is_ignored(path)]


def test_each_property_of_the_schema_is_known():
    """A new version of the specification is a list of failures here."""
    directory = next((path for path in SCHEMAS if (path / "config-schema.json").exists()), None)
    if not directory:
        pytest.skip("no JSON schema of the specification (HOY_SCHEMA names its directory)")
    schema = Schema(directory)
    found = set(schema.properties(schema.load("config-schema.json"), "config-schema.json"))
    assert len(found) > 200
    missing = found - set(known_properties()) - REMOVED
    assert not sorted(path for path in missing if not is_ignored(path))


# Files that no case can be: the name, what is in it, and what is said.
HOSTILE = {
    "empty": (b"", "1:1: unexpected end of file"),
    "no-json": (b"\x7fELF\0\0\0", "1:1: invalid JSON"),
    "nul": (b'{\n "a": 1\0}', "2:8: NUL in the file"),
    "nul-in-string": (b'{\n "hostname": "a\\u0000b"}', "2:14: hostname: NUL in a string"),
    "raw-nul-in-string": (b'{"hostname": "a\0b"}', "1:14: hostname: invalid string"),
    "trailing-comma": (b'{"mounts": [\n {},\n]}', "2:4: mounts[1]: trailing comma"),
    "cut": (b'{"process": {"args": ["a"', "1:26: process.args[1]: unexpected end of file"),
    "two-documents": (b"{}\n{}", "2:1: text after the document"),
    "single-quotes": (b"{'ociVersion': 1}", "1:2: invalid JSON"),
    "comment": (b'{"a": 1 // x\n}', "1:9: invalid JSON"),
    "latin-1": (b'{"hostname": "\xe9"}', "1:14: hostname: string is not valid UTF-8"),
    "duplicate": (b'{"root": {"path": "a",\n  "path": "b"}}', "2:3: root.path: duplicate member"),
    "levels": (b'{"x": ' + b"[" * 63, "1:69: x" + "[0]" * 62 + ": nested too deeply"),
    "many-levels": (b"[" * 5000000, "1:64: " + "[0]" * 63 + ": nested too deeply"),
    "list": (b"[]", "1:1: expected an object, found list"),
    "number": (b"1", "1:1: expected an object"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file(name, tmp_path):
    content, message = HOSTILE[name]
    path = tmp_path / name
    path.write_bytes(content)
    assert check(path) == ([f"{path}:{message}"], 1)


def test_a_file_of_100_megabytes_is_not_read(tmp_path):
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    assert check(path) == ([f"{path}:0:0: {path}: larger than 67108864 bytes"], 1)


def test_a_pipe_of_100_megabytes_is_left_alone():
    with subprocess.Popen(["head", "-c", "100M", "/dev/zero"], stdout=subprocess.PIPE) as pipe:
        assert check("/dev/stdin", stdin=pipe.stdout) == (
            ["/dev/stdin:0:0: /dev/stdin: larger than 67108864 bytes"], 1)


def test_a_directory_is_no_file(tmp_path):
    assert check(tmp_path) == ([f"{tmp_path}:0:0: read {tmp_path}: Is a directory"], 1)
