"""Closed vocabularies: every coded word the tables, rules and screens may use.

Each enum member carries the value stored in tables (``value``) and the Chinese label shown on screens and
in files (``label``). Codes that a national standard fixes keep the standard's code as their value.

Sources: statistical division codes and urban-rural classification, National Bureau of Statistics; sex,
GB/T 2261.1; education, GB/T 4658; political affiliation, GB/T 4762; dimensions of the election index, the
three named in the city's work plan plus four modelled on published municipal practice (see
``docs/method.md``).
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Final, Self

__all__ = [
    "ADVICE",
    "AccessAction",
    "AuditItem",
    "AuditOutcome",
    "AuditType",
    "CaseEvent",
    "CaseKind",
    "CaseState",
    "CrosswalkKind",
    "CultivationStep",
    "DecisionChoice",
    "DisputeCategory",
    "Education",
    "EvidenceKind",
    "GateStatus",
    "HotlineKind",
    "LeadKind",
    "Level",
    "PersonChannel",
    "PersonSource",
    "PersonStatus",
    "PetitionKind",
    "PoliticalAffiliation",
    "PortraitAspect",
    "PortraitDimension",
    "PostKind",
    "Relation",
    "RequestKind",
    "RequestResult",
    "RequestStep",
    "ReviewOpinion",
    "Role",
    "RollChange",
    "RollCohort",
    "ScreeningMethod",
    "Severity",
    "Sex",
    "SignalStatus",
    "TalkTarget",
    "Topic",
    "UnitKind",
    "UrbanRural",
    "ValueStatus",
    "VettingGround",
    "VoterMode",
    "Word",
    "date_text",
    "share_text",
]


class Word(StrEnum):
    """Base of all vocabularies: a stored value with a Chinese label.

    Examples
    --------
    >>> Level.RED.value, Level.RED.label
    ('red', '红色')
    >>> Level.from_text("红色") is Level.RED
    True
    >>> Level.from_text("purple") is None
    True
    """

    label: str
    aliases: tuple[str, ...]

    def __new__(cls, value: str, label: str, *aliases: str) -> Self:
        """Create a member from its stored value, its Chinese label and accepted aliases."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        member.aliases = aliases
        return member

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """Return the member whose value, label or alias is ``text``, or ``None`` when there is none."""
        return cls.lookup().get(text.strip())

    @classmethod
    def lookup(cls) -> dict[str, Self]:
        """Return every accepted spelling (value, label, aliases) with its member."""
        table: dict[str, Self] = {}
        for member in cls:
            for spelling in (member.value, member.label, *member.aliases):
                table[spelling] = member
        return table

    @classmethod
    def labels(cls) -> dict[str, str]:
        """Return stored value → Chinese label, in declaration order."""
        return {member.value: member.label for member in cls}


class Level(Word):
    """Colour of a unit. The palette stays apart for colour-blind readers and in greyscale print."""

    GREEN = "green", "绿色", "绿"
    YELLOW = "yellow", "黄色", "黄"
    RED = "red", "红色", "红"
    UNKNOWN = "unknown", "无数据", "未评"

    @property
    def mark(self) -> str:
        """One Chinese character printed beside the colour, so that colour never stands alone."""
        return {"green": "绿", "yellow": "黄", "red": "红", "unknown": "无"}[self.value]

    @property
    def colour(self) -> str:
        """Fill colour as ``#rrggbb``; CIE lightness about 38 (red), 61 (green), 88 (yellow)."""
        return {"green": "#2ca58d", "yellow": "#fdd863", "red": "#b2182b", "unknown": "#e6e6e6"}[self.value]

    @property
    def code(self) -> int:
        """Small integer used where one byte stands for a colour: 0 unknown, 1 green, 2 yellow, 3 red."""
        return {"unknown": 0, "green": 1, "yellow": 2, "red": 3}[self.value]


class UnitKind(Word):
    """Kind of grass-roots unit."""

    VILLAGE = "village", "村", "行政村", "村委会", "村民委员会"
    COMMUNITY = "community", "社区", "居委会", "居民委员会", "居"


