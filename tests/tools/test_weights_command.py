import numpy as np

from spikemm.magnification.learned.oh2018_network import Oh2018
from spikemm.weights import load_network


def test_import_writes_weights_and_their_card_and_says_how_well_they_fit(oh2018_release, spikemm, tmp_path):
    ended = spikemm("weights", "import", "oh2018", oh2018_release)
    assert ended.returncode == 0, ended.stderr
    assert "largest error on the file's example" in ended.stdout
    network = load_network(tmp_path / "oh2018.safetensors", networks={"oh2018": Oh2018})
    assert network.options == {"width": 32, "blocks": 9}
    card = (tmp_path / "oh2018.md").read_text()
    assert "918,928 parameters" in card
    assert "academic use" in card
    assert spikemm("weights", "show", "oh2018.safetensors").stdout == card


def test_show_tells_of_weights_that_come_with_the_package(spikemm):
    assert "Trained on" in spikemm("weights", "show", "compact_bsn").stdout


def test_show_finds_a_card_of_other_contents_out(oh2018_release, spikemm, tmp_path):
    spikemm("weights", "import", "oh2018", oh2018_release, "mine.safetensors")
    (tmp_path / "mine.md").write_text("# Another card\n")
    shown = spikemm("weights", "show", "mine.safetensors").stdout
    assert "Another card" not in shown
    assert "`oh2018`" in shown


def test_a_foreign_file_is_refused_in_one_line(refused, tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    assert "other.npz lacks the variable" in refused("weights", "import", "oh2018", "other.npz")
    assert "not there" in refused("weights", "import", "oh2018", "nowhere.npz")
    assert ".safetensors" in refused("weights", "import", "oh2018", "other.npz", "out.npz")
    assert "'oh2018'" in refused("weights", "import", "alexnet", "other.npz")
    assert "no weights named 'nothing'" in refused("weights", "show", "nothing")
    assert list(tmp_path.iterdir()) == [tmp_path / "other.npz"]
