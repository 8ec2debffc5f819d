"""The ledger: events, cases, evidence, published runs, and the triggers that keep them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_OPEN = sa.text("state IN ('alert', 'dispatched', 'rectifying', 'reviewing')")


def _text(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def _whole(*names: str) -> list[sa.Column[int]]:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return [sa.Column(name, big, nullable=False, autoincrement=False) for name in names]


def upgrade() -> None:
    """Create everything."""
    op.create_table(
        "case_events",
        *_whole("sequence"),
        *_text("event_id", "case_id"),
        *_whole("version"),
        *_text("event", "actor", "office", "role", "happened_on", "recorded_at", "payload"),
        *_text("previous_hash", "hash"),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("event_id"),
        sa.UniqueConstraint("case_id", "version"),
        sqlite_strict=True,
    )
    op.create_table(
        "cases",
        *_text("case_id", "unit_code", "unit_name", "township_code", "township_name"),
        *_text("kind", "title", "cause", "reason", "subject"),
        *_whole("restricted"),
        *_text("state", "owner"),
        *_whole("version"),
        *_text("opened_on"),
        *_text("due_on", "closed_on", nullable=True),
        *_text("evidence", "rectifiers"),
        *_whole("reopened", "returned", "postponed"),
        sa.PrimaryKeyConstraint("case_id"),
        sqlite_strict=True,
    )
    op.create_index(
        "cases_one_open_per_cause",
        "cases",
        ["cause"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_index("cases_by_state", "cases", ["state", "due_on"])
    op.create_index("cases_by_unit", "cases", ["unit_code"])
    op.create_index("cases_by_township", "cases", ["township_code", "state"])
    op.create_index("cases_by_owner", "cases", ["owner", "state"])
    op.create_table(
        "evidence",
        *_whole("sequence", "position"),
        *_text("digest", "name"),
        *_whole("bytes"),
        *_text("media_type"),
        sa.PrimaryKeyConstraint("sequence", "position"),
        sa.ForeignKeyConstraint(["sequence"], ["case_events.sequence"]),
        sqlite_strict=True,
    )
    op.create_table(
        "runs",
        *_whole("number"),
        *_text("run_id", "as_of", "parameter_version", "published_by", "recorded_at", "content"),
        *_whole("after_sequence"),
        *_text("after_hash"),
        *_whole("events"),
        *_text("previous_hash", "hash"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("run_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "run_units",
        *_text("run_id", "unit_code"),
        sa.Column("index", sa.Double().with_variant(sa.REAL(), "sqlite"), nullable=True),
        *_text("level"),
        sa.PrimaryKeyConstraint("run_id", "unit_code"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"]),
        sqlite_strict=True,
    )
    op.create_index("run_units_by_unit", "run_units", ["unit_code"])
    op.create_table(
        "run_causes",
        *_text("run_id", "cause"),
        sa.PrimaryKeyConstraint("run_id", "cause"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"]),
        sqlite_strict=True,
    )
    op.create_table("meta", *_text("key", "value"), sa.PrimaryKeyConstraint("key"), sqlite_strict=True)
    dialect = op.get_context().dialect.name
    script = Path(__file__).parents[1] / f"{revision}_{dialect}.sql"
    connection = op.get_bind().execution_options(no_parameters=True)
    for statement in script.read_text(encoding="utf-8").split("\n-- ...\n"):
        connection.exec_driver_sql(statement)
