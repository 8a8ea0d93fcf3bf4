import os
import subprocess
import sys
import threading

import pytest

from spikemm.whole_file import remove_rests, whole_file


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with whole_file(target) as partial:
        partial.write_text("new")
        assert target.read_text() == "old"
        assert partial.name == "a.txt"
    assert contents(tmp_path) == {"a.txt": "new"}


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_no_rest(tmp_path, failure):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(failure), whole_file(tmp_path / "a.txt") as partial:
        partial.write_text("half")
        partial.with_name("beside.txt").write_text("half")
        raise failure
    assert contents(tmp_path) == {"a.txt": "old"}


def test_a_block_that_makes_no_file_fails(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "a.txt"):
        pass
    assert contents(tmp_path) == {}


def test_two_that_write_the_same_file_do_not_mix(tmp_path):
    with whole_file(tmp_path / "a.txt") as first, whole_file(tmp_path / "a.txt") as second:
        first.write_text("first")
        second.write_text("second")
    assert contents(tmp_path) == {"a.txt": "first"}


def test_a_link_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "a.txt").symlink_to(tmp_path / "there" / "b.bin")
    with whole_file(tmp_path / "a.txt") as partial:
        assert partial.name == "a.txt"
        partial.write_text("new")
    assert contents(tmp_path / "there") == {"b.bin": "new"}
    assert (tmp_path / "a.txt").is_symlink()


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    with whole_file(tmp_path / "pipe") as partial:
        partial.write_text("new")
    reader.join(20)
    assert read == ["new"]
    assert (tmp_path / "pipe").is_fifo()


def test_what_a_killed_process_has_left_is_removed_and_nothing_else(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    process = (
        "import os, sys\n"
        "from spikemm.whole_file import whole_file\n"
        "with whole_file(sys.argv[1]) as partial:\n"
        "    partial.write_text('half')\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", process, tmp_path / "a.txt"]).returncode == 9
    assert len(list(tmp_path.iterdir())) == 2
    remove_rests(tmp_path)
    assert contents(tmp_path) == {"a.txt": "old"}
