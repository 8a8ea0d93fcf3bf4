import json


def test_encode_reports_its_contract(process):
    ended = process("bench", "encode", "--json", "--seconds", 0.04, "--repeats", 2)
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert result.keys() >= {
        "name", "threads", "height", "width", "seconds", "realtime_factor", "numpy_interval_ms", "numpy_rate_ms",
        "ours_ms_per_20_steps", "ratio_to_numpy", "machine",
    }  # fmt: skip
    assert (result["name"], result["threads"], result["height"], result["width"]) == ("encode", 1, 250, 400)
    in_numpy = result["numpy_interval_ms"] + result["numpy_rate_ms"]
    assert result["ratio_to_numpy"] > 1
    assert abs(result["ratio_to_numpy"] - in_numpy / result["ours_ms_per_20_steps"]) < 1e-6 * result["ratio_to_numpy"]
    assert abs(result["realtime_factor"] * result["ours_ms_per_20_steps"] - 1) < 1e-6
    assert max(result["realtime_factors"]) == result["realtime_factor"]
    assert len(result["realtime_factors"]) == 2


def test_frame_stages_report_milliseconds(process):
    result = json.loads(process("bench", "upsample", "--json", "--seconds", 0.04, "--repeats", 1).stdout)
    assert result["histospline_x2_ms"] > 0


def test_an_unknown_name_is_refused(refused):
    assert "encode" in refused("bench", "enocde")
