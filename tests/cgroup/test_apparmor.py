"""AppArmor: the profile of process.apparmorProfile confines the program and what exec adds."""

import subprocess
from pathlib import Path

import pytest

from limits import needs

PROFILE = """profile hoy-test-profile flags=(attach_disconnected,mediate_deleted) {
  file,
  signal,
  capability,
  deny /secret r,
}
"""


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    enabled = Path("/sys/module/apparmor/parameters/enabled")
    needs(enabled.exists() and enabled.read_text() == "Y\n", "AppArmor")
    path = tmp_path_factory.mktemp("apparmor") / "profile"
    path.write_text(PROFILE)
    subprocess.run(["apparmor_parser", "--replace", "--skip-cache", path], check=True, timeout=60)
    yield "hoy-test-profile"
    subprocess.run(["apparmor_parser", "--remove", path], check=True, timeout=60)


LOOK = "cat /proc/self/attr/current /open; cat /secret"
SEEN = "hoy-test-profile (enforce)\nopen\n"


def check(result):
    assert (result.status, result.stdout) == (1, SEEN), str(result)
    assert "/secret" in result.stderr and "Permission denied" in result.stderr


def test_a_denied_file_is_denied_to_the_program_and_to_exec(profile, bundle, runtime):
    bundle.file("/open", "open\n")
    bundle.file("/secret", "secret\n")
    bundle.process["apparmorProfile"] = profile
    check(runtime.sh(bundle, LOOK))
    with runtime.sleeping(bundle) as container:
        check(container.exec("--", "/bin/sh", "-c", LOOK))
        current = container.proc("attr/current").read_text()
        assert current == "hoy-test-profile (enforce)\n"


def test_exec_with_a_profile_of_its_own(profile, bundle, runtime):
    bundle.file("/open", "open\n")
    bundle.file("/secret", "secret\n")
    with runtime.sleeping(bundle) as container:
        check(container.exec("--apparmor", profile, "--", "/bin/sh", "-c", LOOK))
        container.exec("--apparmor", "no-such-profile", "--", "/bin/true").fails(
            "no-such-profile", status=255)


def test_an_unknown_profile_fails_create(profile, bundle, runtime):
    bundle.process["apparmorProfile"] = "no-such-profile"
    runtime.refuses(bundle, "process.apparmorProfile", "no-such-profile")
