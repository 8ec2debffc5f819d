"""Command ``serve``: a screen on this machine, or all of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from huanjie_lib.cli.options import EVIDENCE, FILE, FOLDER, ROLES, STORES
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.vocabulary import Role

if TYPE_CHECKING:
    from huanjie_lib.screens.sign_on import SignOn

__all__ = ["serve"]


@click.command(help="在本机打开界面：选情总览、权重与分界线试算、整改闭环，或人才匹配。")
@click.option(
    "--run", "run_folder", type=FOLDER, default=None, help="huanjie run 写出的文件夹；talent 界面可以不填。"
)
@click.option(
    "--app",
    "screen",
    type=click.Choice(["overview", "what_if", "casework", "talent", "all"]),
    default="overview",
    show_default=True,
    help="overview 为选情总览，what_if 为权重与分界线试算，casework 为整改闭环，talent 为人才匹配；"
    "all 为按所给参数能打开的全部界面，互相有链接。",
)
@click.option("--talent", type=FOLDER, default=None, help="talent 界面的人才文件夹，由 huanjie match 写出。")
@click.option(
    "--key",
    type=FILE,
    default=None,
    help="talent 界面的密钥文件，用来显示掩码后的姓名；不填则只显示代号。界面本身拿不到密钥。",
)
@click.option(
    "--proposals", type=FOLDER, default=None, help="what_if 界面可以写入方案的文件夹；不填则不能写出方案。"
)
@click.option("--store", default=None, help=f"casework 和 talent 界面的台账：{STORES}。")
@click.option("--account", default="", help="casework 和 talent 界面的登录账号，登记在它名下。")
@click.option("--office", default="", help="账号所属的单位，如 市换届办、云溪镇。")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default=None,
    help="、".join(f"{role.value} {role.label}" for role in Role if role is not Role.SYSTEM) + "。",
)
@click.option("--scope", multiple=True, help="账号管辖的区划代码前几位，如 990101，可重复；不填为全部地区。")
@EVIDENCE
@click.option("--reader", default=None, help="台账在 PostgreSQL 上时，只读账号的地址，供服务读取。")
@click.option(
    "--accounts", type=FILE, default=None, help="账号表；经反向代理统一登录时用，只放行其中 --role 的账号。"
)
@click.option("--public", default=None, help="浏览器中使用的地址，如 https://huanjie.example.gov.cn。")
@click.option("--socket", "listen_at", type=FILE, default=None, help="只供反向代理接入的 Unix 套接字。")
@click.option("--proxy-secret", type=FILE, default=None, help="不用 --socket 时，反向代理须出示的密钥。")
@click.option("--most-pages", type=click.IntRange(1), default=40, show_default=True, help="最多打开的页面。")
@click.option(
    "--most-pages-each", type=click.IntRange(1), default=4, show_default=True, help="每人最多打开的页面。"
)
@click.option(
    "--warm", type=click.IntRange(0, 64), default=1, show_default=True, help="预先备好的页面，每个约 240 MB。"
)
@click.option("--site", type=FILE, default=None, help="界面地址表：各界面在哪里打开，页面据此互相链接。")
@click.option("--login-on-stdin", is_flag=True, hidden=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8866, show_default=True, help="端口。")
@click.option("--open", "open_browser", is_flag=True, help="启动后打开浏览器。")
def serve(
    run_folder: Path | None,
    screen: str,
    talent: Path | None,
    key: Path | None,
    proposals: Path | None,
    store: str | None,
    account: str,
    office: str,
    role: str | None,
    scope: tuple[str, ...],
    evidence: Path | None,
    reader: str | None,
    accounts: Path | None,
    public: str | None,
    listen_at: Path | None,
    proxy_secret: Path | None,
    most_pages: int,
    most_pages_each: int,
    warm: int,
    site: Path | None,
    login_on_stdin: bool,
    port: int,
    open_browser: bool,
) -> None:
    """Open a screen on this machine, or all of them."""
    from huanjie_lib.casework.events import Actor
    from huanjie_lib.screens.serve import Desk, TalentDesk
    from huanjie_lib.screens.serve import serve as serve_screen
    from huanjie_lib.screens.site import read_site

    if screen == "all":
        _serve_all(click.get_current_context().params)
    login = None
    if login_on_stdin:
        from huanjie_lib.screens.together import read_login

        login = read_login(sys.stdin.readline())

    desk = None
    sign_on = _sign_on(accounts, role, public, proxy_secret)
    if sign_on is not None:
        if store is not None or screen == "talent":
            actor = Actor(account, office, sign_on.role, scope) if any((account, office, scope)) else None
            desk = Desk(store, actor, evidence, reader)
    elif store is not None or (screen == "talent" and any((account, office, role))):
        if role is None:
            title = "不能打开人才匹配" if screen == "talent" else "不能打开整改闭环"
            fault = Fault("--role", "没有给出", "账号的角色，如 city、township", "补充 --role")
            raise UsageError(title, [fault])
        desk = Desk(store, Actor(account, office, Role.lookup()[role], scope), evidence, reader)
    elif any((account, office, role, scope, evidence, reader)):
        fault = Fault(
            "--account 等账号参数", "没有 --store", "与 --store 一起给出", "补充 --store 或去掉这些参数"
        )
        raise UsageError("没有指定案件台账", [fault])
    if key is not None and talent is None:
        fault = Fault("--key", "没有 --talent", "与 --talent 一起给出", "补充 --talent 或去掉 --key")
        raise UsageError("不能打开界面", [fault])
    serve_screen(
        run_folder,
        port=port,
        open_browser=open_browser,
        pool_size=warm,
        screen=screen,
        proposals=proposals,
        desk=desk,
        talent=None if talent is None else TalentDesk(talent, key),
        sign_on=sign_on,
        listen_at=listen_at,
        most=most_pages,
        most_each=most_pages_each,
        site=() if site is None else read_site(site),
        login=login,
        announce=click.echo,
    )


def _serve_all(given: Mapping[str, Any]) -> NoReturn:
    """Serve every screen that the options are enough for, with links from one to the other."""
    from huanjie_lib.screens.together import serve_together

    alone = [name for name in ("accounts", "public", "listen_at", "proxy_secret", "site") if given[name]]
    if alone or given["run_folder"] is None:
        found = "缺少 --run" if given["run_folder"] is None else "与反向代理的参数同时给出"
        allowed = "在本机打开，写明 --run；其余界面按 --store、--talent 等参数决定"
        remedy = "经反向代理时每个界面各自启动，用 --site 指定界面地址表"
        raise UsageError("不能一起打开", [Fault("--app all", found, allowed, remedy)])

    def told(*names: str) -> list[str]:
        """Return options as they were given, by the names of their parameters."""
        options = {one.name: one.opts[0] for one in serve.params}
        values = [(options[name], given[name]) for name in names]
        each = [
            (option, one)
            for option, value in values
            for one in (value if isinstance(value, tuple) else (value,))
            if one not in {None, ""}
        ]
        return [str(part) for pair in each for part in pair]

    common = ("most_pages", "most_pages_each", "warm")
    who = ("store", "reader", "evidence", "account", "office", "role", "scope")
    screens = {"overview": told("run_folder", *common), "what_if": told("run_folder", "proposals", *common)}
    if given["store"]:
        screens["casework"] = told("run_folder", *who, *common)
    if given["talent"]:
        screens["talent"] = told("talent", "key", *who, *common)
    code = serve_together(
        screens, port=given["port"], announce=click.echo, open_browser=given["open_browser"]
    )
    raise SystemExit(code)


def _sign_on(
    accounts: Path | None, role: str | None, public: str | None, proxy_secret: Path | None
) -> SignOn | None:
    """Return how a proxy signs people on, where it does."""
    from huanjie_lib.screens.sign_on import SignOn, checked_public, read_accounts, read_secret

    if accounts is None:
        if public is not None or proxy_secret is not None:
            remedy = "补充 --accounts，或去掉 --public 和 --proxy-secret"
            fault = Fault("--public、--proxy-secret", "没有 --accounts", "与 --accounts 一起给出", remedy)
            raise UsageError("不能启用统一登录", [fault])
        return None
    missing = [name for name, given in (("--role", role), ("--public", public)) if given is None]
    if role is None or public is None:
        faults = [Fault(name, "没有给出", "与 --accounts 一起给出", f"补充 {name}") for name in missing]
        raise UsageError("不能启用统一登录", faults)
    secret = None if proxy_secret is None else read_secret(proxy_secret)
    return SignOn(read_accounts(accounts), Role.lookup()[role], checked_public(public), secret)
