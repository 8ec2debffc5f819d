"""Past elections put to the test: those of any panel, and the city's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.parameters import ParameterSet, load_parameters

if TYPE_CHECKING:
    from huanjie_lib.intake import Intake
    from huanjie_lib.risk.backtest import Scorecard

__all__ = ["backtest_city", "backtest_panel"]


def backtest_panel(
    history: str | Path,
    outcomes: str | Path,
    *,
    unit: str,
    term: str,
    outcome: str,
    test_term: int | str,
    pack: str | Path | None = None,
    directions: Mapping[str, int] | None = None,
    neighbours: str | Path | None = None,
    region: str | None = None,
    features: Sequence[str] | None = None,
    capacities: Sequence[int] | None = None,
    draws: int = 1000,
    seed: int = 20261031,
) -> Scorecard:
    """Read a panel of past elections and put one of its terms to the test.

    Parameters
    ----------
    history, outcomes
        CSV or Parquet files with one row a unit and term; they may be the same file.
    pack
        Folder of a pack whose metrics are columns of the history: its index is tested beside the models, and
        its reference points tell directions. Without one there is no index.
    neighbours
        A file with the columns region and neighbour.
    unit, term, outcome, test_term, directions, region, features, capacities, draws, seed
        See :func:`huanjie_lib.risk.backtest.backtest`.

    Raises
    ------
    LeakageError
        If a feature could not have been known before the election.
    DataError
        If a file or a column cannot be used.
    """
    from huanjie_lib.intake.panel import read_panel
    from huanjie_lib.risk.backtest import backtest  # scikit-learn takes a second that others need not wait
    from huanjie_lib.risk.panel import keyed, panel_directions, panel_index

    tables = {path: read_panel(Path(path), text=(unit, term)) for path in {history, outcomes}}
    index, told = None, dict(directions or {})
    parameters = None if pack is None else load_parameters(Path(pack))
    if parameters is not None:
        panel = keyed(tables[history], [unit, term], unit, term, "--history")
        index = panel_index(panel, parameters, unit=unit, term=term)
        usable = set(panel.columns) if features is None else set(features)
        given = panel_directions(parameters.framework)
        told = {name: sign for name, sign in given.items() if name in usable} | told
    return backtest(
        tables[history],
        tables[outcomes],
        unit=unit,
        term=term,
        outcome=outcome,
        test_term=test_term,
        region=region,
        features=features,
        directions=told,
        index=index,
        classification=None if parameters is None else parameters.classification,
        neighbours=None if neighbours is None else read_panel(Path(neighbours), text=("region", "neighbour")),
        capacities=capacities,
        draws=draws,
        seed=seed,
        version="" if parameters is None else parameters.version,
    )


def backtest_city(
    intake: Intake, *, test_term: int, parameters: ParameterSet | None = None, draws: int = 1000
) -> Scorecard:
    """Put a past election of the city itself to the test, with the index as it stood before it.

    Parameters
    ----------
    intake
        Result of :func:`open_data`, with election history and outcomes.
    test_term
        Year of the election.
    parameters
        The default pack when omitted. The index is that part of it which was on record before the election,
        see :func:`huanjie_lib.risk.panel.city_panel`.
    draws
        Bootstrap draws.

    Raises
    ------
    DataError
        If there is no election history or no outcome.
    """
    from huanjie_lib.risk.backtest import backtest
    from huanjie_lib.risk.panel import city_panel

    lacking = [name for name in ("election_history", "outcomes") if name not in intake.tables]
    if lacking:
        raise DataError(
            "不能回测",
            [Fault(TABLES[name].label, "没有数据", "往届选举和选情结果", "补充往届数据") for name in lacking],
        )
    pack = parameters or load_parameters()
    panel, index = city_panel(intake.tables, pack)
    return backtest(
        panel,
        intake.tables["outcomes"][["unit_code", "term", "outcome"]],
        unit="unit_code",
        term="term",
        outcome="outcome",
        test_term=test_term,
        index=None if index.empty else index,
        classification=pack.classification,
        draws=draws,
        version=pack.version,
    )
