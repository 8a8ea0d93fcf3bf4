"""An option that would do nothing is refused, and what cannot work is refused before the work."""

import pytest

from spikemm.exceptions import OptionError
from tools.output_folder import ready_folder
from tools.train_inputs import read_configuration

EVALUATE = ("evaluate", "reconstruction")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--scenes", "none"), "nothing to evaluate"),
        (("--rows", "rate:32", "--weights", "mine.safetensors"), "--weights"),
        (("--rows", "rate:32", "--paper-weights", "mine"), "--paper-weights"),
        (("--calibration", "none"), "--calibration"),
        (("--no-flip",), "--flip"),
        (("--truth-gain", 0.5), "--truth-gain"),
        (("--scenes", "tuning-fork,tuning-frok", "--rows", "rate:32"), "tuning-frok"),
    ],
)
def test_an_evaluation_refuses_what_would_do_nothing(refused, arguments, named):
    assert named in refused(*EVALUATE, *arguments)


def test_an_evaluation_of_recordings_alone_refuses_options_of_scenes(refused, fork):
    assert "--noise, --periods" in refused(*EVALUATE, fork, "--scenes", "none", "--periods", 4, "--noise", 0.1)


def test_a_magnification_refuses_what_its_method_has_no_use_for(refused, fork):
    for arguments, named in (
        (("--upsampler", "lanczos"), "at --scale 1 there is nothing to fill in"),
        (("--axis", "x", "--method", "linear"), "does not know where motion goes"),
        (("--method-weights", "mine.safetensors"), "this method has no networks"),
        (("--mode", "band"), "band mode needs a band"),
    ):
        assert named in refused("magnify", fork, "out.mp4", *arguments)


def test_a_training_without_recordings_refuses_their_options(refused, tmp_path):
    (tmp_path / "quick.yaml").write_text("windows: [8]")
    told = refused("train", "bsn", "quick.yaml", "--out", "out.safetensors", "--calibration", "none")
    assert "--calibration" in told


def test_a_fine_tuning_refuses_options_of_checkpoints(refused, fork):
    fit = ("train", "bsn", fork, "--adapt", "compact_bsn", "--out", "out.safetensors")
    assert "--checkpoint-every" in refused(*fit, "--checkpoint-every", 5)


@pytest.mark.parametrize(
    ("text", "named"),
    [("label: isi:41", "label"), ("{architecture: reference, windows: [8]}", "windows")],
)
def test_a_configuration_holds_nothing_of_the_other_architecture(tmp_path, text, named):
    path = tmp_path / "idle.yaml"
    path.write_text(text)
    with pytest.raises(OptionError, match=f"{named} does nothing"):
        read_configuration(path, {})


def test_a_folder_that_takes_no_files_is_told_before_the_work(tmp_path):
    ready_folder(tmp_path / "new" / "one")
    assert list((tmp_path / "new" / "one").iterdir()) == []
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "in"):
        with pytest.raises(OptionError, match="is no folder"):
            ready_folder(folder)
