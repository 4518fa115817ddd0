"""Fetching from a server of this machine: an answer, a busy server, no answer."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from igfmeta.errors import InputError
from igfmeta.evidence.importing.fetch import fetch_study

FILES = Path(__file__).parent / "files"


@pytest.fixture
def server():
    answers, asked = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            status, body = answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
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
