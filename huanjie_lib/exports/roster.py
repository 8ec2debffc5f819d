"""The proposed roster (建议名册) as a workbook: who is proposed for each post, why, what was decided.

It advises; people decide. It is made for the roles that work with single people and for nobody else. Names
stand in it masked, and no file holds a full name, a full pseudonym, an ID number, or a person's sex,
ethnicity or kin.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.access.masking import MASKED_ROLES, masked_names
from huanjie_lib.access.roles import require
from huanjie_lib.exports.book import A3, A4, Book, Column, new_book
from huanjie_lib.exports.pack import Noted, put_files
from huanjie_lib.store.decisions import accepted, named_in, renewed
from huanjie_lib.store.manifest import MANIFEST, file_digest
from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.talent.composition import SEATS
from huanjie_lib.talent.cultivation import StepState
from huanjie_lib.views import talent
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.views.words import count_text, date_text, local_time
from huanjie_lib.vocabulary import (
    CultivationStep,
    DecisionChoice,
    EvidenceKind,
    GateStatus,
    PortraitAspect,
    PostKind,
    Role,
)

__all__ = ["SHEETS", "names_for", "roster_workbook", "write_roster"]

SHEETS: Final[tuple[tuple[str, str], ...]] = (
    ("建议名册", "逐个岗位：全市统筹名单和班子方案提出的人选、适配分和区间、理由、需注意之处、已有的决定。"),
    ("缺人岗位", "全市统筹后人选仍不够的岗位，以及缺在哪里。"),
    ("班子结构核查", "各村（社区）建议班子对结构要求的符合情况；只约束整个班子，不作为个人条件。"),
    ("核实任务", "名册上的人选，先补哪些材料最能收窄适配分的区间；每人只列前几项。"),
    ("培养建议", "名册上的人选，正在进行和建议的培养。"),
    ("公平凭证", "受保护信息不影响打分、排名和理由的检验结果。"),
    ("说明", "怎么看本表，所用数据、参数和版本。"),
)
"""Sheets in order, with what each is for."""

_WORDS_WIDTHS: Final = (26, 62, 14, 14, 14, 14)
_LONGER: Final = "本岗位短名单以外"
_BEHIND: Final = "排在前面的人选列入了其他岗位的名单或班子。"
_TASKS_EACH: Final = 3
"""Most tasks of verification that are told of one person."""
_PERSON_AT: Final = ["unit_code", "post", "person_ref"]
_FROM: Final = {"lists": "全市名单", "teams": "班子方案"}
_NOBODY: Final = "（暂无人选）"
_GUESSED: Final = {
    GateStatus.PASS: "猜不出",
    GateStatus.FAIL: "能猜出",
    GateStatus.UNKNOWN: "未能检验",
}
_POST_ORDER: Final = {post.value: place for place, post in enumerate(PostKind)}
_OPEN_STATES: Final = (
    StepState.OVERDUE,
    StepState.UNDATED,
    StepState.RUNNING,
    StepState.PLANNED,
    StepState.PROPOSED,
    StepState.WAITING,
)

_TOWNSHIP: Final = Column("township_name", 10, "wrap", "镇街")
_UNIT: Final = Column("unit_name", 13, "wrap", "村（社区）")
_POST: Final = Column("post", 12, "text", "岗位", PostKind.labels())
_NAME: Final = Column("name", 11, "text", "姓名（掩码）")
_CODE: Final = Column("code", 10, "text", "代号末4位")
_ROSTER: Final = (
    _TOWNSHIP,
    _UNIT,
    _POST,
    Column("seats", 7, "count", "职数"),
    Column("wanted", 7, "count", "应列人选"),
    _NAME,
    _CODE,
    Column("came", 11, "wrap", "出处"),
    Column("place", 10, "wrap", "本岗位排名"),
    Column("fit", 8, "index", "适配分"),
    Column("low", 8, "index", "最低"),
    Column("high", 8, "index", "最高"),
    Column("p_top", 10, "share", "进入应列人选的可能性"),
    Column("reasons", 38, "wrap", "推荐理由"),
    Column("against", 42, "wrap", "需注意之处"),
    Column("decided", 30, "wrap", "已有的决定（最近的在前）"),
)
_GAPS: Final = (
    _TOWNSHIP,
    _UNIT,
    _POST,
    Column("seats", 8, "count", "职数"),
    Column("wanted", 10, "count", "应列人选"),
    Column("listed", 8, "count", "已列"),
    Column("lacking", 8, "count", "还缺"),
    Column("eligible", 12, "count", "符合条件的人"),
    Column("gap", 46, "wrap", "缺在哪里"),
)
_TEAMS: Final = (
    _TOWNSHIP,
    _UNIT,
    Column("label", 26, "wrap", "要求"),
    Column("kind", 12, "text", "性质"),
    Column("wanted", 8, "count", "应有"),
    Column("lacking", 8, "count", "还缺"),
    Column("result", 10, "text", "结果"),
    Column("why", 34, "wrap", "原因和办法"),
    Column("cost", 14, "index", "为此适配分少得"),
)
_TASKS: Final = (
    _TOWNSHIP,
    _UNIT,
    _NAME,
    _CODE,
    Column("aspect", 13, "text", "要素", PortraitAspect.labels()),
    Column("kind", 12, "text", "材料", EvidenceKind.labels()),
    Column("year", 8, "text", "年度"),
    Column("gain", 12, "index", "区间可收窄（分）"),
    Column("text", 40, "wrap", "要做的事"),
)
_STEPS: Final = (
    _TOWNSHIP,
    _UNIT,
    _NAME,
    _CODE,
    Column("state", 13, "text", "进度", StepState.labels()),
    Column("step", 11, "text", "培养方式", CultivationStep.labels()),
    Column("start_on", 12, "date", "开始"),
    Column("due_on", 12, "date", "期限"),
    Column("text", 48, "wrap", "说明"),
    Column("effect", 44, "wrap", "完成后的变化"),
)


def names_for(run: TalentRun, keys: KeyRing | None, role: Role, refs: Iterable[str]) -> dict[str, str] | None:
    """Return the masked names that a role sees, by pseudonym; ``None`` where it sees none.

    Parameters
    ----------
    run
        The talent run, read from its folder.
    keys
        Keys of the organisation's office; without them nobody is named.
    role
        Role of whoever exports.
    refs
        Whom to name; whoever has no identity in the folder is left out.

    Raises
    ------
    SealError
        If an identity does not open under these keys.
    """
    if keys is None or role not in MASKED_ROLES:
        return None
    held = run.identities()
    wanted = sorted(set(held["person_ref"]) & set(refs))
    return {str(ref): name for ref, name in masked_names(held, keys, role=role, wanted=wanted).items()}


def write_roster(
    run: TalentRun,
    out: Path,
    *,
    role: Role,
    keys: KeyRing | None = None,
    decisions: pd.DataFrame | None = None,
    stamp: Stamp | None = None,
    noted: Noted | None = None,
) -> Path:
    """Write the roster into a folder and return its path.

    Parameters
    ----------
    run
        The talent run, read from its folder.
    out
        Folder to write into; made where it is missing.
    role, keys
        Who exports, and the keys that names are opened with; see :func:`names_for`.
    decisions
        Decisions so far, as :meth:`huanjie_lib.store.ledger.Ledger.decisions` tells them; ``None`` where none
        are recorded.
    stamp
        Who exports.
    noted
        Called with the file, by name, before it is put in its place: the access log has it first.

    Raises
    ------
    SealError
        If an identity does not open under these keys.
    UsageError
        If the role may not see single people, the file cannot be written, or a sheet has too many rows.
    """
    name = f"建议名册_{run.as_of.isoformat()}.xlsx"
    made = roster_workbook(run, role=role, keys=keys, decisions=decisions, stamp=stamp)
    if noted is not None:
        noted({name: made})
    put_files(out, {name: made}, [])
    return out / name


def roster_workbook(
    run: TalentRun,
    *,
    role: Role,
    keys: KeyRing | None = None,
    called: Callable[[Iterable[str]], Mapping[str, str]] | None = None,
    decisions: pd.DataFrame | None = None,
    stamp: Stamp | None = None,
) -> bytes:
    """Return the roster as an XLSX file; equal runs, decisions, roles and names give equal bytes.

    See :func:`write_roster` for the other arguments and errors.

    Parameters
    ----------
    called
        Returns what the role may call people, by pseudonym, in place of the keys: for a screen, whose kernel
        has been handed masked names and no keys.
    """
    require(role, "talent/lists", "talent")
    digest = "" if run.path is None else file_digest(run.path / MANIFEST)
    if decisions is not None and keys is not None:
        known = set(run.table("people")["person_ref"])
        decisions = renewed(decisions, keys.recognised(named_in(decisions), known))
    told = _decided(run, decisions, digest)
    roster = _roster(run, told)
    people = set(roster["person_ref"].dropna())
    names = names_for(run, keys, role, people) if called is None else _names(called(people))
    tasks, steps = _tasks(run, people), _steps(run, people)
    frames = {
        "建议名册": (_called(roster, names), _ROSTER),
        "缺人岗位": (_gaps(run), _GAPS),
        "班子结构核查": (_teams(run), _TEAMS),
        "核实任务": (_called(tasks, names), _TASKS),
        "培养建议": (_called(steps, names), _STEPS),
    }
    notes = {
        "建议名册": f"{count_text(len(people))}人，{count_text(len(run.table('posts')))}个岗位",
        "缺人岗位": f"{count_text(len(frames['缺人岗位'][0]))}个岗位",
        "班子结构核查": "只约束整个班子，不作为个人条件",
        "核实任务": f"{count_text(len(tasks))}项，每人列前{_TASKS_EACH}项",
    }
    empty = {"缺人岗位": "没有缺人的岗位", "核实任务": "没有须先核实的材料", "培养建议": "没有培养安排"}
    out = io.BytesIO()
    title = f"建议名册（截至{date_text(run.as_of)}）"
    with new_book(out, title=title, as_of=run.as_of, version=run.parameters.version, stamp=stamp) as book:
        for name, (frame, columns) in frames.items():
            note = f"{notes.get(name, f'{count_text(len(frame))}项')}，{talent.ADVICE}"
            shown = [c for c in columns if c is not _NAME or names is not None]
            wide = sum(column.width for column in shown) > 150
            book.table(name, frame, shown, note, empty=empty.get(name, "没有数据"), paper=A3 if wide else A4)
        _fairness(book, run)
        _about(book, run, digest, role=role, named=names is not None, decisions=decisions)
    return out.getvalue()


# ---------------------------------------------------------------- sheets


def _roster(run: TalentRun, told: pd.DataFrame) -> pd.DataFrame:
    """Return a row a post and person: whom the city-wide lists or the committee have, and who was decided on.

    A post without anybody has one row without a person.
    """
    pairs = [run.table(name)[_PERSON_AT].assign(**{name: word}) for name, word in _FROM.items()]
    pairs.append(told.assign(decision="已有决定"))
    people = pairs[0]
    for more in pairs[1:]:
        people = people.merge(more, on=_PERSON_AT, how="outer")
    words = people[[*_FROM, "decision"]].fillna("").to_numpy()
    people = people.assign(
        came=["、".join(filter(None, row)) for row in words], behind=people["lists"].isna()
    )
    ranked = run.table("shortlists")[[*_PERSON_AT, "rank", "p_top", "reasons", "counter_reasons"]]
    frame = _places(run).merge(people, on=_PERSON_AT[:2], how="left")
    frame = frame.merge(ranked, on=_PERSON_AT, how="left")
    frame = frame.join(_fits(run, frame))
    there, known = frame["person_ref"].notna(), frame["rank"].notna()
    grounds = talent.grounds(run, frame[there & ~known]).reindex(frame.index, fill_value="")
    behind = frame[list(_FROM)].notna().any(axis=1).map({True: _BEHIND, False: ""})
    why, against = behind + grounds["reasons"], grounds["against"]
    place = frame["rank"].map(lambda rank: f"第{int(rank)}名", na_action="ignore").astype("object")
    frame = frame.assign(
        place=place.where(known, _LONGER).where(there, None),
        reasons=frame["reasons"].astype("object").where(known, why).where(there, _NOBODY),
        against=frame["counter_reasons"].astype("object").where(known, against),
    )
    order = {"township_code": True, "unit_code": True, "order": True, "behind": True, "fit": False}
    by, ascending = [*order, "person_ref"], [*order.values(), True]
    return frame.sort_values(by, ascending=ascending, ignore_index=True)


def _fits(run: TalentRun, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the fit of people for posts with the ends of its interval: Σ weight · points of the aspects."""
    at = pairs[_PERSON_AT].reset_index(names="pair")
    weighed = at.merge(run.table("weights"), on=["unit_code", "post"])
    weighed = weighed.merge(run.table("portraits"), on=["person_ref", "aspect"])
    ends = {"fit": "mean", "low": "low", "high": "high"}
    parts = pd.DataFrame({name: weighed["weight"] * weighed[end] for name, end in ends.items()})
    summed: pd.DataFrame = parts.groupby(weighed["pair"].to_numpy()).sum()
    return summed.reindex(pairs.index)


