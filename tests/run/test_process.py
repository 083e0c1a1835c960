"""config.md, process: what the program finds when it starts."""
import pytest

@pytest.mark.req("config.user.uid", "config.user.gid")
def test_uid_and_gid(bundle, runtime):
    bundle.process["user"] = {"uid": 10, "gid": 20}
    seen = runtime.probe(bundle)
    assert seen["uids"] == [10] * 4
    assert seen["gids"] == [20] * 4
