"""exec has what init has: what a process joins late must not be what its caller brought along."""

import pytest

pytestmark = pytest.mark.hoy


def test_exec_joins_the_session_keyring(bundle, runtime):
    """Not the caller's: whoever has that as its session keyring may read the keys in it."""
    with runtime.sleeping(bundle) as container:
        assert container.probe()["keyring"].endswith(";c1")


def test_exec_without_a_keyring_of_the_container(bundle, runtime):
    with runtime.sleeping(bundle, "--no-new-keyring") as container:
        assert not container.probe()["keyring"].endswith(";c1")


def test_exec_as_a_user_joins_the_session_keyring(bundle, runtime):
    with runtime.sleeping(bundle) as container:
        assert container.probe("--user", "1000:1000")["keyring"].endswith(";c1")


def test_exec_in_a_user_namespace_joins_the_session_keyring(bundle, runtime):
    bundle.user_namespace()
    with runtime.sleeping(bundle) as container:
        assert container.probe()["keyring"].endswith(";c1")