class VoterMode(Word):
    """How electors vote; a community chooses one of three (居民委员会组织法 art. 8, 1990/2018 numbering)."""

    VILLAGERS = "villagers", "村民直接选举"
    RESIDENTS = "residents", "全体居民选举"
    HOUSEHOLDS = "households", "户代表选举"
    DELEGATES = "delegates", "居民小组代表选举"


class UrbanRural(Word):
    """Urban-rural classification code of the statistical division."""

    URBAN_CORE = "111", "主城区"
    URBAN_FRINGE = "112", "城乡结合区"
    TOWN_CORE = "121", "镇中心区"
    TOWN_FRINGE = "122", "镇乡结合区"
    SPECIAL = "123", "特殊区域"
    RURAL_CENTRE = "210", "乡中心区"
    RURAL = "220", "村庄"


class GateStatus(Word):
    """Verdict of a gate. Unknown never counts as pass."""

    PASS = "pass", "通过"
    FAIL = "fail", "不通过"
    UNKNOWN = "unknown", "待核实"


class ValueStatus(Word):
    """What is known about one indicator of one unit."""

    OBSERVED = "observed", "已填报"
    STALE = "stale", "已过期"
    MISSING = "missing", "缺失"
    NOT_APPLICABLE = "not_applicable", "不适用"


class SignalStatus(Word):
    """Outcome of an anomaly check. A flag is a lead, never a verdict; unknown is never "nothing found"."""

    FLAGGED = "flagged", "有线索"
    CLEAR = "clear", "未见异常"
    UNKNOWN = "unknown", "待核实"


class Topic(Word):
    """What a sentence about a unit is about."""

    CERTAINTY = "certainty", "颜色把握"
    FLIP = "flip", "变色原因"
    CHANGE = "change", "较上次评估"
    TREND = "trend", "走势"
    CLUSTER = "cluster", "周边情况"
    REMEDY = "remedy", "转色路径"
    REGAINED = "regained", "整改成效"


class Severity(Word):
    """Seriousness of an audit problem."""

    MINOR = "minor", "一般", "一般问题"
    MAJOR = "major", "重大", "重大问题", "严重"


class AuditType(Word):
    """Type of economic-responsibility audit."""

    TERM = "term", "任期经济责任审计", "任期", "任中审计"
    LEAVING = "leaving", "离任经济责任审计", "离任", "离任审计"


class AuditItem(Word):
    """Items of the audit checklist: five for a village, three for a community (work plan, rows 4-5)."""

    FINANCES = "finances", "财务收支"
    ASSETS = "assets", "资产处置"
    DEBTS = "debts", "债权债务"
    PROJECTS = "projects", "工程项目"
    SUBSIDIES = "subsidies", "惠农惠民资金"
    OFFICE_FUNDS = "office_funds", "办公经费"
    SERVICE_FUNDS = "service_funds", "服务群众专项经费"
    EARMARKED_FUNDS = "earmarked_funds", "上级划拨专项资金"

    @classmethod
    def required(cls, kind: UnitKind) -> tuple[AuditItem, ...]:
        """Return the checklist of a unit kind."""
        if kind is UnitKind.VILLAGE:
            return (cls.FINANCES, cls.ASSETS, cls.DEBTS, cls.PROJECTS, cls.SUBSIDIES)
        return (cls.OFFICE_FUNDS, cls.SERVICE_FUNDS, cls.EARMARKED_FUNDS)


class AuditOutcome(Word):
    """Conclusion on one audit item or one audited member."""

    CLEAR = "clear", "清楚", "审计清楚", "无问题"
    UNCLEAR = "unclear", "不清楚", "审计不清楚", "有疑点"
    PENDING = "pending", "未完成", "审计中", "未审计"


class DisputeCategory(Word):
    """Incident categories of the work plan. They describe an incident, never a person."""

    PETITION_BACKLOG = "petition_backlog", "信访积案"
    LAND = "land", "征地拆迁"
    FINANCE = "finance", "财务纠纷"
    FACTION = "faction", "宗族派系"
    RELIGION = "religion", "宗教势力"
    CRIME = "crime", "黑恶势力", "涉黑涉恶"
    MERGER = "merger", "村庄合并"
    POLICY = "policy", "政策调整"
    CADRE = "cadre", "干部情绪"


