"""Command ``backtest``: what past elections say of an index and of models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from huanjie_lib.cli.options import FILE, FOLDER
from huanjie_lib.errors import Fault, UsageError

__all__ = ["backtest"]


class _Direction(click.ParamType[tuple[str, int]]):
    """A feature and whether more of it means more risk, written COLUMN=+1 or COLUMN=-1."""

    name = "方向"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Return column and sign, or refuse it with an example of a good one."""
        del param, ctx
        column, _, sign = str(value).rpartition("=")
        signs = {"+1": 1, "1": 1, "+": 1, "-1": -1, "-": -1}
        if not column or sign.strip() not in signs:
            raise UsageError(
                "方向写法不对",
                [Fault("--direction", str(value), "列名=+1 或 列名=-1，如 turnout=-1", "按该写法重新输入")],
            )
        return column.strip(), signs[sign.strip()]


@click.command(
    help="用往届数据回测：预警是否应验，模型是否好于选情指数。只用选举前已有的数据，泄漏结果的列会被拒绝。"
)
@click.option("--history", type=FILE, required=True, help="往届数据（CSV 或 Parquet），每个单位每届一行。")
@click.option(
    "--outcomes", type=FILE, required=True, help="结果数据，每个单位每届一行；可与 --history 相同。"
)
@click.option("--unit", required=True, help="单位所在的列。")
@click.option("--term", required=True, help="届次所在的列，如年份。")
@click.option("--outcome", required=True, help="结果所在的列：1 为发生，0 为没有发生，空为没有结果。")
@click.option("--test-term", required=True, help="要检验的届次；特征只取自它之前的届次。")
@click.option("--out", type=FOLDER, required=True, help="写入回测结果的文件夹。")
@click.option(
    "--region",
    default=None,
    help="片区所在的列，检验时整片留出。不填则按 12 位代码的前 6 位（县），或名称中的县（市）判断；"
    "不足 5 个时用镇街。",
)
@click.option(
    "--features", multiple=True, help="只用这些列作特征，可重复或用英文逗号分开；不填用全部数字列。"
)
@click.option(
    "--direction",
    "directions",
    type=_Direction(),
    multiple=True,
    help="列名=+1（越大越有风险）或 列名=-1，可重复；等权排名只用写明方向的列。",
)
@click.option("--pack", type=FOLDER, default=None, help="参数包文件夹；给出后一并检验其选情指数。")
@click.option(
    "--neighbours", type=FILE, default=None, help="相邻片区表（列 region、neighbour），相邻的也留出。"
)
@click.option(
    "--capacity",
    "capacities",
    type=click.IntRange(1, 1_000_000),
    multiple=True,
    help="能检查多少个单位，可重复；不填用 5%、10%、20%。",
)
@click.option("--seed", type=int, default=20261031, show_default=True, help="随机种子。")
def backtest(
    history: Path,
    outcomes: Path,
    unit: str,
    term: str,
    outcome: str,
    test_term: str,
    out: Path,
    region: str | None,
    features: tuple[str, ...],
    directions: tuple[tuple[str, int], ...],
    pack: Path | None,
    neighbours: Path | None,
    capacities: tuple[int, ...],
    seed: int,
) -> None:
    """Backtest past elections and write the scorecard with its pictures and model card."""
    from huanjie_lib.exports.backtest import export_backtest
    from huanjie_lib.intake.files import digest
    from huanjie_lib.workbench import backtest_panel

    options: dict[str, Any] = {
        "unit": unit,
        "term": term,
        "outcome": outcome,
        "test_term": test_term,
        "region": region,
        "features": [name.strip() for given in features for name in given.split(",")] or None,
        "directions": dict(directions),
        "capacities": list(capacities) or None,
        "seed": seed,
    }
    card = backtest_panel(
        history,
        outcomes,
        pack=pack,
        neighbours=neighbours,
        **options,
    )
    read = [digest(path, path.name) for path in dict.fromkeys((history, outcomes, neighbours)) if path]
    inputs = [{"path": file.path, "sha256": file.sha256, "bytes": file.bytes} for file in read]
    export_backtest(card, out, inputs=inputs, options=options)
    for line in card.notes:
        click.echo(line)
    for name in card.scores.index:
        click.echo(card.explain(name))
    click.echo(f"结果在 {out}，先看 model_card.md")
