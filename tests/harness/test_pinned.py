"""Where a pinned capture is looked for."""

from __future__ import annotations

import hashlib
import http.server
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.expectation import Pin, read
from harness.pinned import CaptureNotFound, find, pinned_path
from tests.harness.expectation_text import VALID

OCTETS = b"a capture"
SHA256 = hashlib.sha256(OCTETS).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache and no directories."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("REPLICAP_CAPTURES", raising=False)
    return tmp_path / "cache" / "replicap"


def pin(url: str = "https://example.org/a.pcap", octets: int = len(OCTETS)) -> Pin:
    return Pin(name="a.pcap", url=url, bytes=octets, sha256=SHA256)


def folder(path: Path, content: bytes = OCTETS, name: str = "other-name.pcap") -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / name).write_bytes(content)
    return path


def test_found_in_a_subfolder_of_the_second_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path / "one", b"z capture")
    folder(tmp_path / "two" / "deep" / "deeper")
    directories = [tmp_path / "one", tmp_path / "two"]
    monkeypatch.setenv("REPLICAP_CAPTURES", os.pathsep.join(map(str, directories)))
    assert find(pin()) == tmp_path / "two" / "deep" / "deeper" / "other-name.pcap"


def test_same_name_and_size_but_other_octets_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLICAP_CAPTURES", str(folder(tmp_path / "x", b"A capture", "a.pcap")))
    with pytest.raises(CaptureNotFound):
        find(pin())


def test_a_changed_file_is_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = folder(tmp_path / "x")
    monkeypatch.setenv("REPLICAP_CAPTURES", str(directory))
    found = find(pin())
    found.write_bytes(b"A capture")
    os.utime(found, ns=(1, 1))
    with pytest.raises(CaptureNotFound):
        find(pin())


def test_symbolic_links_are_followed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "x"
    folder(tmp_path / "elsewhere")
    directory.mkdir()
    (directory / "loop").symlink_to(directory)
    (directory / "link").symlink_to(tmp_path / "elsewhere")
    (directory / "dangling").symlink_to(tmp_path / "nowhere")
    monkeypatch.setenv("REPLICAP_CAPTURES", str(directory))
    assert find(pin()) == directory / "link" / "other-name.pcap"


def test_found_in_the_cache(cache: Path) -> None:
    folder(cache)
    assert find(pin()) == cache / "other-name.pcap"


def test_not_found_says_where_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setenv("REPLICAP_CAPTURES", str(tmp_path / "none"))
    with pytest.raises(CaptureNotFound) as caught:
        find(pin())
    reason = caught.value.reason
    assert f"not in REPLICAP_CAPTURES ({tmp_path / 'none'}) nor in the cache ({cache})" in reason
    assert f"{tmp_path / 'none'} is no directory" in reason
    assert "not downloaded from https://example.org/a.pcap: REPLICAP_OFFLINE is set" in reason
    assert f"put the file (9 octets, sha256 {SHA256}) into a directory" in reason
    assert "\n" not in reason


class _Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = {"/good": OCTETS, "/long": OCTETS * 100_000, "/other": b"A capture"}.get(self.path)
        self.send_response(404 if body is None else 200)
        self.end_headers()
        try:
            self.wfile.write(body or b"")
        except (BrokenPipeError, ConnectionResetError):
            return

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A web server of this machine, and permission to download from it."""
    monkeypatch.setenv("REPLICAP_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_downloaded_once_into_the_cache(site: str, cache: Path) -> None:
    found = find(pin(f"{site}/good"))
    assert found == cache / f"{SHA256[:16]}-a.pcap"
    assert found.read_bytes() == OCTETS
    assert find(pin("https://example.org/gone")) == found


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/long", "more than the pinned 9 octets"),
        ("/other", "does not match"),
        ("/missing", "404"),
    ],
)
def test_a_wrong_answer_is_not_kept(site: str, cache: Path, path: str, said: str) -> None:
    with pytest.raises(CaptureNotFound, match=said):
        find(pin(site + path))
    assert [each for each in cache.rglob("*") if each.is_file()] == []


def test_no_connection(site: str) -> None:
    with pytest.raises(CaptureNotFound, match="no connection"):
        find(pin("http://127.0.0.1:1/x"))


@pytest.mark.parametrize("url", ["ftp://example.org/a.pcap", "file:///etc/passwd", "a.pcap"])
def test_only_the_web_is_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICAP_OFFLINE", "0")
    with pytest.raises(CaptureNotFound, match=f"its url {url} is neither http nor https"):
        find(pin().model_copy(update={"url": url}))


def test_an_answer_that_is_too_short_or_too_slow_is_not_kept(
    site: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CaptureNotFound, match="9 octets instead of the pinned 10"):
        find(pin(f"{site}/good", octets=10))
    monkeypatch.setattr("harness.pinned.DEADLINE", -1)
    with pytest.raises(CaptureNotFound, match="not finished after -1 s"):
        find(pin(f"{site}/good"))
    assert [each for each in cache.rglob("*") if each.is_file()] == []


def test_the_path_of_a_pinned_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICAP_CAPTURES", str(folder(tmp_path / "x", name="a.zip")))
    plain = read(VALID.encode(), "f.yaml")
    with pytest.raises(CaptureNotFound, match=r"^f\.yaml pins no capture$"):
        pinned_path(replace(plain, capture=None))
    pinned = pin().model_copy(update={"member": "inner.pcap"})
    found = tmp_path / "x" / "a.zip"
    assert pinned_path(replace(plain, capture=pinned)) == f"{found}!inner.pcap"
    assert pinned_path(replace(plain, capture=pin())) == str(found)
