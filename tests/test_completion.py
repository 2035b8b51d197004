"""The completion-time curve, against worked examples and against scipy."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.completion import Observation, completion_curve, observe
from core.facts import Batch

CREATED = datetime(2026, 11, 10, 10, tzinfo=UTC)
NOW = CREATED + timedelta(hours=2)
RUNNING = Batch(
    "b", "tests", None, "in_progress", CREATED, None, CREATED + timedelta(hours=24), None,
    10, 0, 0, 0, 0, 0, Decimal(0), Decimal(0), None, 0,
)  # fmt: skip
ENDED = replace(RUNNING, status="ended", ended_at=CREATED + timedelta(minutes=30), succeeded=10)


@pytest.mark.parametrize(
    ("batch", "seen"),
    [
        (ENDED, Observation(1_800, True)),
        (replace(ENDED, succeeded=3, errored=7), Observation(1_800, True)),
        (RUNNING, Observation(7_200, False)),
        (replace(ENDED, ended_at=CREATED + timedelta(hours=24), succeeded=9, expired=1), Observation(7_200, False)),
        (replace(ENDED, cancel_initiated_at=CREATED + timedelta(minutes=20), canceled=4), Observation(1_200, False)),
        (replace(RUNNING, status="canceling", cancel_initiated_at=CREATED), Observation(0, False)),
        (replace(ENDED, ended_at=CREATED), Observation(0, True)),
        (replace(ENDED, ended_at=CREATED - timedelta(seconds=1)), None),
    ],
)
def test_what_one_batch_tells(batch: Batch, seen: Observation | None) -> None:
    assert observe(batch, NOW) == seen


def test_an_expired_batch_is_cut_off_at_its_expiry() -> None:
    expired = replace(ENDED, ended_at=CREATED + timedelta(hours=24, minutes=3), succeeded=9, expired=1)
    assert observe(expired, CREATED + timedelta(days=9)) == Observation(86_400, False)


def test_a_curve_worked_by_hand() -> None:
    """10, 20 (two), 30 cut off, 40: at risk 5, 4, -, 1; surviving 4/5, 4/5 * 2/4, then 0."""
    times = [(10, True), (20, True), (20, True), (30, False), (40, True)]
    curve = completion_curve([Observation(seconds, done) for seconds, done in times])
    assert curve is not None
    assert curve.seconds.tolist() == [10, 20, 40]
    assert curve.share_done == pytest.approx([0.2, 0.6, 1.0])
    assert (curve.n, curve.censored) == (5, 1)
    assert (curve.quantile(0.2), curve.quantile(0.5), curve.quantile(0.61)) == (10, 20, 40)


@pytest.mark.parametrize("observations", [[], [Observation(60, False)] * 3])
def test_without_an_ended_batch_there_is_no_curve(observations: list[Observation]) -> None:
    assert completion_curve(observations) is None


def test_a_share_that_the_curve_does_not_reach_has_no_quantile() -> None:
    curve = completion_curve([Observation(60, True), Observation(90, False), Observation(95, False)])
    assert curve is not None
    assert (curve.quantile(0.3), curve.quantile(0.5)) == (60, None)


samples = st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=60).filter(
    lambda sample: any(done for _, done in sample)
)


def scipy_survival(sample: list[tuple[int, bool]]) -> stats.ecdf:
    times, done = np.array([seconds for seconds, _ in sample]), np.array([done for _, done in sample])
    return stats.ecdf(stats.CensoredData.right_censored(times, ~done)).sf


@given(samples)
def test_the_curve_agrees_with_scipy(sample: list[tuple[int, bool]]) -> None:
    curve = completion_curve([Observation(seconds, done) for seconds, done in sample])
    assert curve is not None
    assert 1 - curve.share_done == pytest.approx(scipy_survival(sample).evaluate(curve.seconds), abs=1e-9)


@given(samples)
def test_the_band_agrees_with_scipy_where_scipy_has_one(sample: list[tuple[int, bool]]) -> None:
    curve = completion_curve([Observation(seconds, done) for seconds, done in sample])
    assert curve is not None
    surviving = scipy_survival(sample)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy has no band where everything is done
        band = surviving.confidence_interval(0.95, method="log-log")
    inside = (curve.share_done > 0) & (curve.share_done < 1)
    ends = curve.seconds[inside]
    assert 1 - curve.high[inside] == pytest.approx(band.low.evaluate(ends), abs=1e-9)
    assert 1 - curve.low[inside] == pytest.approx(band.high.evaluate(ends), abs=1e-9)


@given(samples)
def test_the_curve_rises_within_its_band(sample: list[tuple[int, bool]]) -> None:
    curve = completion_curve([Observation(seconds, done) for seconds, done in sample])
    assert curve is not None
    assert (np.diff(curve.share_done) >= 0).all()
    assert (np.diff(curve.seconds) > 0).all()
    assert ((curve.low <= curve.share_done + 1e-12) & (curve.share_done <= curve.high + 1e-12)).all()
    assert ((curve.low >= 0) & (curve.high <= 1)).all()
