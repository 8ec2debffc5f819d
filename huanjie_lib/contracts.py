"""Contracts of all tables: columns, types, units, ranges, keys, references and purposes.

A contract is plain data. ``intake`` compiles it into vectorised checks, ``tools/data_dictionary.py`` writes
``docs/data_dictionary.md`` from it, and the return workbooks take their column headings from it.

Conventions for every table held in memory as a :class:`pandas.DataFrame`:

* ``string`` and ``word`` columns are text; codes are text and keep leading zeros;
* ``integer`` columns may be missing (nullable), ``number`` columns are float64 with NaN for missing;
* ``date`` columns are ``datetime64`` at midnight without time zone, NaT for missing;
* ``moment`` columns, which only event streams have, are ``datetime64`` in UTC, NaT for missing;
* ``boolean`` columns are nullable;
* every table ends with the source columns of :data:`SOURCE_COLUMNS`, so that a figure on a screen can be
  traced to the cell it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from huanjie_lib.vocabulary import (
    AccessAction,
    AuditItem,
    AuditOutcome,
    AuditType,
    CaseEvent,
    CaseKind,
    CaseState,
    CrosswalkKind,
    CultivationStep,
    DisputeCategory,
    Education,
    EvidenceKind,
    HotlineKind,
    LeadKind,
    PersonChannel,
    PersonSource,
    PersonStatus,
    PetitionKind,
    PoliticalAffiliation,
    PortraitAspect,
    PostKind,
    Relation,
    ReviewOpinion,
    Role,
    RollChange,
    RollCohort,
    ScreeningMethod,
    Severity,
    Sex,
    TalkTarget,
    UnitKind,
    UrbanRural,
    VettingGround,
    VoterMode,
    Word,
)

__all__ = [
    "DTYPES",
    "EVENT_STREAMS",
    "LEDGER_TABLES",
    "RESTRICTED_LEDGERS",
    "RETURN_GROUPS",
    "RETURN_SHEETS",
    "SOURCE_COLUMNS",
    "TABLES",
    "Column",
    "ColumnType",
    "Order",
    "Purpose",
    "Reference",
    "Table",
    "table",
]

ColumnType = Literal["string", "integer", "number", "date", "moment", "boolean", "word", "geometry"]
Purpose = Literal["reference", "risk", "casework", "talent", "identity", "validation", "operations"]

DTYPES: Mapping[ColumnType, Any] = {
    "string": "str",
    "word": "str",
    "integer": "Int64",
    "number": "float64",
    "date": "datetime64[us]",
    "moment": "datetime64[us, UTC]",
    "boolean": "boolean",
}
"""Type of each kind of column in memory; geometry has its own."""

UNIT_CODE_PATTERN = r"^\d{12}$"
TOWNSHIP_CODE_PATTERN = r"^\d{9}$"
COUNTY_CODE_PATTERN = r"^\d{6}$"
REF_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name
        English name in code and Parquet files.
    kind
        Kind of value; see the module conventions.
    label
        Chinese heading on screens, in files and in return workbooks.
    unit
        Unit of measure in Chinese, empty where there is none.
    note
        What the value means, in English, for the data dictionary.
    required
        Whether a row without a value is refused.
    minimum, maximum
        Inclusive bounds of a number.
    words
        Vocabulary of a ``word`` column.
    pattern
        Regular expression that a string must match.
    pattern_label
        The pattern in Chinese words, for error messages.
    aliases
        Other headings under which clerks file the column.
    """

    name: str
    kind: ColumnType
    label: str
    unit: str = ""
    note: str = ""
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    words: type[Word] | None = None
    pattern: str | None = None
    pattern_label: str = ""
    aliases: tuple[str, ...] = ()

    def allowed(self) -> str:
        """Return in Chinese what the column accepts, for error messages and templates.

        Examples
        --------
        >>> table("units").column("unit_kind").allowed()
        '村、社区'
        >>> table("screenings").column("households_visited").allowed()
        '不小于 0 的整数'
        """
        if self.words is not None:
            return "、".join(self.words.labels().values())
        if self.pattern_label:
            return self.pattern_label
        if self.kind in {"integer", "number"}:
            noun = "整数" if self.kind == "integer" else "数"
            if self.minimum is not None and self.maximum is not None:
                return f"{self.minimum:.15g} 到 {self.maximum:.15g} 之间的{noun}"
            if self.minimum is not None:
                return f"不小于 {self.minimum:.15g} 的{noun}"
            return noun
        return {
            "date": "日期，如 2026-10-31",
            "moment": "时间，如 2026-10-31 08:30:00+08:00",
            "boolean": "是、否",
            "geometry": "多边形或点",
        }.get(self.kind, "文字")


