import re
import sys


def test_help_names_every_command(process):
    shown = process("--help").stdout
    for command in ("run", "magnify", "simulate", "info", "calibrate", "weights", "bench", "ctl", "top"):
        assert re.search(rf"│ {command}\s", shown)


def test_help_loads_nothing_heavy(spikemm):
    import subprocess

    probe = "import sys, tools.cli; print(*{'torch', 'numba', 'numpy', 'zmq', 'cv2'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == ""


def test_every_command_has_help_with_an_example_or_units(spikemm):
    for command in ("run", "magnify", "simulate", "info", "calibrate", "bench"):
        ended = spikemm(command, "--help")
        assert ended.returncode == 0
        assert f"spikemm {command}" in ended.stdout.partition("Usage")[2].partition("\n")[2]


def test_a_misspelt_option_offers_the_nearest(refused):
    assert "did you mean --alpha?" in refused("magnify", "in.dat", "out.mp4", "--alhpa", "3")


def test_a_misspelt_command_offers_the_nearest(refused):
    assert "'magnify'" in refused("magnfy")


def test_a_refusal_is_one_line_and_status_2_of_the_process(process):
    ended = process("info", "nowhere.dat")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "spikemm: nowhere.dat: there is no such file: check the path\n"


def test_a_missing_argument_is_named(refused):
    assert "REC" in refused("magnify")


def test_a_value_of_the_wrong_type_is_named(refused):
    line = refused("magnify", "in.dat", "out.mp4", "--alpha", "big")
    assert "--alpha" in line
    assert "big" in line or "number" in line or "float" in line


def test_an_option_that_lacks_a_value_is_named(refused):
    line = refused("magnify", "in.dat", "out.mp4", "--band", "300")
    assert "--band" in line
    assert "spikemm magnify --help" in line


def test_without_a_command_there_is_help_and_nothing_else(spikemm):
    ended = spikemm()
    assert "Commands" in ended.stdout + ended.stderr
    assert "spikemm: " not in ended.stderr


def test_a_value_below_0_is_not_taken_for_an_option(refused):
    assert "below 0" in refused("ctl", "speed", "-1")


def test_too_little_memory_is_one_line(monkeypatch, capsys):
    import pytest

    from tools import cli

    def fail(*arguments, **options):
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main(["info"])
    assert ended.value.code == 2
    assert "not enough memory (Unable to allocate 9 TiB)" in capsys.readouterr().err


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch):
    import pytest

    from tools import cli

    def fail(*arguments, **options):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["info"])