def _decided(run: TalentRun, decisions: pd.DataFrame | None, digest: str) -> pd.DataFrame:
    """Return what was decided on each person for each post, the last first, in the column ``decided``.

    Of whoever stands accepted for several posts each says the others.
    """
    columns = [*_PERSON_AT, "decided"]
    if decisions is None or decisions.empty:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
    rows = [
        (
            row["unit_code"],
            row["post"],
            ref,
            _sentence(row, digest, taken=ref == row["instead_ref"]),
        )
        for row in decisions.sort_values("number", ascending=False).to_dict("records")
        for ref in (row["person_ref"], row["instead_ref"])
        if ref
    ]
    told = pd.concat([pd.DataFrame(rows, columns=columns), _elsewhere(run, decisions)], ignore_index=True)
    return told.groupby(_PERSON_AT, as_index=False, sort=False).agg({"decided": "\n".join})


def _elsewhere(run: TalentRun, decisions: pd.DataFrame) -> pd.DataFrame:
    """Return what is added to a decision that stands: for which other posts the person stands accepted."""
    stands, names = accepted(decisions), run.table("units").set_index("unit_code")["unit_name"]
    both = stands.merge(stands, on="person_ref", suffixes=("", "_too"))
    both = both[both["number"] != both["number_too"]]
    where = both["unit_code_too"].map(names).fillna(both["unit_code_too"])
    both = both.assign(too=where + both["post_too"].map(PostKind.labels()))
    others = both.groupby(_PERSON_AT, as_index=False).agg(decided=("too", "、".join))
    return others.assign(decided="注意：同一人还被采纳到" + others["decided"])