@dataclass(frozen=True, slots=True)
class Order:
    """Rule: ``later`` must not lie before (or below) ``earlier`` where both are present."""

    earlier: str
    later: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Rule: every value of ``column`` must stand in ``table``.``target``."""

    column: str
    table: str
    target: str


@dataclass(frozen=True, slots=True)
class Table:
    """Contract of one table.

    Parameters
    ----------
    name, label
        English name (also the file name) and Chinese title.
    note
        What one row is.
    purpose
        Why the table is held; access is granted by purpose.
    columns
        Columns in order, without the source columns.
    key
        Columns that together are unique.
    orders, references
        Cross-field and cross-table rules.
    personal
        Whether rows concern natural persons (pseudonymous keys, masked by default).
    """

    name: str
    label: str
    note: str
    purpose: Purpose
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    orders: tuple[Order, ...] = ()
    references: tuple[Reference, ...] = ()
    personal: bool = False
    _by_name: Mapping[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the columns by name."""
        object.__setattr__(self, "_by_name", {c.name: c for c in (*self.columns, *SOURCE_COLUMNS)})

    def column(self, name: str) -> Column:
        """Return a column by name.

        Raises
        ------
        KeyError
            If the table has no such column.
        """
        return self._by_name[name]

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Columns followed by the source columns."""
        return (*self.columns, *SOURCE_COLUMNS)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, source columns last."""
        return tuple(c.name for c in self.all_columns)


SOURCE_COLUMNS: tuple[Column, ...] = (
    Column(
        "source_file", "string", "来源文件", note="File the row was read from, relative to the data folder."
    ),
    Column("source_sheet", "string", "来源工作表", note="Sheet of the workbook; empty for flat files."),
    Column("source_row", "integer", "来源行号", note="Row number in the sheet, from 1, headings included."),
)


def _unit_code(required: bool = True) -> Column:
    return Column(
        "unit_code",
        "string",
        "统计用区划代码",
        note="12-digit statistical division code of the village or community.",
        required=required,
        pattern=UNIT_CODE_PATTERN,
        pattern_label="12 位数字的统计用区划代码",
        aliases=("区划代码", "村社区代码", "行政区划代码", "单位代码", "村(社区)代码"),
    )


def _ref(name: str, label: str, note: str, *, required: bool = True, aliases: tuple[str, ...] = ()) -> Column:
    return Column(
        name,
        "string",
        label,
        note=note,
        required=required,
        pattern=REF_PATTERN,
        pattern_label="1 至 64 位的字母、数字、下划线或短横",
        aliases=aliases,
    )


def _date(
    name: str, label: str, note: str, *, required: bool = False, aliases: tuple[str, ...] = ()
) -> Column:
    return Column(name, "date", label, note=note, required=required, aliases=aliases)


def _count(name: str, label: str, unit: str, note: str, *, required: bool = False) -> Column:
    return Column(name, "integer", label, unit=unit, note=note, required=required, minimum=0)


def _word(name: str, words: type[Word], label: str, note: str, *, required: bool = True) -> Column:
    return Column(name, "word", label, note=note, required=required, words=words)


def _text(name: str, label: str, note: str, *, required: bool = False) -> Column:
    return Column(name, "string", label, note=note, required=required)


_AS_OF = _date(
    "as_of", "截至日期", "Date the figure describes.", required=True, aliases=("统计日期", "数据日期")
)
_TO_UNIT = Reference("unit_code", "units", "unit_code")
_TO_PROJECT = Reference("project_id", "audit_projects", "project_id")
_TO_PERSON = Reference("person_ref", "people", "person_ref")
_PROJECT = _ref("project_id", "审计项目编号", "Audit project.", aliases=("项目编号",))
_PERSON = _ref("person_ref", "人员代号", "Keyed pseudonym of the person; never a name or an ID number.")