class ReviewOpinion(Word):
    """Opinion of one department on one candidate in the joint qualification review."""

    FAVOURABLE = "favourable", "同意", "无意见", "合格"
    ADVERSE = "adverse", "不同意", "不合格"
    PENDING = "pending", "未反馈", "审查中"


class LeadKind(Word):
    """Kind of reported lead. A lead is a signal, never a verdict, and never names the reporter."""

    VOTE_BUYING = "vote_buying", "拉票贿选"
    INTIMIDATION = "intimidation", "威胁干扰"
    FORGERY = "forgery", "伪造选票"
    ROLL = "roll", "选民登记"
    OTHER = "other", "其他"


class PetitionKind(Word):
    """How a petition (信访事项) was brought."""

    INDIVIDUAL = "individual", "个访"
    GROUP = "group", "集体访"
    LETTER = "letter", "来信"
    ONLINE = "online", "网上信访", "网信"


class HotlineKind(Word):
    """What a work order of the 12345 hotline asks for."""

    COMPLAINT = "complaint", "投诉"
    REPORT = "report", "举报"
    REQUEST = "request", "求助"
    SUGGESTION = "suggestion", "建议"
    ENQUIRY = "enquiry", "咨询"


class RollChange(Word):
    """What happened to a voter roll."""

    OPENING = "opening", "建册"
    ADDED = "added", "增加"
    REMOVED = "removed", "减少"


class ScreeningMethod(Word):
    """How a conflict screening was made."""

    VISIT = "visit", "走访", "入户走访"
    MEETING = "meeting", "座谈"
    TALK = "talk", "谈话"


class TalkTarget(Word):
    """Whom a one-to-one talk is due with. Only completion is held, never its content."""

    LEAVER = "leaver", "离任人员"
    INTENDING = "intending", "有意参选人员"
    NOTABLE = "notable", "能人"


class RollCohort(Word):
    """Age band of a voter-roll check, in completed years on election day."""

    A18_24 = "18-24", "18-24岁"
    A25_34 = "25-34", "25-34岁"
    A35_44 = "35-44", "35-44岁"
    A45_59 = "45-59", "45-59岁"
    A60_74 = "60-74", "60-74岁"
    A75 = "75+", "75岁及以上"


class Sex(Word):
    """Sex, GB/T 2261.1. Held only for statutory composition checks, never an input of a score."""

    UNKNOWN = "0", "未知的性别"
    MALE = "1", "男", "男性"
    FEMALE = "2", "女", "女性"
    UNSTATED = "9", "未说明的性别"


class Education(Word):
    """Education, GB/T 4658 (two-digit codes in use for registers)."""

    DOCTOR = "11", "博士", "博士研究生"
    MASTER = "14", "硕士", "硕士研究生"
    BACHELOR = "21", "本科", "大学本科"
    COLLEGE = "31", "大专", "专科", "大学专科"
    SECONDARY_SPECIAL = "41", "中专", "中等专科"
    VOCATIONAL = "44", "职高", "职业高中"
    TECHNICAL = "47", "技校", "技工学校"
    SENIOR_HIGH = "61", "高中", "普通高中"
    JUNIOR_HIGH = "71", "初中"
    PRIMARY = "81", "小学"
    OTHER = "90", "其他"


class PoliticalAffiliation(Word):
    """Political affiliation, GB/T 4762."""

    PARTY_MEMBER = "01", "中共党员", "党员"
    PROBATIONARY = "02", "中共预备党员", "预备党员"
    LEAGUE = "03", "共青团员", "团员"
    RCCK = "04", "民革党员", "民革"
    CDL = "05", "民盟盟员", "民盟"
    CNDCA = "06", "民建会员", "民建"
    CAPD = "07", "民进会员", "民进"
    CPWDP = "08", "农工党党员", "农工党"
    CZGP = "09", "致公党党员", "致公党"
    JIUSAN = "10", "九三学社社员", "九三学社"
    TDSL = "11", "台盟盟员", "台盟"
    INDEPENDENT = "12", "无党派人士", "无党派"
    MASSES = "13", "群众"


