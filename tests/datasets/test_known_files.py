"""What was found of a file is taken for that file alone, by all processes, whatever happens."""

import logging
import multiprocessing
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from slowfast_ext.config.defaults import default_config
from slowfast_ext.datasets import known_files, video_file
from slowfast_ext.datasets.decoder import Decoder
from slowfast_ext.datasets.file_facts import find_facts
from slowfast_ext.datasets.frame_index import PACKET, FrameIndex
from slowfast_ext.datasets.known_files import KnownFiles, known_folder
from slowfast_ext.datasets.video import open_by_config, open_video
from slowfast_ext.errors import SlowFastExtError
from tests.datasets.odd_files import numbers_read, write
from tests.robustness import odd_videos

LENGTH = 30


@pytest.fixture(autouse=True)
def memory(monkeypatch):
    """Calling it gives this process the memory of one that has just started."""

    def forget(most_bytes=known_files.MOST_BYTES):
        monkeypatch.setattr(video_file, "KNOWN_FILES", KnownFiles(most_bytes))
        known_files._warn_once.cache_clear()
        known_files._try.cache_clear()

    forget()
    return forget


@pytest.fixture
def found(monkeypatch):
    """The paths of the files that were looked through."""
    paths = []

    def counted(decoder):
        paths.append(decoder.path)
        return find_facts(decoder)

    monkeypatch.setattr("slowfast_ext.datasets.video_file.find_facts", counted)
    return paths


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "x.mp4", range(LENGTH), bf=2)


def read(path, folder=None):
    """All that is said of the file, and its frames' numbers."""
    with open_video(path, index_folder=folder and str(folder)) as video:
        return repr(video.info), video.info.times.tobytes(), numbers_read(video)


def stored(folder):
    return [name for name in Path(folder).rglob("*") if name.is_file()]


# By stamps, with and without a clock that may start again, counted by chunks, and by decoding.
def test_a_second_opening_says_and_shows_the_same(tmp_path, memory, found):
    paths = [write(tmp_path / f"x.{ending}", range(LENGTH), bf=2) for ending in ("mp4", "ts")]
    paths += [write(tmp_path / "x.avi", range(LENGTH), "mpeg4", bf=2)]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(Path(paths[1]).read_bytes() * 2)
    paths.append(str(joined))
    for path in paths:
        first = read(path, tmp_path / "index")
        assert read(path, tmp_path / "index") == first
        memory()
        assert read(path, tmp_path / "index") == first
        assert found == [path]
        found.clear()


def test_turned_and_wide_pixels_are_known(tmp_path, memory, found):
    path = tmp_path / "x.mp4"
    odd_videos.write_plain(path, 173)
    odd_videos.turn_in_header(path, (0, 1, 0, -1, 0, 0))
    images = []
    for _ in range(2):
        with open_video(path, index_folder=str(tmp_path / "index")) as video:
            images.append(video.read([0]))
        memory()
    assert np.array_equal(*images) and len(found) == 1


