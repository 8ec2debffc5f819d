"""Reads packs and refuses faulty ones with every fault of every file."""

from __future__ import annotations

from collections.abc import Hashable
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from huanjie_lib.errors import Fault, ParameterError
from huanjie_lib.parameters.casework import CaseworkPack, casework_faults
from huanjie_lib.parameters.checks import GATE_CHECKS, SIGNAL_CHECKS, GatePack, SignalPack, check_faults
from huanjie_lib.parameters.fields import Model
from huanjie_lib.parameters.framework import Classification, Framework, UncertaintyPack, framework_faults
from huanjie_lib.parameters.parameter_set import ParameterSet
from huanjie_lib.parameters.privacy import PrivacyPack, term_faults
from huanjie_lib.parameters.remedies import MeasureLibrary, library_faults
from huanjie_lib.parameters.rules import Rule, RulePack, person_rule_faults, rule_faults
from huanjie_lib.parameters.talent import TalentPack, talent_faults

__all__ = ["UniqueKeyLoader", "available_regions", "load_parameters", "load_privacy", "pydantic_fault"]


_M = TypeVar("_M", bound=Model)


class UniqueKeyLoader(yaml.CSafeLoader):
    """YAML loader that refuses a key written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return a mapping whose keys all differ."""
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"键 {key} 重复", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _packs() -> Path:
    return Path(str(resources.files("huanjie_lib") / "packs"))


def available_regions() -> tuple[str, ...]:
    """Return the regions for which a rule pack ships with the package.

    Examples
    --------
    >>> available_regions()
    ('national', 'zhejiang')
    """
    return tuple(sorted(p.stem for p in (_packs() / "rules").glob("*.yaml")))


def load_parameters(pack: Path | None = None, *, region: str = "national") -> ParameterSet:
    """Read and check a pack folder and a region's rules.

    Parameters
    ----------
    pack
        Folder with ``framework.yaml``, ``classification.yaml`` and, optionally, ``gates.yaml``,
        ``uncertainty.yaml``, ``measures.yaml``, ``signals.yaml``, ``casework.yaml``, ``talent.yaml`` and
        ``rules/*.yaml``; the package's own when omitted.
    region
        Region whose rules apply; looked up in ``pack/rules`` first, then among the shipped rule packs.

    Returns
    -------
    ParameterSet

    Raises
    ------
    ParameterError
        If a file is missing, is not YAML, or has any fault; every fault of every file is listed.

    Examples
    --------
    >>> parameters = load_parameters(region="zhejiang")
    >>> [d.label for d in parameters.framework.dimensions]
    ['财务审计', '资格联审', '选情评估', '班子运行', '矛盾信访', '人选储备', '程序合规']
    >>> load_parameters(region="atlantis")
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.ParameterError: 参数包被拒绝（共 1 处问题）
      1. 规则包：发现“atlantis”；应为：national、zhejiang；...
    """
    folder = pack if pack is not None else _packs() / "default"
    faults: list[Fault] = []
    if not folder.is_dir():
        raise ParameterError(
            "参数包被拒绝", [Fault("参数包", str(folder), "一个文件夹", "检查 --pack 后面的路径")]
        )
    framework = _read(folder / "framework.yaml", Framework, faults)
    classification = _read(folder / "classification.yaml", Classification, faults)
    gates = _read_optional(folder / "gates.yaml", GatePack, faults)
    uncertainty = _read_optional(folder / "uncertainty.yaml", UncertaintyPack, faults)
    measures = _read_optional(folder / "measures.yaml", MeasureLibrary, faults)
    signals = _read_optional(folder / "signals.yaml", SignalPack, faults)
    casework = _read_optional(folder / "casework.yaml", CaseworkPack, faults)
    talent = _read_optional(folder / "talent.yaml", TalentPack, faults)
    rules = _read_rules(folder, region, faults)
    if framework is not None:
        faults += framework_faults(framework)
    if classification is not None and classification.yellow_from >= classification.green_from:
        faults.append(
            Fault(
                "classification.yaml：yellow_from",
                f"{classification.yellow_from:g}",
                f"小于 green_from（{classification.green_from:g}）的数",
                "调整两个分界线",
            )
        )
    if gates is not None:
        faults += check_faults("gates", gates.gates, GATE_CHECKS)
    if signals is not None:
        faults += check_faults("signals", signals.signals, SIGNAL_CHECKS)
    if rules is not None:
        faults += rule_faults(framework, gates, signals, rules)
    if casework is not None:
        faults += casework_faults(casework)
    if talent is not None:
        faults += talent_faults(talent, framework)
    if rules is not None:
        faults += person_rule_faults(rules, needed=talent is not None)
    if measures is not None and framework is not None:
        faults += library_faults(measures, framework, gates)
    if faults or framework is None or classification is None or rules is None:
        raise ParameterError("参数包被拒绝", faults)
    return ParameterSet(
        framework=framework,
        classification=classification,
        gates=gates,
        rules=tuple(rules),
        region=region,
        uncertainty=uncertainty,
        measures=measures,
        signals=signals,
        casework=casework,
        talent=talent,
    )