def _sentence(row: Mapping[Any, Any], digest: str, *, taken: bool) -> str:
    choice = DecisionChoice.lookup()[row["choice"]]
    what = "改选为本人" if taken else "改选他人" if choice is DecisionChoice.CHANGE else choice.label
    text = f"{what}（{row['office']} {row['account']}，{local_time(row['recorded_at'])}）"
    if row["reason"]:
        text += f"：{row['reason']}"
    if digest and row["talent_run"] != digest:
        text += "（针对另一次匹配的结果）"
    return text


def _places(run: TalentRun) -> pd.DataFrame:
    """Return posts with their units and the order of the post."""
    posts = run.table("posts").merge(run.table("units"), on="unit_code", how="left", validate="many_to_one")
    return posts.assign(order=posts["post"].map(_POST_ORDER))


def _gaps(run: TalentRun) -> pd.DataFrame:
    frame = talent.post_list(run)
    frame = frame[frame["lacking"] > 0].reset_index(drop=True)
    return frame.assign(gap=[talent.gap_sentence(row) for row in frame.to_dict("records")])


def _teams(run: TalentRun) -> pd.DataFrame:
    """Return what committees must have and lack; how many they have is not told, it would name a sex."""
    checks = run.table("team_checks")
    costs = run.table("team_costs").rename(columns={"rule": "target"})[["unit_code", "target", "cost"]]
    frame = checks.merge(costs, on=["unit_code", "target"], how="left")
    frame = frame.merge(run.table("units"), on="unit_code", how="left")
    met, hard = frame["met"].astype("bool"), frame["hard"].astype("bool")
    able = frame["able"] >= frame["wanted"]
    why = able.map({True: "合适的人在别的班子或岗位更需要", False: "候选人中人数不够"})
    advice = hard.map({True: "，须放宽要求或补充人选", False: "，尽量补足"})
    frame = frame.assign(
        kind=hard.map({True: "必须达到", False: "尽量达到"}),
        lacking=(frame["wanted"] - frame["found"]).clip(lower=0),
        result=met.map({True: "符合", False: "不符合"}),
        why=(why + advice).where(~met, ""),
        cost=frame["cost"].where(frame["cost"] >= 0.05),
        missed=met,
        last=frame["target"] == SEATS,
    )
    return frame.sort_values(
        ["township_code", "unit_code", "missed", "last", "target"], kind="stable", ignore_index=True
    )


