"""The certificate that goes with every run: protected columns make no difference to scores, ranks or reasons.

The scoring is run again on tables in which one protected column is changed, and must give the same bytes:

* **flip**: the order of its values is turned round (yes and no change places, the lowest becomes the highest;
  where all have one value another stands in);
* **permute**: its values are dealt out anew to the rows that have one;
* **delete**: the column is taken away; a scoring that then fails has read it.

Each result is told by the SHA-256 of every output table, columns, types and row order included, so that
"equal" means equal to the last bit. Three checks keep the certificate honest: the unchanged tables are scored
twice (a scoring that differs from itself proves nothing), a column without any value is **unknown** and never
a pass, and every text of the outputs is searched for words that speak of a protected attribute.

That the scoring does not read a column says nothing of what stands in for it: see
:mod:`huanjie_lib.talent.proxies`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from huanjie_lib.talent.parity import label_of
from huanjie_lib.vocabulary import GateStatus

__all__ = [
    "MENTIONS",
    "PROTECTED",
    "Certificate",
    "Output",
    "Tables",
    "digest",
    "fairness_certificate",
    "mentions",
    "sample_of",
]

Tables: TypeAlias = Mapping[str, pd.DataFrame]
Output: TypeAlias = Mapping[str, "pd.DataFrame | bytes"]

PROTECTED: Final[Mapping[str, Sequence[str]]] = {
    "people_protected": ("sex", "is_minority"),
    "people": ("birth_year", "education"),
    "identities": ("name_sealed", "id_sealed"),
}
"""Columns that no score may depend on. Kin are declared by pairs and bar only from supervising each other."""

MENTIONS: Final[Mapping[str, str]] = {
    "性别": "性别|[男女]",
    "民族": "民族|汉族|少数族",
    "宗教": "宗教|信教|教徒",
    "宗族": "宗族|家族|姓氏|本家",
    "健康": "健康|残疾|疾病|患病",
    "婚育": "婚|生育|怀孕|子女",
    "信访": "上访|信访人|缠访",
    "亲属": "亲属|亲戚",
    "谈话": "谈话|政治态度",
    "财产": "家庭财产|个人财产|房产|存款",
    "年龄": r"年龄|出生|\d+岁",
    "学历": "学历|文凭|大专|本科|硕士|博士",
}
"""What no sentence about a person may speak of, with the words it is known by (regular expressions)."""

CHANGES: Final[Mapping[str, str]] = {
    "repeat": "原样重算",
    "flip": "取值对调",
    "permute": "随机打乱",
    "delete": "整列删除",
    "mention": "理由用语",
}
"""What is checked, and what it is called."""


@dataclass(frozen=True)
class Certificate:
    """Proof, or refutation, that protected columns make no difference.

    Parameters
    ----------
    checks
        A row a check: ``column`` (``table.column``; empty for what concerns all), ``change``
        (:data:`CHANGES`), ``rows`` that the change altered, ``status`` (pass, fail, unknown) and ``found``,
        what differed, in Chinese.
    digests
        SHA-256 of each output of the unchanged tables.
    people
        Number of people that were scored; ``total`` in the register.
    total
        See ``people``.
    seed
        Of the sample and the permutations.
    version
        Version of the parameters, or empty.
    """

    checks: pd.DataFrame
    digests: Mapping[str, str]
    people: int
    total: int
    seed: int
    version: str = ""

    @property
    def status(self) -> GateStatus:
        """Fail if any check failed, else unknown if any could not be made, else pass."""
        found = set(self.checks["status"])
        return next(s for s in (GateStatus.FAIL, GateStatus.UNKNOWN, GateStatus.PASS) if s.value in found)

    def __repr__(self) -> str:
        """Return number of people and checks, the status and the parameter version."""
        told = f", parameters={self.version!r}" if self.version else ""
        status = self.status.value
        return f"Certificate(people={self.people}, checks={len(self.checks)}, status={status!r}{told})"

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the checks."""
        return self.checks.copy()

    def explain(self, column: str = "") -> str:
        """Return in Chinese what was found for a column such as ``people_protected.sex``, or over all.

        Raises
        ------
        KeyError
            If the column was not checked.
        """
        if not column:
            failed = int((self.checks["status"] == GateStatus.FAIL.value).sum())
            unknown = int((self.checks["status"] == GateStatus.UNKNOWN.value).sum())
            text = f"抽取{self.people}人（人才库共{self.total}人）复算，做了{len(self.checks)}项检查："
            if not failed and not unknown:
                return text + "受保护信息无论怎样改动，得分、名次和理由都一字不变。"
            parts = [f"{failed}项没有通过"] if failed else []
            parts += [f"{unknown}项不能判断"] if unknown else []
            return text + "，".join(parts) + "，请先查明再使用名单。"
        rows = self.checks[self.checks["column"] == column]
        if rows.empty:
            raise KeyError(column)
        label = label_of(column.partition(".")[2])
        parts = [f"{CHANGES[row['change']]}：{row['found'] or '结果不变'}" for row in rows.to_dict("records")]
        return f"{label}（{column}）：{'；'.join(parts)}。"