def load_privacy(pack: Path | None = None) -> PrivacyPack:
    """Read and check how long data of people are kept.

    Parameters
    ----------
    pack
        Folder with ``privacy.yaml``; the package's own where it has none.

    Raises
    ------
    ParameterError
        If the file has any fault: every one is listed.

    Examples
    --------
    >>> load_privacy().request_workdays
    15
    """
    own = _packs() / "default" / "privacy.yaml"
    path = own if pack is None or not (pack / own.name).exists() else pack / own.name
    faults: list[Fault] = []
    read = _read(path, PrivacyPack, faults)
    if read is not None:
        faults += term_faults(read)
    if faults or read is None:
        raise ParameterError("参数包被拒绝", faults)
    return read


def _read_optional(path: Path, model: type[_M], faults: list[Fault]) -> _M | None:
    return _read(path, model, faults) if path.exists() else None


def _read(path: Path, model: type[_M], faults: list[Fault]) -> _M | None:
    name = path.name
    if not path.exists():
        faults.append(Fault(name, "没有这个文件", "参数文件", f"在参数包中放入 {name}"))
        return None
    try:
        data = yaml.load(path.read_bytes(), Loader=UniqueKeyLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = name if mark is None else f"{name}：第 {mark.line + 1} 行第 {mark.column + 1} 列"
        faults.append(Fault(where, " ".join(str(error).split()), "UTF-8 编码的 YAML", "改正该处的书写"))
        return None
    if not isinstance(data, dict):
        faults.append(Fault(name, type(data).__name__, "键和值组成的 YAML 文件", "参照默认参数包书写"))
        return None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults += [pydantic_fault(name, detail) for detail in error.errors()]
        return None


_KINDS = {
    "missing": ("缺少此项", "必填项", "补充此项"),
    "extra_forbidden": (None, "参数包定义的键", "删除此项或改正键名"),
}

_ALLOWED = {
    "bool_type": "true 或 false",
    "date_from_datetime_parsing": "日期，如 2026-01-01",
    "date_type": "日期，如 2026-01-01",
    "dict_type": "键和值",
    "finite_number": "有限的数",
    "float_parsing": "数",
    "float_type": "数",
    "greater_than": "大于 {gt:g} 的数",
    "greater_than_equal": "不小于 {ge:g} 的数",
    "int_type": "整数",
    "is_instance_of": "村、社区",
    "less_than": "小于 {lt:g} 的数",
    "less_than_equal": "不大于 {le:g} 的数",
    "literal_error": "{expected}",
    "model_type": "键和值",
    "string_pattern_mismatch": "小写字母开头，只含小写字母、数字和下划线",
    "string_type": "文字（数字和日期要加引号）",
    "too_long": "至多 {max_length} 项",
    "too_short": "至少 {min_length} 项",
    "tuple_type": "列表",
    "union_tag_invalid": "kind 为 {expected_tags}",
    "union_tag_not_found": "写明 kind",
}
"""What may stand in the place of a fault that pydantic finds, by its type."""


def pydantic_fault(name: str, detail: Any) -> Fault:
    """Return what pydantic found in a YAML file, in Chinese, with the path of the key."""
    path = ""
    for part in detail["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    expected = _ALLOWED.get(detail["type"], "参数包规定的写法").format(**detail.get("ctx", {}))
    expected = expected.replace(" or ", "、")
    found, allowed, remedy = _KINDS.get(detail["type"], (None, expected, "改为允许的值"))
    shown = found if found is not None else str(detail["input"])[:80]
    return Fault(f"{name}：{path}", shown, allowed, remedy)


def _read_rules(folder: Path, region: str, faults: list[Fault]) -> list[Rule] | None:
    chain: list[RulePack] = []
    wanted: str | None = region
    while wanted is not None:
        if wanted in {p.region for p in chain}:
            faults.append(Fault("规则包", f"extends: {wanted}", "不循环的 extends", "改正 extends"))
            return None
        candidates = (folder / "rules" / f"{wanted}.yaml", _packs() / "rules" / f"{wanted}.yaml")
        path = next((c for c in candidates if c.exists()), None)
        if path is None:
            faults.append(
                Fault(
                    "规则包",
                    wanted,
                    "、".join(available_regions()),
                    "选用已有的地区，或在参数包的 rules 文件夹中添加该地区的规则文件",
                )
            )
            return None
        pack = _read(path, RulePack, faults)
        if pack is None:
            return None
        if pack.region != wanted:
            faults.append(Fault(f"{path.name}：region", pack.region, wanted, "改为与文件名相同的地区"))
            return None
        chain.append(pack)
        wanted = pack.extends
    return [rule for pack in reversed(chain) for rule in pack.rules]
