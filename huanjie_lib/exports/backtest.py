"""Writing what a backtest found: scorecard, predictions, pictures, misses, model card, manifest."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from huanjie_lib import __version__
from huanjie_lib.exports.pack import earlier_export, put_files
from huanjie_lib.views import backtest as views
from huanjie_lib.views.print_map import render

if TYPE_CHECKING:
    from huanjie_lib.risk.backtest import Scorecard

__all__ = ["BACKTEST_FILES", "BACKTEST_FORMAT", "export_backtest"]

BACKTEST_FORMAT: Final = "huanjie-backtest/1"
BACKTEST_FILES: Final = (
    "scorecard.json",
    "predictions.parquet",
    "model_card.md",
    "largest_misses.csv",
    "reliability.png",
    "precision_recall.png",
    "decision_curve.png",
    "manifest.json",
)
"""Files of a backtest's folder, the manifest last."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_DPI: Final = 130


def export_backtest(
    card: Scorecard,
    out: Path,
    *,
    inputs: Sequence[Mapping[str, Any]] = (),
    options: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write the folder of a backtest; equal backtests give equal bytes.

    Parameters
    ----------
    card
        The backtest.
    out
        A new or empty folder, or one that holds an earlier backtest whose files nobody has changed since.
    inputs
        path, sha256 and bytes of each input file, for the manifest.
    options
        What was asked, for the manifest.

    Returns
    -------
    list of Path
        The files written, the manifest last.

    Raises
    ------
    UsageError
        If the folder holds anything else, or a file in it was changed or is open in another program.
    """
    earlier_export(out, BACKTEST_FILES[:-1], kind=BACKTEST_FORMAT)
    figures = {
        "reliability.png": views.reliability_figure(card),
        "precision_recall.png": views.precision_recall_figure(card),
        "decision_curve.png": views.decision_curve_figure(card),
    }
    made: dict[str, bytes] = {
        "scorecard.json": _json(card.to_json()),
        "predictions.parquet": _parquet(card.predictions),
        "model_card.md": views.model_card(card, inputs=[str(i["path"]) for i in inputs]).encode(),
        "largest_misses.csv": _csv(views.miss_table(card, most=50)),
        **{name: render(figure, "png", dpi=_DPI) for name, figure in figures.items()},
    }
    manifest = {
        "format": BACKTEST_FORMAT,
        "code_version": __version__,
        "parameter_version": card.facts["parameters"],
        "inputs": [dict(entry) for entry in inputs],
        "options": dict(options or {}),
        "outputs": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            for name, data in made.items()
        },
    }
    put_files(out, {**made, "manifest.json": _json(manifest)}, [])
    return [out / name for name in BACKTEST_FILES]


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def _parquet(table: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    table.to_parquet(out, index=False, compression="zstd")
    return out.getvalue()


def _csv(table: pd.DataFrame) -> bytes:
    """Return a table as Excel opens it: with a byte-order mark, and no text that would run as a formula."""
    safe = table.copy()
    for name in safe.columns[[not pd.api.types.is_numeric_dtype(t) for t in safe.dtypes]]:
        text = safe[name].astype("str")
        safe[name] = text.where(~text.str.startswith(_FORMULA), "'" + text)
    return safe.to_csv(index=False, lineterminator="\n").encode("utf-8-sig")
