"""The command ``huanjie``, one module for each family of its commands."""

from huanjie_lib.cli.program import cli, main

__all__ = ["cli", "main"]
