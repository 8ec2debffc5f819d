"""``docs/nginx.conf`` as it stands, in Debian's nginx before a real server, from login to widgets.

The placeholders are filled in; nothing else is changed. The server listens on a Unix socket for the proxy.
"""

from __future__ import annotations

import base64
import datetime as dt
import http.client
import ipaddress
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from playwright.sync_api import Browser, WebSocket, expect

from huanjie_lib.store.run_folder import Run
from huanjie_lib.store.snapshot import write_snapshot
from huanjie_lib.vocabulary import Role
from tests.browser.conftest import PATIENCE_MS, free_port
from tests.browser.serving import servers

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CONF = Path(__file__).resolve().parents[2] / "docs" / "nginx.conf"
HOST = "127.0.0.1"
PASSWORD = "correct horse"
ACCOUNTS = """
format: huanjie-accounts/1
accounts:
  - {account: mayor, office: 市委, role: reader}
  - {account: zhao, office: 石桥镇, role: township, scope: ["990101102"]}
"""
AROUND = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/huanjie.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running nginx and the server behind it."""

    port: int
    folder: Path

    @property
    def origin(self) -> str:
        return f"https://{HOST}:{self.port}"

    def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        login: str | None = "mayor",
        body: bytes | None = None,
        **headers: str,
    ) -> tuple[int, http.client.HTTPMessage, str]:
        """Return status, headers and text of the answer to somebody."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if login is not None:
            word = base64.b64encode(f"{login}:{PASSWORD}".encode()).decode()
            named = {"Authorization": f"Basic {word}", **named}
        trusted = ssl.create_default_context(cafile=str(self.folder / "certificate.pem"))
        connection = http.client.HTTPSConnection(HOST, self.port, timeout=120, context=trusted)
        try:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()


def certificate(folder: Path) -> None:
    """Write a certificate of this machine, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def nginx() -> str:
    """Return the program; without it CI fails, and other machines skip, told what to install."""
    found = shutil.which("nginx") or ("/usr/sbin/nginx" if Path("/usr/sbin/nginx").exists() else None)
    if found is None:
        told = "nginx is missing: apt install nginx"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(told)
    return str(found)


@pytest.fixture(scope="module")
def proxy(small_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The overview for leaders over a snapshot, behind nginx."""
    if sys.platform == "win32":
        pytest.skip("Unix sockets")
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "accounts.yaml").write_text(ACCOUNTS, encoding="utf-8")
    (folder / "accounts.yaml").chmod(0o600)
    names = "".join(f"{name}:{{PLAIN}}{PASSWORD}\n" for name in ("mayor", "zhao", "nobody"))
    (folder / "passwords").write_text(names, encoding="utf-8")
    certificate(folder)
    assert small_run.path is not None
    write_snapshot(small_run.path, folder / "snapshot", role=Role.READER)
    port = free_port()
    filled = CONF.read_text(encoding="utf-8")
    for name, value in {
        "NAME": HOST,
        "ORIGIN": f"https://{HOST}:{port}",
        "LISTEN": f"{HOST}:{port}",
        "CERTIFICATE": folder / "certificate.pem",
        "KEY": folder / "key.pem",
        "PASSWORDS": folder / "passwords",
        "SOCKET": folder / "screen.sock",
    }.items():
        filled = filled.replace(f"@{name}@", str(value))
    assert not re.search("^[^#]*@[A-Z]+@", filled, re.MULTILINE)
    (folder / "huanjie.conf").write_text(filled, encoding="utf-8")
    user = "user root root;" if os.geteuid() == 0 else ""
    around = folder / "nginx.conf"
    around.write_text(AROUND.format(folder=folder, user=user), encoding="utf-8")
    with servers() as started, (folder / "stderr").open("wb") as stderr:
        started.start(
            folder / "serve.log",
            *("--run", folder / "snapshot", "--role", "reader", "--accounts", folder / "accounts.yaml"),
            *("--socket", folder / "screen.sock", "--public", f"https://{HOST}:{port}"),
        )
        process = subprocess.Popen([nginx(), "-c", str(around), "-p", str(folder)], stderr=stderr)
        try:
            wait_for(folder / "nginx.pid", process, folder)
            yield Proxy(port, folder)
        finally:
            process.terminate()
            process.wait(120)


