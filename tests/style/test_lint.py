"""Layout by clang-format, and what cppcheck and shellcheck find."""

import shutil
import subprocess

import pytest

from conftest import TOP, c_files


def tool(*command):
    """Runs a checker; its findings are the test's message."""
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


def test_layout():
    # Versions differ in details, so one of them is the measure: that of Debian 12.
    version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True,
                             check=True).stdout.strip()
    if " version 14." not in version:
        pytest.skip(f"layout is checked by version 14, this is {version}")
    tool("clang-format", "--dry-run", "-Werror", *c_files("src", "include", "tests"))


def test_cppcheck():
    # Its uninitvar follows calls without their conditions; the sanitized build sees the real ones.
    tool("cppcheck", "--quiet", "-j2", "--std=c11", "--enable=warning,performance,portability",
         "--suppress=uninitvar", "--inline-suppr", "--error-exitcode=1", "--template=gcc",
         "-D_GNU_SOURCE", "-Iinclude", "-Isrc/libhoy", "src")


def test_python_compiles():
    for path in sorted(TOP.glob("**/*.py")):
        if "build" not in path.relative_to(TOP).parts:
            compile(path.read_text(), str(path), "exec")


def test_shell():
    scripts = [path for directory in (".ci", "contrib", "tests", "bundles")
               for path in sorted((TOP / directory).rglob("*"))
               if path.is_file() and path.read_bytes().startswith((b"#!/bin/sh", b"#! /bin/sh"))]
    # 2154: in the VM, variables come from the kernel's command line. 3045: every sh here has it.
    tool("shellcheck", "--shell=sh", "--severity=warning", "--exclude=2154,3045", *scripts)
