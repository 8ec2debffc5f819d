"""Weights proposed for the data of a run, what they would change, and the pack that holds them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.outputs import require_new_files
from huanjie_lib.parameters import Framework
from huanjie_lib.risk.judgments import GroupJudgments
from huanjie_lib.risk.scoring import score
from huanjie_lib.risk.weighting import (
    Method,
    WeightEffect,
    WeightProposal,
    compare_weights,
    deprivations,
    propose,
    propose_combination,
    propose_equal,
    propose_from_data,
    propose_from_judgments,
)
from huanjie_lib.store.packs import write_pack
from huanjie_lib.store.run_folder import Run

if TYPE_CHECKING:
    pass

__all__ = ["WEIGHT_METHODS", "judgments_for", "propose_weights", "weight_effect", "write_proposal"]

WEIGHT_METHODS: tuple[Method, ...] = ("equal", "ahp", "entropy", "critic", "sd", "combined")
"""Methods that make weights by themselves."""


def judgments_for(method: Method, path: str | Path | None, framework: Framework) -> GroupJudgments | None:
    """Read the judgments that a weighting method needs; ``None`` where it takes none or may do without.

    Raises
    ------
    UsageError
        If judgments are lacking for ``ahp``, or given to a method that takes none.
    DataError, ParameterError
        If the judgments cannot be read.
    """
    from huanjie_lib.intake.judgments import read_judgments

    if path is None and method == "ahp":
        fault = Fault("判断表", "没有给出", "专家判断的 CSV 文件", "用 --judgments 指定判断表")
        raise UsageError("专家判断法需要判断表", [fault])
    if path is not None and method not in ("ahp", "combined"):
        fault = Fault("判断表", str(path), "只用于 ahp 和 combined", "去掉 --judgments 或改用这两种方法")
        raise UsageError("该方法不用判断表", [fault])
    return None if path is None else read_judgments(Path(path), framework)


def propose_weights(
    run: Run, method: Method, *, judgments: str | Path | GroupJudgments | None = None
) -> WeightProposal:
    """Return the weight proposal of a method for the data of a run.

    Parameters
    ----------
    run
        Result of :func:`assess`.
    method
        One of :data:`WEIGHT_METHODS`; ``combined`` is the mean of a judgment and of the mean of entropy,
        CRITIC and standard deviation; the judgment is that of the experts where there is a file, and the
        adopted weights otherwise.
    judgments
        CSV of pairwise judgments, see :func:`~huanjie_lib.intake.judgments.read_judgments`, or what
        :func:`judgments_for` read; needed for ``ahp``.

    Raises
    ------
    UsageError, DataError, ParameterError
        As :func:`judgments_for`, or if the data cannot bear the method.
    ValueError
        If the method makes no weights by itself.
    """
    from huanjie_lib.views.analysis import indicator_matrix

    if method == "manual":
        raise ValueError("manual weights are given to huanjie_lib.risk.weighting.propose")
    framework = run.parameters.framework
    if judgments is None or isinstance(judgments, str | Path):
        judgments = judgments_for(method, judgments, framework)
    if method == "equal":
        return propose_equal(framework)
    judged = propose(framework, how="采用的权重")
    if judgments is not None:
        judged = propose_from_judgments(framework, judgments)
    if method == "ahp":
        return judged
    values, kinds = indicator_matrix(run)
    table = deprivations(score(values, kinds, framework).severity, kinds, framework)
    if method == "combined":
        by_data = [propose_from_data(framework, table, m) for m in ("entropy", "critic", "sd")]
        return propose_combination(judged, by_data)
    return propose_from_data(framework, table, method)


def weight_effect(run: Run, proposal: WeightProposal) -> WeightEffect:
    """Return what a proposal would change on the map of a run: colours are held by the pack's margins."""
    from huanjie_lib.views.analysis import indicator_matrix
    from huanjie_lib.views.tables import previous_snapshot

    values, kinds = indicator_matrix(run)
    previous = previous_snapshot(run).set_index("unit_code")["level"]
    return compare_weights(
        values,
        kinds,
        run.parameters,
        proposal,
        previous=previous if len(previous) else None,
        as_of=run.as_of,
    )


def write_proposal(
    run: Run,
    proposal: WeightProposal,
    out: str | Path,
    *,
    author: str,
    reason: str,
    effective_from: dt.date,
) -> tuple[Path, WeightEffect]:
    """Write a proposal as a pack folder, with the table of what it changes beside it.

    Returns
    -------
    tuple
        The table, ``<out>_comparison.csv``, and the effect it tells. The pack lies in ``out``.

    Raises
    ------
    UsageError
        If author or reason is empty, or folder or table exist.
    ParameterError
        If the proposal is no valid pack.
    """
    from huanjie_lib.intake.report import write_csv
    from huanjie_lib.views.analysis import weight_changes

    out = Path(out)
    table = out.with_name(f"{out.name}_comparison.csv")
    require_new_files([table], refused="没有写出对照表")
    effect = weight_effect(run, proposal)
    changes = weight_changes(effect, run)
    write_pack(
        run.parameters,
        out,
        framework=proposal.framework,
        author=author,
        reason=reason,
        effective_from=effective_from,
    )
    write_csv(changes, table)
    return table, effect