def wait_for(pid: Path, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + 120
    while not pid.exists():
        said = (folder / "stderr").read_text() + "".join(f.read_text() for f in folder.glob("error.log"))
        assert process.poll() is None, said
        assert time.monotonic() < until, said
        time.sleep(0.05)


def test_a_leader_logs_in_and_the_page_works(
    proxy: Proxy, browser: Browser, small_run: Run, tmp_path: Path
) -> None:
    context = browser.new_context(
        ignore_https_errors=True, http_credentials={"username": "mayor", "password": PASSWORD}
    )
    context.set_default_timeout(PATIENCE_MS)
    sockets: list[WebSocket] = []
    refused: list[str] = []
    try:
        page = context.new_page()
        page.on("websocket", lambda socket: sockets.append(socket))
        page.on("response", lambda r: refused.append(f"{r.status} {r.url}") if r.status > 401 else None)
        page.goto(proxy.origin)
        expect(page.locator("canvas").first).to_be_visible()
        reds = int((small_run.index["level"] == "red").sum())
        expect(page.locator('.hj-tiles [data-figure="red"]')).to_have_text(str(reds))
        page.get_by_role("tab", name="镇街排名").click()
        expect(page.locator(".hj-side")).to_contain_text("石桥镇")
        page.screenshot(path=tmp_path / "through-nginx.png")
        assert [socket.url.startswith("wss://") for socket in sockets] == [True]
        assert refused == []
    finally:
        context.close()


def test_without_a_login_there_is_nothing(proxy: Proxy) -> None:
    for path in ("/", "/voila/static/voila.js"):
        status, headers, _ = proxy.ask(path, login=None)
        assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="huanjie"')
    assert proxy.ask("/", Authorization="Basic bWF5b3I6d3Jvbmc=")[0] == 401  # the wrong password


@pytest.mark.parametrize(
    "path",
    [
        *("/voila/files/overview.ipynb", "/overview.ipynb", "/login", "/api/kernels", "/api/contents"),
        *("/voila/static/../../etc/passwd", "/voila/static/%2e%2e/x.js", "/voila/tree", "/x", "//"),
        *(
            "/api/kernels/x",
            "/voila/templates/lab/static/voila.js",
            "/voila/labextensions/anywidget/package.json",
        ),
    ],
)
def test_an_address_that_is_not_listed_is_not_there(proxy: Proxy, path: str) -> None:
    assert proxy.ask(path)[0] == 404


def test_each_address_takes_its_own_method(proxy: Proxy) -> None:
    kernel = "01234567-0123-4123-8123-0123456789ab"
    for method, path in (
        ("POST", "/"),
        ("DELETE", f"/api/kernels/{kernel}"),
        ("GET", f"/voila/api/shutdown/{kernel}"),
        ("PUT", "/casework/append"),
    ):
        assert proxy.ask(path, method)[0] == 403


def test_another_name_or_origin_is_sent_away(proxy: Proxy) -> None:
    assert proxy.ask("/voila/static/voila.js", Host="evil.example")[0] == 421
    for origin in ("https://evil.example", "null", f"http://{HOST}:{proxy.port}"):
        assert proxy.ask("/voila/static/voila.js", Origin=origin)[0] == 403
    assert proxy.ask("/voila/static/voila.js", Origin=proxy.origin)[0] == 200


def test_what_a_request_says_of_itself_is_replaced(proxy: Proxy) -> None:
    forged = {
        "X_Huanjie_Account": "mayor",
        "X_Huanjie_Proxy": "x",
        "X_Huanjie_Role": "reader",
        "Remote_User": "mayor",
    }
    status, _, text = proxy.ask("/", login="zhao", **forged)
    assert status == 403
    assert "您的账号属于“镇街”" in text
    status, _, text = proxy.ask("/", login="nobody", **forged)
    assert status == 403
    assert "账号没有开通" in text


def test_big_bodies_go_to_evidence_alone(proxy: Proxy) -> None:
    status, _, text = proxy.ask("/casework/append", "POST", body=bytes(2 * 1024 * 1024), Origin=proxy.origin)
    assert status == 413
    assert "内容太大" in text
    passed = proxy.ask("/casework/evidence", "POST", body=bytes(2 * 1024 * 1024), Origin=proxy.origin)
    assert passed[0] == 403  # it got through to the server, whose screen has no door
    assert "单位的登录入口" in passed[2]


def test_too_many_requests_are_told_to_wait(proxy: Proxy) -> None:
    """Last in the file: who comes too often has to wait a while; wrong passwords count too."""
    answers = [proxy.ask("/", login=None)]
    while answers[-1][0] == 401 and len(answers) < 300:  # a slow machine does not come so often
        answers.append(proxy.ask("/", login=None))
    assert {status for status, _, _ in answers} == {401, 429}
    assert "操作太频繁" in answers[-1][2]
    log = (proxy.folder / "serve.log").read_text(encoding="utf-8")
    assert "Traceback" not in log
