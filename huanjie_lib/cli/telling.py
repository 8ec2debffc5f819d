"""What several commands tell while they work."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from huanjie_lib.parameters import ParameterSet

__all__ = ["Progress", "tell_dates", "tell_faults"]


class Progress:
    """Progress bar on a terminal; silent elsewhere."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._label = ""

    def __call__(self, label: str, step: int, total: int) -> None:
        """Show that ``step`` of ``total`` steps of the work named ``label`` are done."""
        if not sys.stderr.isatty():
            return
        from tqdm import tqdm

        if label != self._label:
            self.close()
            self._bar, self._label = tqdm(total=total, desc=label, unit="步", leave=False), label
        self._bar.update(step - self._bar.n)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar, self._label = None, ""


def tell_dates(parameters: ParameterSet, as_of: dt.date) -> None:
    """Tell which packs are not in force on the as-of date; that is no reason to refuse."""
    for fault in parameters.not_in_force(as_of):
        click.echo(f"提醒：{fault}", err=True)


def tell_faults(errors: int, report: Path) -> None:
    """Tell that rows were put into quarantine, if any were, and where it is written why."""
    if errors:
        click.echo(f"报送数据有 {errors} 处错误，问题行已隔离，详见 {report / 'report.csv'}", err=True)
