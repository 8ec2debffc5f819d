"""Tables of the ledger, and which revision of them this program reads and writes.

``case_events`` is the truth; ``cases`` follows from it and is written in the same transaction. ``runs``,
``run_units`` and ``run_causes`` hold what was published and form a chain of their own: the hash of a run
covers its units and causes, the run before, and the last event that stood before it. ``decisions`` on advice
about people, ``access_log`` and ``request_events`` are chains too. Triggers forbid changing rows of all of
them but ``cases``, and deleting any. Dates and texts are kept as text, as they were hashed.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from huanjie_lib.casework.cases import OPEN_STATES
from huanjie_lib.errors import Fault, LedgerVersionError

__all__ = [
    "IS_OPEN",
    "METADATA",
    "REVISION",
    "access_log",
    "case_events",
    "cases",
    "check_known",
    "check_revision",
    "decisions",
    "evidence",
    "guards",
    "lay_out",
    "meta",
    "request_events",
    "run_causes",
    "run_units",
    "runs",
    "standing",
    "standing_guards",
    "upgrade",
]

REVISION: Final = "0003"
"""Alembic revision that this program reads and writes."""

METADATA: Final = sa.MetaData()

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_REAL: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")


def _text(
    name: str, *, primary_key: bool = False, unique: bool = False, optional: bool = False
) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), primary_key=primary_key, unique=unique, nullable=optional)


def _whole(name: str, kind: sa.types.TypeEngine[int] = _BIG, *, primary_key: bool = False) -> sa.Column[int]:
    return sa.Column(name, kind, primary_key=primary_key, nullable=False, autoincrement=False)


case_events: Final = sa.Table(
    "case_events",
    METADATA,
    _whole("sequence", primary_key=True),
    _text("event_id", unique=True),
    _text("case_id"),
    _whole("version"),
    *(_text(name) for name in ("event", "actor", "office", "role", "happened_on", "recorded_at", "payload")),
    _text("previous_hash"),
    _text("hash"),
    sa.UniqueConstraint("case_id", "version"),
    sqlite_strict=True,
)

cases: Final = sa.Table(
    "cases",
    METADATA,
    _text("case_id", primary_key=True),
    *(_text(name) for name in ("unit_code", "unit_name", "township_code", "township_name")),
    *(_text(name) for name in ("kind", "title", "cause", "reason", "subject")),
    _whole("restricted"),
    *(_text(name) for name in ("state", "owner")),
    _whole("version"),
    _text("opened_on"),
    _text("due_on", optional=True),
    _text("closed_on", optional=True),
    *(_text(name) for name in ("evidence", "rectifiers")),
    *(_whole(name) for name in ("reopened", "returned", "postponed")),
    sqlite_strict=True,
)
IS_OPEN: Final = sa.text(f"state IN ({', '.join(repr(s.value) for s in sorted(OPEN_STATES))})")
"""Condition of the partial index, word for word: SQLite uses that index for no other."""
sa.Index(
    "cases_one_open_per_cause", cases.c.cause, unique=True, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN
)
sa.Index("cases_by_state", cases.c.state, cases.c.due_on)
sa.Index("cases_by_unit", cases.c.unit_code)
sa.Index("cases_by_township", cases.c.township_code, cases.c.state)
sa.Index("cases_by_owner", cases.c.owner, cases.c.state)

evidence: Final = sa.Table(
    "evidence",
    METADATA,
    sa.Column(
        "sequence",
        _BIG,
        sa.ForeignKey("case_events.sequence"),
        primary_key=True,
        autoincrement=False,
    ),
    _whole("position", primary_key=True),
    *(_text(name) for name in ("digest", "name")),
    _whole("bytes"),
    _text("media_type"),
    sqlite_strict=True,
)

runs: Final = sa.Table(
    "runs",
    METADATA,
    _whole("number", primary_key=True),
    _text("run_id", unique=True),
    *(_text(name) for name in ("as_of", "parameter_version", "published_by", "recorded_at", "content")),
    _whole("after_sequence"),
    _text("after_hash"),
    _whole("events"),
    _text("previous_hash"),
    _text("hash"),
    sqlite_strict=True,
)

run_units: Final = sa.Table(
    "run_units",
    METADATA,
    sa.Column("run_id", sa.Text(), sa.ForeignKey("runs.run_id"), primary_key=True),
    _text("unit_code", primary_key=True),
    sa.Column("index", _REAL, nullable=True),
    _text("level"),
    sqlite_strict=True,
)
sa.Index("run_units_by_unit", run_units.c.unit_code)

run_causes: Final = sa.Table(
    "run_causes",
    METADATA,
    sa.Column("run_id", sa.Text(), sa.ForeignKey("runs.run_id"), primary_key=True),
    _text("cause", primary_key=True),
    sqlite_strict=True,
)

decisions: Final = sa.Table(
    "decisions",
    METADATA,
    _whole("number", primary_key=True),
    _text("decision_id", unique=True),
    *(_text(name) for name in ("talent_run", "unit_code", "post", "person_ref", "choice", "instead_ref")),
    _text("reason"),
    _whole("departs"),
    *(_text(name) for name in ("account", "office", "role", "recorded_at", "previous_hash", "hash")),
    sqlite_strict=True,
)
sa.Index("decisions_by_post", decisions.c.unit_code, decisions.c.post)

access_log: Final = sa.Table(
    "access_log",
    METADATA,
    _whole("number", primary_key=True),
    _text("entry_id", unique=True),
    *(_text(name) for name in ("action", "purpose", "subject", "detail", "digest")),
    _whole("items"),
    *(_text(name) for name in ("reason", "account", "office", "role")),
    *(_text(name) for name in ("recorded_at", "previous_hash", "hash")),
    sqlite_strict=True,
)
sa.Index("access_log_by_account", access_log.c.account)

request_events: Final = sa.Table(
    "request_events",
    METADATA,
    _whole("number", primary_key=True),
    _text("event_id", unique=True),
    *(_text(name) for name in ("request_id", "step", "kind", "person_ref", "happened_on", "due_on")),
    *(_text(name) for name in ("result", "reason", "account", "office", "role")),
    *(_text(name) for name in ("recorded_at", "previous_hash", "hash")),
    sqlite_strict=True,
)
sa.Index("request_events_by_request", request_events.c.request_id)

meta: Final = sa.Table("meta", METADATA, _text("key", primary_key=True), _text("value"), sqlite_strict=True)


def guards(dialect: str) -> list[str]:
    """Return the statements that make functions and triggers of a dialect (``sqlite`` or ``postgresql``)."""
    scripts = sorted(_migrations().glob(f"*_{dialect}.sql"))
    texts = [script.read_text(encoding="utf-8") for script in scripts]
    parts = [part for text in texts for part in re.split(r"^-- \.\.\.$", text, flags=re.MULTILINE)]
    return [part.strip() for part in parts if part.strip()]


def standing_guards(connection: sa.Connection) -> list[str]:
    """Return the statements of the functions and triggers that stand in a database and are switched on."""
    return [str(text) for (text,) in connection.exec_driver_sql(_STANDING[connection.dialect.name])]


_STANDING: Final = {
    "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": """
        SELECT 'CREATE FUNCTION ' || proname || '() AS $$' || prosrc || '$$'
        FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'huanjie_%%'
        UNION ALL
        SELECT pg_get_triggerdef(t.oid, true)
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal
          AND t.tgenabled IN ('O', 'A')
        """,
}


def upgrade(connection: sa.Connection, revision: str = "head") -> None:
    """Bring the tables to a revision, the newest by default, within the transaction of the connection.

    Raises
    ------
    LedgerVersionError
        If a newer program has changed the ledger.
    """
    from alembic import command  # a screen that only reads need not pay for it
    from alembic.config import Config

    if standing(connection) not in {"", *_known()}:
        raise _wrong_revision(standing(connection))
    config = Config()
    config.set_main_option("script_location", str(_migrations()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def lay_out(connection: sa.Connection) -> None:
    """Make the tables of the newest revision without functions and triggers, for what only holds a part."""
    METADATA.create_all(connection)
    connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{REVISION}')")


def _migrations() -> Path:
    return Path(str(files(__package__))) / "migrations"


def _known() -> set[str]:
    return {path.name[1:5] for path in (_migrations() / "versions").glob("r*.py")}


def standing(connection: sa.Connection) -> str:
    """Return the revision of the tables as they stand; empty where there are none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() or "")


def check_known(connection: sa.Connection) -> None:
    """Refuse tables of a revision that this program does not know, and a place without any.

    Raises
    ------
    LedgerVersionError
        With what helps.
    """
    if standing(connection) not in _known():
        raise _wrong_revision(standing(connection))


def check_revision(connection: sa.Connection) -> None:
    """Refuse tables of another revision.

    Raises
    ------
    LedgerVersionError
        With the command that helps.
    """
    found = standing(connection)
    if found != REVISION:
        raise _wrong_revision(found)


def _wrong_revision(found: str) -> LedgerVersionError:
    if not found:
        remedy = "检查 --store 的位置；新建台账请运行 huanjie store init --store …"
        return LedgerVersionError(
            "不能打开案件台账", [Fault("案件台账", "还没有建表", "已建好的台账", remedy)]
        )
    older = found in _known()
    upgrade_it = "运行 huanjie store upgrade --store … --backup …"
    remedy = upgrade_it if older else "台账由更新的程序写过，请升级本程序"
    return LedgerVersionError(
        "不能打开案件台账", [Fault("案件台账 表结构", f"版本 {found}", f"版本 {REVISION}", remedy)]
    )
