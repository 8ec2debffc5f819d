"""Commands that work on the index: ``run``, ``weights`` and ``snapshot``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from huanjie_lib.cli.options import AS_OF, DATA, FILE, FOLDER, PACK, REGION, ROLES, RUN, STORES, Date
from huanjie_lib.cli.telling import Progress, tell_dates, tell_faults
from huanjie_lib.cli.who import keys_of
from huanjie_lib.vocabulary import Level, Role

if TYPE_CHECKING:
    from huanjie_lib.risk.weighting import Method

__all__ = ["run", "snapshot", "weights"]


@click.command(help="计算选情指数、扣分、三色等级和准入条件。")
@DATA
@AS_OF
@click.option("--out", type=FOLDER, required=True, help="写入评估结果的文件夹。")
@click.option("--previous", type=FOLDER, default=None, help="上次评估的文件夹；给出后说明变化的原因。")
@click.option("--store", default=None, help=f"案件台账：{STORES}；给出后计入截至日期前已销号案件更正的事实。")
@click.option(
    "--key",
    type=FILE,
    default=None,
    help="密钥文件；更换过密钥时与 --store 一起给出，案件中按旧代号更正的事实才能对上。",
)
@PACK
@REGION
def run(
    data: Path,
    as_of: dt.date,
    out: Path,
    previous: Path | None,
    store: str | None,
    key: Path | None,
    pack: Path | None,
    region: str,
) -> None:
    """Compute index, points lost, colours and gates, and write the run folder."""
    from huanjie_lib.parameters import load_parameters
    from huanjie_lib.workbench import read_casework, write_assessment

    casework = None if store is None else read_casework(store)
    parameters = load_parameters(pack, region=region)
    tell_dates(parameters, as_of)
    progress = Progress()
    done = write_assessment(
        data,
        out,
        as_of=as_of,
        parameters=parameters,
        previous=previous,
        casework=casework,
        keys=keys_of(key),
        progress=progress,
    )
    progress.close()
    tell_faults(done.manifest["intake"]["errors"], out / "intake")
    counts = done.manifest["counts"]
    colours = "、".join(f"{level.label} {counts.get(level.value, 0)}" for level in Level)
    click.echo(
        f"截至 {as_of}：{counts['units']} 个村（社区），{colours}，待核实 {counts['to_verify']}；结果在 {out}"
    )
    taken = done.manifest["casework"]
    if taken is not None:
        click.echo(f"计入案件台账第 {taken['sequence']} 个事件为止的整改：更正 {taken['amendments']} 处事实")
        if taken["unplaced"]:
            click.echo(
                f"提醒：另有 {taken['unplaced']} 处更正没有对应的报送数据，未计入，"
                f"详见 {out / 'ledgers' / 'unplaced.parquet'}",
                err=True,
            )
    if done.result.findings.changes is not None:
        click.echo(done.result.findings.changes.summary())


@click.command(help="按一种方法提出权重方案，写成参数包，并列出谁会变色。")
@DATA
@AS_OF
@click.option(
    "--method",
    type=click.Choice(["equal", "ahp", "entropy", "critic", "sd", "combined"]),
    required=True,
    help="equal 等权，ahp 专家判断，entropy 熵权，critic CRITIC 法，sd 标准差，combined 判断与数据各半。",
)
@click.option("--judgments", type=FILE, default=None, help="专家判断表（CSV），用于 ahp 和 combined。")
@click.option("--author", required=True, help="谁提出。")
@click.option("--reason", required=True, help="为什么提出。")
@click.option("--effective-from", type=Date(), required=True, help="生效日期，如 2027-01-01。")
@click.option("--out", type=FOLDER, required=True, help="写入方案参数包的新文件夹。")
@PACK
@REGION
def weights(
    data: Path,
    as_of: dt.date,
    method: str,
    judgments: Path | None,
    author: str,
    reason: str,
    effective_from: dt.date,
    out: Path,
    pack: Path | None,
    region: str,
) -> None:
    """Propose weights by a method, as a pack folder with the table of what it changes beside it."""
    from huanjie_lib.parameters import load_parameters
    from huanjie_lib.store.packs import check_target
    from huanjie_lib.workbench import assess, judgments_for, open_data, propose_weights, write_proposal

    check_target(out, author=author, reason=reason)  # before the minute that the figures take
    parameters = load_parameters(pack, region=region)
    chosen = cast("Method", method)
    group = judgments_for(chosen, judgments, parameters.framework)
    tell_dates(parameters, as_of)
    progress = Progress()
    intake = open_data(data, parameters, progress=progress)
    run = assess(intake, as_of=as_of, parameters=parameters, progress=progress)
    progress.close()
    proposal = propose_weights(run, chosen, judgments=group)
    table, effect = write_proposal(
        run, proposal, out, author=author, reason=reason, effective_from=effective_from
    )
    click.echo(proposal.explain())
    changed = int(effect.changes_colour.sum())
    click.echo(f"{len(effect.units)} 个村（社区）中有 {changed} 个变色，详见 {table}")
    click.echo(f"方案已写入 {out}；采用时运行 huanjie run --pack {out}")


@click.command(
    help="从一次评估制作给某个角色看的快照：只含界面所需的表，不含台账、线索和输入文件名；给领导的还隐去来源和小数。"
)
@RUN
@click.option("--out", type=FOLDER, required=True, help="写入快照的新文件夹。")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default=Role.READER.value,
    show_default=True,
    help="给谁看；reader 为领导。",
)
@click.option("--scope", multiple=True, help="只含这些区划代码前几位的村（社区），可重复；不填为全部。")
def snapshot(run_folder: Path, out: Path, role: str, scope: tuple[str, ...]) -> None:
    """Cut the part of a run that a role may see."""
    from huanjie_lib.store.snapshot import write_snapshot

    viewer = Role.lookup()[role]
    units = write_snapshot(run_folder, out, role=viewer, scope=scope)["counts"]["units"]
    click.echo(f"快照已写入 {out}：{units} 个村（社区），供“{viewer.label}”查看")
