"""Serve a screen to browsers: the door that ``huanjie serve`` opens."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, cast

from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.screens.cuts import (
    ACTOR_VARIABLE,
    NAMES_VARIABLE,
    RUN_VARIABLE,
    STORE_VARIABLE,
    TALENT_VARIABLE,
    Cuts,
    Whole,
)
from huanjie_lib.screens.listening import (
    DEFAULT_PORT,
    ENDING,
    LOOPBACK,
    Login,
    listen_on_path,
    listen_on_port,
    signals_noted,
)
from huanjie_lib.screens.site import SITE_VARIABLE, Entry, entries_for
from huanjie_lib.store.manifest import MANIFEST, file_digest
from huanjie_lib.store.run_folder import read_manifest
from huanjie_lib.vocabulary import Role

if TYPE_CHECKING:
    from huanjie_lib.screens.sign_on import SignOn
    from huanjie_lib.screens.writer_link import Place, WriterLink

__all__ = [
    "DEFAULT_PORT",
    "ENDING",
    "LOOPBACK",
    "PROPOSALS_VARIABLE",
    "Desk",
    "Login",
    "TalentDesk",
    "notebook_path",
    "serve",
]

PROPOSALS_VARIABLE: Final = "HUANJIE_PROPOSALS"
"""Environment variable that tells a screen's kernel the one folder it may write proposals into."""
_LEAN: Final = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_TRIM_THRESHOLD_": "131072",
}
"""Memory a kernel has done with goes back to the system: it saves a viewer some 60 MB."""
_SECRETS: Final = ("PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE")
"""What may open a ledger on a server is the writer's; kernels get none of it."""
_CODE_DIGITS: Final = 12
_SCREENS: Final = Path(__file__).parent
_NAMES_FILE: Final = "names.parquet"


def notebook_path(name: str) -> Path:
    """Return the notebook of a screen, from the installed package or from a checkout.

    Raises
    ------
    UsageError
        If neither holds it.

    Examples
    --------
    >>> notebook_path("overview").name
    'overview.ipynb'
    >>> notebook_path("nothing")
    Traceback (most recent call last):
    ...
    huanjie_lib.errors.UsageError: 找不到界面（共 1 处问题）
      1. 界面名称：发现“nothing”；应为：随软件安装的界面，如 overview；处理办法：名称无误时请重新安装。
    """
    for folder in (_SCREENS / "apps", _SCREENS.parent.parent / "voila_apps"):
        if (folder / f"{name}.ipynb").is_file():
            return folder / f"{name}.ipynb"
    raise UsageError(
        "找不到界面",
        [Fault("界面名称", name, "随软件安装的界面，如 overview", "名称无误时请重新安装")],
    )


@dataclass(frozen=True)
class Desk:
    """Where a screen's events go, and on whose behalf.

    Parameters
    ----------
    store
        Path or address of the ledger, whose access log tells who has seen whom.
    actor
        Account, office, role and scope: the screen shows what this account may see, and records in its name;
        ``None`` where a proxy signs people on.
    evidence
        Folder of the evidence files; by default beside a SQLite ledger.
    reader
        For a ledger on a server, the address of an account there that may only read: the kernels get this
        one.
    """

    store: str | None
    actor: Actor | None
    evidence: Path | None = None
    reader: str | None = None


@dataclass(frozen=True)
class TalentDesk:
    """Whom the talent screen is about.

    Parameters
    ----------
    folder
        Folder written by ``huanjie match``.
    key
        Key file of its sealed names, read by the server alone: kernels get masked names. ``None`` shows
        pseudonyms.
    """

    folder: Path
    key: Path | None = None


