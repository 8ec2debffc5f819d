"""A talent run that can be checked by hand."""

from __future__ import annotations

import pytest

from huanjie_lib.store.talent_folder import TalentRun
from tests.talent_runs import talent_run


@pytest.fixture
def run() -> TalentRun:
    return talent_run()