def _tasks(run: TalentRun, people: Iterable[str]) -> pd.DataFrame:
    """Return what narrows most of each person on the roster, by home and person."""
    frame = talent.all_tasks(run)
    frame = frame[frame["person_ref"].isin(people)].groupby("person_ref").head(_TASKS_EACH)
    by = {"township_code": True, "unit_code": True, "person_ref": True, "gain": False}
    return _at_home(frame.sort_values(list(by), ascending=list(by.values()), kind="stable"))


def _steps(run: TalentRun, people: Iterable[str]) -> pd.DataFrame:
    """Return steps of the people on the roster that are not done, and the best change of rank they bring."""
    frame = talent.plans(run)
    open_ = frame["state"].isin([state.value for state in _OPEN_STATES])
    frame = frame[open_ & frame["person_ref"].isin(people)]
    moves = run.table("standing").merge(run.table("units")[["unit_code", "unit_name"]], on="unit_code")
    moves = moves.sort_values(["rank_after", "rank", "unit_code", "post"], kind="stable")
    moves = moves.drop_duplicates(["person_ref", "step"])
    moves = moves.assign(
        effect=moves["unit_name"] + moves["post"].map(PostKind.labels()) + "：" + moves["text"]
    )
    frame = frame.merge(moves[["person_ref", "step", "effect"]], on=["person_ref", "step"], how="left")
    return _at_home(frame)


