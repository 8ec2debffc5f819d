"""The server's settings: what they close, and that nothing on the machine can open it again; how it ends."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from huanjie_lib.screens.voila_server import cut_off_in_one_line

CODE = """
import json, sys
from pathlib import Path
from huanjie_lib.screens.gate import TokenOnly
from huanjie_lib.screens.kernels import OwnKernel, ScreenKernels
from huanjie_lib.screens.voila_server import ScreenServer, server_config
notebook, runtime, host, pool = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
config = server_config(
    notebook, host=host, port=8866, token="secret", pool_size=pool, open_browser=False, runtime=runtime
)
server = ScreenServer.instance(config=config)
server.initialize([])
settings = server.voila_configuration
kernel = OwnKernel().get_kernel_spec("python3")
print(json.dumps({
    "transport": config.get("KernelManager", {}).get("transport", "tcp"),
    "allowlist": settings.file_allowlist,
    "overrides": [settings.allow_template_override, settings.allow_theme_override],
    "tracebacks": settings.show_tracebacks,
    "sources_stripped": settings.strip_sources,
    "preheat": [settings.preheat_kernel, settings.default_pool_size],
    "template": [settings.template, server.template_paths[0]],
    "tornado": server.tornado_settings,
    "token": server.token,
    "identity": server.identity_provider_class is TokenOnly,
    "kernels": OwnKernel().find_kernel_specs(),
    "argv": kernel.argv,
    "ends_all": server.voila_configuration.multi_kernel_manager_class is ScreenKernels,
    "ip": server.ip,
    "root": server.root_dir,
}))
"""


def settings(
    folder: Path,
    *,
    runtime: Path | None = None,
    host: str = "127.0.0.1",
    pool: int = 1,
    cwd: Path | None = None,
) -> dict[str, Any]:
    """Return the settings of a server as another process builds it, with this package's templates."""
    notebook = folder / "overview.ipynb"
    notebook.write_text("{}", encoding="utf-8")
    screens = Path(__file__).resolve().parents[2] / "huanjie_lib" / "screens"
    environment = {
        **os.environ,
        "JUPYTER_PATH": os.pathsep.join([str(screens / "jupyter"), str(folder / "jupyter")]),
        "JUPYTER_NO_CONFIG": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(notebook), str(runtime or folder), host, str(pool)],
        cwd=cwd or folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Settings on this machine, with a foreign kernel and a foreign configuration lying about."""
    folder = tmp_path_factory.mktemp("usual")
    foreign = folder / "jupyter" / "kernels" / "python3"
    foreign.mkdir(parents=True)
    (foreign / "kernel.json").write_text(json.dumps({"argv": ["/bin/false"], "display_name": "x"}))
    (folder / "voila.json").write_text(
        json.dumps({"VoilaConfiguration": {"show_tracebacks": True, "file_allowlist": [".*"]}})
    )
    return settings(folder, runtime=Path("/tmp"))


def test_every_way_in_but_the_page_is_closed(usual: dict[str, Any]) -> None:
    assert usual["allowlist"] == []
    assert usual["overrides"] == ["NO", "NO"]
    assert usual["tracebacks"] is False
    assert usual["sources_stripped"] is True
    assert usual["tornado"]["xsrf_cookies"] is True
    assert usual["tornado"]["allow_remote_access"] is False
    assert (usual["token"], usual["identity"]) == ("secret", True)
    assert usual["ip"] == "127.0.0.1"


def test_kernels_are_this_interpreter_whatever_is_registered(usual: dict[str, Any]) -> None:
    assert list(usual["kernels"]) == ["python3"]
    assert usual["argv"][:3] == [sys.executable, "-m", "ipykernel_launcher"]
    assert "--HistoryManager.enabled=False" in usual["argv"]
    assert usual["ends_all"] is True


def test_a_page_is_not_cut_off_for_a_ping_that_is_sent_late(usual: dict[str, Any]) -> None:
    """Whether one was answered is judged when the next is due: one interval is no time to answer."""
    tornado = usual["tornado"]
    assert tornado["ws_ping_timeout"] >= 3 * tornado["ws_ping_interval"]


def test_a_kernel_is_kept_ready(usual: dict[str, Any], tmp_path: Path) -> None:
    assert usual["preheat"] == [True, 1]
    assert settings(tmp_path, pool=0)["preheat"][0] is False


@pytest.mark.skipif(sys.platform == "win32", reason="Windows kernels are reached by ports of this machine")
def test_kernels_are_reached_by_sockets_of_this_user(usual: dict[str, Any], tmp_path: Path) -> None:
    assert usual["transport"] == "ipc"
    deep = tmp_path / ("x" * 60)
    deep.mkdir()
    assert settings(tmp_path, runtime=deep)["transport"] == "tcp"  # too long a path for a socket


def test_the_page_around_a_screen_is_our_own(usual: dict[str, Any]) -> None:
    name, path = usual["template"]
    assert name == "huanjie"
    assert Path(path).is_relative_to(Path(__file__).resolve().parents[2] / "huanjie_lib")


def test_content_comes_from_this_server_only(usual: dict[str, Any]) -> None:
    policy = dict(
        part.split(None, 1) for part in usual["tornado"]["headers"]["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'self'"
    assert policy["connect-src"] == "'self' ws://127.0.0.1:8866"
    assert policy["frame-ancestors"] == policy["object-src"] == "'none'"
    assert "*" not in "".join(policy.values())


def test_behind_a_proxy_other_host_names_are_the_proxys_matter(tmp_path: Path) -> None:
    assert settings(tmp_path, host="192.0.2.7")["tornado"]["allow_remote_access"] is True


def test_errors_are_one_line_each_only_while_a_server_ends(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> str:
        caplog.clear()
        try:
            raise RuntimeError("Kernel died\nbefore replying")
        except RuntimeError:
            logging.getLogger("voila").exception("Error in cell %s", "1\n2")
        return caplog.text

    with cut_off_in_one_line():
        ending = fail()
        logging.getLogger("voila").warning("Two\nlines")
        assert caplog.records[-1].getMessage() == "Two\nlines"
    assert ending.endswith("停止服务时中断：RuntimeError: Kernel died before replying\n")
    assert ending.count("\n") == 1
    serving = fail()
    assert "Error in cell 1\n2" in serving
    assert "Traceback" in serving
