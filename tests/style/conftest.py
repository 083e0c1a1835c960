"""What the style tests share: the C sources, and a reader that finds their functions and tables."""

import os
import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
# A body starts at a brace in column 0; what precedes it, up to the last ; } or #, is its head.
FUNCTION = re.compile(r"^[A-Za-z_][^;{}#]*?(?P<name>\w+)\((?P<parameters>[^;{}]*)\)[^;{}()]*"
                      r"^\{\n(?P<body>.*?)^\}", re.M | re.S)
TABLE = re.compile(r"=\s*\{")


def blank(match):
    """The same text without its letters: positions and line numbers stay."""
    return re.sub(r"[^\n]", " ", match.group())


class Function:
    def __init__(self, source, match):
        self.source = source
        self.name = match["name"]
        self.line = source.code.count("\n", 0, match.start("name")) + 1
        parameters = re.sub(r"\([^()]*\)", "", match["parameters"]).split(",")
        self.parameters = [p for p in parameters if p.strip() not in ("", "void")]
        self.body = match["body"]
        tables = sum(table.count("\n") for table in tables_of(self.body))
        self.lines = match.group().count("\n") + 1 - tables
        self.depth = nesting(self.body)

    def __str__(self):
        return f"{self.source.path}:{self.line}: {self.name}"


class Source:
    """One C file: its text, and `code`, which is the text with comments and strings blanked."""

    def __init__(self, path):
        self.path = path.relative_to(TOP)
        self.text = path.read_text()
        self.code = NOT_CODE.sub(blank, self.text)
        self.includes = re.findall(r'^\s*#\s*include\s+["<]([^">]+)[">]', self.text, re.M)
        self.own_includes = re.findall(r'^\s*#\s*include\s+"([^"]+)"', self.text, re.M)
        self.public_includes = [header for header in self.includes if header.startswith("hoy/")]
        self.functions = [Function(self, match) for match in FUNCTION.finditer(self.code)]
        tables = sum(table.count("\n") for table in tables_of(self.code))
        self.lines = self.text.count("\n") - tables


def tables_of(code):
    """The texts between the braces of every initialiser, the outermost ones."""
    end = 0
    for match in TABLE.finditer(code):
        if match.end() < end:
            continue
        depth, end = 1, match.end()
        while depth and end < len(code):
            depth += {"{": 1, "}": -1}.get(code[end], 0)
            end += 1
        yield code[match.end():end - 1]


def nesting(body):
    """How many blocks lie within one another, single statements without braces not counted."""
    for table in tables_of(body):
        body = body.replace(table, "", 1)
    depth = deepest = 0
    for brace in re.findall(r"[{}]", body):
        depth += 1 if brace == "{" else -1
        deepest = max(deepest, depth)
    return deepest


def c_files(*directories):
    return sorted(path for directory in directories for path in (TOP / directory).rglob("*.[ch]"))


@pytest.fixture(scope="session")
def sources():
    """The product's C files."""
    return [Source(path) for path in c_files("src", "include")]


@pytest.fixture(scope="session")
def build():
    """The build directory whose object files are looked at; contrib/test names it."""
    if "HOY_BUILD" not in os.environ:
        pytest.skip("HOY_BUILD does not name a build directory")
    return Path(os.environ["HOY_BUILD"])
