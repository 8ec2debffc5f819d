"""The command ``huanjie``: every family of commands, and how their errors are told.

Whatever a user can put right is told in one Chinese message with its remedy and a non-zero exit code;
anything else is a defect, whose details go to a file and whose number is shown.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import traceback
from pathlib import Path
from typing import Any

import click

from huanjie_lib import __version__
from huanjie_lib.cli.access import access
from huanjie_lib.cli.backtest import backtest
from huanjie_lib.cli.crosswalk import crosswalk
from huanjie_lib.cli.data import check, events, init, template
from huanjie_lib.cli.exporting import export, ledgers
from huanjie_lib.cli.ledger import backup, publish, restore, store
from huanjie_lib.cli.mapping import mapping
from huanjie_lib.cli.partition import partition
from huanjie_lib.cli.requests import request
from huanjie_lib.cli.retention import retention
from huanjie_lib.cli.running import run, snapshot, weights
from huanjie_lib.cli.serving import serve
from huanjie_lib.cli.talent import match, register, roster
from huanjie_lib.errors import Fault, HuanjieError, UsageError

__all__ = ["cli", "main"]

_TELLING = re.compile(r"(?:[^\x00-\x7f]|\\x[0-9a-f]{2}|\\u[0-9a-f]{4})+|\d{6,}[Xx]?")
"""What in the message of a defect may be a name, plain or escaped, or a person's number."""


@click.group(help="村（社区）换届选情研判工作台。", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="huanjie", message="%(prog)s %(version)s")
def cli() -> None:
    """Village and community election workbench."""


for _command in (
    init,
    check,
    run,
    events,
    partition,
    match,
    roster,
    publish,
    backup,
    restore,
    store,
    register,
    mapping,
    crosswalk,
    template,
    serve,
    snapshot,
    weights,
    export,
    ledgers,
    backtest,
    access,
    request,
    retention,
):
    cli.add_command(_command)


def _usage_message(error: click.UsageError) -> str:
    """Return click's complaint in Chinese."""
    see = "用 huanjie --help 查看用法"
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return f"缺少参数 {'/'.join(error.param.opts)}；处理办法：补充该参数，{see}。"
    if isinstance(error, click.NoSuchOption):
        return f"没有参数 {error.option_name}；处理办法：{see}。"
    if isinstance(error, click.BadOptionUsage):
        return f"参数 {error.option_name} 后面缺少值；处理办法：补充该参数的值，{see}。"
    if isinstance(error, click.BadParameter) and error.param is not None:
        name, allowed = "/".join(error.param.opts), _allowed(error.param.type)
        return f"参数 {name} 的值不对；应为：{allowed}；处理办法：改为允许的值。"
    commands = "、".join(cli.commands)
    return f"命令用法有误（{error.format_message()}）；应为：{commands} 之一加参数；处理办法：{see}。"


def _allowed(kind: click.ParamType[Any]) -> str:
    if isinstance(kind, click.IntRange):
        return f"{kind.min} 到 {kind.max} 之间的整数"
    if isinstance(kind, click.Choice):
        return "、".join(map(str, kind.choices))
    if isinstance(kind, click.Path):
        return "文件夹，不能是文件" if kind.dir_okay else "文件，不能是文件夹"
    return "整数" if isinstance(kind, click.types.IntParamType) else "文字"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Examples
    --------
    >>> main(["run", "--data", "nowhere", "--as-of", "yesterday", "--out", "x"])
    2
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        result = cli.main(args=arguments, prog_name="huanjie", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except HuanjieError as error:
        click.echo(f"错误：{error}", err=True)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.UsageError as error:
        click.echo(f"错误：{_usage_message(error)}", err=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("已中止。", err=True)
        return 130
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except OSError as error:
        if not isinstance(error, PermissionError) and error.errno not in {errno.ENOSPC, errno.EROFS}:
            return _report_defect(error)
        where = error.filename or "文件"
        fault = Fault(str(where), str(error.strerror), "可以读写的位置", "检查权限和磁盘空间，或换一个文件夹")
        click.echo(f"错误：{UsageError('文件不能读写', [fault])}", err=True)
        return UsageError.exit_code
    except Exception as error:  # noqa: BLE001 — the last line of defence: shown by number, kept in full
        return _report_defect(error)


def _details(error: BaseException) -> str:
    """Return a traceback whose messages hold no word that could be a name and no number of a person.

    A message may repeat whatever the program was working on; the places and the lines of code are its own.
    """
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = "" if cause is None else f"{_details(cause)}\n"
    told = _TELLING.sub("…", str(error))
    return f"{before}{''.join(traceback.format_tb(error.__traceback__))}{type(error).__name__}: {told}\n"


def _report_defect(error: BaseException) -> int:
    """Keep the details of a defect in a file and tell its number."""
    import hashlib
    import tempfile

    details = _details(error)
    if os.environ.get("HUANJIE_DEBUG"):
        click.echo(details, err=True)
    number = hashlib.sha256(details.encode()).hexdigest()[:8]
    path = Path(tempfile.gettempdir()) / f"huanjie-error-{number}.log"
    path.write_text(details, encoding="utf-8")
    click.echo(f"错误：程序内部错误，编号 {number}；处理办法：把 {path} 发给维护人员。", err=True)
    return 70
