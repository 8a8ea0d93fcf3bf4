import numpy as np
import pytest

from engine.statistics import AgeHistogram


def test_ages_are_within_five_percent_and_the_oldest_is_exact():
    ages = np.random.default_rng(1).lognormal(-4, 1.5, 20_000)
    histogram = AgeHistogram()
    for age in ages:
        histogram.add(age)
    found = histogram.statistics()
    assert found.p50 == pytest.approx(1e3 * np.quantile(ages, 0.5), rel=0.05)
    assert found.p99 == pytest.approx(1e3 * np.quantile(ages, 0.99), rel=0.07)
    assert found.max == 1e3 * ages.max()


@pytest.mark.parametrize("age_s", [0.0, 1e-9, 1e-4, 0.2, 1800.0, 1e7])
def test_one_age_of_any_size_is_its_own_summary(age_s):
    histogram = AgeHistogram()
    histogram.add(age_s)
    found = histogram.statistics()
    assert found.max == 1e3 * age_s
    assert found.p50 == found.p99 <= found.max


def test_without_ages_everything_is_zero():
    assert tuple(AgeHistogram().statistics()) == (0.0, 0.0, 0.0)
