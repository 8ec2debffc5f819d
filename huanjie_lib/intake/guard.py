"""Personal data that must never be loaded, by heading and by the look of a value.

Village aggregates and pseudonyms are all this workbench needs. A column headed by a name, an identity or
telephone number, religion or ethnicity is left out before anything else sees it; a cell that looks like such
a number is refused, and no message or quarantine file repeats it.
"""

from __future__ import annotations

import polars as pl

from huanjie_lib.access.hiding import CONTAINS_NUMBER, ID_NUMBER, MOBILE_NUMBER
from huanjie_lib.contracts import REF_PATTERN, Table

__all__ = [
    "CONTAINS_NUMBER",
    "COULD_BE_NAME",
    "IS_NUMBER",
    "IS_ROUNDED_NUMBER",
    "hidden",
    "masked",
    "personal_heading",
]

_HEADINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # what a heading announces, and the parts by which it is known
    ("姓名", ("姓名",)),
    ("身份证号", ("身份证", "身份号码", "证件号", "护照", "社保卡号", "社会保障号")),
    ("电话", ("手机", "电话", "联系方式", "微信", "QQ", "qq", "邮箱", "电子邮件")),
    ("住址", ("住址", "家庭地址", "居住地址", "门牌号")),
    ("银行账户", ("银行卡", "银行账", "开户行", "银行户名")),
    ("宗教信仰", ("宗教", "信仰", "教派", "信教")),
    ("民族", ("民族", "族别")),
    ("宗族姓氏", ("宗族", "家族", "姓氏", "族谱", "房头")),
    (
        "健康状况",
        ("健康状况", "身体状况", "病史", "所患疾病", "疾病史", "重大疾病", "患病", "残疾", "体检", "就医"),
    ),
    ("婚育状况", ("婚姻", "婚否", "是否已婚", "离异", "生育", "怀孕", "孕产", "子女")),
    ("信访情况", ("信访人", "上访", "是否信访", "参与信访", "举报人", "投诉人")),
    ("亲属情况", ("家庭成员", "亲属违", "亲属犯罪", "亲属受", "亲属前科", "社会关系")),
    ("谈话内容", ("谈话内容", "谈话记录", "谈心内容", "谈心记录", "谈话要点")),
    ("政治态度", ("政治态度", "政治立场", "政治倾向", "思想动态", "思想倾向", "现实表现倾向")),
    (
        "财产状况",
        (
            "个人财产",
            "家庭财产",
            "财产状况",
            "财产申报",
            "个人房产",
            "家庭房产",
            "个人存款",
            "家庭存款",
            "个人收入",
            "家庭收入",
            "家庭年收入",
            "个人年收入",
            "个人债务",
        ),
    ),
    ("生物识别", ("指纹", "人脸", "声纹", "虹膜")),
    ("行踪", ("行踪", "行程", "活动轨迹", "位置信息")),
)
"""What is never loaded, whatever the table: what identifies a person beyond the register form, and what must
never bear on one (religion, clan, ethnicity, health, marriage and children, petitions, records of kin, what
was said in talks, attitudes, property)."""

IS_NUMBER = rf"^(?:{ID_NUMBER}|{MOBILE_NUMBER})$"
"""Whole text that looks like an identity or mobile number."""

IS_ROUNDED_NUMBER = r"^[1-9]\.[0-9]{9,}[eE]\+?1[5-9]$"
"""An identity number that became a floating-point number; most of its digits are still there."""


COULD_BE_NAME = r"\p{Han}{2}|\p{Han}[·•・‧]"
"""Text that may be somebody's name, where a word, figure or date is due in a table about people."""


def personal_heading(heading: str) -> str | None:
    """Return what kind of personal data a heading announces, or ``None``.

    Examples
    --------
    >>> personal_heading("候选人姓名"), personal_heading("手机号码"), personal_heading("村(社区)名称")
    ('姓名', '电话', None)
    """
    return next((kind for kind, parts in _HEADINGS if any(part in heading for part in parts)), None)


def hidden(text: pl.Expr) -> pl.Expr:
    """Return a stand-in that tells only how long the text was."""
    return pl.format("（已隐藏，{} 个字符）", text.str.len_chars())


def masked(rows: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Hide what looks like an identity or mobile number, and names where a table about people has none.

    Names are taken for names in columns of pseudonyms, and where a word of the vocabulary, a figure or a date
    is due.

    Parameters
    ----------
    rows
        Rows of a table as they stood in a file; only text columns are looked at.
    table
        Contract of the table.

    Returns
    -------
    polars.DataFrame
        The same rows.

    Examples
    --------
    >>> from huanjie_lib.contracts import table
    >>> rows = pl.DataFrame({"person_ref": ["P-1", "某某"], "arrangement": ["电话 13900000000", "荣誉职务"]})
    >>> masked(rows, table("leavers")).rows()
    [('P-1', '（已隐藏，14 个字符）'), ('（已隐藏，2 个字符）', '荣誉职务')]
    """
    changes = []
    for name, dtype in rows.schema.items():
        if dtype != pl.String:
            continue
        text = pl.col(name).str.strip_chars()
        if name.endswith("_ref"):
            secret = (text != "") & (text.str.contains(IS_NUMBER) | ~text.str.contains(REF_PATTERN))
        elif name in table.names and table.column(name).pattern is not None:
            secret = text.str.contains(rf"^{ID_NUMBER}$")
        else:
            secret = text.str.contains(CONTAINS_NUMBER)
        secret |= text.str.contains(IS_ROUNDED_NUMBER)
        if table.personal and name in table.names and table.column(name).kind != "string":
            words = table.column(name).words
            known = [] if words is None else list(words.lookup())
            secret |= text.str.contains(COULD_BE_NAME) & ~text.is_in(known)
        changes.append(pl.when(secret).then(hidden(pl.col(name))).otherwise(pl.col(name)).alias(name))
    return rows.with_columns(changes)
