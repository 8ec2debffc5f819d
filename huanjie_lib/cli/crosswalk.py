"""Commands ``crosswalk propose`` and ``confirm``: what became of division codes."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import click

from huanjie_lib.cli.options import FILE, Date
from huanjie_lib.errors import Fault, UsageError

__all__ = ["crosswalk"]


@click.group(help="区划代码对照：比较两份名录，提出合并、拆分和变更代码的建议，由人确认。")
def crosswalk() -> None:
    """Find out what became of division codes."""


@crosswalk.command("propose", help="比较新旧名录，写出区划代码对照的建议和依据；不覆盖已有的文件。")
@click.option("--old", type=FILE, required=True, help="旧名录：村(社区)代码和名称，可带边界。")
@click.option("--new", type=FILE, required=True, help="新名录，如数据文件夹的 tables/units.parquet。")
@click.option("--effective-on", type=Date(), required=True, help="新代码启用的日期，如 2027-01-01。")
@click.option("--out", type=FILE, required=True, help="写入的 CSV 文件，如 tables/crosswalk.2027.csv。")
def crosswalk_propose(old: Path, new: Path, effective_on: dt.date, out: Path) -> None:
    """Write proposed changes of code with their evidence."""
    from huanjie_lib.intake.crosswalk import propose_crosswalk, read_units, write_proposal

    lists = [read_units(path) for path in (old, new)]
    boundaries = [areas for _, areas in lists if areas is not None]
    found = propose_crosswalk(lists[0][0], lists[1][0], effective_on=effective_on, boundaries=boundaries)
    write_proposal(found, out)
    click.echo(found.summary())
    click.echo(f"建议已写入 {out}，待人判断的代码在 {out.with_suffix('.md')}；逐行核对后确认")


class _Rows(click.ParamType[tuple[int, ...]]):
    """Row numbers written 2-5,8."""

    name = "行号"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the row numbers, or refuse them with an example of good ones."""
        del param, ctx
        if re.fullmatch(r"\d{1,7}(?:-\d{1,7})?(?:,\d{1,7}(?:-\d{1,7})?)*", str(value)) is None:
            fault = Fault("--rows", str(value), "行号，如 2-5,8", "按该写法重新输入")
            raise UsageError("行号写法不对", [fault])
        spans = [part.partition("-") for part in str(value).split(",")]
        return tuple(n for first, _, last in spans for n in range(int(first), int(last or first) + 1))


@crosswalk.command("confirm", help="写明对照的哪几行由谁确认；已确认的行不改。")
@click.option("--file", "path", type=FILE, required=True, help="区划代码对照的 CSV 文件。")
@click.option("--by", "account", required=True, help="确认人的账号。")
@click.option("--on", type=Date(), default=None, help="确认日期；不填为今天。")
@click.option("--rows", type=_Rows(), default=None, help="确认哪几行（表格软件中的行号），如 2-5,8。")
@click.option("--all", "every", is_flag=True, help="确认全部行。")
def crosswalk_confirm(
    path: Path, account: str, on: dt.date | None, rows: tuple[int, ...] | None, every: bool
) -> None:
    """Write into rows of a crosswalk who has confirmed them."""
    from huanjie_lib.intake.crosswalk import confirm_crosswalk

    if (rows is None) is not every:
        found = "两个都给出" if every else "都没有给出"
        raise UsageError("没有说明确认哪几行", [Fault("--rows 和 --all", found, "二者之一", "写明行号")])
    count = confirm_crosswalk(path, account=account, on=on or dt.date.today(), rows=rows)
    click.echo(f"已确认 {count} 行；{path} 放在数据文件夹的 tables 文件夹内即可采用")
