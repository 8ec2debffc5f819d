"""The committed browser bundle is what its sources build, and nothing in it can leave this machine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import shapely

from huanjie_lib import screens
from huanjie_lib.views.geometry import encode_geometry

SCREENS = Path(screens.__file__).parent
SOURCES = SCREENS / "js"
STATIC = SCREENS / "static"
BUILT = [
    *("live_map.js", "live_map.css", "panel.js", "board.js", "talent.js", "standalone.js", "standalone.css"),
    "THIRD_PARTY_LICENSES.txt",
]
NAMESPACES = {"http://www.w3.org/2000/svg"}
"""Names of XML vocabularies: they look like addresses and are never asked for."""


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sources with the packages of the lock file installed."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("rebuilding the bundle needs Node.js and npm")
    folder = tmp_path_factory.mktemp("bundle") / "js"
    shutil.copytree(SOURCES, folder, ignore=shutil.ignore_patterns("node_modules"))
    run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", folder=folder)
    return folder


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_a_rebuild_gives_the_committed_bytes(workbench: Path) -> None:
    (workbench.parent / "static").mkdir()
    run("npm", "run", "build", folder=workbench)
    for name in BUILT:
        built = (workbench.parent / "static" / name).read_bytes()
        assert built == (STATIC / name).read_bytes(), f"{name} is stale: run 'npm ci && npm run build' in js/"


def test_the_browser_decodes_what_python_encodes(workbench: Path) -> None:
    """Both decoders stand apart from each other; here the browser's, run by Node, reads Python's bytes."""
    rng = np.random.default_rng(11)
    discs = shapely.buffer(
        shapely.points(rng.uniform([118, 26], [121, 31], (40, 2))), rng.uniform(1e-3, 0.2, 40)
    )
    holed = shapely.difference(discs, shapely.buffer(shapely.centroid(discs), 5e-4))
    shapes = [
        *holed,
        None,
        shapely.Point(120.123456, 30.654321),
        shapely.MultiPolygon([*discs[:1], shapely.box(90, 20, 91, 21)]),
    ]
    (workbench / "units.bin").write_bytes(encode_geometry(shapes).buffer)
    (workbench / "decode.mjs").write_text(
        "import { readFileSync } from 'node:fs';\n"
        "import { decode } from './src/geometry.js';\n"
        "const flat = (value) => ArrayBuffer.isView(value) ? Array.from(value) : value.map(flat);\n"
        "console.log(JSON.stringify(flat(decode(readFileSync('units.bin')).units)));\n",
        encoding="utf-8",
    )
    units = json.loads(run("node", "decode.mjs", folder=workbench))

    assert [len(unit) for unit in units] == [1] * 40 + [0, 1, 2]
    for shape, unit in zip(shapes, units, strict=True):
        wanted = [] if shape is None else rings_of(shape)
        found = [ring for polygon in unit for ring in polygon]
        assert len(found) == len(wanted)
        for ring, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(np.reshape(ring, (-1, 2)), other, rtol=0, atol=0.501e-6)


def rings_of(shape: shapely.Geometry) -> list[np.ndarray]:
    if shape.geom_type == "Point":
        return [shapely.get_coordinates(shape)]
    return [shapely.get_coordinates(ring)[:-1] for ring in shapely.get_rings(shapely.get_parts(shape))]


@pytest.mark.parametrize(
    "name", ["live_map.js", "live_map.css", "panel.js", "board.js", "standalone.js", "standalone.css"]
)
def test_the_bundle_names_no_address_that_could_be_requested(name: str) -> None:
    text = (STATIC / name).read_text(encoding="utf-8")
    addresses = set(re.findall(r"""(?:https?:|wss?:)?//[\w.-]+\.[a-z]{2,}[^\s"'`)]*""", text))
    assert addresses <= NAMESPACES
    for token in ("@import", "@font-face", ".png", ".woff", "sourceMappingURL", "leafletjs", "openstreetmap"):
        assert token not in text
    if name.endswith(".css"):
        assert "url(" not in text


@pytest.mark.parametrize(
    ("name", "asks"), [("live_map.js", 0), ("panel.js", 0), ("board.js", 1), ("standalone.js", 0)]
)
def test_a_bundle_has_no_way_to_ask_but_the_forms_own(name: str, asks: int) -> None:
    text = (STATIC / name).read_text(encoding="utf-8")
    assert text.count("fetch(") == asks
    for call in (
        "XMLHttpRequest",
        "WebSocket",
        "EventSource",
        "sendBeacon",
        "importScripts",
        "import(",
    ):
        assert call not in text


def test_the_only_markup_set_as_html_is_leaflets_own_and_what_the_kernel_rendered() -> None:
    """Two browser checks and the scale bar's number, and a panel's templates, which escape everything."""
    paths = (SOURCES / "src").glob("*.js")
    sources = "".join(path.read_text(encoding="utf-8") for path in paths if path.name != "panel.js")
    for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert sink not in sources
    for name in ("live_map.js", "standalone.js"):
        assert (STATIC / name).read_text(encoding="utf-8").count("innerHTML") == 3
    assert "innerHTML" not in (STATIC / "board.js").read_text(encoding="utf-8")
    assert (STATIC / "panel.js").read_text(encoding="utf-8").count("innerHTML") == 1


def test_the_lock_file_pins_every_package_and_names_no_registry() -> None:
    lock = json.loads((SOURCES / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert "node_modules/leaflet" in packages
    for name, entry in packages.items():
        assert entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name


def test_the_licence_of_every_bundled_package_is_shipped() -> None:
    text = (STATIC / "THIRD_PARTY_LICENSES.txt").read_text(encoding="utf-8")
    lock = json.loads((SOURCES / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for name in ("leaflet", "polylabel", "tinyqueue"):
        entry = lock[f"node_modules/{name}"]
        assert f"{name} {entry['version']} ({entry['license']})" in text
    assert text.count("Copyright") >= 3
