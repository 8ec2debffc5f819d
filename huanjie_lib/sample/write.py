"""Writes a synthetic city as a data folder; equal cities give equal bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import pandas as pd

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.contracts import table
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.outputs import require_new_folder
from huanjie_lib.parameters import load_parameters
from huanjie_lib.sample.city import City
from huanjie_lib.sample.judgments import CONTRADICTORY, EXPERTS, make_judgments
from huanjie_lib.sample.names import RETURNS_COUNTY
from huanjie_lib.sample.register_forms import make_register_forms
from huanjie_lib.sample.returns import PAPER_TABLES, make_returns
from huanjie_lib.sample.streams import Streams

__all__ = ["LICENCE", "write_city"]

LICENCE = "CC0-1.0"
_LEVEL = 15


def write_city(
    city: City,
    out: Path,
    *,
    returns_county: str | None = RETURNS_COUNTY,
    truth: Path | None = None,
    key: Path | None = None,
) -> list[Path]:
    """Write a city as a data folder, as described in ``docs/returns_format.md``.

    Parameters
    ----------
    city
        The city.
    out
        New or empty folder.
    returns_county
        County whose last month and ledgers go into township returns instead of tables; ``None`` writes
        everything as tables.
    truth
        Parquet file for the planted faults; the spoiled cells of the returns go into ``returns_faults.csv``
        beside it. Nothing of either is written into ``out``.
    key
        New file for the keys of the sample, under which its people are registered; a key never lies in the
        folder whose data it opens.

    Returns
    -------
    list of pathlib.Path
        Files written, sorted.

    Raises
    ------
    UsageError
        If ``out`` is not empty, there is no such county, or ``key`` is there already or within ``out``.
    """
    require_new_folder(out, refused="没有生成示例城市")
    counties = sorted(set(city.tables["townships"]["county_code"]))
    if returns_county is not None and returns_county not in counties:
        raise UsageError(
            "没有这个县区",
            [Fault("returns_county", returns_county, "、".join(counties), "改为城市中的县区代码")],
        )
    if key is not None:
        if key.resolve().is_relative_to(out.resolve()):
            fault = Fault("密钥文件", str(key), "数据文件夹以外的位置", "换一个文件夹存放密钥")
            raise UsageError("密钥不能与数据放在一起", [fault])
        KeyRing.from_seed(city.seed).write(key)
    files = {f"tables/{name}.parquet": frame for name, frame in _tables(city, returns_county).items()}
    (out / "tables").mkdir(parents=True, exist_ok=True)
    for path, frame in files.items():
        _write_table(frame, out / path)
    written = list(files)
    if returns_county is not None:
        streams = Streams(city.seed)
        returns, faults = make_returns(city.tables, returns_county, city.as_of, streams["returns"])
        forms, spoiled = make_register_forms(
            city.tables, returns_county, city.as_of, KeyRing.from_seed(city.seed), streams["register"]
        )
        for item in [*returns, *forms]:
            (out / item.path).parent.mkdir(parents=True, exist_ok=True)
            (out / item.path).write_bytes(item.content)
            written.append(item.path)
        if truth is not None:
            faults = pd.concat([faults, spoiled]).sort_values(
                ["file", "sheet", "row", "column"], kind="stable"
            )
            faults.to_csv(truth.with_name("returns_faults.csv"), index=False, lineterminator="\n")
    if truth is not None:
        _write_table(city.truth, truth)
    judgments = make_judgments(load_parameters().framework, Streams(city.seed)["judgments"])
    for name, text in (
        ("sources.yaml", _sources(city, returns_county)),
        ("judgments.csv", "\ufeff" + judgments.to_csv(index=False, lineterminator="\r\n")),  # for Excel
        ("README.md", _readme(city, files, written, returns_county)),
    ):
        (out / name).write_bytes(text.encode())
        written.append(name)
    return sorted(out / path for path in written)


def _tables(city: City, returns_county: str | None) -> dict[str, pd.DataFrame]:
    """Return what goes into tables: everything the county does not file on paper."""
    tables = dict(city.tables)
    units = tables["units"]
    tables["units"] = gpd.GeoDataFrame(
        units.merge(city.geometry, on="unit_code", how="left", validate="1:1"),
        geometry="geometry",
        crs=city.geometry.crs,
    )
    if returns_county is None:
        return tables
    for name in PAPER_TABLES:
        tables[name] = _outside(tables[name], returns_county)
    facts = tables["facts"]
    last = facts["as_of"] == pd.Timestamp(city.as_of)
    here = facts["unit_code"].str.startswith(returns_county)
    tables["facts"] = facts[~(last & here)].reset_index(drop=True)
    return tables


def _outside(frame: pd.DataFrame, county: str) -> pd.DataFrame:
    return frame[~frame["unit_code"].str.startswith(county)].reset_index(drop=True)


def _write_table(frame: pd.DataFrame, path: Path) -> None:
    if isinstance(frame, gpd.GeoDataFrame):
        frame.to_parquet(path, index=False, compression="zstd", compression_level=_LEVEL)
        return
    frame.to_parquet(path, engine="pyarrow", index=False, compression="zstd", compression_level=_LEVEL)


def _sources(city: City, returns_county: str | None) -> str:
    lines = [
        f"title: {city.name}（虚构）换届数据示例",
        f"as_of: {city.as_of.isoformat()}",
        'boundaries: {file: tables/units.parquet, crs: "EPSG:4490"}',
    ]
    if returns_county is not None:
        lines.append(f"returns: {{folder: returns, as_of: {city.as_of.isoformat()}}}")
    lines += [
        "generator: huanjie init",
        f"seed: {city.seed}",
        f"units: {len(city.tables['units'])}",
        f"licence: {LICENCE}",
    ]
    return "\n".join(lines) + "\n"


def _readme(
    city: City, files: Mapping[str, pd.DataFrame], written: list[str], returns_county: str | None
) -> str:
    counties = city.tables["townships"]
    rows = [
        f"| `{path}` | {table(Path(path).stem).label} | {len(frame):,} |" for path, frame in files.items()
    ]
    paper = sum(path.startswith("returns/") for path in written)
    lines = [
        f"# {city.name}（虚构）示例数据",
        "",
        "本文件夹由 `huanjie init` 生成，用于演示和测试。地名、代码、边界、人员代号和全部数字均为随机生成，",
        "与任何真实地方、真实人员无关；区划代码以 99 开头，不是真实代码。",
        "",
        f"- 来源：`huanjie_lib.sample`，随机种子 {city.seed}",
        f"- 许可：{LICENCE}（放弃权利，可自由使用）",
        f"- 截至日期：{city.as_of.isoformat()}，月度快照 {city.snapshots} 期",
        f"- 范围：{counties['county_code'].nunique()} 个县区、{len(counties)} 个镇街、"
        f"{len(city.tables['units']):,} 个村（社区）",
        "- 边界：EPSG:4490（CGCS2000 经纬度）；少数新设社区没有边界，只有点位",
        "- 计量单位：金额为元，人口为人，其余见数据字典",
        "",
        "| 文件 | 内容 | 行数 |",
        "|---|---|---|",
        *rows,
    ]
    lines += [
        "",
        f"`judgments.csv` 是 {EXPERTS} 位虚构专家对七个维度的两两比较，用于层次分析法定权",
        "（`huanjie weights --method ahp --judgments judgments.csv`）：",
        "“倍数”是“维度”比“对比维度”重要多少倍，取 1/9 到 9；每位专家每两个维度比较一次。",
        f"专家{CONTRADICTORY}的判断故意前后矛盾，用于演示一致性检查。",
    ]
    lines += [
        "",
        "人才表（`people`、`evidence` 等）中的人员均为虚构，只有代号；`identities` 中的姓名和号码已加密。",
        f"示例密钥由随机种子推出（`huanjie init --seed {city.seed} --key 文件`），不起保护作用，",
        "只能用于示例数据；真实数据须用本单位自己的密钥，密钥不与数据放在一起。",
    ]
    if returns_county is not None:
        name = counties.loc[counties["county_code"] == returns_county, "county_name"].iloc[0]
        lines += [
            "",
            f"`returns/` 是{name}（{returns_county}）各镇街报送的表格（{paper} 个文件），",
            "版式仿照基层实际报送：标题行、两行合并表头、合计行、全角数字、文字日期、",
            "GB18030 编码的 CSV，并含少量填报差错。",
            "该县最近一期基础数据和审计、矛盾、联审、摸排、谈话、选民登记台账只在这些表格中。",
            "其中的人才库登记表含虚构的姓名和以 99 开头的虚构身份证号，并含重复登记和错误号码。",
        ]
    return "\n".join(lines) + "\n"
