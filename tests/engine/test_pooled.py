"""One vector a window along whole videos."""

import json
import os

import numpy as np
import pytest
import torch

from slowfast_ext.datasets import clips
from slowfast_ext.datasets.contract import ActivityDataset
from slowfast_ext.datasets.multi_label_videos import MultiLabelVideos
from slowfast_ext.datasets.video import open_video
from slowfast_ext.datasets.windows import list_windows
from slowfast_ext.engine import loaders
from slowfast_ext.engine.pooled import extract_pooled
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.trained import trained_network
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils import distributed
from tests.helpers import CONFIG, pairs


@pytest.fixture
def words(run_folder):
    words = ["--cfg", CONFIG, *pairs(run_folder)]
    return [*words, "TEST.CHECKPOINT_FILE_PATH", str(run_folder / "output/checkpoints/random.pyth")]


def test_each_window_has_the_mean_of_its_map(words, run_folder, tmp_path, command):
    options = [
        "--pooled",
        "--splits",
        "train,tune",
        "--every",
        "0.5",
        "--out",
        tmp_path / "vectors",
    ]
    code, _, err = command("extract", *options, *words)
    assert (code, err) == (0, "")
    cfg = checked_config(words[1], words[2:])
    network = trained_network(cfg)
    for name in "01":
        path = run_folder / "videos" / f"{name}.mp4"
        (found,) = (tmp_path / "vectors").rglob(f"{name}.npy")
        with open_video(path) as reader:
            windows = list_windows(cfg, reader.info, 0.5)
            batch = clips.read_clips(cfg, reader, windows.frames, False)
        inputs, _ = clips.network_input(cfg, batch, torch.device("cpu"))
        with torch.no_grad():
            expected = network.features(inputs).mean((2, 3, 4)).numpy()
        np.testing.assert_allclose(np.load(found), expected, rtol=1e-4, atol=1e-5)
    facts = json.loads((tmp_path / "vectors" / "windows.json").read_text())
    assert facts["seconds_from_window_to_window"] == 0.5


def test_another_extraction_there_is_refused(words, tmp_path):
    cfg = checked_config(words[1], words[2:])
    extract_pooled(cfg, str(tmp_path), ["train"], 1.0)
    with pytest.raises(SlowFastExtError, match=r"window_to_window 1\.0 \(now 2\.0\)"):
        extract_pooled(cfg, str(tmp_path), ["train"], 2.0)
    other = checked_config(words[1], [*words[2:], "DATA.MEAN", "[0.1, 0.1, 0.1]"])
    with pytest.raises(SlowFastExtError, match=r"DATA\.MEAN \[.*\] \(now \[0\.1, 0\.1, 0\.1\]\)"):
        extract_pooled(other, str(tmp_path), ["train"], 1.0)


def test_what_is_there_is_kept_until_the_video_is_newer(words, run_folder, tmp_path):
    cfg = checked_config(words[1], words[2:])
    extract_pooled(cfg, str(tmp_path), ["train"], 1.0)
    kept, changed = sorted(tmp_path.rglob("*.npy"))
    video = run_folder / "videos" / f"{changed.stem}.mp4"
    before = os.stat(video)
    for path in (kept, changed):
        path.write_bytes(b"")
    try:
        os.utime(video, (before.st_atime, os.stat(changed).st_mtime + 1))
        extract_pooled(cfg, str(tmp_path), ["train"], 1.0)
    finally:
        os.utime(video, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert np.load(changed).ndim == 2
    assert kept.read_bytes() == b""


@pytest.mark.parametrize("text", ["[]", "{"])
def test_a_description_that_is_no_object_is_refused(words, tmp_path, text):
    (tmp_path / "windows.json").write_text(text)
    with pytest.raises(SlowFastExtError, match=r"windows\.json: not JSON .*: name another folder"):
        extract_pooled(checked_config(words[1], words[2:]), str(tmp_path), ["train"])


def test_a_data_set_that_names_no_files_is_refused(words, tmp_path, monkeypatch):
    monkeypatch.setattr(MultiLabelVideos, "media_path", ActivityDataset.media_path)
    with pytest.raises(SlowFastExtError, match="MultiLabelVideos does not say which file .* is"):
        extract_pooled(checked_config(words[1], words[2:]), str(tmp_path), ["train"])


def test_seconds_are_those_of_vectors_and_not_zero(words, tmp_path, command):
    options = ["--splits", "tune", "--out", tmp_path / "vectors", "--every"]
    code, _, err = command("extract", *options, "0.5", *words)
    assert code == 2 and "--every belongs to --pooled" in err
    code, _, err = command("extract", "--pooled", *options, "0", *words)
    assert code == 2 and "--every is 0.0: it must be a number of seconds from 0.001 on" in err
    assert not (tmp_path / "vectors").exists()


def test_each_video_is_one_processs_whatever_the_others_have_written(words, tmp_path, monkeypatch):
    cfg = checked_config(words[1], words[2:])
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(distributed, "main_process_first", lambda action: action())
    for rank in (0, 1):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        extract_pooled(cfg, str(tmp_path), ["train"], 1.0)
    assert len(list(tmp_path.rglob("*.npy"))) == len(loaders.build_dataset(cfg, "train"))
