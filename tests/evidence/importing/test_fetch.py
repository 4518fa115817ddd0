"""Fetching from a server of this machine: an answer, a busy server, no answer."""

from __future__ import annotations

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from igfmeta.errors import InputError
from igfmeta.evidence.importing import fetch
from igfmeta.evidence.importing.fetch import fetch_study

FILES = Path(__file__).parent / "files"


@pytest.fixture
def server():
    answers, asked = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            status, body, *more = answers.pop(0)
            headers, act = (more[0] if more else {}), (more[1] if len(more) > 1 else None)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            if act is not None:
                act(self.wfile)
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{http.server_address[1]}/studies", answers, asked
    http.shutdown()
    thread.join()
    http.server_close()


RECORD = (FILES / "NCT09000001.json").read_bytes()


def test_a_study_is_fetched(server):
    address, answers, asked = server
    answers.append((200, RECORD))
    assert fetch_study("NCT09000001", address=address).data == RECORD
    assert asked == ["/studies/NCT09000001?format=json"]


def test_a_busy_server_is_asked_again_after_longer_and_longer_waits(server):
    address, answers, _ = server
    answers += [(503, b""), (429, b""), (200, RECORD)]
    waits = []
    assert fetch_study("NCT09000001", address=address, wait=waits.append).data == RECORD
    assert waits == [1.0, 2.0]


@pytest.mark.parametrize(
    ("given", "message", "times"),
    [
        ([(404, b"")], "there is no such study", 1),
        ([(302, b"")], "answered 302", 1),
        ([(500, b"")] * 3, "answered 500", 3),
    ],
)
def test_what_the_server_refuses_is_said(server, given, message, times):
    address, answers, asked = server
    answers += given
    with pytest.raises(InputError, match=message):
        fetch_study("NCT09000001", address=address, wait=lambda _: None)
    assert len(asked) == times


def test_no_server_and_no_number():
    with pytest.raises(InputError, match="could not be fetched"):
        fetch_study("NCT09000001", address="http://127.0.0.1:9/x", timeout=0.5, wait=lambda _: None)
    with pytest.raises(InputError, match="NCT and eight digits"):
        fetch_study("NCT1/../../x")


def test_a_server_says_how_long_to_wait_within_bounds(server):
    address, answers, _ = server
    answers += [(429, b"", {"Retry-After": "7"}), (503, b"", {"Retry-After": "9999"}), (200, RECORD)]
    waits = []
    fetch_study("NCT09000001", address=address, wait=waits.append)
    assert waits == [7.0, 60.0]


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><html>Log in</html>", b"", b"[]", b"Service moved"])
def test_an_answer_that_is_no_record_is_not_taken_for_one(server, body):
    address, answers, _ = server
    answers.append((200, body, {"Content-Type": "text/html; charset=utf-8"}))
    with pytest.raises(InputError, match="nothing" if not body else r"no record of a study \(text/html\)"):
        fetch_study("NCT09000001", address=address)


def test_an_answer_that_stops_or_does_not_come_is_asked_for_again(server):
    address, answers, asked = server
    answers += [(200, RECORD[:100], {"Content-Length": str(len(RECORD))}), (200, RECORD)]
    assert fetch_study("NCT09000001", address=address, timeout=0.2, wait=lambda _: None).data == RECORD
    answers += [(200, RECORD, {}, lambda _: time.sleep(0.15))] * 3
    with pytest.raises(InputError, match="ReadTimeout"):
        fetch_study("NCT09000001", address=address, timeout=0.05, wait=lambda _: None)
    assert len(asked) == 5


def test_an_answer_that_trickles_and_one_without_end_are_given_up(server, monkeypatch):
    address, answers, _ = server
    monkeypatch.setattr(fetch, "LONGEST_ANSWER", 0.05)
    answers.append(
        (200, RECORD[1:], {"Content-Length": str(len(RECORD))}, lambda out: (out.write(b"{"), time.sleep(0.1)))
    )
    with pytest.raises(InputError, match="took longer than"):
        fetch_study("NCT09000001", address=address)
    monkeypatch.setattr(fetch, "LONGEST_ANSWER", 60.0)
    monkeypatch.setattr(fetch, "LARGEST", 1000)
    answers.append((200, RECORD))
    with pytest.raises(InputError, match="is larger than"):
        fetch_study("NCT09000001", address=address)


def test_another_study_than_the_one_asked_for_is_refused(server, monkeypatch, capsys):
    import sys

    from igfmeta.cli.app import _run

    address, answers, _ = server
    answers += [(200, RECORD), (200, RECORD)]
    monkeypatch.setattr(sys, "argv", ["igfmeta", "import", "--fetch", "NCT09000001", "--address", address])
    assert _run() == 0
    assert "nct09000001-01" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["igfmeta", "import", "--fetch", "NCT09000009", "--address", address])
    assert _run() == 2
    assert "holds no study NCT09000009; found are NCT09000001" in capsys.readouterr().err
