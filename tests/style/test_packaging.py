"""What contrib/packaging repeats of the rest of the tree is the same there."""

import re

from conftest import TOP

PACKAGING = TOP / "contrib/packaging"
# What dpkg takes for granted, and what only the demo needs.
NOT_REPEATED = {"apt": {"gcc", "libc6-dev", "busybox-static"}, "dnf": {"busybox"}}


def build_rows(column):
    rows = [line.split() for line in (TOP / "contrib/setup").read_text().splitlines()]
    return {row[column] for row in rows if len(row) == 5 and "build" in row[0].split(",")} - {"-"}


def version():
    return re.search(r"^  version: '([\d.]+)',$", (TOP / "meson.build").read_text(), re.M)[1]


def test_build_dependencies_of_debian():
    control = (PACKAGING / "debian/control").read_text()
    named = re.search(r"^Build-Depends: (.*?)\n\n?\w", control, re.M | re.S)[1]
    packages = set(re.findall(r"[\w.+-]+", re.sub(r"\([^)]*\)", "", named)))
    assert packages == build_rows(2) - NOT_REPEATED["apt"] | {"debhelper-compat"}


def test_build_dependencies_of_the_rpm():
    spec = (PACKAGING / "hoy.spec").read_text()
    assert set(re.findall(r"^BuildRequires:\s+(\S+)$", spec, re.M)) == \
        build_rows(3) - NOT_REPEATED["dnf"]


def test_versions():
    debian = re.match(r"hoy \(([\d.]+)\)", (PACKAGING / "debian/changelog").read_text())[1]
    rpm = re.search(r"^Version:\s+(\S+)$", (PACKAGING / "hoy.spec").read_text(), re.M)[1]
    assert (debian, rpm) == (version(), version())
