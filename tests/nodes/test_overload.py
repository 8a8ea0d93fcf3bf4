import pytest

from nodes.overload import HopRegulator


def run(regulator, pressure, start, seconds, every=0.004):
    """Feed a pressure, constant or a function of the hop; return the hops chosen."""
    hops = []
    for k in range(round(seconds / every)):
        value = pressure(regulator.hop) if callable(pressure) else pressure
        hops.append(regulator.update(value, start + k * every))
    return hops


def test_without_pressure_the_hop_stays():
    assert set(run(HopRegulator(20, 160), 0.4, 0.0, 10.0)) == {20}


def test_pressure_doubles_the_hop_up_to_the_limit():
    regulator = HopRegulator(20, 100)
    hops = run(regulator, 1.0, 0.0, 1.0)
    assert hops[0] == 40
    assert sorted(set(hops)) == [40, 80]
    assert regulator.raised == 2


def test_the_hop_comes_back_after_a_calm_of_two_seconds():
    regulator = HopRegulator(20, 160)
    run(regulator, 1.0, 0.0, 0.02)
    assert set(run(regulator, 0.0, 0.02, 1.9)) == {40}
    assert run(regulator, 0.0, 1.92, 0.5)[-1] == 20


def test_between_the_two_limits_nothing_changes():
    regulator = HopRegulator(20, 160)
    run(regulator, 1.0, 0.0, 0.02)
    assert set(run(regulator, 0.3, 0.02, 30.0)) == {40}


def test_a_machine_too_slow_for_the_hop_is_tried_less_and_less_often():
    regulator = HopRegulator(20, 160)
    hops = run(regulator, lambda hop: 1.0 if hop < 40 else 0.0, 0.0, 300.0)
    assert hops.count(20) / len(hops) < 0.01
    assert 5 <= regulator.raised <= 12


@pytest.mark.parametrize("limit", [10, 20, 39])
def test_a_limit_below_twice_the_hop_leaves_it_alone(limit):
    assert set(run(HopRegulator(20, limit), 1.0, 0.0, 1.0)) == {20}
