"""Commands ``mapping propose`` and ``confirm``: what the headings of an office mean."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from huanjie_lib.cli.options import DATA, FILE, PACK, REGION, Date
from huanjie_lib.cli.telling import Progress

__all__ = ["mapping"]


@click.group(help="栏目对照：镇街报送表中不认得的列标题各是什么意思，由人确认后沿用。")
def mapping() -> None:
    """Say once what the headings of an office mean."""


@mapping.command("propose", help="列出不认得的列标题和可能的意思，供人核对；不覆盖已有的文件。")
@DATA
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="写入的文件（.yaml，一个单位）或文件夹（每个单位一个文件），如数据文件夹的 mappings。",
)
@click.option("--office", default=None, help="只列这个镇街或单位。")
@PACK
@REGION
def mapping_propose(data: Path, out: Path, office: str | None, pack: Path | None, region: str) -> None:
    """Write what unknown headings may mean."""
    from huanjie_lib.intake.folder import survey_returns
    from huanjie_lib.intake.mapping import write_proposals
    from huanjie_lib.parameters import load_parameters

    progress = Progress()
    surveys, known, root = survey_returns(data, load_parameters(pack, region=region), progress=progress)
    progress.close()
    paths = write_proposals(surveys, out, known=known, root=root, office=office)
    if not paths:
        click.echo("报送表中没有不认得的列标题")
        return
    headings = sum(len(s.unknown) for s in surveys)
    click.echo(f"{len(surveys)} 张工作表有 {headings} 个不认得的列标题，已写入 {'、'.join(map(str, paths))}")
    click.echo("逐项核对 means 后，用 huanjie mapping confirm --file … --by 账号 确认；未确认的不会采用")


@mapping.command("confirm", help="核对过的栏目对照，写明由谁确认；有任何问题都不写。")
@click.option("--file", "path", type=FILE, required=True, help="栏目对照文件。")
@click.option("--by", "account", required=True, help="确认人的账号。")
@click.option("--on", type=Date(), default=None, help="确认日期；不填为今天。")
@PACK
@REGION
def mapping_confirm(path: Path, account: str, on: dt.date | None, pack: Path | None, region: str) -> None:
    """Write into a mapping who has confirmed it."""
    from huanjie_lib.intake.mapping import confirm_mapping
    from huanjie_lib.intake.sheets import SheetReader
    from huanjie_lib.parameters import load_parameters

    targets = SheetReader(load_parameters(pack, region=region).framework).targets
    count = confirm_mapping(path, targets, account=account, on=on or dt.date.today())
    click.echo(f"已确认 {path}：{count} 个列标题；放在数据文件夹的 mappings 文件夹内即可采用")
