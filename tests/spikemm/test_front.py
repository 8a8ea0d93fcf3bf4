import pytest

from spikemm.exceptions import OptionError, WeightsError
from spikemm.front import FRONTS, FrontSpec
from spikemm.maps import MapSpec


@pytest.mark.parametrize("text", ["interval:32", "rate:41", "isi:64", "mie:32", "bsn1:16", "bsn2:8", "paper:41"])
def test_a_front_end_is_read_from_its_name_and_written_the_same(text):
    assert str(FrontSpec.parse(text)) == text


def test_one_map_is_all_that_a_plain_front_end_needs():
    assert FrontSpec("rate", 64).maps == (MapSpec("rate", 64),) == (FrontSpec("rate", 64).timing,)


def test_the_levels_go_from_a_quarter_to_eight_short_windows():
    front = FrontSpec("mie", 32)
    assert [spec.window for spec in front.inputs] == [8, 16, 32, 64, 128, 256]
    assert {spec.reach for spec in front.maps} == {256}
    assert str(front.segments) == "interval:256/8+256"
    assert front.maps == (*front.inputs, front.segments)


def test_a_guess_alone_asks_for_no_more_than_its_network_sees():
    levels = FrontSpec("mie", 32).inputs
    assert FrontSpec("bsn1", 32).maps == levels[:3]
    assert FrontSpec("bsn2", 32).maps == levels[2:]


def test_what_moves_is_timed_by_the_short_window():
    assert FrontSpec("mie", 16).timing == FrontSpec("bsn1", 16).timing == MapSpec("interval", 16, reach=128)
    assert FrontSpec("bsn2", 16).timing.window == 128


def test_a_guess_alone_has_no_known_response():
    FrontSpec("mie", 32).require_timing()
    with pytest.raises(OptionError, match="what bsn1:32 keeps of a vibration is not known"):
        FrontSpec("bsn1", 32).require_timing()


def test_the_published_method_sees_raw_planes_and_rates():
    assert [str(spec) for spec in FrontSpec("paper", 41).maps] == ["planes:41", "planes:328", "rate:328/8"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("mei:32", "did you mean 'mie'"),
        ("quux:32", f"choose from {', '.join(FRONTS)}"),
        ("mie", "write it as name:window"),
        ("mie:-4", "write it as name:window"),
        ("rate:0", "must be at least 1"),
        ("mie:30", "must be a multiple of 4"),
        ("paper:4096", "must be at most 4092"),
    ],
)
def test_what_is_no_front_end_is_refused(text, complaint):
    with pytest.raises(OptionError, match=complaint):
        FrontSpec.parse(text)


@pytest.mark.parametrize(
    ("text", "weights", "named"),
    [
        ("rate:32", "mine.safetensors", "weights mine.safetensors for rate:32"),
        ("mie:32", "missing.safetensors", "missing.safetensors is not there"),
        ("paper:41", None, "paper:41 needs weights"),
        ("paper:41", "missing", "bsn1.safetensors is not there"),
    ],
)
def test_weights_that_cannot_serve_are_refused_by_name_alone(text, weights, named):
    with pytest.raises((OptionError, WeightsError), match=named):
        FrontSpec.parse(text).check_weights(weights)


def test_weights_that_are_there_are_taken_unread(tmp_path):
    for name in ("bsn1.safetensors", "bsn2.safetensors"):
        (tmp_path / name).write_bytes(b"")
    FrontSpec.parse("paper:41").check_weights(tmp_path)
    FrontSpec.parse("mie:32").check_weights(tmp_path / "bsn1.safetensors")
    FrontSpec.parse("mie:32").check_weights(None)