def fairness_certificate(
    score: Callable[[Tables], Output],
    tables: Tables,
    *,
    seed: int,
    protected: Mapping[str, Sequence[str]] = PROTECTED,
    words: Mapping[str, str] = MENTIONS,
    sample: int | None = None,
    vital: str | None = None,
    version: str = "",
) -> Certificate:
    """Score tables again with each protected column flipped, permuted and deleted, and compare every bit.

    Parameters
    ----------
    score
        The scoring under test: from tables to named outputs (scores, ranks, reasons), without side effects.
        It must take the tables as they are: a check of contracts would refuse a deleted column before the
        scoring could be seen not to need it.
    tables
        Contract tables by name.
    seed
        Of the sample and the permutations.
    protected
        Protected columns by table. A table or column that is not there cannot be read, and passes.
    words
        What the texts of the outputs may not speak of.
    sample
        Number of people to score, drawn at random; everyone when omitted.
    vital
        Output without rows of which nothing is proved: equal to itself it is unknown and never a pass.
    version
        Version of the parameters, to be shown.

    Returns
    -------
    Certificate
        Runs the scoring 2 + 3 times the number of protected columns.

    Examples
    --------
    >>> people = pd.DataFrame({"person_ref": ["P1", "P2", "P3"], "rating": [70.0, 90.0, 80.0]})
    >>> sex = pd.DataFrame({"person_ref": ["P1", "P2", "P3"], "sex": ["1", "2", "2"]})
    >>> tables = {"people": people, "people_protected": sex}
    >>> fairness_certificate(lambda t: {"scores": t["people"]}, tables, seed=1)
    Certificate(people=3, checks=10, status='pass')
    >>> def unfair(t):
    ...     bonus = 5.0 * (t["people_protected"]["sex"] == "1")
    ...     return {"scores": t["people"]["rating"].add(bonus).to_frame()}
    >>> fairness_certificate(unfair, tables, seed=1).explain("people_protected.sex")
    '性别（people_protected.sex）：取值对调：scores发生变化；随机打乱：scores发生变化；整列删除：评分中断（KeyError），说明评分读取了这一列。'
    """
    everyone = tables["people"]["person_ref"]
    used = sample_of(tables, sample, seed=seed)
    before = score(used)
    digests = {name: digest(value) for name, value in sorted(before.items())}
    rows = [_row("", "repeat", 0, _differing(score, used, digests))]
    if vital is not None and not len(before[vital]) and rows[0]["status"] == GateStatus.PASS.value:
        rows = [_row("", "repeat", 0, "", status=GateStatus.UNKNOWN, note=f"{vital}中没有人，无从检验")]
    rows.append(_mention_row(mentions(before, words)))
    for place, (table, column) in enumerate((t, c) for t, columns in protected.items() for c in columns):
        name = f"{table}.{column}"
        if table not in used or column not in used[table].columns:
            rows.append(_row(name, "delete", 0, "", note="表中没有这一列"))
            continue
        values = used[table][column]
        changes = {"flip": flipped(values)}
        if values.nunique() > 1:
            changes["permute"] = permuted(values, np.random.default_rng([seed, place]))
        for change, changed in changes.items():
            altered = int((~_equal(values, changed)).sum())
            if altered:
                found = _differing(score, {**used, table: used[table].assign(**{column: changed})}, digests)
                rows.append(_row(name, change, altered, found))
            else:
                rows.append(_row(name, change, 0, "", status=GateStatus.UNKNOWN, note="没有填报，无从检验"))
        found = _differing(score, {**used, table: used[table].drop(columns=column)}, digests)
        rows.append(_row(name, "delete", len(values), found))
    return Certificate(
        checks=pd.DataFrame(rows, columns=["column", "change", "rows", "status", "found"]),
        digests=digests,
        people=used["people"]["person_ref"].nunique(),
        total=everyone.nunique(),
        seed=seed,
        version=version,
    )


def _row(
    column: str, change: str, rows: int, found: str, *, status: GateStatus | None = None, note: str = ""
) -> dict[str, Any]:
    verdict = status or (GateStatus.FAIL if found else GateStatus.PASS)
    return {"column": column, "change": change, "rows": rows, "status": verdict.value, "found": found or note}


