import datetime as dt
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import shapely

from huanjie_lib.errors import DataError, UsageError
from huanjie_lib.store.manifest import file_digest
from huanjie_lib.store.run_folder import (
    RUN_TABLES,
    SOURCE_COLUMNS,
    SOURCES,
    Run,
    read_manifest,
    read_run,
    read_signals,
    run_of_date,
    write_run,
)


def write(run: Run, out: Path, **change: object) -> dict[str, object]:
    options: dict[str, object] = {
        "boundaries": None if "boundaries" in change else run.boundaries(),
        "signals": None,
        "inputs": [{"path": "tables/units.parquet", "sha256": "0" * 64, "bytes": 1}],
        "code_version": "0",
        "intake": {"read": 1},
        **change,
    }
    return write_run(run, out, **options)  # type: ignore[arg-type]


def test_what_is_written_is_read_back(small_run: Run, tmp_path: Path) -> None:
    manifest = write(small_run, tmp_path / "run")
    again = read_run(tmp_path / "run")
    for name in RUN_TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(small_run, name))
    assert again.parameters == small_run.parameters
    assert again.manifest == manifest == read_manifest(tmp_path / "run")
    assert again.boundaries()["unit_code"].tolist() == again.units["unit_code"].tolist()


def test_equal_runs_give_equal_bytes(small_run: Run, tmp_path: Path) -> None:
    write(small_run, tmp_path / "a")
    write(small_run, tmp_path / "b")
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert files == sorted(p.name for p in (tmp_path / "b").iterdir())
    assert all(file_digest(tmp_path / "a" / f) == file_digest(tmp_path / "b" / f) for f in files)


def test_manifest_holds_digests_versions_and_counts_but_no_clock_time(small_run: Run, tmp_path: Path) -> None:
    manifest = json.loads(json.dumps(write(small_run, tmp_path)))
    assert manifest["as_of"] == small_run.as_of.isoformat()
    assert manifest["parameter_version"] == small_run.parameters.version
    for name, entry in manifest["outputs"].items():
        assert entry["sha256"] == file_digest(tmp_path / name)
    levels = small_run.index["level"].value_counts()
    assert all(manifest["counts"][level] == n for level, n in levels.items())
    assert manifest["counts"]["units"] == len(small_run.index)


def test_a_run_without_boundaries_says_so(small_run: Run, tmp_path: Path) -> None:
    write(small_run, tmp_path, boundaries=None)
    with pytest.raises(DataError, match=r"缺少 boundaries.parquet"):
        read_run(tmp_path).boundaries()
    with pytest.raises(DataError, match="没有边界数据"):
        replace(small_run, path=None).boundaries()


def test_writing_again_leaves_nothing_of_the_earlier_run(small_run: Run, tmp_path: Path) -> None:
    write(small_run, tmp_path)
    write(small_run, tmp_path, boundaries=None)
    assert not (tmp_path / "boundaries.parquet").exists()


def test_an_incomplete_folder_is_refused_with_every_missing_file(small_run: Run, tmp_path: Path) -> None:
    write(small_run, tmp_path)
    (tmp_path / "gates.parquet").unlink()
    (tmp_path / "parameters.json").unlink()
    with pytest.raises(DataError) as caught:
        read_run(tmp_path)
    assert [f.found for f in caught.value.faults] == ["缺少 parameters.json", "缺少 gates.parquet"]
    with pytest.raises(DataError, match="先运行 huanjie run"):
        read_run(tmp_path / "nowhere")


