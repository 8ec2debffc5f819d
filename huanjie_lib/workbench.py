"""The doors an analyst uses from a notebook, and the command line from a shell.

:func:`open_data` reads a data folder, :func:`assess` turns it into a run in memory, and
:func:`write_assessment` does both and writes the run folder, which :func:`open_run` reads back.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from huanjie_lib import __version__, findings
from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import DataError, Fault, LedgerError, StaleVersionError, UsageError
from huanjie_lib.ledgers import Casework, Ledgers
from huanjie_lib.outputs import require_new_folder
from huanjie_lib.parameters import Framework, ParameterSet, load_parameters
from huanjie_lib.pipeline import RiskResult, run_risk
from huanjie_lib.risk.judgments import GroupJudgments
from huanjie_lib.risk.prepared import day_number, prepare
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
from huanjie_lib.store.run_folder import Run, file_digest, read_manifest, read_run, write_run
from huanjie_lib.vocabulary import CaseEvent, Role, Topic

if TYPE_CHECKING:
    from huanjie_lib.access.keys import KeyRing
    from huanjie_lib.access.rotation import Rotation
    from huanjie_lib.casework.events import ChainFault, Head
    from huanjie_lib.intake import Intake
    from huanjie_lib.risk.backtest import Scorecard
    from huanjie_lib.store.ledger import Ledger, PublishedRun
    from huanjie_lib.store.talent_folder import TalentRun

__all__ = [
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

Progress = Callable[[str, int, int], None]

MATCH_SEED = 20261031
"""Seed of a talent run unless another is named."""


@dataclass(frozen=True)
class Assessment:
    """What :func:`write_assessment` read, computed and wrote."""

    intake: Intake
    result: RiskResult
    manifest: dict[str, Any]


def open_data(
    data: str | Path,
    parameters: ParameterSet | None = None,
    *,
    keys: KeyRing | None = None,
    progress: Progress | None = None,
) -> Intake:
    """Read a data folder: tables and township returns, with report and quarantine.

    Parameters
    ----------
    data
        Folder with ``tables/`` and ``returns/``, as described in ``docs/returns_format.md``.
    parameters
        Parameters whose metrics the facts must fit; the default pack when omitted.
    keys
        Keys of the organisation's office, under which people on register forms are loaded; without them forms
        are checked only.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Raises
    ------
    DataError
        If the folder holds no usable data.
    """
    from huanjie_lib.intake import read_folder  # reading maps costs a second that a screen need not pay

    return read_folder(Path(data), parameters or load_parameters(), keys=keys, progress=progress)


def compute(
    intake: Intake,
    *,
    as_of: str | dt.date,
    parameters: ParameterSet | None = None,
    casework: Casework | None = None,
    progress: Progress | None = None,
) -> RiskResult:
    """Compute index, gates, findings, alerts and ledgers from data already read, without writing anything.

    Parameters
    ----------
    intake
        Result of :func:`open_data`.
    as_of
        Date the run describes, as a date or ``YYYY-MM-DD``.
    parameters
        The default pack when omitted.
    casework
        The ledger of cases, whose closed cases change the facts.
    progress
        Called with a Chinese label, the step reached and the number of steps.
    """
    date = dt.date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    return run_risk(
        intake.tables,
        parameters or load_parameters(),
        as_of=date,
        neighbours=_neighbours(intake, date),
        casework=casework,
        progress=progress,
    )


def assess(
    intake: Intake,
    *,
    as_of: str | dt.date,
    parameters: ParameterSet | None = None,
    casework: Casework | None = None,
    progress: Progress | None = None,
) -> Run:
    """Compute a run from data already read, as :func:`compute` does, in the form that views take.

    Returns
    -------
    Run
        A run without a folder: views and charts take it as they take one that was read back.
    """
    return as_run(compute(intake, as_of=as_of, parameters=parameters, casework=casework, progress=progress))


def as_run(result: RiskResult) -> Run:
    """Return a result in the form that views and run folders take; its ledgers stay apart."""
    found = findings.tables(result.findings)
    return Run(
        as_of=result.as_of,
        parameters=result.parameters,
        index=result.index,
        points_lost=result.points_lost,
        gates=result.gates,
        indicators=result.indicators,
        history=result.history,
        freshness=result.freshness,
        units=result.units,
        uncertainty=found["uncertainty"],
        trends=found["trends"],
        flips=found["flips"],
        changes=found["changes"],
        clusters=found["clusters"],
        remedies=found["remedies"],
        remedy_steps=found["remedy_steps"],
        readings=_with_regained(found["readings"], result.ledgers),
        manifest={},
    )


def open_run(folder: str | Path) -> Run:
    """Open the run folder that ``huanjie run`` has written.

    Raises
    ------
    DataError
        If the folder holds no complete run.
    """
    return read_run(Path(folder))


def open_data_of(run: Run, data: str | Path) -> Intake:
    """Read the data folder that a run was made from, as :func:`open_data` does with the run's parameters.

    Raises
    ------
    DataError
        If a file is another than the run has read, missing or new.
    """
    intake = open_data(data, run.parameters)
    then, now = (
        {file["path"]: file["sha256"] for file in d} for d in (run.manifest["inputs"], intake.digests())
    )
    if then != now:
        other = sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))
        found = f"{len(other)} 个文件不同，如 {other[0]}"
        fault = Fault(
            str(data), found, f"截至{run.as_of}的评估所用的数据", "换一个数据文件夹，或重新运行 huanjie run"
        )
        raise DataError("数据和评估不是同一批", [fault])
    return intake


def read_casework(store: str | Path) -> Casework:
    """Read the ledger of cases as it stands at one moment.

    Parameters
    ----------
    store
        Path or address of the ledger.

    Raises
    ------
    LedgerError
        If there is no ledger, it cannot be read, or its chain of events is broken.
    """
    from huanjie_lib.casework.events import check_chain
    from huanjie_lib.store.ledger import open_ledger  # a database that only runs with casework need

    ledger = open_ledger(store, read_only=True)
    try:
        with ledger.snapshot() as moment:
            head, events = moment.head(), moment.events()
    finally:
        ledger.close()
    broken = check_chain(events)
    if broken:
        raise LedgerError("案件台账的事件链不完整，不能据以评估", [b.fault for b in broken])
    return Casework(events, head.sequence, head.hash)


@dataclass(frozen=True)
class Publication:
    """What publishing a run did to the ledger.

    Parameters
    ----------
    run_id
        SHA-256 of the run's manifest.
    first_time
        Whether the run was not published before.
    opened, reopened
        Cases that the run opened, and closed ones that it opened again.
    standing
        Alerts whose case was open already.
    settled
        Alerts that open no case: called a false alarm, or closed after the date of the run.
    """

    run_id: str
    first_time: bool
    opened: int
    reopened: int
    standing: int
    settled: int

    def summary(self) -> str:
        """Return what happened as a Chinese sentence."""
        text = f"新立案 {self.opened} 件，重新打开 {self.reopened} 件"
        if not self.first_time:
            return f"这次评估已发布过，台账没有变化；当时{text}"
        text += f"，原已立案未销号 {self.standing} 件"
        return f"{text}，不再立案 {self.settled} 件（已撤销或评估日后销号）" if self.settled else text


def publish_run(
    run_folder: Path, store: str | Path, *, account: str, evidence: Path | None = None, attempts: int = 4
) -> Publication:
    """Publish a run: record it in the ledger, and open or reopen the cases that its alerts call for.

    Parameters
    ----------
    run_folder
        Folder written by :func:`write_assessment`.
    store
        Path or address of the ledger.
    account
        Who publishes.
    evidence
        Folder of the evidence files; by default beside a SQLite ledger.
    attempts
        How often to look again when a case moves on meanwhile.

    Raises
    ------
    DataError
        If the folder is no run, holds no alerts, or was changed since it was written.
    UsageError
        If the account is empty, or the run does not know of cases that were closed by its date.
    LedgerError, StaleVersionError
        If the ledger cannot be written, or cases move on at every attempt; nothing is published then.
    """
    from huanjie_lib.store.ledger import open_ledger

    if not account.strip():
        fault = Fault("--account", "空", "发布人的账号", "补充 --account")
        raise UsageError("没有说明由谁发布", [fault])
    read = _Published.read(run_folder, account)
    with open_ledger(store, evidence=evidence) as ledger:
        for attempt in range(1, attempts + 1):
            try:
                return _publish(ledger, read)
            except StaleVersionError:
                if attempt == attempts:
                    raise
    raise ValueError("attempts must be at least 1")


@dataclass(frozen=True)
class _Published:
    """What publishing reads of a run folder."""

    run: PublishedRun
    alerts: pd.DataFrame
    sequence: int
    head: str | None

    @classmethod
    def read(cls, folder: Path, account: str) -> _Published:
        from huanjie_lib.store.ledger import PublishedRun
        from huanjie_lib.store.run_folder import file_digest, read_ledgers

        manifest = read_manifest(folder)
        alerts = read_ledgers(folder, restricted=True)["alerts"]
        changed = [
            Fault(str(folder / name), "与评估时写出的不同", "原来的文件", "重新运行 huanjie run 后再发布")
            for name, told in manifest["outputs"].items()
            if (name == "index.parquet" or name.startswith(("ledgers/", "restricted/")))
            and file_digest(folder / name) != told["sha256"]
        ]
        if changed:
            raise DataError("评估文件夹被改动，不能发布", changed)
        run = PublishedRun(
            run_id=file_digest(folder / "manifest.json"),
            as_of=dt.date.fromisoformat(manifest["as_of"]),
            parameter_version=manifest["parameter_version"],
            published_by=account,
            index=pd.read_parquet(folder / "index.parquet", columns=["unit_code", "index", "level"]),
            causes=alerts["cause"].tolist(),
        )
        taken = manifest["casework"]
        return cls(run, alerts, 0 if taken is None else taken["sequence"], taken and taken["head"])


def _publish(ledger: Ledger, read: _Published) -> Publication:
    """Publish a run over the ledger as it stands; raise where a case moves on in between."""
    from huanjie_lib.casework.alerts import opening_actions
    from huanjie_lib.casework.cases import OPEN_STATES
    from huanjie_lib.casework.events import Actor

    run = read.run
    with ledger.snapshot() as moment:
        runs, cases = moment.runs(), moment.cases()
        known = run.run_id in set(runs["run_id"])
        if not known:
            _check_up_to_date(moment.events(), read)
        dates = runs["as_of"].dt.strftime("%Y-%m-%d")
        earlier = [(date, moment.alerted(name)) for date, name in zip(dates, runs["run_id"], strict=True)]
    actor = Actor(run.published_by, Role.SYSTEM.label, Role.SYSTEM)
    actions = opening_actions(read.alerts, cases, earlier, run_id=run.run_id, as_of=run.as_of, actor=actor)
    recorded = ledger.publish(run, [] if known else actions)
    events = [event.action.event for event in recorded]
    opened, reopened = events.count(CaseEvent.OPEN), events.count(CaseEvent.REOPEN)
    moved = {event.action.case_id for event in recorded}
    open_now = cases["state"].isin([state.value for state in OPEN_STATES]) & ~cases["case_id"].isin(moved)
    causes = set(run.causes)
    standing = len(causes & set(cases.loc[open_now, "cause"]))
    settled = len(causes) - opened - reopened - standing
    return Publication(run.run_id, not known, opened, reopened, standing, settled)


def _check_up_to_date(events: pd.DataFrame, read: _Published) -> None:
    """Refuse a run that does not know of cases closed by its date: it would open them again."""
    after = events[events["sequence"] > read.sequence]
    late = after[
        after["event"].isin([CaseEvent.CLOSE.value, CaseEvent.REOPEN.value])
        & (after["happened_on"] <= pd.Timestamp(read.run.as_of))
    ]
    standing = events.loc[events["sequence"] == read.sequence, "hash"].tolist()
    remedy = "用同一个 --store 重新运行 huanjie run，再发布"
    if read.head is not None and read.sequence and standing != [read.head]:
        fault = Fault("--store", "不是评估时用的台账", "评估时用的台账", remedy)
        raise UsageError("评估和台账不是一套", [fault])
    if len(late):
        found = f"{late['case_id'].nunique()} 件案件在评估截至日前已销号或重新打开，评估没有计入"
        raise UsageError("评估早于台账，不能发布", [Fault("--run", found, "计入最新整改的评估", remedy)])


@dataclass(frozen=True)
class LedgerCheck:
    """What :func:`check_ledger` found.

    Parameters
    ----------
    where
        Place of the ledger, without any password.
    head
        Its end.
    against
        The kept head it was compared with; ``None`` where there is none.
    faults
        Everything that is not as it was recorded, by sequence.
    """

    where: str
    head: Head
    against: Head | None
    faults: list[ChainFault]


def check_ledger(
    store: str | Path, *, head: str | Path | None = None, evidence: Path | None = None
) -> LedgerCheck:
    """Check a ledger: both chains, derived cases, runs, evidence files, triggers, and nothing cut off.

    Parameters
    ----------
    store
        Path or address of the ledger.
    head
        A head that was kept elsewhere; by default the newest one beside a SQLite ledger.
    evidence
        Folder of the evidence files; by default beside a SQLite ledger.

    Raises
    ------
    LedgerError
        If there is no ledger, or it cannot be read at all.
    UsageError
        If the head cannot be read.
    """
    from huanjie_lib.store.heads import heads_beside, newest_head, read_head
    from huanjie_lib.store.ledger import open_ledger

    with open_ledger(store, read_only=True, evidence=evidence) as ledger:
        beside = heads_beside(store)
        path = Path(head) if head is not None else beside and newest_head(beside)
        against = None if path is None else read_head(path)
        return LedgerCheck(ledger.where, ledger.head(), against, ledger.verify(against))


def export_head(store: str | Path, out: Path, *, day: dt.date) -> Path:
    """Write the end of a ledger into a folder, which had best lie on another machine; return the file.

    Parameters
    ----------
    store
        Path or address of the ledger.
    out
        Folder of the heads.
    day
        Day in the file's name.

    Raises
    ------
    LedgerError
        If the ledger cannot be read, or ends before a head that is there already.
    """
    from huanjie_lib.store.heads import write_head
    from huanjie_lib.store.ledger import open_ledger

    with open_ledger(store, read_only=True) as ledger:
        return write_head(ledger, out, day)


def _with_regained(readings: pd.DataFrame, ledgers: Ledgers) -> pd.DataFrame:
    """Return the sentences of a run with those on what closed cases have regained."""
    units = ledgers.to_frame().index
    told = pd.DataFrame(
        {
            "unit_code": units.astype("str"),
            "topic": Topic.REGAINED.value,
            "text": [ledgers.explain(unit) for unit in units],
        }
    ).astype(readings.dtypes.to_dict())
    whole = pd.concat([readings, told], ignore_index=True)
    return whole.sort_values("unit_code", kind="stable", ignore_index=True)


WEIGHT_METHODS: tuple[Method, ...] = ("equal", "ahp", "entropy", "critic", "sd", "combined")


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
    if table.exists():
        raise UsageError("不能写出对照表", [Fault("对照表", str(table), "还没有的文件", "换一个名称")])
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


def write_assessment(
    data: Path,
    out: Path,
    *,
    as_of: dt.date,
    parameters: ParameterSet,
    previous: Path | None = None,
    casework: Casework | None = None,
    keys: KeyRing | None = None,
    progress: Progress | None = None,
) -> Assessment:
    """Read a data folder, compute the run and write its folder, with the intake report beside it.

    Parameters
    ----------
    data, out
        Data folder, and run folder to write.
    as_of, parameters
        Date and parameters of the run.
    previous
        Run folder of an earlier date; the run then accounts for what has changed since, by cause.
    casework
        The ledger of cases, whose closed cases change the facts.
    keys
        Keys of the data folder where they were changed since: facts that a case put right about a person
        under an earlier pseudonym are then found again. Nothing is opened with them.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Raises
    ------
    DataError
        If the data cannot be used.
    UsageError
        If ``out`` lies in the data folder or is a file, or ``previous`` is ``out`` or not of an earlier date.
    """
    from huanjie_lib.intake import IssueLevel, write_report
    from huanjie_lib.intake.cells import in_cells

    _check_out(data, out, "评估文件夹")
    earlier = None if previous is None else _earlier_run(previous, out, as_of)
    intake = open_data(data, parameters, progress=progress)
    if casework is not None and keys is not None:
        casework = _renewed(casework, keys, intake.tables)
    result = run_risk(
        intake.tables,
        parameters,
        as_of=as_of,
        neighbours=_neighbours(intake, as_of),
        published=None if earlier is None else _published(earlier),
        casework=casework,
        progress=progress,
    )
    if progress is not None:
        progress("写出评估文件夹", 0, 1)
    write_report(intake, out / "intake")
    manifest = write_run(
        as_run(result),
        out,
        boundaries=_boundaries(intake, result),
        signals=result.findings.signals.to_frame(),
        ledgers=result.ledgers.frames,
        casework=casework,
        sources=in_cells(result.sources.rows, intake.columns),
        inputs=intake.digests(),
        code_version=__version__,
        intake=intake.totals() | {f"{level.value}s": intake.number(level) for level in IssueLevel},
        previous=earlier,
    )
    if progress is not None:
        progress("写出评估文件夹", 1, 1)
    return Assessment(intake=intake, result=result, manifest=manifest)


def _renewed(casework: Casework, keys: KeyRing, tables: Mapping[str, pd.DataFrame]) -> Casework:
    """Return what a ledger brings with the pseudonyms in it that people of the tables have now."""
    from huanjie_lib.access.keys import PSEUDONYM

    naming = ("person_ref", "candidate_ref")
    named = [frame[name] for frame in tables.values() for name in naming if name in frame]
    known = {ref for refs in named for ref in refs.dropna().astype("str")}
    payloads = casework.events["payload"]
    met = {ref for text in payloads for ref in re.findall(PSEUDONYM, text)}
    now = keys.recognised(met, known)
    told = [re.sub(PSEUDONYM, lambda found: now.get(found[0], found[0]), text) for text in payloads]
    renewed = pd.Series(told, index=payloads.index, dtype="str")
    return replace(casework, events=casework.events.assign(payload=renewed))


def _check_out(data: Path, out: Path, what: str) -> None:
    """Refuse to write into the data folder or over a file."""
    if out.resolve() == data.resolve() or data.resolve() in out.resolve().parents:
        fault = Fault(what, str(out), "数据文件夹以外的文件夹", "换一个文件夹")
        raise UsageError("结果不能写在数据文件夹里", [fault])
    if out.is_file():
        raise UsageError("结果不能写成文件", [Fault(what, str(out), "一个文件夹", "换一个文件夹")])


def _earlier_run(folder: Path, out: Path, as_of: dt.date) -> Run:
    """Read the run that a change account starts from, or refuse it."""
    if folder.resolve() == out.resolve():
        fault = Fault("上次评估", str(folder), "与本次不同的文件夹", "把本次评估写到另一个文件夹")
        raise UsageError("上次评估会被本次覆盖", [fault])
    run = read_run(folder)
    if run.as_of >= as_of:
        fault = Fault("上次评估", f"截至{run.as_of}", f"早于{as_of}的评估", "换一个更早的评估文件夹")
        raise UsageError("上次评估不早于本次", [fault])
    return run


def _published(run: Run) -> findings.Published:
    """Return what a change account needs of an earlier run."""
    values = run.indicators.pivot(index="unit_code", columns="indicator", values="value")
    return findings.Published(
        as_of=run.as_of,
        parameters=run.parameters,
        values=values[[i.id for i in run.parameters.framework.indicators]],
        level=run.index.set_index("unit_code")["level"],
    )


def _neighbours(intake: Intake, as_of: dt.date) -> pd.DataFrame:
    """Return the pairs of neighbours among the units in force; none where no shape or place is known."""
    import geopandas as gpd  # reading maps costs a second that a screen need not pay

    from huanjie_lib.intake.neighbours import neighbour_pairs

    prepared = prepare({"units": intake.tables["units"]})
    units = prepared.units[prepared.in_force(day_number(as_of))].reset_index(drop=True)
    shapes = intake.boundaries
    if shapes is None:
        shapes = gpd.GeoDataFrame({"unit_code": pd.Series(dtype="str")}, geometry=[], crs=4490)
    return neighbour_pairs(units, shapes)


def _boundaries(intake: Intake, result: RiskResult) -> Any:
    if intake.boundaries is None:
        return None
    frame = intake.boundaries
    return frame[frame["unit_code"].isin(result.units["unit_code"])][["unit_code", "geometry"]]


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


def match(
    data: str | Path,
    out: str | Path,
    *,
    as_of: str | dt.date,
    parameters: ParameterSet | None = None,
    risk_run: str | Path | None = None,
    keys: KeyRing | None = None,
    seed: int = MATCH_SEED,
    progress: Progress | None = None,
) -> TalentRun:
    """Read a data folder, match its reserve to its posts and write the talent folder.

    Parameters
    ----------
    data, out
        Data folder, and talent folder to write.
    as_of
        Date the run describes, as a date or ``YYYY-MM-DD``.
    parameters
        The default pack when omitted.
    risk_run
        Run folder of the same date, whose losses tilt what posts ask for; without it they ask for what their
        profile says.
    keys
        Keys of the organisation's office; without them nobody on a register form takes part.
    seed
        Seed of draws and checks.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Raises
    ------
    DataError
        If the data cannot be used.
    UsageError
        If ``out`` lies in the data folder or is a file, or the run is of another date.
    """
    from huanjie_lib.listing import losses_of
    from huanjie_lib.matching import run_talent  # solvers that only matching needs
    from huanjie_lib.store import talent_folder

    place, folder = Path(out), Path(data)
    date = dt.date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    _check_out(folder, place, "人才文件夹")
    pack = parameters or load_parameters()
    losses = told = None
    if risk_run is not None:
        run = read_run(Path(risk_run))
        if run.as_of != date:
            fault = Fault("选情评估", f"截至{run.as_of}", f"截至{date}的评估", "换同一截至日期的评估文件夹")
            raise UsageError("选情评估与匹配的日期不同", [fault])
        losses = losses_of(run.indicators, run.parameters)
        digest = file_digest(Path(risk_run) / "manifest.json")
        told = {"as_of": run.as_of.isoformat(), "manifest_sha256": digest}
    intake = open_data(folder, pack, keys=keys, progress=progress)
    result = run_talent(intake.tables, pack, as_of=date, losses=losses, seed=seed, progress=progress)
    talent_folder.write_talent(
        talent_folder.TalentRun(result.as_of, pack, result.frames(), {}),
        place,
        identities=intake.tables.get("identities"),
        inputs=intake.digests(),
        code_version=__version__,
        risk_run=told,
        proven=result.proven(),
    )
    return talent_folder.read_talent(place)


@dataclass(frozen=True)
class NewKeys:
    """What :func:`rotate_keys` did.

    Parameters
    ----------
    fingerprint
        Of the new keys.
    pseudonyms, sealed, files
        How many pseudonyms were replaced, people sealed anew, and files changed.
    """

    fingerprint: str
    pseudonyms: int
    sealed: int
    files: int

    def summary(self) -> str:
        """Return one Chinese sentence."""
        return (
            f"新密钥编号 {self.fingerprint}：更换代号 {self.pseudonyms} 个，重新封存 {self.sealed} 人的姓名和"
            f"证件号，改写文件 {self.files} 个；新旧数据逐表核对一致"
        )


def rotate_keys(
    data: str | Path,
    out: str | Path,
    *,
    key: Path,
    new_key: Path,
    parameters: ParameterSet | None = None,
    progress: Progress | None = None,
) -> NewKeys:
    """Draw new keys and write a data folder anew under them; the old folder and key file stay as they are.

    The new folder is read as the old one is, each with its keys, before it stands: every file must give the
    same rows, the same report, and the same people under new pseudonyms.

    Parameters
    ----------
    data, out
        Data folder, and a new folder outside it.
    key, new_key
        Key file in use, and the new one to write, outside both folders.
    parameters
        The default pack when omitted.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Raises
    ------
    UsageError
        If a place is taken or lies where it must not, or the key file cannot be used.
    DataError
        If the folder holds something that cannot be carried over; nothing is written then.
    """
    import tempfile

    from huanjie_lib.access.keys import KeyRing
    from huanjie_lib.access.rotation import Rotation, rotate_tree

    folder, place = Path(data).resolve(), Path(out).resolve()
    _check_out(folder, place, "--out")
    require_new_folder(place, refused="没有更换密钥")
    for inside in (folder, place):
        if inside in new_key.resolve().parents:
            fault = Fault("--new-key", str(new_key), "数据文件夹以外的新文件", "密钥与数据分开存放")
            raise UsageError("没有更换密钥：密钥不能放在数据里", [fault])
    old = KeyRing.read(key)
    rotation = Rotation(old, old.rotated())
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".huanjie-", dir=place.parent) as work:
        made = Path(work) / "data"
        files = rotate_tree(folder, made, rotation)
        pack = parameters or load_parameters()
        before = open_data(folder, pack, keys=old, progress=progress)
        after = open_data(made, pack, keys=rotation.new, progress=progress)
        replaced = len(rotation.refs)
        _check_rotated(before, after, rotation)
        rotation.new.write(new_key)
        try:
            if place.exists():
                place.rmdir()
            made.rename(place)
        except OSError:
            new_key.unlink()
            raise
    return NewKeys(rotation.new.fingerprint, replaced, rotation.sealed, files)


def _check_rotated(before: Intake, after: Intake, rotation: Rotation) -> None:
    """Refuse a folder that does not give the same rows, report and people as the one it was made from."""
    faults = []
    if not before.counts.equals(after.counts):
        differing = before.counts.merge(after.counts, how="outer", indicator=True)
        for file in sorted(set(differing.loc[differing["_merge"] != "both", "file"])):
            faults.append(Fault(str(file), "读出的行数与原来不同", "相同", "核对该文件中的人员代号"))
    elif not before.issues.equals(after.issues):
        faults.append(Fault("检查报告", "与原来不同", "相同", "先用 huanjie check 核对原数据"))
    else:
        for name in sorted(before.tables.keys() | after.tables.keys()):
            old, new = (
                found.tables[name].drop(columns=_SEALED, errors="ignore") for found in (before, after)
            )
            refs = [column for column in old.columns if column.endswith("_ref")]
            wanted = old.assign(
                **{
                    column: old[column].map(rotation.cell, na_action="ignore").astype("str")
                    for column in refs
                }
            )
            if not wanted.equals(new):
                faults.append(Fault(f"表 {name}", "更换代号后与原来不同", "其余内容相同", "核对该表的文件"))
    if faults:
        raise DataError("没有更换密钥：新旧数据不一致", faults)


_SEALED = ["name_sealed", "id_sealed"]
"""Columns whose text is another under other keys; the rotation itself opens and compares them."""
