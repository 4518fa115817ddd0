"""What is written appears whole or not at all, and what is read is a file of bounded size."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from igfmeta.errors import InputError
from igfmeta.evidence import reading
from igfmeta.evidence.reading import read_table
from igfmeta.evidence.stream import read_grouped
from igfmeta.files import content_of, whole_file, write_whole
from igfmeta.synthesis.protocol_files import read_protocol


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError, InputError("no"), GeneratorExit])
@pytest.mark.parametrize("parts", [0, 1, 3])
def test_whatever_stops_a_write_the_old_file_stays(tmp_path, stop, parts):
    path = tmp_path / "out.csv"
    path.write_text("old")

    def stopped():
        with whole_file(path) as write:
            for _ in range(parts):
                write("new" * 10_000)
            raise stop

    with pytest.raises((KeyboardInterrupt, MemoryError, InputError, GeneratorExit)):
        stopped()
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["out.csv"]


def test_a_process_that_is_killed_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")
    program = (
        "import sys, time; from pathlib import Path; from igfmeta.files import whole_file\n"
        f"with whole_file(Path({str(path)!r})) as write:\n"
        "    write('new' * 100_000); print('half', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"half\n"
        writer.send_signal(signal.SIGKILL)
    assert path.read_text() == "old"


#: A disk without room, and a standard output without room.
SMALL = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
"""
FULL = "os.dup2(os.open('/dev/full', os.O_WRONLY), 1)"


def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path, process):
    path = tmp_path / "out.html"
    path.write_text("old")
    table = ("--data", _table(tmp_path), "--yi", "yi", "--vi", "vi")
    status, said = process(tmp_path, SMALL, "fit", *table, "--format", "html", "-o", path)
    assert status == 2
    assert "out.html cannot be written: File too large" in said
    assert "Traceback" not in said
    assert path.read_text() == "old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("batch", [(), ("--batch", "study")])
def test_a_standard_output_that_is_full_is_said(tmp_path, process, batch):
    status, said = process(tmp_path, FULL, "fit", "--data", _table(tmp_path), "--yi", "yi", "--vi", "vi", *batch)
    assert status == 2
    assert "standard output cannot be written: No space left on device" in said
    with pytest.raises(InputError, match="No space left on device"):
        write_whole(Path("/dev/full"), "x")


def _table(folder):
    path = folder / "t.csv"
    path.write_text("study,yi,vi\nA,0.1,0.02\nB,0.4,0.03\n")
    return path


def test_a_device_is_not_replaced_and_a_link_is_kept(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, "through")
    reader.join(10)
    assert read == ["through"]
    assert pipe.is_fifo()
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    write_whole(tmp_path / "link.csv", "new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path):
    for place in (tmp_path / "no" / "x.csv", tmp_path / ("x" * 300 + ".csv")):
        with pytest.raises(InputError, match="cannot be written"):
            write_whole(place, "x")
    with pytest.raises(InputError, match="is a folder"):
        write_whole(tmp_path, "x")


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".toml"])
def test_a_device_or_a_pipe_is_not_read_as_a_file(tmp_path, suffix):
    link, pipe = tmp_path / f"zero{suffix}", tmp_path / f"pipe{suffix}"
    link.symlink_to("/dev/zero")
    os.mkfifo(pipe)
    for path in (link, pipe):
        with pytest.raises(InputError, match=r"a file is needed|cannot be read"):
            read_protocol(path) if suffix == ".toml" else read_table(path)
        if suffix == ".csv":
            with pytest.raises(InputError, match="a file is needed"):
                read_grouped(path, numeric=["yi"], group="g")


def test_what_is_not_there_or_has_no_name_is_said(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        content_of(tmp_path / "no.csv")
    with pytest.raises(InputError, match="is a folder"):
        content_of(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        content_of(tmp_path / ("x" * 300))


def test_a_workbook_that_would_unpack_to_too_much_is_refused_before_it_does(tmp_path, monkeypatch):
    path = tmp_path / "t.xlsx"
    pd.DataFrame({"yi": [0.1], "vi": [0.2]}).to_excel(path, index=False)
    assert read_table(path).header == ("yi", "vi")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/bomb.xml", b"0" * 3_000_000)
    monkeypatch.setattr(reading, "MOST_UNPACKED", 1_000_000)
    with pytest.raises(InputError, match="would unpack to 3,0"):
        read_table(path)


def test_entities_of_a_workbook_do_not_multiply(tmp_path):
    good, bomb = tmp_path / "good.xlsx", tmp_path / "bomb.xlsx"
    pd.DataFrame({"yi": [0.1], "vi": [0.2]}).to_excel(good, index=False)
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    head = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "lol">{entities}]>'
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(bomb, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name.startswith("xl/worksheets/sheet"):
                body = text.decode().split("?>", 1)[-1]
                text = (head + body.replace("<v>0</v>", "<v>&e9;</v>", 1)).encode()
            new.writestr(name, text)
    with pytest.raises(InputError, match="cannot be read as xlsx"):
        read_table(bomb)
