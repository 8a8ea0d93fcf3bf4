import stat

import pytest


def test_keys_are_for_their_owner_alone(spikemm, tmp_path):
    assert spikemm("ctl", "keys", "keys").returncode == 0
    folder = tmp_path / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "spikemm.key_secret").stat().st_mode) == 0o600


def test_keys_are_never_overwritten(spikemm, refused, tmp_path):
    spikemm("ctl", "keys", "keys")
    before = (tmp_path / "keys" / "spikemm.key_secret").read_bytes()
    assert "exists" in refused("ctl", "keys", "keys")
    assert (tmp_path / "keys" / "spikemm.key_secret").read_bytes() == before


@pytest.mark.parametrize("verb", [("status",), ("pause",), ("seek", "0.1"), ("set", "magnify.alpha=3"), ("stop",)])
def test_without_a_pipeline_there_is_nothing_to_steer(refused, verb):
    assert "no pipeline 'nobody'" in refused("ctl", *verb, "--run", "nobody")


def test_top_without_a_pipeline_is_refused(refused):
    assert "no pipeline 'nobody'" in refused("top", "--once", "--run", "nobody")


@pytest.mark.parametrize("where", ["soon", "step:x", "1:2"])
def test_a_place_that_is_none_is_refused(refused, where):
    assert where in refused("ctl", "seek", where)


def test_an_assignment_without_an_option_is_refused(refused):
    assert "NODE.OPTION=VALUE" in refused("ctl", "set", "alpha=3")