_TABLES: tuple[Table, ...] = (
    Table(
        "townships",
        "镇街",
        "One row per township or sub-district.",
        "reference",
        (
            Column(
                "township_code",
                "string",
                "镇街代码",
                note="First nine digits of the unit codes in it.",
                required=True,
                pattern=TOWNSHIP_CODE_PATTERN,
                pattern_label="9 位数字",
            ),
            _text("township_name", "镇街名称", "Name of the township.", required=True),
            Column(
                "county_code",
                "string",
                "县区代码",
                note="First six digits.",
                required=True,
                pattern=COUNTY_CODE_PATTERN,
                pattern_label="6 位数字",
            ),
            _text("county_name", "县区名称", "Name of the county or district.", required=True),
        ),
        ("township_code",),
    ),
    Table(
        "units",
        "村(社区)",
        "One row per village or community, with its polygon where there is one (EPSG:4490).",
        "reference",
        (
            _unit_code(),
            Column(
                "unit_name",
                "string",
                "村(社区)名称",
                note="Official name.",
                required=True,
                aliases=("村社区名称", "单位名称", "村(社区)", "名称"),
            ),
            _word("unit_kind", UnitKind, "类别", "Village or community; decides checklist and voter mode."),
            Column(
                "township_code",
                "string",
                "镇街代码",
                note="Township the unit belongs to.",
                required=True,
                pattern=TOWNSHIP_CODE_PATTERN,
                pattern_label="9 位数字",
            ),
            _word("urban_rural", UrbanRural, "城乡分类", "Urban-rural classification code.", required=False),
            _word("voter_mode", VoterMode, "选举方式", "How electors vote.", required=False),
            _date("valid_from", "启用日期", "First day on which the code is in force."),
            _date("valid_to", "停用日期", "Last day on which the code is in force; empty while in force."),
            Column(
                "longitude",
                "number",
                "经度",
                "度",
                "Point fallback where there is no polygon.",
                minimum=-180,
                maximum=180,
            ),
            Column(
                "latitude",
                "number",
                "纬度",
                "度",
                "Point fallback where there is no polygon.",
                minimum=-90,
                maximum=90,
            ),
            Column("geometry", "geometry", "边界", note="Polygon or multipolygon, EPSG:4490."),
        ),
        ("unit_code",),
        orders=(Order("valid_from", "valid_to"),),
        references=(Reference("township_code", "townships", "township_code"),),
    ),
    Table(
        "crosswalk",
        "区划代码对照",
        "One row per change of code; used only once a person has confirmed it.",
        "reference",
        (
            Column(
                "old_code",
                "string",
                "旧代码",
                note="Code before the change.",
                required=True,
                pattern=UNIT_CODE_PATTERN,
                pattern_label="12 位数字的统计用区划代码",
            ),
            Column(
                "new_code",
                "string",
                "新代码",
                note="Code after the change.",
                required=True,
                pattern=UNIT_CODE_PATTERN,
                pattern_label="12 位数字的统计用区划代码",
            ),
            _word("kind", CrosswalkKind, "变更类型", "Merge, split or renumbering."),
            _date("effective_on", "生效日期", "First day of the new code.", required=True),
            _text("confirmed_by", "确认人", "Office account that confirmed the row."),
            _date("confirmed_on", "确认日期", "Date of confirmation."),
        ),
        ("old_code", "new_code", "effective_on"),
        orders=(Order("effective_on", "confirmed_on"),),
    ),
    Table(
        "facts",
        "基础数据",
        "One row per unit, date and metric; the metrics and their bounds are declared in the framework pack.",
        "risk",
        (
            _unit_code(),
            _AS_OF,
            Column(
                "metric",
                "string",
                "指标项",
                note="Metric name in the framework pack.",
                required=True,
                pattern=r"^[a-z][a-z0-9_]*$",
                pattern_label="参数包中登记的指标项",
            ),
            Column("value", "number", "数值", note="Value in the unit of the metric.", required=True),
        ),
        ("unit_code", "as_of", "metric"),
        references=(_TO_UNIT,),
    ),
    Table(
        "audit_projects",
        "审计项目",
        "One row per audit of a unit.",
        "casework",
        (
            _PROJECT,
            _unit_code(),
            _word("audit_type", AuditType, "审计类型", "Term or leaving audit."),
            _date("plan_on", "方案日期", "Date of the audit plan; must precede fieldwork."),
            _date("started_on", "进点日期", "First day of fieldwork."),
            _date("ended_on", "结束日期", "Last day of fieldwork."),
            _text("departments", "组成单位", "Departments taking part, separated by 、."),
            Column(
                "supervision_present",
                "boolean",
                "监委会参与",
                note="Whether the supervision committee took part.",
            ),
            _count(
                "representatives", "群众代表人数", "人", "Villager or resident representatives taking part."
            ),
        ),
        ("project_id",),
        orders=(Order("started_on", "ended_on"),),
        references=(_TO_UNIT,),
    ),
    Table(
        "audit_subjects",
        "审计对象",
        "One row per committee member under an audit.",
        "casework",
        (
            _PROJECT,
            _unit_code(),
            _PERSON,
            _word("post", PostKind, "职务", "Post held in the term."),
            _date("term_from", "任职起", "First day in office."),
            _date("term_to", "任职止", "Last day in office; empty while in office."),
            _word("outcome", AuditOutcome, "审计结论", "Conclusion on the member."),
            _date("concluded_on", "结论日期", "Date of the conclusion."),
        ),
        ("project_id", "person_ref"),
        orders=(Order("term_from", "term_to"),),
        references=(_TO_UNIT, _TO_PROJECT),
        personal=True,
    ),
    Table(
        "audit_items",
        "审计事项",
        "One row per item of the unit's audit checklist.",
        "casework",
        (
            _PROJECT,
            _unit_code(),
            _word("item", AuditItem, "审计事项", "Item of the checklist."),
            _word("outcome", AuditOutcome, "审计结论", "Conclusion on the item."),
            _date("concluded_on", "结论日期", "Date of the conclusion."),
            Column("amount", "number", "涉及金额", "元", "Amount examined."),
        ),
        ("project_id", "item"),
        references=(_TO_UNIT, _TO_PROJECT),
    ),
    Table(
        "audit_notices",
        "审计公示",
        "One row per spell of public notice of an audit result.",
        "casework",
        (
            _ref("notice_id", "公示编号", "Notice spell."),
            _PROJECT,
            _unit_code(),
            _date(
                "start_on",
                "公示开始",
                "First day on the notice board.",
                required=True,
                aliases=("公示起", "公示开始日期"),
            ),
            _date(
                "end_on",
                "公示结束",
                "Last day on the notice board; empty while posted.",
                aliases=("公示止", "公示结束日期"),
            ),
            _text("place", "公示地点", "Where it was posted."),
            _count("objections", "收到异议", "件", "Objections received."),
            _count("answered", "答复异议", "件", "Objections answered."),
        ),
        ("notice_id",),
        orders=(Order("start_on", "end_on"), Order("answered", "objections")),
        references=(_TO_UNIT, _TO_PROJECT),
    ),
    Table(
        "audit_problems",
        "审计问题",
        "One row per problem found by an audit.",
        "casework",
        (
            _ref("problem_id", "问题编号", "Audit problem."),
            _PROJECT,
            _unit_code(),
            _word("item", AuditItem, "审计事项", "Checklist item it belongs to."),
            _word("severity", Severity, "问题等级", "Minor or major."),
            _date("found_on", "发现日期", "Date found.", required=True),
            _date("due_on", "整改期限", "Date by which it must be put right."),
            _date(
                "closed_on", "整改完成", "Date closed; needs evidence.", aliases=("整改完成日期", "销号日期")
            ),
            _text("owner", "责任单位", "Office answerable for rectification."),
            _text("evidence", "整改证据", "Reference of the evidence file."),
        ),
        ("problem_id",),
        orders=(Order("found_on", "due_on"), Order("found_on", "closed_on")),
        references=(_TO_UNIT, _TO_PROJECT),
    ),
    Table(
        "disputes",
        "矛盾纠纷",
        "One row per incident; it describes an incident, never a person.",
        "casework",
        (
            _ref("dispute_id", "矛盾编号", "Dispute.", aliases=("编号", "纠纷编号")),
            _unit_code(),
            _word("category", DisputeCategory, "矛盾类别", "Incident category of the work plan."),
            _date("opened_on", "发生日期", "Date recorded.", required=True, aliases=("受理日期",)),
            _date("resolved_on", "化解日期", "Date resolved; empty while open."),
            Column("is_group", "boolean", "群体性", note="Whether it grew into a group incident."),
            _count("people_involved", "涉及人数", "人", "Rough number of people involved."),
            Column(
                "has_leader",
                "boolean",
                "包干领导",
                note="Whether an official has been named to answer for it.",
            ),
            _date("stabilisation_plan_on", "稳控预案日期", "Date of the stabilisation plan."),
            _date("resolution_plan_on", "化解方案日期", "Date of the resolution plan."),
        ),
        ("dispute_id",),
        orders=(Order("opened_on", "resolved_on"),),
        references=(_TO_UNIT,),
    ),
    Table(
        "unit_plans",
        "一村一策",
        "One row per unit: the official who answers for it and its two plans.",
        "casework",
        (
            _unit_code(),
            _text("leader", "包干领导", "Post of the official who answers for the unit; never a name."),
            _date("leader_on", "包干日期", "Date from which the official answers for it."),
            _date("stabilisation_plan_on", "稳控预案日期", "Date of the stabilisation plan."),
            _date("resolution_plan_on", "化解方案日期", "Date of the resolution plan."),
        ),
        ("unit_code",),
        references=(_TO_UNIT,),
    ),
    Table(
        "screenings",
        "矛盾摸排",
        "One row per conflict screening of a unit.",
        "casework",
        (
            _ref("screening_id", "摸排编号", "Screening."),
            _unit_code(),
            _date("screened_on", "摸排日期", "Date of the screening.", required=True),
            _word("method", ScreeningMethod, "摸排方式", "How it was made."),
            Column("led_by_secretary", "boolean", "书记带队", note="Whether the Party secretary led it."),
            _count("households_visited", "走访户数", "户", "Households visited."),
        ),
        ("screening_id",),
        references=(_TO_UNIT,),
    ),
    Table(
        "talks",
        "谈心谈话",
        "One row per unit, date and kind of person talked with; completion only, never content.",
        "casework",
        (
            _unit_code(),
            _AS_OF,
            _word("target", TalkTarget, "谈话对象", "Whom talks are due with."),
            _count("due", "应谈人数", "人", "Talks due.", required=True),
            _count("done", "已谈人数", "人", "Talks held.", required=True),
        ),
        ("unit_code", "as_of", "target"),
        orders=(Order("done", "due"),),
        references=(_TO_UNIT,),
    ),
    Table(
        "leavers",
        "离任人员安置",
        "One row per committee member who leaves.",
        "casework",
        (
            _PERSON,
            _unit_code(),
            _date("left_on", "离任日期", "Date of leaving."),
            _text("arrangement", "安置方式", "Honorary post, business support or care grant."),
            _date("arranged_on", "安置日期", "Date of the arrangement."),
        ),
        ("person_ref",),
        references=(_TO_UNIT,),
        personal=True,
    ),
    Table(
        "reviews",
        "资格联审",
        "One row per candidate and department.",
        "casework",
        (
            _ref("candidate_ref", "人选代号", "Keyed pseudonym of the candidate."),
            _unit_code(),
            _text("department", "联审部门", "Department that gives the opinion.", required=True),
            _word("opinion", ReviewOpinion, "联审意见", "Opinion of the department."),
            _date("given_on", "出具日期", "Date of the opinion."),
            _date("expires_on", "有效期至", "Last day on which the opinion may be relied on."),
        ),
        ("candidate_ref", "department"),
        orders=(Order("given_on", "expires_on"),),
        references=(_TO_UNIT,),
        personal=True,
    ),
    Table(
        "roll_checks",
        "选民登记核对",
        "One row per unit, date and age band: residents against the voter roll.",
        "risk",
        (
            _unit_code(),
            _AS_OF,
            _word("cohort", RollCohort, "年龄段", "Age band on election day."),
            _count(
                "hukou_adults", "户籍人口", "人", "Adults registered as household members.", required=True
            ),
            _count("away_declined", "外出未参加", "人", "Of these, living elsewhere and not taking part."),
            _count("nonlocal_approved", "外来获准", "人", "Non-local residents admitted after application."),
            _count("disqualified", "被剥夺政治权利", "人", "Adults deprived of political rights."),
            _count("registered", "选民册人数", "人", "Electors on the roll.", required=True),
            _count("duplicates", "重复登记", "人", "Electors who also stand on another roll."),
        ),
        ("unit_code", "as_of", "cohort"),
        references=(_TO_UNIT,),
    ),
    Table(
        "leads",
        "线索举报",
        "One row per unit, day and kind: number of leads, never the reporter.",
        "risk",
        (
            _unit_code(),
            _date("received_on", "受理日期", "Day of receipt.", required=True),
            _word("kind", LeadKind, "线索类别", "What the lead is about."),
            _count("count", "件数", "件", "Leads received.", required=True),
        ),
        ("unit_code", "received_on", "kind"),
        references=(_TO_UNIT,),
    ),
    Table(
        "election_history",
        "往届选举",
        "One row per unit and term.",
        "risk",
        (
            _unit_code(),
            Column(
                "term",
                "integer",
                "届次",
                "年",
                "Year of the election.",
                required=True,
                minimum=1949,
                maximum=2100,
            ),
            _date("election_on", "选举日", "Polling day.", required=True),
            _count("electors", "登记选民", "人", "Registered electors.", required=True),
            _count("ballots", "收回选票", "张", "Ballots returned."),
            _count("invalid_ballots", "无效票", "张", "Invalid ballots."),
            _count("proxy_ballots", "委托投票", "张", "Ballots cast by proxy."),
            _count("candidates", "正式候选人", "人", "Candidates for director."),
            _count("winner_votes", "当选人得票", "票", "Votes of the elected director."),
            _count("runner_up_votes", "次高得票", "票", "Votes of the runner-up."),
            Column("rerun", "boolean", "另行选举", note="Whether the election had to be repeated."),
            Column("incident", "boolean", "发生事件", note="Whether an incident was recorded."),
        ),
        ("unit_code", "term"),
        orders=(
            Order("ballots", "electors"),
            Order("invalid_ballots", "ballots"),
            Order("proxy_ballots", "ballots"),
            Order("runner_up_votes", "winner_votes"),
        ),
        references=(_TO_UNIT,),
    ),
    Table(
        "outcomes",
        "选情结果",
        "One row per unit and term: whether a labelled incident happened; for validation only.",
        "validation",
        (
            _unit_code(),
            Column(
                "term",
                "integer",
                "届次",
                "年",
                "Year of the election.",
                required=True,
                minimum=1949,
                maximum=2100,
            ),
            Column(
                "outcome",
                "boolean",
                "是否出险",
                note="Whether any labelled incident happened.",
                required=True,
            ),
            _text("kind", "出险类型", "Kind of incident; empty where none."),
            _date("observed_on", "认定日期", "Date established."),
        ),
        ("unit_code", "term"),
        references=(_TO_UNIT,),
    ),
    Table(
        "people",
        "后备人才",
        "One row per person in the reserve, under a keyed pseudonym.",
        "talent",
        (
            _PERSON,
            _unit_code(required=False),
            _word("channel", PersonChannel, "入库渠道", "How the person came into the reserve."),
            _word("source", PersonSource, "来源类别", "Background the person comes from."),
            Column("birth_year", "integer", "出生年份", "年", "Year of birth.", minimum=1920, maximum=2015),
            _word("education", Education, "学历", "Education.", required=False),
            _word("affiliation", PoliticalAffiliation, "政治面貌", "Political affiliation.", required=False),
            _word("status", PersonStatus, "培养状态", "State in the reserve."),
            _date("registered_on", "入库日期", "Date of registration.", required=True),
            _date("updated_on", "更新日期", "Date of the last update."),
        ),
        ("person_ref",),
        orders=(Order("registered_on", "updated_on"),),
        references=(_TO_UNIT,),
        personal=True,
    ),
    Table(
        "people_protected",
        "受保护属性",
        "Protected attributes, read only by the composition step and never by a score.",
        "talent",
        (
            _PERSON,
            _word("sex", Sex, "性别", "Sex, for statutory composition only."),
            Column(
                "is_minority",
                "boolean",
                "少数民族",
                note="Ethnic minority member, for statutory composition only.",
            ),
        ),
        ("person_ref",),
        references=(_TO_PERSON,),
        personal=True,
    ),
    Table(
        "identities",
        "身份信息",
        "Name and ID number behind a pseudonym, sealed; opened only with the key of the organisation office.",
        "identity",
        (
            _PERSON,
            _text("name_sealed", "姓名密文", "Sealed name.", required=True),
            _text("id_sealed", "证件号密文", "Sealed ID number.", required=True),
        ),
        ("person_ref",),
        references=(_TO_PERSON,),
        personal=True,
    ),
    Table(
        "kinships",
        "近亲属申报",
        "One row per declared pair of close kin; read only for kin avoidance within a committee.",
        "talent",
        (
            _PERSON,
            _ref("other_ref", "亲属代号", "Keyed pseudonym of the kin: in the reserve or on a committee."),
            _word("relation", Relation, "关系", "How they are related."),
        ),
        ("person_ref", "other_ref"),
        references=(_TO_PERSON,),
        personal=True,
    ),
    Table(
        "vettings",
        "后备审核",
        "One row per person, department and opinion; the last one given counts.",
        "talent",
        (
            _PERSON,
            _text("department", "审核部门", "Department that gives the opinion.", required=True),
            _word("opinion", ReviewOpinion, "审核意见", "Opinion of the department."),
            _word("ground", VettingGround, "不同意事由", "Ground of an adverse opinion.", required=False),
            _date("ended_on", "事由截止", "Day from which the years of a look-back count."),
            _date("given_on", "出具日期", "Date of the opinion.", required=True),
            _date("expires_on", "有效期至", "Last day on which the opinion may be relied on."),
            _text("document", "依据材料", "Reference of the document that the opinion rests on."),
        ),
        ("person_ref", "department", "given_on"),
        orders=(Order("given_on", "expires_on"),),
        references=(_TO_PERSON,),
        personal=True,
    ),
    Table(
        "evidence",
        "实绩证据",
        "One row per dated item of evidence on a person.",
        "talent",
        (
            _ref("evidence_id", "证据编号", "Evidence item."),
            _PERSON,
            _word("aspect", PortraitAspect, "画像要素", "Aspect of the portrait that it speaks to."),
            _word("kind", EvidenceKind, "证据类别", "What the evidence is."),
            Column(
                "year",
                "integer",
                "评价年度",
                "年",
                "Year that it speaks of; one item a person, aspect, kind and year.",
                required=True,
                minimum=2000,
                maximum=2100,
            ),
            Column(
                "rating", "number", "评分", "分", "Rating of the item.", required=True, minimum=0, maximum=100
            ),
            _date("dated_on", "证据日期", "Date of the evidence.", required=True),
            _text("document", "证明材料", "Reference of the document."),
        ),
        ("person_ref", "aspect", "kind", "year"),
        references=(_TO_PERSON,),
        personal=True,
    ),
    Table(
        "assessments",
        "准岗考察",
        "One row per rating in quasi-post assessment.",
        "talent",
        (
            _ref("assessment_id", "考察编号", "Assessment."),
            _PERSON,
            _ref("group_ref", "考察组", "Group that is assessed together."),
            _ref("rater_ref", "评价人代号", "Keyed pseudonym of the rater."),
            _ref(
                "household_ref",
                "评价人户代号",
                "Keyed pseudonym of the rater's household, so that none outweighs others.",
                required=False,
            ),
            Column(
                "is_kin",
                "boolean",
                "是否近亲属",
                note="Whether the rater is close kin of the person; such a rating is left out.",
                required=True,
            ),
            Column(
                "online",
                "boolean",
                "线上评估",
                note="Online rating (true) or offline assessment (false).",
                required=True,
            ),
            Column("rating", "number", "评分", "分", "Rating.", required=True, minimum=0, maximum=100),
            _date("rated_on", "评价日期", "Date of the rating.", required=True),
        ),
        ("assessment_id",),
        references=(_TO_PERSON,),
        personal=True,
    ),
    Table(
        "plans",
        "培养计划",
        "One row per step of a cultivation plan.",
        "talent",
        (
            _ref("plan_id", "计划编号", "Plan step."),
            _PERSON,
            _word("step", CultivationStep, "培养方式", "Kind of step."),
            _word("aspect", PortraitAspect, "培养要素", "Aspect of the portrait that it is meant to raise."),
            _ref("mentor_ref", "导师代号", "Keyed pseudonym of the mentor.", required=False),
            _date("start_on", "开始日期", "First day.", required=True),
            _date("due_on", "计划完成", "Date due."),
            _date("done_on", "实际完成", "Date completed."),
            Column("result", "number", "完成评价", "分", "Rating at completion.", minimum=0, maximum=100),
        ),
        ("plan_id",),
        orders=(Order("start_on", "due_on"), Order("start_on", "done_on")),
        references=(_TO_PERSON,),
        personal=True,
    ),
    Table(
        "posts",
        "岗位",
        "One row per unit and post, with seats.",
        "talent",
        (
            _unit_code(),
            _word("post", PostKind, "职务", "Post."),
            Column("seats", "integer", "职数", "个", "Seats.", required=True, minimum=1, maximum=20),
            _text("profile", "岗位画像", "Post profile in the rule pack."),
        ),
        ("unit_code", "post"),
        references=(_TO_UNIT,),
    ),
    Table(
        "cases",
        "预警案件",
        "One row per case; derived from its events.",
        "casework",
        (
            _ref("case_id", "案件编号", "Case."),
            _unit_code(),
            _word("kind", CaseKind, "预警类型", "What opened it."),
            _text("title", "案件名称", "What is wrong, in a few words.", required=True),
            _text("cause", "预警事由", "Cause; no two open cases share one.", required=True),
            _word("state", CaseState, "状态", "State in the loop."),
            _text("owner", "责任单位", "Office answerable."),
            _date("opened_on", "预警日期", "Date opened.", required=True),
            _date("due_on", "整改期限", "Date due."),
            _date("closed_on", "销号日期", "Date closed."),
        ),
        ("case_id",),
        orders=(Order("opened_on", "closed_on"),),
        references=(_TO_UNIT,),
    ),
    Table(
        "case_events",
        "案件事件",
        "Append-only log; each event carries the hash of the one before.",
        "casework",
        (
            _ref("event_id", "事件编号", "Client-made unique id; a retry is ignored."),
            _ref("case_id", "案件编号", "Case."),
            _count("sequence", "序号", "", "Order of events; never the time.", required=True),
            _count("version", "版本", "", "Number of the event within its case, from 1.", required=True),
            _word("event", CaseEvent, "事件", "What happened."),
            _text("actor", "操作账号", "Office account.", required=True),
            _text("office", "操作单位", "Office the account acts for.", required=True),
            _word("role", Role, "角色", "Role of the account."),
            _date("happened_on", "发生日期", "Date as stated by the actor.", required=True),
            _text("recorded_at", "登记时间", "UTC clock of the writer; orders nothing.", required=True),
            _text("payload", "内容", "Canonical JSON of the event."),
            _text("previous_hash", "前一事件哈希", "SHA-256 of the event before.", required=True),
            _text("hash", "哈希", "SHA-256 of this event.", required=True),
        ),
        ("event_id",),
        references=(Reference("case_id", "cases", "case_id"),),
    ),
    Table(
        "runs",
        "已发布评估",
        "One row per published run.",
        "operations",
        (
            _ref("run_id", "评估编号", "Run."),
            _AS_OF,
            _text("parameter_version", "参数版本", "Version of the parameters.", required=True),
            _text("manifest_digest", "清单摘要", "SHA-256 of the manifest.", required=True),
            _text("published_by", "发布账号", "Office account."),
        ),
        ("run_id",),
    ),
    Table(
        "access_log",
        "查阅日志",
        "Append-only log of what was done with the data of people; holds no name and no number.",
        "operations",
        (
            _ref("entry_id", "日志编号", "Entry."),
            _count("number", "序号", "", "Order of entries; never the time.", required=True),
            _word("action", AccessAction, "操作", "What was done."),
            _text("purpose", "用途", "Purpose of the data.", required=True),
            _text("subject", "对象", "Pseudonym of the person, or table, screen or file.", required=True),
            _text("detail", "内容", "What of it, in words of the program."),
            _text("digest", "摘要", "SHA-256 of the file handed out or of the manifest opened."),
            _count("items", "数量", "", "Number of rows or files.", required=True),
            _text("reason", "事由", "Why; required for what is done to the data of single people."),
            _text("account", "操作账号", "Office account.", required=True),
            _text("office", "操作单位", "Office the account acts for.", required=True),
            _word("role", Role, "角色", "Role of the account."),
            _text("recorded_at", "登记时间", "UTC clock of the writer; orders nothing.", required=True),
            _text("previous_hash", "前一条哈希", "SHA-256 of the entry before.", required=True),
            _text("hash", "哈希", "SHA-256 of this entry.", required=True),
        ),
        ("entry_id",),
    ),
)