def serve(
    run: Path | None,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    open_browser: bool = False,
    token: str | None = None,
    pool_size: int = 1,
    screen: str = "overview",
    proposals: Path | None = None,
    desk: Desk | None = None,
    talent: TalentDesk | None = None,
    sign_on: SignOn | None = None,
    listen_at: Path | None = None,
    most: int | None = None,
    most_each: int | None = None,
    site: Sequence[Entry] = (),
    login: Login | None = None,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve a screen over one run or talent folder until Ctrl-C, SIGTERM or SIGHUP.

    The notebook is copied into a private folder that holds nothing else, and kernels are started ahead, so
    that the next viewer need not wait for one. Kernels end with the page, with the server, or after ten
    minutes without a page. A signal ends everything in order, whenever it comes; further ones change nothing,
    and those three stay ignored afterwards: serving is the last thing a process does.

    Parameters
    ----------
    run
        Folder written by ``huanjie run``; only its manifest is read here, the tables by the kernels. The
        talent screen needs none; one that is given must be the run that the matching rests on.
    host
        Address to listen on. Anything but this machine itself belongs behind a reverse proxy with a login.
    port
        Port; 0 takes any free one.
    open_browser
        Whether to open the default browser.
    token
        What a viewer must bring; a random one by default.
    pool_size
        Kernels kept ready.
    screen
        Name of the notebook.
    proposals
        Folder that the ``what_if`` screen may write proposals into, made if it is not there; by default none
        may be written. Whoever views the page may then write there, so the host must be this machine itself.
    desk
        Ledger and account of the ``casework`` and ``talent`` screens: a writer is started for it, and ends
        with the server. The kernels read the ledger and hold nothing that could write.
    talent
        Talent folder and key of the ``talent`` screen. Only the roles that decide on people may open it; its
        kernels get the names as that role may see them, and not the key.
    sign_on
        How a reverse proxy tells who looks, in place of the token. Each kernel then shows what its viewer may
        see: rows of his scope, cases of his office; and what he does is recorded in his name.
    listen_at
        Path of a Unix socket to listen on in place of host and port, in a folder that only this account and
        the proxy reach. Only with ``sign_on``.
    most, most_each
        Pages open at the same time, of all viewers and of one; 40 and 4 by default.
    site
        Where the screens are served: the page links to those that are for the role of the server.
    login
        What this server has in common with others of the same analyst, so that who has got into one gets into
        all; in place of ``token``.
    announce
        Called once with the address, token included, when the server is up.

    Raises
    ------
    DataError
        The folder is not a run or talent folder.
    UsageError
        The port is taken, forbidden or out of range, the host is not of this machine, the token is empty,
        or proposals may not be written: another screen, a host that others reach, a folder inside the run;
        or ledger, account, talent folder or key do not fit the screen.
    LedgerError
        The ledger cannot be opened.
    SealError
        The key does not open the names of the talent folder.
    """
    _check_subject(run, talent, desk, screen, role=None if sign_on is None else sign_on.role)
    notebook = notebook_path(screen)
    allowed = _proposals_folder(proposals, run=run, screen=screen, host=host)
    _check_way_in(run, sign_on, listen_at, desk, screen, host=host)
    if token == "":
        raise UsageError(
            "访问口令不能为空",
            [Fault("--token", "空", "8 位以上的字母和数字", "去掉 --token，由程序随机生成")],
        )
    place = _desk_place(desk, screen)
    with (
        signals_noted() as noted,
        listen_on_port(host, port) if listen_at is None else listen_on_path(listen_at) as listener,
        _private_folder() as folder,
        _private_folder() as apart,
        _writer(place, desk, folder) as writer,
    ):
        role = sign_on.role if sign_on is not None else None if desk is None else _role(desk)
        copy = shutil.copy(notebook, folder / notebook.name)
        whole = _whole(run, talent, role, place, apart)
        with (
            closing(Cuts(screen, whole, apart)) as cuts,
            _environment(
                {
                    **_told_to_all(cuts, whole, desk, sign_on),
                    PROPOSALS_VARIABLE: allowed,
                    SITE_VARIABLE: json.dumps(entries_for(site, role)),
                    **dict.fromkeys(_SECRETS),
                    "JUPYTER_PATH": os.pathsep.join(
                        filter(None, [str(_SCREENS / "jupyter"), os.environ.get("JUPYTER_PATH", "")])
                    ),
                    "JUPYTER_NO_CONFIG": "1",
                    "IPYTHONDIR": str(folder / "ipython"),
                    **_LEAN,
                }
            ),
        ):
            _leave_out_grammars()
            # Voilà is heavy; commands that don't serve need not load it.
            from huanjie_lib.screens.voila_server import ScreenServer, server_config

            config = server_config(
                Path(copy),
                host=host,
                port=listener.getsockname()[1] if listen_at is None else DEFAULT_PORT,
                token=token or secrets.token_urlsafe(24),
                login=login,
                pool_size=0 if sign_on is not None and desk is not None else pool_size,
                open_browser=open_browser,
                runtime=folder,
                sign_on=sign_on,
                **_limits(most, most_each),
            )
            server = ScreenServer.instance(config=config)
            try:
                server.listener, server.announce, server.writer = listener, announce, writer
                server.run = run
                server.talent = None if talent is None else talent.folder
                server.key = None if talent is None else talent.key
                server.sign_on = sign_on
                server.cuts = cuts
                if writer is not None:
                    writer.recorded = cuts.refresh
                server.initialize([])
                if noted:
                    server.signalled.set()
                server.start()
            finally:
                ScreenServer.clear_instance()


def _leave_out_grammars() -> None:
    """Let jsonschema do without ``rfc3987_syntax``, as where it is not installed.

    Its import compiles 39 grammars, for more than a second of processor time at the start of every server,
    and serves a format ("iri") that no schema of Jupyter has.
    """
    sys.modules.setdefault("rfc3987_syntax", cast(ModuleType, None))  # import statements then find nothing


def _limits(most: int | None, most_each: int | None) -> dict[str, int]:
    """Return the limits that were given, after checking them."""
    given = {name: value for name, value in (("most", most), ("most_each", most_each)) if value is not None}
    if any(value < 1 for value in given.values()):
        fault = Fault("--most-pages、--most-pages-each", "小于 1", "1 以上的整数", "改正页面数")
        raise UsageError("页面数不对", [fault])
    return given


def _role(desk: Desk) -> Role | None:
    return None if desk.actor is None else desk.actor.role


def _check_way_in(
    run: Path | None,
    sign_on: SignOn | None,
    listen_at: Path | None,
    desk: Desk | None,
    screen: str,
    *,
    host: str,
) -> None:
    """Check that what a proxy says can be believed, and that leaders are given a snapshot."""
    faults = []
    if sign_on is None and listen_at is not None:
        faults.append(Fault("--socket", "没有 --accounts", "与 --accounts 一起给出", "补充 --accounts"))
    if sign_on is not None:
        if listen_at is None and sign_on.secret is None:
            allowed = "--socket 或 --proxy-secret"
            remedy = "用 --socket 只让反向代理接入，或用 --proxy-secret 指定代理密钥"
            faults.append(Fault("--accounts", "任何人都能自称某个账号", allowed, remedy))
        if desk is not None and desk.actor is not None:
            remedy = "去掉 --account、--office、--scope，它们写在账号表中"
            faults.append(Fault("--account 等账号参数", "与 --accounts 同时给出", "只用其中一种", remedy))
        if not any(actor.role is sign_on.role for actor in sign_on.accounts.values()):
            found = f"没有 {sign_on.role.value} 的账号"
            faults.append(Fault("--accounts", found, "至少一个能打开本界面的账号", "在账号表中补充"))
        if screen == "what_if" and sign_on.role is Role.READER:
            faults.append(Fault("--app", "what_if", "供领导查看的界面，如 overview", "改为 --app overview"))
    if faults:
        raise UsageError("不能启用统一登录", faults)
    leaders = sign_on is not None and sign_on.role is Role.READER
    others_reach_it = sign_on is None and host not in LOOPBACK
    if run is None or screen == "talent" or not (leaders or others_reach_it):
        return
    from huanjie_lib.store.snapshot import snapshot_role  # a screen on one's own machine asks for none

    role = snapshot_role(run)
    if role is not Role.READER:
        found = "完整的评估文件夹" if role is None else f"给“{role.label}”的快照"
        remedy = "先运行 huanjie snapshot --role reader，再打开快照；分析人员只在本机打开完整的评估"
        fault = Fault(f"--run {run}", found, "供领导查看的快照", remedy)
        raise UsageError("不能把完整的评估提供给领导查看", [fault])


def _check_subject(
    run: Path | None, talent: TalentDesk | None, desk: Desk | None, screen: str, *, role: Role | None
) -> None:
    """Check that a screen is given what it is about, and that the account may open it."""
    if run is not None:
        read_manifest(run)
    if screen != "talent":
        faults = []
        if run is None:
            faults.append(Fault("--run", "没有给出", "由 huanjie run 写出的评估文件夹", "补充 --run"))
        if talent is not None:
            faults.append(Fault("--talent", f"界面 {screen}", "只用于 talent 界面", "加上 --app talent"))
        if faults:
            raise UsageError("不能打开界面", faults)
        return
    if talent is None or desk is None:
        missing = [
            name
            for name, given in (("--talent", talent), ("--account、--office、--role", desk))
            if given is None
        ]
        remedy = "补充后重新运行"
        raise UsageError(
            "不能打开人才匹配", [Fault(name, "没有给出", "人才文件夹和登录账号", remedy) for name in missing]
        )
    from huanjie_lib.store.decisions import DECIDERS  # other screens need neither
    from huanjie_lib.store.talent_folder import read_talent

    role = _role(desk) or role
    if role not in DECIDERS:
        allowed = "、".join(one.value for one in DECIDERS)
        found = "没有给出" if role is None else role.value
        fault = Fault("--role", found, allowed, "由组织部门或市换届办的账号打开")
        raise UsageError("不能打开人才匹配", [fault])
    rests_on = read_talent(talent.folder).manifest["risk_run"]
    if run is not None and file_digest(run / MANIFEST) != (rests_on or {}).get("manifest_sha256"):
        remedy = "改为匹配时所用的评估文件夹，或去掉 --run"
        fault = Fault("--run", str(run), "人才匹配所依据的那次评估", remedy)
        raise UsageError("评估与人才匹配不是同一次", [fault])


def _whole(
    run: Path | None, talent: TalentDesk | None, role: Role | None, place: Place | None, folder: Path
) -> Whole:
    """Return what the server reads itself, after writing the names that its role may see."""
    store = None if place is None else place.reader
    if talent is None or role is None:
        return Whole(run, store=store)
    names = None
    if talent.key is not None:
        from huanjie_lib.screens.talent_names import write_names  # other screens name nobody
        from huanjie_lib.store.talent_folder import read_talent

        names = folder / _NAMES_FILE
        decided = set() if place is None else _decided(place)
        write_names(read_talent(talent.folder), talent.key, names, role=role, decided=decided)
    return Whole(run, talent.folder, store, names)


def _told_to_all(cuts: Cuts, whole: Whole, desk: Desk | None, sign_on: SignOn | None) -> dict[str, str]:
    """Return what every kernel is told, those that wait in the pool too.

    The account that the server was started for has its part cut now. Where accounts are signed on, each has
    its own; on the overview those of the whole city get what their role may see of it. On an analyst's own
    machine that is the run.
    """
    from huanjie_lib.store.snapshot import snapshot_role  # waits for pandas

    nothing = dict.fromkeys(
        (RUN_VARIABLE, STORE_VARIABLE, TALENT_VARIABLE, NAMES_VARIABLE, ACTOR_VARIABLE), ""
    )
    if desk is not None and desk.actor is not None:
        return nothing | cuts.told(cuts.make(desk.actor), desk.actor)
    if desk is not None or whole.run is None:
        return nothing
    if sign_on is None or snapshot_role(whole.run) is sign_on.role:
        return nothing | {RUN_VARIABLE: str(whole.run.resolve())}
    return nothing | dict(cuts.make(Actor("", "", sign_on.role)).told)


def _decided(place: Place) -> set[str]:
    """Return the pseudonyms in the decisions that a ledger holds."""
    from huanjie_lib.store.decisions import named_in
    from huanjie_lib.store.ledger import open_ledger

    with open_ledger(place.reader, read_only=True) as ledger:
        return named_in(ledger.decisions())


def _desk_place(desk: Desk | None, screen: str) -> Place | None:
    """Return where the ledger of a screen lies, after checking that ledger and account can serve it."""
    if screen not in {"casework", "talent"}:
        if desk is None:
            return None
        remedy = "加上 --app casework，或去掉 --store"
        allowed = "只用于 casework 和 talent 界面"
        raise UsageError("界面不用台账", [Fault("--store", f"界面 {screen}", allowed, remedy)])
    if desk is None or (desk.store is None and screen == "casework"):
        raise UsageError(
            "没有指定案件台账",
            [Fault("--store", "没有给出", "案件台账的位置", "补充 --store、--account、--office、--role")],
        )
    faults = [] if desk.actor is None else _account_faults(desk.actor)
    if desk.store is None:
        allowed = "案件台账的位置：谁看过哪些人，先记入其中的查阅日志"
        faults.append(Fault("--store", "没有给出", allowed, "补充 --store"))
    if faults or desk.store is None:
        raise UsageError("不能打开整改闭环" if screen == "casework" else "不能打开人才匹配", faults)
    return _place(desk, desk.store)


def _account_faults(actor: Actor) -> list[Fault]:
    """Return what is wrong with the account of a desk."""
    faults = []
    if actor.role is Role.SYSTEM:
        faults.append(Fault("--role", actor.role.value, "某个单位的角色，如 city、township", "改正 --role"))
    for option, value in (("--account", actor.account), ("--office", actor.office)):
        if not value.strip():
            faults.append(Fault(option, "空", "账号和单位的名称", f"补充 {option}"))
    for code in actor.scope:
        if not (code.isascii() and code.isdigit() and len(code) <= _CODE_DIGITS):
            faults.append(Fault("--scope", code, "区划代码的前几位数字，如 990101", "改正 --scope"))
    return faults


def _place(desk: Desk, address: str) -> Place:
    from huanjie_lib.screens.writer_link import Place  # a screen without a ledger needs no database
    from huanjie_lib.store.engine import SqliteStore, connect

    store = connect(address)
    if isinstance(store, SqliteStore):
        home = store.file.resolve().parent
        evidence = (desk.evidence or home / "evidence").resolve()
        return Place(str(store.file.resolve()), str(evidence), str(home / "heads"), str(store.file.resolve()))
    faults = []
    if desk.reader is None:
        remedy = "请数据库管理员建一个只读账号，用 --reader 写明它的地址"
        faults.append(Fault("--reader", "没有给出", "只读账号的台账地址", remedy))
    if desk.evidence is None:
        faults.append(Fault("--evidence", "没有给出", "存放佐证材料的文件夹", "用 --evidence 写明文件夹"))
    if desk.reader is None or desk.evidence is None:
        raise UsageError("服务器上的台账还缺参数", faults)
    evidence = desk.evidence.resolve()
    return Place(address, str(evidence), str(evidence.parent / "heads"), desk.reader)


@contextmanager
def _writer(place: Place | None, desk: Desk | None, folder: Path) -> Iterator[WriterLink | None]:
    """Run a writer for a while, where a screen has a ledger."""
    if place is None or desk is None:
        yield None
        return
    from huanjie_lib.screens.writer_link import WriterLink

    link = WriterLink(place, desk.actor, folder)
    try:
        link.start()
        yield link
    finally:
        link.stop()


def _proposals_folder(proposals: Path | None, *, run: Path | None, screen: str, host: str) -> str:
    """Return the folder that proposals may be written into, made if need be; empty for none."""
    if proposals is None:
        return ""
    faults = []
    if screen != "what_if":
        faults.append(Fault("--proposals", f"界面 {screen}", "只用于 what_if 界面", "加上 --app what_if"))
    if host not in LOOPBACK:
        faults.append(Fault("--proposals", f"监听地址 {host}", "只在本机打开时使用", "去掉 --proposals"))
    if run is not None and proposals.resolve().is_relative_to(run.resolve()):
        faults.append(Fault("--proposals", str(proposals), "评估文件夹以外的文件夹", "换一个文件夹"))
    if proposals.exists() and not proposals.is_dir():
        faults.append(Fault("--proposals", str(proposals), "文件夹，不能是文件", "换一个文件夹"))
    if faults:
        raise UsageError("不能写方案", faults)
    proposals.mkdir(parents=True, exist_ok=True)
    return str(proposals.resolve())


@contextmanager
def _private_folder() -> Iterator[Path]:
    """Make a folder only this user can read; on POSIX a short one, for the kernels' sockets."""
    parents = [tempfile.gettempdir()] if sys.platform == "win32" else [tempfile.gettempdir(), "/tmp"]
    parent = min((p for p in parents if os.access(p, os.W_OK)), key=len)
    with tempfile.TemporaryDirectory(prefix="hj-", dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables for a while, or unset them (``None``); kernels inherit that."""
    before = {name: os.environ.get(name) for name in changes}
    _set_environment(changes)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
