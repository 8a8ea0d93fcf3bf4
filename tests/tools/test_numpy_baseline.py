import numpy as np

from spikemm.packing import pack
from tools import numpy_baseline

# One pixel's spikes at these steps of 32; a window of 8 around t = 16 is the steps 12 to 19.
STEPS = (6, 9, 13, 18, 21, 30)


def light_of(encode, steps, t=16, w=8):
    spikes = np.zeros((32, 1, 8), np.uint8)
    spikes[list(steps), 0, 3] = 1
    return encode(pack(spikes), t, w, 1, 8)[0, 3]


def test_rate_counts_the_window():
    assert light_of(numpy_baseline.rate, STEPS) == np.float32(2 / 8)


def test_isi_is_from_the_last_spike_up_to_t_to_the_first_after():
    assert light_of(numpy_baseline.isi, STEPS) == 18 - 13
    assert light_of(numpy_baseline.isi, (16, 17)) == 1


def test_isi_is_0_where_a_spike_is_missing():
    assert light_of(numpy_baseline.isi, (9, 18)) == 0


def test_interval_divides_by_the_time_between_the_spikes_outside():
    assert light_of(numpy_baseline.interval, STEPS) == np.float32(3 / (21 - 9))


def test_interval_falls_back_to_rate():
    assert light_of(numpy_baseline.interval, (13, 18, 21)) == np.float32(2 / 8)