TABLES: Mapping[str, Table] = {t.name: t for t in _TABLES}


def table(name: str) -> Table:
    """Return the contract of a table.

    Raises
    ------
    KeyError
        If there is no such table.

    Examples
    --------
    >>> table("facts").key
    ('unit_code', 'as_of', 'metric')
    >>> table("units").column("unit_code").required
    True
    """
    return TABLES[name]


def _stream(name: str, label: str, note: str, happened: str, kinds: type[Word], *more: Column) -> Table:
    """Return the contract of an event stream: an id, a unit, a moment, a kind, and when it was recorded."""
    return Table(
        name,
        label,
        note,
        "risk",
        (
            _ref(
                "event_id", "事件编号", "Id that the source system gave; every edition of an event bears it."
            ),
            _unit_code(),
            Column(
                "happened_at",
                "moment",
                happened,
                note="When it happened; decides day and month.",
                required=True,
            ),
            _word("kind", kinds, "类别", "What happened."),
            *more,
            Column(
                "recorded_at",
                "moment",
                "登记时间",
                note="When the source system wrote this edition; the latest edition of an event counts.",
                required=True,
            ),
        ),
        ("event_id", "recorded_at"),
        orders=(
            Order("happened_at", "recorded_at"),
            *(Order("happened_at", c.name) for c in more if c.kind == "moment"),
        ),
        references=(_TO_UNIT,),
    )


