"""The doors an analyst uses from a notebook, and the command line from a shell.

:func:`open_data` reads a data folder, :func:`assess` turns it into a run in memory, and
:func:`write_assessment` does both and writes the run folder, which :func:`open_run` reads back.
"""

from __future__ import annotations

from huanjie_lib.workbench.assessment import (
    Assessment,
    as_run,
    assess,
    compute,
    open_run,
    write_assessment,
)
from huanjie_lib.workbench.backtests import backtest_city, backtest_panel
from huanjie_lib.workbench.ledger import (
    LedgerCheck,
    Publication,
    check_ledger,
    export_head,
    publish_run,
    read_casework,
)
from huanjie_lib.workbench.new_keys import NewKeys, rotate_keys
from huanjie_lib.workbench.reading import open_data, open_data_of
from huanjie_lib.workbench.talent import MATCH_SEED, match
from huanjie_lib.workbench.weights import (
    WEIGHT_METHODS,
    judgments_for,
    propose_weights,
    weight_effect,
    write_proposal,
)

__all__ = [
    "MATCH_SEED",
    "WEIGHT_METHODS",
    "Assessment",
    "LedgerCheck",
    "NewKeys",
    "Publication",
    "as_run",
    "assess",
    "backtest_city",
    "backtest_panel",
    "check_ledger",
    "compute",
    "export_head",
    "judgments_for",
    "match",
    "open_data",
    "open_data_of",
    "open_run",
    "propose_weights",
    "publish_run",
    "read_casework",
    "rotate_keys",
    "weight_effect",
    "write_assessment",
    "write_proposal",
]
