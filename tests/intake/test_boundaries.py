from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from huanjie_lib.errors import DataError
from huanjie_lib.intake.boundaries import read_boundaries

REAL = Path(__file__).resolve().parents[1] / "data" / "villages_real.topo.json"
BOW = shapely.Polygon([(115, 30), (115.02, 30.02), (115.02, 30), (115, 30.02)])
SQUARE = shapely.box(115, 30, 115.02, 30.02)


def layer(*shapes: Any, crs: Any = 4490) -> gpd.GeoDataFrame:
    codes = [f"99010110120{n}" for n in range(len(shapes))]
    return gpd.GeoDataFrame(
        {"unit_code": codes, "unit_name": [f"{n}村" for n in range(len(shapes))]},
        geometry=list(shapes),
        crs=crs,
    )


def refusal(path: Path, crs: str | None = None, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read_boundaries(path, crs=crs, **options)
    (fault,) = caught.value.faults
    assert fault.remedy
    return str(caught.value)


def test_real_villages_keep_every_feature_and_report_the_invalid_ones() -> None:
    plain = gpd.read_file(REAL)
    invalid = np.flatnonzero(~plain.is_valid)
    frame, issues = read_boundaries(REAL, crs="EPSG:4326", code_column="VILLAGEID", name_column="VILLAGENAM")
    assert (len(plain), len(invalid)) == (7599, 8)
    assert len(frame) == 7599
    assert frame.crs == "EPSG:4490"
    assert frame.is_valid.all()
    assert set(frame.geom_type) <= {"Polygon", "MultiPolygon"}
    assert frame["unit_code"].tolist() == plain["VILLAGEID"].tolist()
    absent, *repaired = issues
    assert absent.found == "468 个要素没有图形，未读取；读取了 7599 个要素"
    assert [i.row for i in repaired] == (invalid + 1).tolist()
    assert all("已修复；面积由" in i.found for i in repaired)
    assert repaired[0].found.startswith("草嶺村（1000907014）环自相触")
    untouched = np.delete(np.arange(7599), invalid)
    assert shapely.equals_exact(
        frame.geometry.to_numpy()[untouched], plain.geometry.to_numpy()[untouched], 1e-9
    ).all()


@pytest.mark.parametrize("suffix", [".geojson", ".topojson", ".parquet", ".shp", ".gpkg"])
def test_no_reference_system_is_never_guessed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"units{suffix}"
    if suffix == ".topojson":
        path.write_bytes(REAL.read_bytes())
    elif suffix == ".geojson":
        path.write_text(
            json.dumps(json.loads(layer(SQUARE, crs=None).to_json()))
        )  # the format says WGS 84; a map site need not
    elif suffix == ".parquet":
        layer(SQUARE, crs=None).to_parquet(path)
    else:
        with pytest.warns(UserWarning, match="'crs' was not provided"):
            layer(SQUARE, crs=None).to_file(path)
    text = refusal(path)
    assert "没有声明坐标系" in text
    assert "GCJ-02" in text
    frame, _ = read_boundaries(path, crs="EPSG:4490")
    assert frame.crs == "EPSG:4490"


@pytest.mark.parametrize("suffix", [".geojson", ".parquet", ".shp", ".gpkg"])
def test_declared_reference_systems_are_read_and_reprojected(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"units{suffix}"
    projected = layer(SQUARE).to_crs(4547 if suffix != ".geojson" else 4326)
    projected.to_parquet(path) if suffix == ".parquet" else projected.to_file(path)
    frame, issues = read_boundaries(path, crs=None)
    assert issues == []
    assert frame["unit_code"].tolist() == ["990101101200"]
    assert frame["unit_name"].tolist() == ["0村"]
    assert shapely.hausdorff_distance(frame.geometry.iloc[0], SQUARE) < 1e-7


def test_a_geojson_that_names_its_reference_system(tmp_path: Path) -> None:
    path = tmp_path / "units.geojson"
    layer(SQUARE).to_crs(4326).to_file(path)
    content = json.loads(path.read_text())
    content["crs"] = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}}
    path.write_text(json.dumps(content))
    assert len(read_boundaries(path, crs=None)[0]) == 1
    assert "文件声明 EPSG:4490，sources.yaml 声明 EPSG:4547" in refusal(path, "EPSG:4547")