EVENT_STREAMS: Mapping[str, Table] = {
    stream.name: stream
    for stream in (
        _stream(
            "petition_events",
            "信访事项",
            "One row per petition and edition; never who brought it.",
            "受理时间",
            PetitionKind,
            Column(
                "backlog_at",
                "moment",
                "列为积案时间",
                note="When it was listed as a case long pending; empty where it never was.",
            ),
            Column("closed_at", "moment", "办结时间", note="When it was closed; empty while pending."),
        ),
        _stream(
            "hotline_events",
            "12345热线工单",
            "One row per work order of the hotline and edition; never who called.",
            "来电时间",
            HotlineKind,
            _ref("petition_id", "转办信访编号", "Petition that it was handed over as.", required=False),
        ),
        _stream(
            "lead_events",
            "线索举报",
            "One row per lead and edition; never the reporter.",
            "受理时间",
            LeadKind,
        ),
        _stream(
            "roll_events",
            "选民登记变动",
            "One row per change of a unit's voter roll and edition: how many electors, never which.",
            "变动时间",
            RollChange,
            Column(
                "electors", "integer", "选民人数", "人", "Electors.", required=True, minimum=0, maximum=60_000
            ),
        ),
    )
}
"""Streams of single events, which become ``facts`` and ``leads``; no data folder holds them."""

