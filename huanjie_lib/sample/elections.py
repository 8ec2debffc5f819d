"""Two past elections and whether anything went wrong in them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.sample.calendar import Calendar
from huanjie_lib.sample.frames import conform, day_of, text_of
from huanjie_lib.sample.latent import Factors
from huanjie_lib.sample.streams import Array, Mask, steady

__all__ = ["make_elections"]

_KINDS = ("查实拉票贿选", "投票现场冲突", "集体上访", "选举无效", "另行选举未成")
_KIND_SHARES = (0.28, 0.2, 0.26, 0.1, 0.16)
_MONTHS = (11, 3)


def make_elections(
    calendar: Calendar,
    unit_codes: Sequence[str],
    electors: Array,
    existed: Mask,
    factors: Factors,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw ``election_history`` and ``outcomes`` of the last two terms.

    The chance of an incident is logistic in hidden factors that also drive every figure known before the
    election, plus chance; so it can be predicted, but not perfectly. About one unit in ten has one.

    Parameters
    ----------
    calendar
        Dates; the terms lie eight and five years before ``as_of``.
    unit_codes
        Codes.
    electors
        Registered electors today.
    existed
        Units that existed at the last election.
    factors
        Hidden factors.
    rng
        Random stream.
    """
    codes = np.flatnonzero(existed)
    histories: list[dict[str, npt.NDArray[Any]]] = []
    outcomes: list[dict[str, npt.NDArray[Any]]] = []
    for nth, (back, month) in enumerate(zip((8, 5), _MONTHS, strict=True)):
        year = calendar.as_of.year - back
        trouble = factors.past[codes, nth]
        size = len(codes)
        polling = day_of(dt.date(year, month, 8)) + rng.integers(0, 40, size)
        roll = np.round(electors[codes] * (1.0 + 0.002 * back) * np.exp(0.04 * rng.normal(size=size)))
        chance = steady(1.0 / (1.0 + np.exp(-(-2.95 + 0.98 * trouble))))
        wrong = rng.random(size) < chance
        turnout = 1.0 / (1.0 + np.exp(-(1.42 - 0.46 * trouble - 0.35 * wrong + 0.33 * rng.normal(size=size))))
        ballots = np.round(steady(roll * np.clip(turnout, 0.5, 0.985)))
        invalid = np.clip(0.037 * np.exp(0.46 * trouble + 0.4 * rng.normal(size=size)), 0.002, 0.3)
        proxy = np.clip(0.085 * np.exp(0.36 * trouble + 0.4 * rng.normal(size=size)), 0.005, 0.34)
        contest = 1 + rng.binomial(3, steady(np.clip(0.40 + 0.08 * trouble, 0.05, 0.9)))
        valid = ballots - np.round(steady(ballots * invalid))
        margin = np.clip(0.27 - 0.11 * trouble + 0.15 * rng.normal(size=size), 0.005, 0.92)
        spread = np.where(contest > 2, rng.uniform(0.04, 0.16, size), rng.uniform(0.0, 0.04, size))
        shared = valid * (1.0 - spread)
        winner = np.where(contest == 1, np.round(0.94 * valid), np.round(steady(shared * (1 + margin) / 2)))
        runner = np.where(
            contest == 1, np.nan, np.minimum(np.round(steady(shared * (1 - margin) / 2)), winner)
        )
        again = rng.random(size) < steady(np.clip(0.05 * np.exp(0.80 * trouble), 0, 0.4))
        again = again | (wrong & (rng.random(size) < 0.12))
        histories.append(
            {
                "unit": codes,
                "term": np.full(size, year),
                "election_on": polling,
                "electors": roll.astype(np.int64),
                "ballots": ballots.astype(np.int64),
                "invalid_ballots": (ballots - valid).astype(np.int64),
                "proxy_ballots": np.round(steady(ballots * proxy)).astype(np.int64),
                "candidates": contest,
                "winner_votes": winner,
                "runner_up_votes": runner,
                "rerun": again,
                "incident": wrong & (rng.random(size) < 0.85),
            }
        )
        outcomes.append(
            {
                "unit": codes,
                "term": np.full(size, year),
                "outcome": wrong,
                "kind": np.where(wrong, rng.choice(len(_KINDS), size, p=_KIND_SHARES), -1),
                "observed_on": polling + rng.integers(1, 75, size),
            }
        )
    history = {name: np.concatenate([h[name] for h in histories]) for name in histories[0]}
    labels = {name: np.concatenate([o[name] for o in outcomes]) for name in outcomes[0]}
    history_unit, labels_unit = history.pop("unit"), labels.pop("unit")
    kind = labels.pop("kind")
    return (
        conform("election_history", {"unit_code": text_of(unit_codes, history_unit), **history}),
        conform(
            "outcomes",
            {"unit_code": text_of(unit_codes, labels_unit), **labels, "kind": text_of(_KINDS, kind)},
        ),
    )