def test_wrong_reference_systems(tmp_path: Path) -> None:
    path = tmp_path / "units.parquet"
    layer(SQUARE, crs=None).to_parquet(path)
    assert "以米为单位的平面坐标" in refusal(path, "EPSG:4547")
    assert "EPSG 代码" in refusal(path, "EPSG:none")
    assert "没有公开的精确换算" in refusal(path, "GCJ-02")
    metres = layer(SQUARE).to_crs(4547).set_crs(None, allow_override=True)
    metres.to_parquet(path)
    assert "经度在 ±180" in refusal(path, "EPSG:4490")
    assert "落在该坐标系适用范围内" in refusal(path, "EPSG:4525")  # with the zone in the easting
    swapped = layer(shapely.box(30, 115, 30.02, 115.02), crs=None)
    swapped.to_parquet(path)
    assert "先经度后纬度" in refusal(path, "EPSG:4490")


def test_outside_the_country_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "units.gpkg"
    layer(shapely.box(5, 50, 5.1, 50.1)).to_file(path)
    _, (issue,) = read_boundaries(path, crs=None)
    assert issue.severity == "warning"
    assert issue.allowed == "经度 73–136、纬度 3–54 之间"


def test_repairs_are_reported_with_the_change_of_area(tmp_path: Path) -> None:
    path = tmp_path / "units.parquet"
    layer(SQUARE, BOW).to_parquet(path)
    frame, (issue,) = read_boundaries(path, crs=None)
    assert frame.is_valid.all()
    assert issue.row == 2
    # the two wings of the bow are a quarter of the square each; a bow's signed area is nil
    assert issue.found.startswith("1村（990101101201）边界自相交，已修复；面积由 0.0000 变为 ")
    square = gpd.GeoSeries([SQUARE], crs=4490).to_crs(6933).area.item() / 1e6
    assert float(issue.found.rsplit("变为 ", 1)[1].split()[0]) == pytest.approx(square / 2, abs=1e-3)


def test_features_without_area_are_kept_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "units.parquet"
    mixed = shapely.GeometryCollection(
        [SQUARE, shapely.Point(115, 30), shapely.MultiPolygon([shapely.box(116, 30, 116.1, 30.1)])]
    )
    layer(SQUARE, None, shapely.Polygon(), shapely.Point(115, 30), mixed).to_parquet(path)
    frame, issues = read_boundaries(path, crs=None)
    assert frame.geometry.isna().tolist() == [False, True, True, True, False]
    assert frame.geometry.iloc[4].equals(shapely.MultiPolygon([SQUARE, shapely.box(116, 30, 116.1, 30.1)]))
    assert [(i.row, i.found) for i in issues] == [
        (2, "1村（990101101201）没有面状边界"),
        (3, "2村（990101101202）没有面状边界"),
        (4, "3村（990101101203）没有面状边界"),
    ]


def test_heights_are_dropped_and_codes_kept_as_text(tmp_path: Path) -> None:
    path = tmp_path / "units.gpkg"
    tall = layer(shapely.force_3d(SQUARE, 12.0)).assign(unit_code=[990101101200.0])
    tall.to_file(path)
    frame, _ = read_boundaries(path, crs=None)
    assert frame["unit_code"].tolist() == ["990101101200"]
    assert not frame.geometry.has_z.any()


def test_unnamed_features_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "units.gpkg"
    layer(SQUARE, SQUARE).assign(unit_name=["", None]).to_file(path)
    frame, _ = read_boundaries(path, crs=None)
    assert frame["unit_name"].isna().tolist() == [True, True]


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    for name in ("a.gpkg", "a.parquet", "a.geojson", "a.shp"):
        (tmp_path / name).write_bytes(b"no")
        assert "不能读取" in refusal(tmp_path / name, "EPSG:4490")
    (tmp_path / "a.kml").write_bytes(b"no")
    assert ".kml" in refusal(tmp_path / "a.kml")
    assert "没有列 nowhere" in refusal(REAL, "EPSG:4326", code_column="nowhere")
    assert "图层 nowhere" in refusal(REAL, "EPSG:4326", layer="nowhere")