def _at_home(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(township_name=frame["township_name"].fillna("其他地方")).reset_index(drop=True)


def _names(called: Mapping[str, str]) -> dict[str, str]:
    """Return names without those that are the pseudonym itself, for want of one."""
    return {ref: name for ref, name in called.items() if name != ref}


def _called(frame: pd.DataFrame, names: Mapping[str, str] | None) -> pd.DataFrame:
    """Return rows with what to call people: a masked name where there is one, the end of the pseudonym."""
    code = frame["person_ref"].map(talent.short_ref, na_action="ignore")
    return frame.assign(name=frame["person_ref"].map(names or {}), code=code)


# ---------------------------------------------------------------- proof and notes


def _fairness(book: Book, run: TalentRun) -> None:
    proof = talent.proof(run)
    sheet = _words_sheet(book, "公平凭证", talent.ADVICE)
    states = {GateStatus.PASS: "通过", GateStatus.FAIL: "没有通过", GateStatus.UNKNOWN: "未能检验"}
    likely = sum(one["status"] == GateStatus.FAIL.value for one in proof["proxies"])
    behind = sum(bool(one["flagged"]) for one in proof["impact"])
    told = [
        (
            "受保护信息不影响结果",
            f"{states[proof['status']]}：{proof['checks']}项检验，{proof['failed']}项没有通过",
        ),
        ("从评分材料猜不出", f"{likely}组能猜出，须留意材料本身的偏差" if likely else "没有一组能猜出"),
        ("各人群入选比例", f"{behind}组低于五分之四，须查明原因" if behind else "没有一组低于五分之四"),
    ]
    row = book.block(sheet, 2, ("检验", "结论"), told, _WORDS_WIDTHS)
    changes = proof["changes"]
    lines = [
        (one["label"], changes[name], states[check["status"]], check["found"])
        for one in proof["changed"]
        for name, check in one["found"].items()
    ]
    lines += [("整个结果", one["label"], states[one["status"]], one["found"]) for one in proof["whole"]]
    heads = ("受保护信息", "怎样检验（打分、排名、理由须逐字节不变）", "结果", "发现")
    row = book.block(sheet, row, heads, lines, _WORDS_WIDTHS)
    guessed = [
        (one["label"], _guess(one), _GUESSED[GateStatus.lookup()[one["status"]]]) for one in proof["proxies"]
    ]
    guess_heads = ("能否从评分材料猜出", "猜中程度（0.5相当于随机，1为全部猜中）", "结果")
    row = book.block(sheet, row, guess_heads, guessed, _WORDS_WIDTHS)
    groups = [
        (
            one["label"],
            f"{one['people']}人中入选{one['taken']}人（{one['share']}）",
            one["against"],
            "低于五分之四" if one["flagged"] else "",
        )
        for one in proof["impact"]
    ]
    heads = ("人群", "入选情况", "与最高者之比", "提示")
    row = book.block(sheet, row, heads, groups, _WORDS_WIDTHS)
    book.block(sheet, row, ("各类人群", "说明"), [("入选比例", s) for s in proof["sentences"]], _WORDS_WIDTHS)


def _guess(row: Mapping[str, Any]) -> str:
    if pd.isna(row["auc"]):
        return "人数太少，未能检验"
    return f"{row['auc']:.2f}（{row['low']:.2f}至{row['high']:.2f}）"


def _about(
    book: Book, run: TalentRun, digest: str, *, role: Role, named: bool, decisions: pd.DataFrame | None
) -> None:
    sheet = _words_sheet(book, "说明", talent.ADVICE)
    row = book.block(sheet, 2, ("工作表", "内容"), SHEETS, _WORDS_WIDTHS)
    called = "姓名已掩码，代号只列末4位" if named else "不列姓名，代号只列末4位"
    costs = run.table("team_costs").groupby("label", sort=True)["cost"].sum()
    made = "没有接入决定记录" if decisions is None else f"{count_text(len(decisions))}项"
    if decisions is not None and (twice := int((accepted(decisions)["person_ref"].value_counts() > 1).sum())):
        made += f"；{count_text(twice)}人被采纳到不止一个岗位，请核对"
    notes = [
        ("性质", f"{talent.ADVICE}。人选以组织研究为准，本表不替代民主推荐、考察、联审和选举。"),
        ("适配分", "0至100分，各要素得分按岗位需要加权。“最低”“最高”为材料不全时的区间，材料补齐后收窄。"),
        ("可能性", "在区间内反复抽取时，进入本岗位应列人选的比例；短名单以外的人选不计算。"),
        ("短名单以外", "统筹全市时，排在前面的人选列入了更需要他们的岗位，由后面的人选递补。"),
        ("出处", "全市名单：每个岗位比职数多列人选，供比选；班子方案：满足结构要求、一人一职的整个班子。"),
        ("不使用的信息", "性别、民族、年龄、学历、亲属等不计入分数、排名和理由，只用于核查整个班子的结构。"),
        ("姓名", f"按“{role.label}”角色导出：{called}；身份证号一律不列。"),
        ("把握", talent.certainty(run) or "没有说明"),
        ("班子结构", talent.structure_sentence(run) or "没有班子方案"),
        ("已有的决定", made),
        *(("结构要求的代价", f"“{label}”使全市适配分合计少得{cost:.1f}分") for label, cost in costs.items()),
    ]
    row = book.block(sheet, row, ("口径", "说明"), notes, _WORDS_WIDTHS)
    manifest, risk = run.manifest, run.manifest.get("risk_run")
    facts = [
        ("截至日期", date_text(run.as_of)),
        ("参数版本", run.parameters.version),
        ("参数摘要", run.parameters.digest),
        ("程序版本", str(manifest.get("code_version", ""))),
        ("匹配结果摘要", digest),
        ("选情评估摘要", risk["manifest_sha256"] if risk else "没有结合选情评估"),
    ]
    row = book.block(sheet, row, ("项目", "取值"), facts, _WORDS_WIDTHS)
    inputs = [
        (str(i["path"]), str(i["sha256"]), count_text(int(i["bytes"]))) for i in manifest.get("inputs", ())
    ]
    book.block(sheet, row, ("输入文件", "SHA-256摘要", "字节数"), inputs, _WORDS_WIDTHS)


def _words_sheet(book: Book, name: str, note: str) -> Any:
    sheet = book.sheet(name)
    book.title(sheet, name, note)
    for number, width in enumerate(_WORDS_WIDTHS):
        sheet.set_column(number, number, width)
    return sheet