RETURN_SHEETS: Mapping[str, tuple[str, ...]] = {
    "基本情况": ("facts",),
    "审计台账": ("audit_projects", "audit_items"),
    "审计对象": ("audit_subjects",),
    "审计公示": ("audit_notices",),
    "审计问题": ("audit_problems",),
    "矛盾纠纷": ("disputes",),
    "矛盾摸排": ("screenings",),
    "资格联审": ("reviews",),
    "谈心谈话": ("talks",),
    "选民登记核对": ("roll_checks",),
}
"""Sheets of a township's return workbook, and the tables each becomes; ``facts`` with one column a metric."""

RETURN_GROUPS: Mapping[str, str] = {
    "人口结构": "人口情况",
    "党员分布": "党员情况",
    "经济状况": "经济情况",
    "信访数据": "信访情况",
    "班子建设": "班子情况",
    "人选储备": "人选储备",
}
"""Heading above the metrics of a family in the sheet 基本情况; other families stand under their own name."""

LEDGER_TABLES: tuple[str, ...] = (
    "alerts",
    "alerts_left_out",
    "rectifiable",
    "amendments",
    "unplaced",
    "regained",
    "regained_units",
    "audit_units",
    "audit_coverage",
    "audit_items",
    "audit_notices",
    "audit_problems",
    "handover",
    "conflict_units",
    "conflict_coverage",
    "disputes",
)
"""Ledgers that every role of casework may read."""

RESTRICTED_LEDGERS: tuple[str, ...] = ("audit_members", "talks", "leavers", "restricted_alerts")
"""Ledgers by person, of talks, and alerts from leads, for roles that may see them."""
