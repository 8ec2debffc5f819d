"""The access log and the requests that people make: two append-only tables, each with a chain of its own."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _whole(*names: str) -> list[sa.Column[int]]:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return [sa.Column(name, big, nullable=False, autoincrement=False) for name in names]


def upgrade() -> None:
    """Create the tables, their indexes and their triggers."""
    op.create_table(
        "access_log",
        *_whole("number"),
        *_text("entry_id", "action", "purpose", "subject", "detail", "digest"),
        *_whole("items"),
        *_text("reason", "account", "office", "role", "recorded_at", "previous_hash", "hash"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("entry_id"),
        sqlite_strict=True,
    )
    op.create_index("access_log_by_account", "access_log", ["account"])
    op.create_table(
        "request_events",
        *_whole("number"),
        *_text("event_id", "request_id", "step", "kind", "person_ref", "happened_on", "due_on"),
        *_text("result", "reason", "account", "office", "role", "recorded_at", "previous_hash", "hash"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("event_id"),
        sqlite_strict=True,
    )
    op.create_index("request_events_by_request", "request_events", ["request_id"])
    dialect = op.get_context().dialect.name
    script = Path(__file__).parents[1] / f"{revision}_{dialect}.sql"
    connection = op.get_bind().execution_options(no_parameters=True)
    for statement in script.read_text(encoding="utf-8").split("\n-- ...\n"):
        connection.exec_driver_sql(statement)