def test_another_format_is_refused(small_run: Run, tmp_path: Path) -> None:
    write(small_run, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    (tmp_path / "manifest.json").write_text(
        json.dumps({**manifest, "format": "huanjie-run/0"}), encoding="utf-8"
    )
    with pytest.raises(DataError, match="huanjie-run/0"):
        read_run(tmp_path)


def test_a_run_stopped_half_way_leaves_no_manifest(small_run: Run, tmp_path: Path) -> None:
    write(small_run, tmp_path)
    broken = replace(small_run, units=None)  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        write(broken, tmp_path, boundaries=None)
    assert not (tmp_path / "manifest.json").exists()
    shutil.rmtree(tmp_path)


def test_shapes_are_the_boundaries_else_the_point_else_nothing(small_run: Run, tmp_path: Path) -> None:
    units = small_run.units.copy()
    units.loc[0, ["longitude", "latitude"]] = float("nan")
    run = replace(small_run, units=units.iloc[::-1].reset_index(drop=True))
    drawn = run.boundaries().geometry
    shapes = run.shapes()
    assert len(shapes) == len(units)
    assert shapes[0].equals(shapely.Point(units["longitude"].iloc[-1], units["latitude"].iloc[-1]))
    assert all(shape.equals(other) for shape, other in zip(shapes[1:], drawn.iloc[1:], strict=True))
    write(small_run, tmp_path, boundaries=None)
    bare = replace(run, path=tmp_path).shapes()
    assert bare[-1] is None
    assert [shape.geom_type for shape in bare[:-1]] == ["Point"] * (len(units) - 1)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_damaged_manifest_is_refused_in_words(small_run: Run, tmp_path: Path, text: str) -> None:
    write(small_run, tmp_path)
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="用当前版本重新运行 huanjie run"):
        read_manifest(tmp_path)


def test_signals_lie_apart_and_only_who_asks_for_them_gets_them(small_run: Run, tmp_path: Path) -> None:
    leads = pd.DataFrame({"unit_code": ["990101101201"], "signal": ["roll_gap"], "status": ["flagged"]})
    manifest = write(small_run, tmp_path, signals=leads)
    assert "restricted/signals.parquet" in manifest["outputs"]  # type: ignore[operator]
    assert not any(hasattr(read_run(tmp_path), name) for name in ("signals", "leads"))
    pd.testing.assert_frame_equal(read_signals(tmp_path), leads)
    write(small_run, tmp_path)
    with pytest.raises(DataError, match="没有线索数据"):
        read_signals(tmp_path)


def test_the_sources_of_a_unit_are_read_alone(small_run: Run, tmp_path: Path) -> None:
    codes = small_run.units["unit_code"].tolist()
    whole = pd.DataFrame(
        [
            (code, "households", "facts", "households", "a.xlsx", "基本情况", row, "D", "总户数")
            for row in (9, 5, 7)
            for code in codes
        ],
        columns=list(SOURCE_COLUMNS),
    ).astype({"source_row": "Int64", "source_file": "category"})
    manifest = write(small_run, tmp_path / "with", sources=whole)
    again = read_run(tmp_path / "with")
    mine = again.sources(codes[3])
    assert mine["unit_code"].tolist() == [codes[3]] * 3
    assert mine["source_row"].tolist() == [9, 5, 7]
    assert len(again.sources()) == 3 * len(codes)
    assert manifest["outputs"][SOURCES]["rows"] == len(whole)  # type: ignore[index]
    write(small_run, tmp_path / "with")
    without = read_run(tmp_path / "with").sources(codes[3])
    assert without.empty
    assert list(without.columns) == list(SOURCE_COLUMNS)


def test_a_run_is_found_by_its_date_in_a_folder_of_runs(small_run: Run, tmp_path: Path) -> None:
    assert small_run.path is not None
    assert run_of_date(small_run.path, None) == run_of_date(small_run.path, small_run.as_of) == small_run.path
    for name in ("2026-10", "other"):
        shutil.copytree(small_run.path, tmp_path / name)
    told = json.loads((tmp_path / "other" / "manifest.json").read_text(encoding="utf-8"))
    text = json.dumps({**told, "as_of": "2026-09-30"})
    (tmp_path / "other" / "manifest.json").write_text(text, encoding="utf-8")
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "manifest.json").write_text('{"format": "huanjie-meeting/2"}', encoding="utf-8")
    assert run_of_date(tmp_path, small_run.as_of) == tmp_path / "2026-10"
    with pytest.raises(UsageError, match="补充 --as-of"):
        run_of_date(tmp_path, None)
    with pytest.raises(UsageError, match="2026-10（2026-10-31）、other（2026-09-30）"):
        run_of_date(tmp_path, dt.date(2026, 8, 31))
    shutil.copytree(small_run.path, tmp_path / "again")
    with pytest.raises(UsageError, match="有2次：2026-10、again"):
        run_of_date(tmp_path, small_run.as_of)
    with pytest.raises(DataError, match="先运行 huanjie run"):
        run_of_date(tmp_path / "export", None)
    with pytest.raises(DataError):
        run_of_date(tmp_path / "nothing", None)