def test_another_file_in_its_place_is_noticed(tmp_path, memory, path, found):
    other = write(tmp_path / "other.mp4", range(LENGTH // 2), bf=2)
    folder = tmp_path / "index"
    assert read(path, folder)[2] == list(range(LENGTH))
    size, changed = os.path.getsize(path), os.stat(path).st_mtime_ns
    # Of the same size and with the same time of change, as programs that copy set it.
    data = Path(other).read_bytes()
    data += (size - len(data)).to_bytes(4, "big") + b"free" + bytes(size - len(data) - 8)
    Path(path).write_bytes(data)
    os.utime(path, ns=(changed, changed))
    assert os.path.getsize(path) == size
    for _ in range(2):
        assert read(path, folder)[2] == list(range(LENGTH // 2))
        memory()
    assert len(found) == 2
    Path(path).write_bytes(data[: size // 3])
    with pytest.raises(SlowFastExtError, match="cannot be read|truncated"):
        read(path, folder)
    os.unlink(path)
    with pytest.raises(SlowFastExtError, match="no such video file"):
        read(path, folder)


def test_another_reader_finds_it_anew(tmp_path, memory, path, found, monkeypatch):
    read(path, tmp_path / "index")
    memory()
    monkeypatch.setattr(known_files, "_reader", lambda: ["another"])
    read(path, tmp_path / "index")
    assert len(found) == 2


@pytest.mark.parametrize("change", ["empty", "cut", "bit", "text", "pickle"])
def test_what_is_damaged_is_found_anew(tmp_path, memory, path, found, caplog, change):
    folder = tmp_path / "index"
    first = read(path, folder)
    (file,) = stored(folder)
    data = bytearray(file.read_bytes())
    if change == "pickle":
        with open(file, "wb") as stream:
            np.savez(stream, text=np.array([object()], dtype=object))
        data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x40 if change == "bit" else 0
    file.write_bytes({"empty": b"", "cut": data[:-90], "text": b"PK"}.get(change, bytes(data)))
    memory()
    with caplog.at_level(logging.WARNING):
        assert read(path, folder) == first
    assert f"{file}: damaged" in caplog.text and len(found) == 2
    memory()
    assert read(path, folder) == first and len(found) == 2


def _read_often(path, folder):
    for _ in range(20):
        video_file.KNOWN_FILES = KnownFiles()
        for name in Path(folder).rglob("*.npz"):
            # So that the other process meets what is written at this moment.
            name.unlink(missing_ok=True)
        assert read(path, folder)[2] == list(range(LENGTH))


def test_two_processes_at_once(tmp_path, path):
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=_read_often, args=(path, tmp_path / "index")) for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    # Whole, or not there.
    assert all(name.suffix == ".npz" for name in stored(tmp_path / "index"))


@pytest.mark.parametrize("full", [False, True])
def test_where_nothing_can_be_written_memory_serves(
    tmp_path, path, found, caplog, monkeypatch, full
):
    folder = tmp_path / "index"
    if full:

        def no_space(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(known_files, "open_atomically", no_space)
    else:
        folder.write_bytes(b"a file")
    other = write(tmp_path / "other.mp4", range(LENGTH), bf=0)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert read(path, folder)[2] == read(other, folder)[2] == list(range(LENGTH))
    assert len(found) == 2
    assert caplog.text.count("is kept in memory") == 1


def test_the_key_says_where(tmp_path, memory, path, caplog, monkeypatch):
    cfg = default_config()
    cfg.OUTPUT_DIR = str(tmp_path / "runs" / "one")
    # Of another machine's run there is no folder.
    assert known_folder(cfg) is None
    os.makedirs(cfg.OUTPUT_DIR)
    with open_by_config(cfg, path):
        pass
    assert len(stored(tmp_path / "runs" / "video_index")) == 1
    monkeypatch.chdir(cfg.OUTPUT_DIR)
    cfg.OUTPUT_DIR = "."
    assert known_folder(cfg) == str(tmp_path / "runs" / "one" / "video_index")
    cfg.DATA.INDEX_CACHE = str(tmp_path / "mine")
    memory()
    with open_by_config(cfg, path):
        pass
    assert len(stored(tmp_path / "mine")) == 1
    cfg.DATA.INDEX_CACHE = "none"
    assert known_folder(cfg) is None
    (tmp_path / "file").write_bytes(b"")
    cfg.DATA.INDEX_CACHE = str(tmp_path / "file")
    with caplog.at_level(logging.WARNING):
        assert known_folder(cfg) == known_folder(cfg) == cfg.DATA.INDEX_CACHE
    assert caplog.text.count("DATA.INDEX_CACHE") == 1


def _hour(path):
    """FileFacts of an hour at 30 frames a second, by the facts of a short file."""
    decoder = Decoder(path)
    facts = find_facts(decoder)
    decoder.close()
    stamps = np.arange(30 * 3600)
    keys = np.zeros(len(stamps), PACKET)[::250]
    return facts, lambda: FrameIndex(stamps.copy(), stamps.astype(float), keys, False, True)


def test_memory_is_bounded_over_a_thousand_hours(tmp_path, path, memory):
    facts, index = _hour(path)
    known = KnownFiles()
    tracemalloc.start()
    try:
        for number in range(1000):
            name = tmp_path / f"{number}.mp4"
            name.write_bytes(b"x")
            known.find(str(name)).keep(replace(facts, index=index()))
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 0.9 * known.most_bytes < known.num_bytes <= known.most_bytes
    assert taken <= 1.1 * known.most_bytes
    # The last ones are known, the first ones are not.
    assert known.find(str(tmp_path / "999.mp4")).facts is not None
    assert known.find(str(tmp_path / "0.mp4")).facts is None
    # One that alone is larger is not kept, and takes nobody's place.
    small = KnownFiles(most_bytes=10_000)
    small.find(path).keep(facts)
    small.find(str(tmp_path / "1.mp4")).keep(replace(facts, index=index()))
    assert small.find(path).facts is not None
    assert small.find(str(tmp_path / "1.mp4")).facts is None


def test_the_version_of_the_reader_is_part_of_it():
    reader = known_files._reader()
    assert reader[0] == known_files.FORMAT and reader[1] == av.__version__
