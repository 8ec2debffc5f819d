r"""Set the project up, open the workbench, run the checks: the commands behind the Makefile.

Standard library only, so that it runs on a bare Python 3.11 or newer, on Linux, macOS and Windows::

    python3 tools/dev.py setup    # .venv/ with every locked package and `huanjie` in it
    python3 tools/dev.py app      # setup, run on the sample city, open the leader's overview
    python3 tools/dev.py test     # setup, style and type checks, all tests
    python3 tools/dev.py lint     # setup, style and type checks only
    python3 tools/dev.py bench    # speed and memory against peers and limits (--help tells more)
    python3 tools/dev.py lock     # write the lock files anew (--upgrade for newer packages)
    python3 tools/dev.py wheels DIR   # a folder to install from without network, on this or another system
    python3 tools/dev.py setup --wheels DIR   # set-up from such a folder, without network
    python3 tools/dev.py clean    # remove what the commands above made

On Windows, ``py tools\dev.py app`` and so on. ``make app`` and the like call the same commands.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - this file is what an older Python is told by
    sys.exit(
        "需要 Python 3.11 或更高版本，当前为 {0}.{1}。请安装新版后重试，或用 make PYTHON=python3.12 指定。\n"
        "Python 3.11 or newer is needed; this is {0}.{1}.".format(*sys.version_info)
    )

sys.path.insert(0, str(Path(__file__).resolve().parent))
import install_offline

ROOT = Path(__file__).resolve().parents[1]
WHEELS = install_offline.WHEELS
VENV = ROOT / ".venv"
STAMP = VENV / "huanjie-setup.json"
LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"
SPARK_LOCK = ROOT / "requirements-spark.lock"
PYPROJECT = ROOT / "pyproject.toml"
SAMPLE = ROOT / "data" / "sample"
RUN = ROOT / "build" / "run"
AS_OF = "2026-10-31"

#: Debian package for each thing the tests need besides Python: (package, program or file that proves it).
SYSTEM = (
    ("chromium", "chromium"),
    ("default-jre-headless", "java"),  # for Spark
    ("fonts-noto-cjk", "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"),
    ("gcc", "gcc"),
    ("libc6-dev", "/usr/include/stdio.h"),
    ("libreoffice-calc-nogui", "/usr/lib/libreoffice/program/libsclo.so"),
    ("libreoffice-impress-nogui", "/usr/lib/libreoffice/program/libsdlo.so"),
    ("libreoffice-writer-nogui", "/usr/lib/libreoffice/program/libswlo.so"),
    ("nginx", "/usr/sbin/nginx"),  # not on everybody's PATH
    ("nodejs", "node"),
    ("npm", "npm"),
    ("poppler-utils", "pdftoppm"),
    ("postgresql", "/usr/lib/postgresql/*/bin/initdb"),  # not on PATH
    ("procps", "ps"),
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")


class SetupError(Exception):
    """A command cannot go on; the text says why and what to do, in Chinese and English."""


def say(text: str) -> None:
    """Print one line at once, so that it stands before what a child process prints."""
    print(f"[huanjie] {text}", flush=True)


def program(name: str) -> Path:
    """Return the path of a program inside the virtual environment."""
    return VENV / "Scripts" / f"{name}.exe" if os.name == "nt" else VENV / "bin" / name


def run(*command: object, **environment: str) -> int:
    """Run a command in the project folder, without input, and return its exit code."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "1", **environment},
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode


# ---------------------------------------------------------------- setup


def digest() -> str:
    """Return one digest of everything that decides what ``.venv/`` holds."""
    total = hashlib.sha256()
    for path in (LOCK, DEV_LOCK, SPARK_LOCK, PYPROJECT):
        total.update(path.read_bytes())
        total.update(b"\0")
    return total.hexdigest()


