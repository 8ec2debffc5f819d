"""The ledger of cases as a run reads it, publishes to it, and as it is checked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from huanjie_lib.errors import DataError, Fault, LedgerError, StaleVersionError, UsageError
from huanjie_lib.ledgers import Casework
from huanjie_lib.store.run_folder import read_manifest
from huanjie_lib.vocabulary import CaseEvent, Role

if TYPE_CHECKING:
    from huanjie_lib.casework.events import ChainFault, Head
    from huanjie_lib.store.ledger import Ledger, PublishedRun

__all__ = ["LedgerCheck", "Publication", "check_ledger", "export_head", "publish_run", "read_casework"]


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
        from huanjie_lib.store.manifest import MANIFEST, file_digest
        from huanjie_lib.store.run_folder import read_ledgers

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
            run_id=file_digest(folder / MANIFEST),
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