def _mention_row(found: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    told = "、".join(f"{name}提到{what}（{text}）" for name, what, text in found[:3])
    return _row("", "mention", len(found), told)


def _differing(score: Callable[[Tables], Output], tables: Tables, digests: Mapping[str, str]) -> str:
    """Return in Chinese which outputs differ from the known digests, or that the scoring failed."""
    try:
        output = score(tables)
    except Exception as error:  # noqa: BLE001 — whatever it is, it is the finding: the scoring needs the column
        return f"评分中断（{type(error).__name__}），说明评分读取了这一列"
    now = {name: digest(value) for name, value in output.items()}
    changed = sorted(name for name in {*now, *digests} if now.get(name) != digests.get(name))
    return f"{'、'.join(changed)}发生变化" if changed else ""


def sample_of(tables: Tables, people: int | None, *, seed: int) -> dict[str, pd.DataFrame]:
    """Return the tables of some people drawn at random, in order; tables without people stay whole.

    Examples
    --------
    >>> everyone = pd.DataFrame({"person_ref": ["P1", "P2", "P3"]})
    >>> rated = pd.DataFrame({"person_ref": ["P3", "P1", "P1"], "rating": [1, 2, 3]})
    >>> drawn = sample_of({"people": everyone, "evidence": rated}, 1, seed=3)
    >>> drawn["people"]["person_ref"].tolist(), drawn["evidence"]["rating"].tolist()
    (['P3'], [1])
    """
    refs = tables["people"]["person_ref"].drop_duplicates()
    if people is None or people >= len(refs):
        return dict(tables)
    chosen = np.random.default_rng(seed).choice(len(refs), size=people, replace=False)
    kept = set(refs.iloc[chosen])
    return {
        name: frame[frame["person_ref"].isin(kept)].reset_index(drop=True) if "person_ref" in frame else frame
        for name, frame in tables.items()
    }


def flipped(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column with the order of its values turned round; of a single value, another stands in.

    Examples
    --------
    >>> flipped(pd.Series([1970, 1980, 1990, 1970])).tolist()
    [1990, 1980, 1970, 1990]
    >>> flipped(pd.Series(["1", "1"])).tolist(), flipped(pd.Series([True, True], dtype="boolean")).tolist()
    (['1~', '1~'], [False, False])
    """
    if pd.api.types.is_bool_dtype(values.dtype):
        return ~values
    known = sorted(values.dropna().unique())
    turned = dict(zip(known, reversed(known), strict=True))
    if len(known) == 1:
        turned = {known[0]: f"{known[0]}~" if isinstance(known[0], str) else known[0] + 1}
    return values.map(lambda value: turned.get(value, value)).astype(values.dtype)


def permuted(values: pd.Series[Any], rng: np.random.Generator) -> pd.Series[Any]:
    """Return a column of at least two values with the known ones dealt out anew, not all as they were.

    Examples
    --------
    >>> permuted(pd.Series([1.0, None, 2.0]), np.random.default_rng(1)).tolist()
    [2.0, nan, 1.0]
    >>> permuted(pd.Series([1.0, 1.0]), np.random.default_rng(1))
    Traceback (most recent call last):
    ...
    ValueError: a column with one value cannot be permuted
    """
    if values.nunique() < 2:
        raise ValueError("a column with one value cannot be permuted")
    known = np.flatnonzero(values.notna())
    out = values.copy()
    while _equal(values, out).all():
        out.iloc[known] = values.iloc[rng.permutation(known)].array
    return out


def _equal(one: pd.Series[Any], other: pd.Series[Any]) -> pd.Series[bool]:
    same = (one == other).fillna(value=False).astype(bool)
    return same | (one.isna() & other.isna())


def digest(value: pd.DataFrame | bytes) -> str:
    """Return the SHA-256 of bytes, or of a table: names and types of columns, row labels and every value.

    Examples
    --------
    >>> one = pd.DataFrame({"a": [1.0, 2.0]})
    >>> [digest(one) == digest(other) for other in (one.copy(), one.iloc[::-1], one + 1e-15, one.astype(int))]
    [True, False, False, False]
    """
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    found = hashlib.sha256()
    for name, column in _columns(value):
        found.update(json.dumps([name, str(column.dtype), len(column)]).encode())
        gaps = column.isna().to_numpy()
        found.update(gaps.tobytes())
        known = column[~gaps]
        if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_dtype(column.dtype):
            found.update(known.to_numpy().tobytes())
        else:
            texts = [str(x) for x in known.to_numpy(dtype=object)]  # quicker than one by one from Arrow
            found.update(json.dumps(texts, ensure_ascii=False).encode())
    return found.hexdigest()


def _columns(table: pd.DataFrame) -> Iterator[tuple[str, pd.Series[Any]]]:
    for level in range(table.index.nlevels):
        yield f"index {level}", pd.Series(table.index.get_level_values(level))
    for place, name in enumerate(table.columns):
        yield str(name), table.iloc[:, place]


def mentions(output: Output, words: Mapping[str, str] = MENTIONS) -> list[tuple[str, str, str]]:
    """Return where an output speaks of a protected attribute: output, attribute and the words found.

    Every text of every table is searched, and bytes as UTF-8.

    Examples
    --------
    >>> mentions({"reasons": pd.DataFrame({"text": ["财务管理高于60分", "女同志，学历较高"]})})
    [('reasons', '性别', '女'), ('reasons', '学历', '学历')]
    """
    patterns = {what: re.compile(pattern) for what, pattern in words.items()}
    found: list[tuple[str, str, str]] = []
    for name, value in sorted(output.items()):
        if isinstance(value, bytes):
            texts = [value.decode("utf-8", errors="replace")]
        else:
            texts = [
                text
                for _, column in _columns(value)
                if column.dtype == object or isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype)
                for text in column.dropna().unique()
                if isinstance(text, str)
            ]
        together = "\n".join(texts)
        found += [
            (name, what, hit[0]) for what, pattern in patterns.items() if (hit := pattern.search(together))
        ]
    return found