def read_stamp() -> dict[str, object]:
    """Return what the last complete set-up left, or nothing if there was none."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def setup(*, dev: bool, wheels: Path | None = None) -> None:
    """Make ``.venv/`` hold exactly the locked packages and this project, editable.

    Does nothing when neither a lock file nor ``pyproject.toml`` has changed since the last set-up. An
    environment with the development packages serves the application too, and stays one. With ``wheels``, a
    folder that :func:`make_wheels` made, nothing is fetched.
    """
    source: tuple[object, ...] = ()
    if wheels is not None:
        check_wheels(wheels, dev=dev)
        source = ("--no-index", "--find-links", wheels.resolve() / WHEELS)
    stamp = read_stamp()
    here = stamp.get("root") in (None, str(ROOT))  # scripts in a moved environment point to the old place
    dev = dev or (here and stamp.get("dev") is True)
    wanted = {"root": str(ROOT), "digest": digest(), "dev": dev}
    python = program("python")
    if stamp == wanted and python.exists():
        return
    started = time.monotonic()
    has_pip = "import importlib.util, sys; sys.exit(importlib.util.find_spec('pip') is None)"
    if not (here and python.exists() and run(python, "-c", has_pip) == 0):
        say(f"建立虚拟环境 / creating {VENV.name}")
        if run(sys.executable, "-m", "venv", "--clear", VENV) != 0:
            raise SetupError(
                "无法建立虚拟环境。Debian/Ubuntu 请先执行：apt-get install python3-venv\n"
                "Could not create the virtual environment; on Debian or Ubuntu: apt-get install python3-venv"
            )
    lock = DEV_LOCK if dev else LOCK
    say(f"安装 {lock.name} 中的软件包，首次约需 1–3 分钟 / installing the locked packages")
    pip = (python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-q", "--no-compile")
    if run(*pip, *source, "--require-hashes", "--only-binary", ":all:", "--requirement", lock) != 0:
        raise SetupError(
            "安装软件包失败（原因见上）。请检查网络；内网请用环境变量 PIP_INDEX_URL 指定软件源镜像后重试。\n"
            "Installing the packages failed (see above). Check the network, or set PIP_INDEX_URL to a mirror."
        )
    # The build backend is in the lock too, so that nothing unpinned is fetched or run.
    if run(*pip, "--no-deps", "--no-index", "--no-build-isolation", "--editable", ROOT) != 0:
        raise SetupError("安装本项目失败（原因见上）。\nInstalling the project itself failed (see above).")
    with ThreadPoolExecutor(1) as pool:
        # Spark comes as a source archive without anything to compile: packed by the setuptools of the lock
        # above, in a wheel that need not be compressed for the moment it is there.
        plain = ("--config-settings", "--build-option=--compression=stored")
        spark = ("--no-deps", "--no-build-isolation", "--no-binary", "pyspark", "--requirement", SPARK_LOCK)
        packed = pool.submit(run, *pip, *plain, "--require-hashes", *spark) if dev else None
        # pip would compile one module after another, tests of packages too. Some are for other Pythons, and
        # those of Spark are still on their way.
        compiled = VENV / ("Lib" if os.name == "nt" else "lib")
        run(python, "-m", "compileall", "-qq", "-j", "0", "-x", r"[/\\](tests?|pyspark)[/\\]", compiled)
        if packed is not None and packed.result() != 0:
            raise SetupError("安装 Spark 失败（原因见上）。\nInstalling Spark failed (see above).")
    STAMP.write_text(json.dumps(wanted), encoding="utf-8")
    say(f"环境就绪，用时 {time.monotonic() - started:.0f} 秒 / ready: {program('huanjie').relative_to(ROOT)}")


# ---------------------------------------------------------------- without network


def check_wheels(folder: Path, *, dev: bool) -> None:
    """Refuse a folder of wheels that is not whole, or for another machine, or for another lock."""
    if dev:
        raise SetupError(
            "安装文件夹中没有开发用的软件包；请去掉 --dev。\n"
            "A folder of wheels holds no development packages; leave out --dev."
        )
    try:
        install_offline.check(folder)
        install_offline.check_machine(folder)
    except install_offline.InstallError as error:
        raise SetupError(str(error)) from error


def make_wheels(folder: Path, *, target: str, python: str) -> None:
    """Write a folder from which the program can be installed without network.

    It holds the wheels of every locked package and of the project, the lock for that kind of machine, a list
    of checksums, and ``install.py`` with a page that says how.

    Parameters
    ----------
    folder
        A new or empty folder.
    target
        Kind of machine, a name of :data:`TAGS`.
    python
        Version of Python there, as ``3.12``.
    """
    if target not in TAGS:
        raise SetupError(
            f"没有可用于 {target or '本机'} 的软件包；请用 --platform 指定：{'、'.join(TAGS)}\n"
            f"No packages for {target or 'this machine'}; name one with --platform: {', '.join(TAGS)}"
        )
    if not re.fullmatch(r"3\.1[1-9]", python):
        raise SetupError(
            f"Python 版本不对：{python}；应为 3.11 或更高 / the version of Python must be 3.11 or newer"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SetupError(f"{folder} 已有内容，请换一个文件夹 / is not empty, name another folder")
    setup(dev=False)
    (folder / WHEELS).mkdir(parents=True)
    folder = folder.resolve()
    lock = folder / LOCK.name
    environment = {"target": target, "python": python}
    if run(program("python"), "-c", FILTER, LOCK, lock, json.dumps(environment)) != 0:
        raise SetupError("无法整理锁定文件（原因见上）。\nThe lock could not be narrowed (see above).")
    say(f"下载软件包 / fetching the packages: {target}, Python {python}")
    tags = [part for tag in TAGS[target] for part in ("--platform", tag)]
    short = f"cp{python.replace('.', '')}"
    abis = [part for abi in (short, "abi3", "none") for part in ("--abi", abi)]
    pip = (program("python"), "-m", "pip", "--disable-pip-version-check", "--no-input")
    download = ("download", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:")
    chosen = ("--implementation", "cp", "--python-version", python, *abis, *tags)
    if run(*pip, *download, *chosen, "--requirement", lock, "--dest", folder / WHEELS) != 0:
        raise SetupError(
            "下载软件包失败（原因见上）。请检查网络；内网请用环境变量 PIP_INDEX_URL 指定软件源镜像后重试。\n"
            "Fetching the packages failed (see above). Check the network, or set PIP_INDEX_URL to a mirror."
        )
    build = ("wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    if run(*pip, *build, "--wheel-dir", folder / WHEELS, ROOT) != 0:
        raise SetupError("打包本项目失败（原因见上）。\nBuilding the project itself failed (see above).")
    shutil.copyfile(Path(install_offline.__file__), folder / "install.py")
    told = {"platform": target, "python": python}
    (folder / install_offline.TARGET).write_text(json.dumps(told) + "\n", encoding="utf-8")
    start = "py" if target.startswith("windows") else "python3"
    place = "D:\\huanjie" if target.startswith("windows") else "/opt/huanjie"
    page = README.format(target=target, python=python, start=start, place=place)
    (folder / "安装说明.txt").write_text(page, encoding="utf-8")
    write_sums(folder)
    say(f"已写出 {len(list((folder / WHEELS).iterdir()))} 个软件包 / written: {folder}")


def write_sums(folder: Path) -> None:
    """Write the list of checksums, in the form of ``sha256sum``."""
    lines = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != install_offline.SUMS:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    (folder / install_offline.SUMS).write_text("".join(lines), encoding="utf-8", newline="\n")


#: Tags of the wheels that run on each kind of machine, as pip is told them; the newest first.
TAGS = {
    **{
        f"linux-{machine}": (
            *(f"manylinux_2_{minor}_{machine}" for minor in range(39, 16, -1)),
            f"manylinux2014_{machine}",
        )
        for machine in ("x86_64", "aarch64")
    },
    "windows-x86_64": ("win_amd64",),
    "macos-arm64": ("macosx_14_0_arm64",),
}

#: Narrows a lock to one kind of machine, by the environment's own ``packaging``: pip itself would judge the
#: conditions of the lock by the machine it runs on.
FILTER = """
import json, re, sys
from pathlib import Path
from packaging.markers import default_environment
from packaging.requirements import Requirement

