"""The options that commands share, and how a date is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.vocabulary import Role

__all__ = [
    "AS_OF",
    "DATA",
    "EVIDENCE",
    "FILE",
    "FOLDER",
    "KEY",
    "PACK",
    "REGION",
    "ROLES",
    "RUN",
    "STORE",
    "STORES",
    "Date",
    "acting",
    "handing_out",
]

_Command = TypeVar("_Command", bound=Callable[..., Any])


class Date(click.ParamType[dt.date]):
    """A date written YYYY-MM-DD."""

    name = "日期"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """Return the date, or refuse it with an example of a good one."""
        del param, ctx
        if isinstance(value, dt.date):
            return value
        try:
            return dt.date.fromisoformat(str(value))
        except ValueError as error:
            raise UsageError(
                "日期写法不对",
                [Fault("日期参数", str(value), "YYYY-MM-DD，如 2026-10-31", "按该写法重新输入")],
            ) from error


FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
DATA = click.option("--data", type=FOLDER, required=True, help="数据文件夹。")
RUN = click.option("--run", "run_folder", type=FOLDER, required=True, help="huanjie run 写出的文件夹。")
AS_OF = click.option("--as-of", type=Date(), required=True, help="截至日期，如 2026-10-31。")
PACK = click.option("--pack", type=FOLDER, default=None, help="参数包文件夹；不填用默认参数包。")
REGION = click.option(
    "--region", default="national", show_default=True, help="规则所属地区，如 national、zhejiang。"
)
KEY = click.option(
    "--key",
    type=FILE,
    default=None,
    help="组织部门的密钥文件；不填时只核对人才登记表，不载入表上的人员。",
)
STORES = "文件夹，或 postgresql+psycopg://… 的地址"
STORE = click.option("--store", required=True, help=f"案件台账：{STORES}。")
EVIDENCE = click.option(
    "--evidence",
    type=FOLDER,
    default=None,
    help="佐证材料文件夹；不填时与台账放在一起（台账在服务器上时必填）。",
)
ROLES = tuple(role.value for role in Role if role is not Role.SYSTEM)
"""Whom a person may be signed on as; the program itself is none."""


def handing_out(command: _Command) -> _Command:
    """Add the options that say who hands a file out; each page bears it."""
    for option in (
        click.option(
            "--role",
            type=click.Choice(ROLES),
            default=Role.CITY.value,
            show_default=True,
            help="导出人的角色。",
        ),
        click.option("--office", default="", help="导出人的单位。"),
        click.option("--account", default=None, help="导出人的账号，印在每一页上；不填用本机的登录名。"),
    ):
        command = option(command)
    return command


def acting(command: _Command) -> _Command:
    """Add the options that say who acts."""
    told = "、".join(f"{role.value} {role.label}" for role in Role if role is not Role.SYSTEM)
    for option in (
        click.option("--role", type=click.Choice(ROLES), required=True, help=f"账号的角色：{told}。"),
        click.option("--office", default="", help="账号所属的单位，如 市委组织部。"),
        click.option("--account", required=True, help="操作的账号，记入日志。"),
    ):
        command = option(command)
    return command