class CrosswalkKind(Word):
    """How a division code changed."""

    MERGE = "merge", "合并"
    SPLIT = "split", "拆分"
    RENUMBER = "renumber", "变更代码"


class PostKind(Word):
    """Post on a committee."""

    SECRETARY = "secretary", "党组织书记", "书记"
    DIRECTOR = "director", "主任"
    DEPUTY = "deputy", "副主任", "副书记"
    MEMBER = "member", "委员"
    SUPERVISION = "supervision", "监委会成员", "监委会主任"


class CaseKind(Word):
    """What opens a case."""

    LEVEL = "level", "等级变化"
    GATE = "gate", "准入不通过"
    SIGNAL = "signal", "异常信号"
    PLAN = "plan", "红色村缺预案"
    PROBLEM = "problem", "审计问题"
    DISPUTE = "dispute", "矛盾纠纷"


class CaseState(Word):
    """State of a case in the closed loop (预警-派单-整改-复核-销号)."""

    ALERT = "alert", "预警"
    DISPATCHED = "dispatched", "已派单"
    RECTIFYING = "rectifying", "整改中"
    REVIEWING = "reviewing", "复核中"
    CLOSED = "closed", "已销号"
    CANCELLED = "cancelled", "已撤销"


class CaseEvent(Word):
    """Event in the life of a case."""

    OPEN = "open", "预警"
    DISPATCH = "dispatch", "派单"
    RECTIFY = "rectify", "整改"
    SUBMIT = "submit", "提交复核"
    RETURN = "return", "退回整改"
    CLOSE = "close", "销号"
    REOPEN = "reopen", "重新打开"
    CANCEL = "cancel", "撤销"


class Role(Word):
    """Office on whose behalf an account acts."""

    SYSTEM = "system", "系统"
    CITY = "city", "市换届办"
    COUNTY = "county", "县换届办"
    TOWNSHIP = "township", "镇街"
    AUDIT = "audit", "审计"
    REVIEW = "review", "联审"
    TALENT = "talent", "人才"
    READER = "reader", "只读"


class PersonChannel(Word):
    """How a person came into the reserve."""

    SELF = "self", "个人自荐"
    MASSES = "masses", "党员群众推荐"
    ORGANISATION = "organisation", "组织发现"


class PersonSource(Word):
    """Background a reserve person comes from."""

    GRADUATE = "graduate", "大学毕业生"
    VETERAN = "veteran", "退役军人"
    RETURNEE = "returnee", "返乡人员"
    ENTREPRENEUR = "entrepreneur", "致富能手"
    COOPERATIVE = "cooperative", "合作组织负责人"
    INCUMBENT = "incumbent", "现任干部"
    OTHER = "other", "其他"


class PersonStatus(Word):
    """State of a person in the reserve (选-育-管-用)."""

    SELECTED = "selected", "已入库"
    CULTIVATING = "cultivating", "培养中"
    TRIAL = "trial", "准岗"
    APPOINTED = "appointed", "已使用"
    LEFT = "left", "已出库"


class PortraitDimension(Word):
    """Portrait dimensions of the work plan."""

    EXPERTISE = "expertise", "专业特长"
    ACHIEVEMENT = "achievement", "工作实绩"
    REPUTATION = "reputation", "群众口碑"
    POTENTIAL = "potential", "发展潜能"