source, out, asked = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
system, _, machine = asked["target"].partition("-")
there = {
    "linux": ("linux", "posix", "Linux", machine),
    "windows": ("win32", "nt", "Windows", "AMD64"),
    "macos": ("darwin", "posix", "Darwin", machine),
}[system]
environment = default_environment() | dict(
    zip(("sys_platform", "os_name", "platform_system", "platform_machine"), there)
)
environment |= {"python_version": asked["python"], "python_full_version": asked["python"] + ".0"}
environment |= {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
kept = []
for entry in re.split(r"(?<!\\\\)\\n", source.read_text(encoding="utf-8").strip()):
    marker = Requirement(entry.partition("\\\\")[0].strip()).marker
    if marker is None or marker.evaluate(environment):
        head, separator, hashes = entry.partition("\\\\")
        kept.append(head.partition(";")[0].rstrip() + " " + separator + hashes)
out.write_text("\\n".join(kept) + "\\n", encoding="utf-8", newline="\\n")
"""

README = """换届工作台离线安装（{target}，Python {python}）

1. 把本文件夹整个拷到目标机器，核对：{start} install.py --check
2. 安装到新的文件夹：{start} install.py {place}
3. 以后用 {place} 下的 bin/huanjie（Windows 为 Scripts\\huanjie）运行。
目标机器须已装好 Python {python}（Debian、Ubuntu 另需 python3-venv），不需要网络和管理员权限。
升级时装到另一个新文件夹，先备份台账，再运行 huanjie store upgrade。

Offline installation: copy this folder, then {start} install.py {place}. Python {python} must be there.
"""


# ---------------------------------------------------------------- app


def newest(*folders: Path) -> float:
    """Return the latest modification time of any file below ``folders`` (caches aside)."""
    return max(
        path.stat().st_mtime
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


def run_is_current(manifest: Path, *inputs: Path) -> bool:
    """Tell whether a run is there and no input (data, code, parameters) is newer than it."""
    return manifest.exists() and manifest.stat().st_mtime > newest(*inputs)


def app(*, open_browser: bool) -> int:
    """Run on the sample city if needed, then serve the leader's overview until interrupted."""
    setup(dev=False)
    huanjie = program("huanjie")
    if not run_is_current(RUN / "manifest.json", SAMPLE, ROOT / "huanjie_lib"):
        code = run(huanjie, "run", "--data", SAMPLE, "--as-of", AS_OF, "--out", RUN)
        if code != 0:
            return code
    serve = [str(huanjie), "serve", "--run", str(RUN), *(["--open"] if open_browser else [])]
    if os.name == "nt":
        return run(*serve)
    os.chdir(ROOT)
    os.execv(serve[0], serve)  # the server takes this process over, and so gets every signal itself


# ---------------------------------------------------------------- test


def missing_system_packages() -> list[str]:
    """Return the Debian packages whose program or file (which may be a pattern) is not there."""

    def there(proof: str) -> bool:
        return shutil.which(proof) is not None or any(Path("/").glob(proof.removeprefix("/")))

    return [package for package, proof in SYSTEM if not there(proof)]


def install_system_packages() -> None:
    """Install what the tests need besides Python, where that can be done without asking anyone.

    That is on Debian as root (as CI is). Elsewhere missing programs are named with the command that
    installs them, and only a missing browser stops the tests (see :func:`find_browser`).
    """
    missing = missing_system_packages()
    if not missing or shutil.which("apt-get") is None:
        return
    if os.geteuid() == 0:
        say(f"安装系统软件包 / installing {' '.join(missing)}")
        apt = ("apt-get", "-qq", "-o", "Dpkg::Use-Pty=0")
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run(*apt, "update", **quiet)
        if run(*apt, "install", "--yes", "--no-install-recommends", *missing, **quiet) == 0:
            return
        missing = missing_system_packages()
    if os.environ.get("CI"):
        raise SetupError(f"缺少系统软件包 / system packages are missing: {' '.join(missing)}")
    say(
        f"缺少系统软件包，相关测试可能失败；请执行 / some tests may fail until you run: "
        f"sudo apt-get install {' '.join(missing)}"
    )


def setup_tests() -> None:
    """Set up what tests and benchmarks need, the system's packages and ours at the same time."""
    with ThreadPoolExecutor(1) as pool:
        system = pool.submit(install_system_packages)
        setup(dev=True)
        system.result()


def find_browser() -> dict[str, str]:
    """Return the environment that tells the tests which Chromium to drive.

    ``HUANJIE_CHROMIUM`` names the program; without one on this machine, Playwright's own is fetched once and
    the variable stays unset.
    """
    named = os.environ.get("HUANJIE_CHROMIUM")
    for candidate in (named,) if named else BROWSERS:
        found = shutil.which(candidate)
        if found:
            return {"HUANJIE_CHROMIUM": found}
    if named:
        raise SetupError(
            f"HUANJIE_CHROMIUM 指向的程序不存在：{named}\nHUANJIE_CHROMIUM names no program: {named}"
        )
    if run(program("python"), "-m", "playwright", "install", "chromium") != 0:
        raise SetupError(
            "没有找到 Chromium 浏览器，也未能下载。请安装 Chromium、Chrome 或 Edge，"
            "并把环境变量 HUANJIE_CHROMIUM 设为其可执行文件的路径。\n"
            "No Chromium found and none could be fetched: install Chromium, Chrome or Edge and set "
            "HUANJIE_CHROMIUM to the path of its program."
        )
    return {}


def lint() -> int:
    """Run the style and type checks side by side; print each one's findings; return the worst exit code."""
    gates = {
        "ruff check": (program("ruff"), "check", "."),
        "ruff format": (program("ruff"), "format", "--check", "."),
        "mypy": (program("mypy"), "--num-workers", "2"),
    }
    running = {
        name: subprocess.Popen(
            [str(part) for part in command],
            cwd=ROOT,
            env={**os.environ, "PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        for name, command in gates.items()
    }
    worst = 0
    for name, process in running.items():
        output, _ = process.communicate()
        say(f"{name}: {'通过 / passed' if process.returncode == 0 else '未通过 / FAILED'}")
        if process.returncode != 0:
            print(output, flush=True)
        worst = max(worst, abs(process.returncode))
    return worst


def test(pytest_arguments: list[str]) -> int:
    """Run every check and every test; pytest's closing line comes last."""
    setup_tests()
    browser = find_browser()
    code = lint()
    if code != 0:
        return code
    # One file's tests stay in one process, so that its fixtures (a city, a server) are made once; files with
    # slow tests come first (tests/conftest.py), so that no process waits for the other's last file.
    parallel = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
    # Two processes fill two processors: threads of their linear algebra would only wait for one another.
    single = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    return run(program("python"), "-m", "pytest", *parallel, *pytest_arguments, **browser, **single)


def bench(arguments: list[str]) -> int:
    """Run the benchmarks; ``--help`` tells what they can be asked."""
    setup_tests()
    return run(program("python"), "-m", "benchmarks", *arguments, **find_browser())


# ---------------------------------------------------------------- lock, clean


def lock(*, upgrade: bool) -> int:
    """Write the lock files for Linux, macOS and Windows and every Python from 3.11 on.

    Spark has a lock of its own: it is large, comes as source only, and no desk needs it.

    Uses uv, in an environment of its own that is thrown away. Packages already locked keep their version
    unless ``upgrade`` is set. The build backend is locked with the rest; the files name no index and no
    address, so they work with any mirror.
    """
    import tomllib

    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    backend = project["build-system"]["requires"]
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder) / "build-requirements.in"
        build.write_text("\n".join(backend), encoding="utf-8")
        cluster = Path(folder) / "spark-requirements.in"
        cluster.write_text("\n".join(project["project"]["optional-dependencies"]["spark"]), encoding="utf-8")
        home = Path(folder) / "venv"
        uv = home / ("Scripts" if os.name == "nt" else "bin") / "uv"
        if run(sys.executable, "-m", "venv", home) or run(
            uv.parent / "python", "-m", "pip", "-q", "install", "uv"
        ):
            raise SetupError("无法安装 uv（原因见上）。\nCould not install uv (see above).")
        options = [
            "--universal",
            "--python-version",
            "3.11",
            "--fork-strategy",
            "fewest",
            "--generate-hashes",
        ]
        options += ["--no-config", "--no-header", "--no-annotate", "--quiet"]
        options += ["--no-emit-index-url", "--no-emit-find-links", "--no-emit-index-annotation"]
        options += ["--upgrade"] if upgrade else []
        compile_ = (uv, "pip", "compile", *options)
        wheels = ("--only-binary", ":all:", PYPROJECT, build)
        return (
            run(*compile_, *wheels, "--output-file", LOCK)
            or run(*compile_, *wheels, "--extra", "dev", "--constraint", LOCK, "--output-file", DEV_LOCK)
            or run(*compile_, cluster, "--constraint", DEV_LOCK, "--output-file", SPARK_LOCK)
        )


def clean() -> int:
    """Remove the environment, all results under ``build/`` and every cache."""
    caches = [ROOT / name for name in (".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", "dist")]
    for folder in (VENV, ROOT / "build", *caches):
        if folder.exists():
            shutil.rmtree(folder)
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, run one command and return its exit code."""
    parser = argparse.ArgumentParser(
        description="换届工作台：安装、打开、测试 / set up, open and test huanjie"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser
    setting_up = add("setup", help="安装到 .venv / set up .venv")
    setting_up.add_argument("--dev", action="store_true")
    setting_up.add_argument(
        "--wheels", type=Path, help="离线安装：由 wheels 命令写出的文件夹 / without network, from this folder"
    )
    wheels = add("wheels", help="写出离线安装文件夹 / make a folder to install from without network")
    wheels.add_argument("folder", type=Path)
    wheels.add_argument(
        "--platform",
        default=install_offline.this_machine(),
        help=f"目标机器，默认本机 / kind of machine: {'、'.join(TAGS)}",
    )
    wheels.add_argument("--python", default="{}.{}".format(*sys.version_info), help="目标 Python，如 3.12")
    add("app", help="打开示例总览屏 / open the overview on sample data").add_argument(
        "--no-open", action="store_true", help="不打开浏览器 / do not open a browser"
    )
    add("test", help="全部检查和测试 / all checks and tests").add_argument("pytest", nargs="*")
    add("lint", help="代码检查 / style and type checks")
    add("bench", help="性能测试 / speed and memory against peers and limits", add_help=False)
    add("lock", help="重新生成锁定文件 / write the lock files").add_argument("--upgrade", action="store_true")
    add("clean", help="清除安装和产物 / remove what was made")
    known, extra = parser.parse_known_args(arguments)
    if extra and known.command not in ("test", "bench"):
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    try:
        if known.command == "app":
            return app(open_browser=not known.no_open)
        if known.command == "test":
            return test(known.pytest + extra)
        if known.command == "bench":
            return bench(extra)
        if known.command == "lock":
            return lock(upgrade=known.upgrade)
        if known.command == "clean":
            return clean()
        if known.command == "wheels":
            make_wheels(known.folder, target=known.platform, python=known.python)
            return 0
        setup(dev=known.command == "lint" or known.dev, wheels=getattr(known, "wheels", None))
        return lint() if known.command == "lint" else 0
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a Windows pipe may be in a code page without Chinese
            stream.reconfigure(encoding="utf-8", errors="replace")
    sys.exit(main())
