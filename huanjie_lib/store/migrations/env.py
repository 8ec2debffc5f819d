"""Alembic's environment: revisions run on the connection and in the transaction of whoever calls."""

from __future__ import annotations

from alembic import context

from huanjie_lib.store.schema import METADATA

__all__ = ["run"]


def run() -> None:
    """Run the revisions that Alembic has chosen; SQLite too can change tables within a transaction."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=METADATA,
        transactional_ddl=True,
    )
    context.run_migrations()


if __name__ == "env_py":  # the name under which Alembic loads this file
    run()