class PortraitAspect(Word):
    """What a portrait rates, each an aspect of one dimension.

    The abilities of the first dimension are those that the work plan names (法治思维、数字化手段、
    组织群众) and those that the seven dimensions of risk call for; ``trial`` is never typed in, it comes from
    quasi-post assessment.

    Examples
    --------
    >>> PortraitAspect.FINANCE.label, PortraitAspect.FINANCE.dimension.label
    ('财务管理', '专业特长')
    """

    FINANCE = "finance", "财务管理"
    LAW = "law", "法治思维"
    DIGITAL = "digital", "数字化手段"
    MEDIATION = "mediation", "矛盾调解"
    INDUSTRY = "industry", "产业发展"
    ORGANISING = "organising", "组织群众"
    PROJECT = "project", "项目建设"
    EMERGENCY = "emergency", "应急处置"
    ACHIEVEMENT = "achievement", "工作实绩"
    REPUTATION = "reputation", "群众口碑"
    POTENTIAL = "potential", "发展潜能"
    TRIAL = "trial", "准岗表现"

    @property
    def dimension(self) -> PortraitDimension:
        """The dimension of the work plan that the aspect belongs to; quasi-post results are achievements."""
        if self is PortraitAspect.TRIAL:
            return PortraitDimension.ACHIEVEMENT
        return PortraitDimension.lookup().get(self.value, PortraitDimension.EXPERTISE)


class EvidenceKind(Word):
    """What an item of evidence on a person is."""

    APPRAISAL = "appraisal", "年度考核"
    REVIEW = "review", "民主测评"
    RECORD = "record", "实绩材料"
    TRAINING = "training", "培训考核"


class VettingGround(Word):
    """Ground of an adverse opinion on a person; whether and how long it bars is a dated rule (``bar_…``)."""

    CRIMINAL = "criminal", "受过刑事处罚"
    BULLY = "bully", "村霸"
    GANG = "gang", "涉黑涉恶"
    CULT = "cult", "涉邪教"
    DISCIPLINE = "discipline", "党纪政务处分", "党纪处分", "政务处分"
    DISHONEST = "dishonest", "失信被执行人", "失信"
    ILLEGAL_BUILDING = "illegal_building", "违法建筑未整改", "未整改违建"
    BRIBERY = "bribery", "贿选或破坏选举", "拉票贿选"
    OTHER = "other", "其他"


class Relation(Word):
    """Close kin (近亲属) as declared, for kin avoidance within a committee only."""

    SPOUSE = "spouse", "配偶"
    PARENT = "parent", "父母子女"
    SIBLING = "sibling", "兄弟姐妹"
    GRANDPARENT = "grandparent", "祖孙"


class DecisionChoice(Word):
    """What somebody decides on a proposal of the matcher."""

    ACCEPT = "accept", "采纳"
    CHANGE = "change", "改选"
    REJECT = "reject", "不采纳"


class AccessAction(Word):
    """What of the data of people somebody did, as the access log tells it."""

    UNMASK = "unmask", "查看原文"
    OPEN = "open", "打开"
    EXPORT = "export", "导出"
    REQUEST = "request", "个人申请"
    DELETE = "delete", "到期删除"


class RequestKind(Word):
    """What a person asks of the data held about them (个人信息保护法 arts. 45-47)."""

    COPY = "copy", "查阅复制"
    CORRECT = "correct", "更正"
    DELETE = "delete", "删除"


class RequestStep(Word):
    """Step in the life of such a request."""

    RECEIVE = "receive", "收到申请"
    ANSWER = "answer", "答复"


class RequestResult(Word):
    """How such a request was answered."""

    DONE = "done", "已办理"
    PARTLY = "partly", "部分办理"
    REFUSED = "refused", "不予办理"


class CultivationStep(Word):
    """Kind of cultivation step."""

    AFFAIRS = "affairs", "村级事务"
    SHADOWING = "shadowing", "跟班学习"
    URGENT = "urgent", "急难险重"


ADVICE: Final = "仅供决策参考，由组织决定"
"""Said of whatever proposes people: on every page and file, and by every result."""


def date_text(date: dt.date) -> str:
    """Return a date as it is written in Chinese.

    Examples
    --------
    >>> date_text(dt.date(2026, 10, 31))
    '2026年10月31日'
    """
    return f"{date.year}年{date.month}月{date.day}日"


def share_text(chance: float) -> str:
    """Return a chance as a percentage that never rounds to none or all.

    Examples
    --------
    >>> share_text(0.714), share_text(0.004), share_text(0.998), share_text(1.0)
    ('71%', '不到1%', '超过99%', '100%')
    """
    if 0 < chance < 0.01:
        return "不到1%"
    if 0.99 < chance < 1:
        return "超过99%"
    return f"{chance:.0%}"
