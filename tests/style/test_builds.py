"""What is built and installed: the library's symbols, the static program, the files of an install."""

import json
import os
import re
import subprocess

import pytest

from conftest import TOP

# A declaration in a public header, which may go on for some lines.
DECLARED = re.compile(r"^(?!typedef)[a-z][\w \t*]*?[ *](hoy_\w+)\([^;{}]*\);", re.M | re.S)


def output(*command, **keywords):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=300, check=False, **keywords)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def declared():
    text = "".join(path.read_text() for path in sorted((TOP / "include/hoy").glob("*.h")))
    return set(DECLARED.findall(text))


def test_the_library_has_what_its_headers_declare(build):
    symbols = output("nm", "-D", "--defined-only", "--format=posix", build / "src/libhoy/libhoy.so")
    exported = {line.split("@")[0].split()[0] for line in symbols.splitlines()}
    assert {name for name in exported if name != "HOY_0"} == declared()


@pytest.fixture(scope="module")
def static_build(tmp_path_factory):
    """A build with -Dstatic=true, of the program alone."""
    directory = tmp_path_factory.mktemp("static")
    for library in ("libseccomp", "libcap", "yajl"):
        if subprocess.run(["pkg-config", "--exists", library], check=False).returncode != 0:
            pytest.skip(f"no {library}")
    output("meson", "setup", "-Dstatic=true", "-Dtests=disabled", "-Dman=disabled", "-Dwerror=true",
           directory, TOP)
    output("meson", "compile", "-C", directory, "hoy:executable")
    return directory


def test_a_static_program_needs_nothing(static_build):
    hoy = static_build / "src/hoy"
    assert "There is no dynamic section in this file." in output("readelf", "--dynamic", hoy)
    assert "INTERP" not in output("readelf", "--program-headers", hoy)


def test_a_static_program_has_no_systemd(static_build, tmp_path):
    hoy = static_build / "src/hoy"
    words = output(hoy, "--version").splitlines()[-1].split()
    assert {"-SYSTEMD", "-CRIU"} <= set(words) and "+SECCOMP" in words
    cgroup = json.loads(output(hoy, "features"))["linux"]["cgroup"]
    assert (cgroup["systemd"], cgroup["systemdUser"]) == (False, False)


def test_a_static_program_has_no_criu(static_build, tmp_path):
    hoy = static_build / "src/hoy"
    for words in (["checkpoint", "--help"], ["restore", "--help"]):
        done = subprocess.run([hoy, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "checkpoint and restore are not in this build, which is static" in done.stderr
    annotations = json.loads(output(hoy, "features"))["annotations"]
    assert annotations["run.hoy.checkpoint.enabled"] == "false"


def test_features_and_version_agree(build):
    hoy = build / "src/hoy"
    words = set(output(hoy, "--version").splitlines()[-1].split())
    features = json.loads(output(hoy, "features"))
    linux = features["linux"]
    criu = features["annotations"]["run.hoy.checkpoint.enabled"]
    for word, is_there in (("SYSTEMD", linux["cgroup"]["systemd"]),
                           ("CRIU", criu == "true"),
                           ("SECCOMP", linux["seccomp"]["enabled"]),
                           ("APPARMOR", linux["apparmor"]["enabled"]),
                           ("SELINUX", linux["selinux"]["enabled"])):
        assert ("+" if is_there else "-") + word in words


def test_install_is_complete(build, tmp_path):
    output("meson", "install", "-C", build, "--no-rebuild", "--destdir", tmp_path)
    installed = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")
                 if not path.is_dir()}
    names = {re.sub(r"^usr/(local/)?(lib/[\w-]+-linux-gnu/)?", "", name) for name in installed}
    pages = {path.name.removesuffix(".scd") for path in (TOP / "man").glob("*.[38]*")}
    pages = {f"share/man/man{page[-1]}/{page}" for page in pages}
    headers = {f"include/hoy/{path.name}" for path in (TOP / "include/hoy").glob("*.h")}
    engines = {f"share/hoy/{path.relative_to(TOP / 'contrib')}"
               for path in (TOP / "contrib/engines").rglob("*") if path.is_file()}
    others = {"bin/hoy", "libhoy.a", "libhoy.so", "libhoy.so.0", "libhoy.so.0.1.0",
              "pkgconfig/libhoy.pc", "share/bash-completion/completions/hoy",
              "share/zsh/site-functions/_hoy", "share/fish/vendor_completions.d/hoy.fish"}
    assert names == pages | headers | engines | others


def test_a_program_links_with_what_is_installed(build, tmp_path):
    output("meson", "install", "-C", build, "--no-rebuild", "--destdir", tmp_path / "root")
    (pkgconfig,) = (tmp_path / "root").rglob("libhoy.pc")
    env = os.environ | {"PKG_CONFIG_SYSROOT_DIR": str(tmp_path / "root"),
                        "PKG_CONFIG_PATH": str(pkgconfig.parent)}
    flags = output("pkg-config", "--cflags", "--libs", "libhoy", env=env).split()
    (tmp_path / "program.c").write_text(
        "#include <stdio.h>\n#include <hoy/hoy.h>\n"
        "int main(void) { return puts(hoy_version()) < 0; }\n")
    output("cc", "-Wall", "-Wextra", "-Wpedantic", "-std=c99", "-Werror", tmp_path / "program.c",
           "-o", tmp_path / "program", *flags)
    env = {"LD_LIBRARY_PATH": str(pkgconfig.parents[1])}
    assert output(tmp_path / "program", env=env) == \
        output(build / "src/hoy", "--version").split()[2] + "\n"
