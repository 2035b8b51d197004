"""How the server starts, what it lets in and how it ends; no browser needed."""

from __future__ import annotations

import http.client
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.driver import free_port, serving, spawn
from tests.lines import halfprice


def get(url: str, host: str | None = None, **headers: str) -> http.client.HTTPResponse:
    """The answer to one request, sent with any Host and any headers."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=30)
    connection.putrequest("GET", place.path or "/", skip_host=True)
    for name, value in {"Host": host or place.netloc, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def upgrade(host: str) -> dict[str, str]:
    """The headers of a WebSocket handshake, as a page on that host would send them."""
    return {
        "Origin": f"http://{host}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "streamlit",
    }


def test_every_answer_carries_our_headers(demo: str) -> None:
    for path in ("/", "/_stcore/health"):
        answer = get(demo + path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_our_own_page_may_connect_and_a_foreign_host_may_not(demo: str) -> None:
    stream = f"{demo}/_stcore/stream"
    own, foreign = urlsplit(demo).netloc, f"rebound.example:{urlsplit(demo).port}"
    assert get(stream, own, **upgrade(own)).status == http.client.SWITCHING_PROTOCOLS
    assert get(stream, foreign, **upgrade(foreign)).status in (400, 403)
    assert get(demo, foreign).status == http.client.BAD_REQUEST


def test_a_port_in_use_is_said_in_one_sentence(demo: str, tmp_path: Path) -> None:
    port = urlsplit(demo).port
    done = halfprice(tmp_path, "dashboard", "--no-browser", "--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"halfprice: Port {port} cannot be used: it is in use. Choose another one with --port.\n"


@pytest.mark.parametrize("port", ["0", "70000", "-1", "http", "8501.0", ""])
def test_what_is_not_a_port_is_wrong_usage(tmp_path: Path, port: str) -> None:
    done = halfprice(tmp_path, "demo", "--no-browser", f"--port={port}")
    assert done.returncode == 2
    assert "Use a number from 1 to 65535." in done.stderr


def test_a_home_that_cannot_be_used_is_said_before_the_server_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = halfprice(tmp_path / "file" / "home", "dashboard", "--no-browser", "--port", str(free_port()))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_with_a_dashboard_and_settings_of_its_own_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "dashboard").mkdir()
    (tmp_path / "dashboard" / "__init__.py").write_text("raise RuntimeError('not this one')\n", encoding="utf-8")
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text('[server]\nbaseUrlPath = "elsewhere"\n', encoding="utf-8")
    (tmp_path / ".streamlit" / "secrets.toml").write_text('ANTHROPIC_API_KEY = "theirs"\n', encoding="utf-8")
    with serving("dashboard", tmp_path / "home", folder=tmp_path, STREAMLIT_SERVER_ADDRESS="0.0.0.0") as url:
        assert get(url).status == http.client.OK
        with pytest.raises(OSError, match=r"refused|assign|unreachable"):
            socket.create_connection(("127.0.0.2", urlsplit(url).port or 0), timeout=5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_without_a_word(tmp_path: Path, number: signal.Signals) -> None:
    with spawn("dashboard", HALFPRICE_HOME=str(tmp_path)) as server:
        assert server.stdout is not None
        assert "http://localhost:" in server.stdout.readline()
        server.send_signal(number)
        said, _ = server.communicate(timeout=30)
    assert (server.returncode, said) == (0, "")


def test_a_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    with spawn("demo", TMPDIR=str(tmp_path)) as server:
        assert server.stdout is not None
        assert "Synthetic sample data" in server.stdout.readline()
        assert "a sandbox, not to the Claude API" in server.stdout.readline()
        assert "http://localhost:" in server.stdout.readline()
        assert len(list(tmp_path.glob("halfprice-demo-*"))) == 1
        server.terminate()
        said, _ = server.communicate(timeout=30)
    assert (server.returncode, said) == (0, "")
    assert list(tmp_path.glob("halfprice-demo-*")) == []
