"""Decisions on advice about people: an append-only table with a chain of its own."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _whole(*names: str) -> list[sa.Column[int]]:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return [sa.Column(name, big, nullable=False, autoincrement=False) for name in names]


def upgrade() -> None:
    """Create the table, its index and its triggers."""
    op.create_table(
        "decisions",
        *_whole("number"),
        *_text("decision_id", "talent_run", "unit_code", "post", "person_ref", "choice", "instead_ref"),
        *_text("reason"),
        *_whole("departs"),
        *_text("account", "office", "role", "recorded_at", "previous_hash", "hash"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("decision_id"),
        sqlite_strict=True,
    )
    op.create_index("decisions_by_post", "decisions", ["unit_code", "post"])
    dialect = op.get_context().dialect.name
    script = Path(__file__).parents[1] / f"{revision}_{dialect}.sql"
    connection = op.get_bind().execution_options(no_parameters=True)
    for statement in script.read_text(encoding="utf-8").split("\n-- ...\n"):
        connection.exec_driver_sql(statement)
