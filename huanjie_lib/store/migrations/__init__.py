"""Revisions of the ledger's tables, applied by Alembic."""
