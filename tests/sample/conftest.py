"""One small city, shared by all tests of the sample; don't change it in place."""

from __future__ import annotations

import numpy as np
import pytest

from huanjie_lib.parameters import load_parameters
from huanjie_lib.pipeline import RiskResult, run_risk
from huanjie_lib.sample import City, make_city
from huanjie_lib.sample.geography import Geography, make_geography
from huanjie_lib.sample.streams import Streams

SIZE = 400


@pytest.fixture(scope="session")
def city() -> City:
    return make_city(units=SIZE)


@pytest.fixture(scope="session")
def land() -> Geography:
    return make_geography(SIZE, Streams(20261031))


@pytest.fixture(scope="session")
def result(city: City) -> RiskResult:
    return run_risk(city.tables, load_parameters(), as_of=city.as_of)


@pytest.fixture(scope="session")
def chain() -> np.ndarray:
    """Pairs of neighbours of 300 units in a row."""
    return np.column_stack([np.arange(299), np.arange(1, 300)])
