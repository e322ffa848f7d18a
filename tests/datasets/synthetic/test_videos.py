import csv
import dataclasses
import json

import av
import numpy as np
import pytest

from slowfast_ext.datasets.lists import read_class_names, read_list
from slowfast_ext.datasets.synthetic import videos
from slowfast_ext.datasets.synthetic.scenes import SyntheticSettings, draw_actors
from slowfast_ext.datasets.synthetic.videos import (
    FORMAT,
    FPS,
    encode,
    ensure,
    generate,
    images_of,
    write_video,
)
from slowfast_ext.errors import SlowFastExtError

SETTINGS = SyntheticSettings(num_train=4, num_test=2)


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    """Written by processes of their own, as large sets are."""
    directory = tmp_path_factory.mktemp("synthetic")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(videos, "VIDEOS_A_PROCESS", 1)
        generate(directory, SETTINGS)
    return directory


def decode(path):
    """T x S x S x 3."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


# --- Files ---------------------------------------------------------------------------------


def test_a_set_holds_what_the_settings_say(data_set):
    names = sorted(path.name for path in (data_set / "videos").iterdir())
    stems = [f"test_{i:04d}" for i in range(2)] + [f"train_{i:04d}" for i in range(4)]
    assert names == [f"{stem}.{kind}" for stem in stems for kind in ("json", "mp4")]
    top = sorted(path.name for path in data_set.iterdir())
    assert top == ["classes.txt", "settings.json", "test.csv", "train.csv", "videos"]
    saved = json.loads((data_set / "settings.json").read_text())
    settings = dataclasses.asdict(SETTINGS)
    assert settings.pop("imbalance") == 1  # Off, it is left out: bytes of before there was one.
    assert saved == {"format": FORMAT, **settings}


def test_videos_are_h264_long_enough_for_a_clip_at_rate_8(data_set):
    for path in (data_set / "videos").glob("*.mp4"):
        with av.open(str(path)) as container:
            video = container.streams.video[0]
            assert (video.codec_context.name, video.pix_fmt) == ("h264", "yuv420p")
            assert (video.average_rate, video.width, video.height) == (FPS, 96, 96)
            times = [frame.time for frame in container.decode(video)]
        np.testing.assert_allclose(times, np.arange(72) / FPS, atol=1e-4)
        assert len(times) >= (8 - 1) * 8 + 1


def test_the_lists_agree_with_the_truth(data_set):
    names = read_class_names(str(data_set / "classes.txt"))
    assert names == list(SETTINGS.class_names)
    for split, count in (("train", 4), ("test", 2)):
        videos = read_list(str(data_set / f"{split}.csv"), names, str(data_set))
        assert [video.path for video in videos] == [
            f"{data_set}/videos/{split}_{index:04d}.mp4" for index in range(count)
        ]
        for video in videos:
            with open(video.path.replace(".mp4", ".json")) as stream:
                truth = json.load(stream)
            listed = [(part.labels, part.start, part.end) for part in video.segments]
            assert [([names[i] for i in labels], *span) for labels, *span in listed] == [
                (t["labels"], t["start"], t["end"]) for t in truth
            ]
            with av.open(video.path) as container:
                times = [frame.time for frame in container.decode(video=0)]
            for item, segment in zip(truth, video.segments, strict=True):
                active = np.array(times)[segment.contains(times)]
                assert len(item["boxes"]) == len(active)
                assert [active[0], active[-1]] == pytest.approx([item["start"], item["end"]])


def test_paths_in_the_lists_are_relative(data_set):
    with open(data_set / "train.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["path", "labels", "start", "end"]
    assert rows[0]["path"] == "videos/train_0000.mp4"


def test_the_same_seed_gives_the_same_frames_in_any_process(data_set, tmp_path):
    write_video(str(tmp_path), SETTINGS, "train", 2)
    for name in ("train_0002.mp4", "train_0002.json"):
        assert (tmp_path / "videos" / name).exists()
    again = decode(tmp_path / "videos/train_0002.mp4")
    np.testing.assert_array_equal(again, decode(data_set / "videos/train_0002.mp4"))
    truth = (tmp_path / "videos/train_0002.json").read_text()
    assert truth == (data_set / "videos/train_0002.json").read_text()


def test_the_same_frames_give_the_same_bytes():
    """Every time: x264's macroblock tree gave this video other bytes in one of three encodings."""
    random, settings = np.random.default_rng([0, 1, 0]), SyntheticSettings()
    images = list(images_of(random, draw_actors(random, settings), settings))
    assert len({encode(iter(images), settings.size) for _ in range(15)}) == 1


def test_an_imbalance_changes_the_training_videos_alone(data_set, tmp_path):
    settings = dataclasses.replace(SETTINGS, imbalance=1e6)
    for split in ("train", "test"):
        write_video(str(tmp_path), settings, split, 1)
    name = "videos/test_0001.mp4"
    assert (tmp_path / name).read_bytes() == (data_set / name).read_bytes()
    truth = json.loads((tmp_path / "videos/train_0001.json").read_text())
    assert {label for item in truth for label in item["labels"]} == {SETTINGS.class_names[0]}


def test_a_set_is_refused_under_another_imbalance(data_set):
    with pytest.raises(SlowFastExtError, match=r"imbalance is 1.0, not 2.0"):
        ensure(data_set, dataclasses.replace(SETTINGS, imbalance=2.0))


@pytest.mark.parametrize("change", [{"seed": 1}, {"split": "test"}, {"index": 3}])
def test_another_seed_split_or_index_gives_another_video(data_set, tmp_path, change):
    settings = dataclasses.replace(SETTINGS, seed=change.get("seed", 0))
    split, index = change.get("split", "train"), change.get("index", 2)
    write_video(str(tmp_path), settings, split, index)
    other = decode(tmp_path / f"videos/{split}_{index:04d}.mp4")
    assert np.abs(other[0].astype(int) - decode(data_set / "videos/train_0002.mp4")[0]).mean() > 5


# --- Complete, incomplete and other sets ---------------------------------------------------


def test_a_complete_set_is_left_alone(data_set):
    path = data_set / "videos/train_0000.mp4"
    before = path.stat().st_mtime_ns
    ensure(data_set, SETTINGS)
    assert path.stat().st_mtime_ns == before


def test_a_stopped_generation_is_begun_again(tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    settings = SyntheticSettings(num_train=1, num_test=1, num_frames=4)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(videos, "_write_split", stop)
        ensure(tmp_path, SETTINGS)
    assert not (tmp_path / "settings.json").exists()
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/train_0000.mp4").write_bytes(b"half a file")
    ensure(tmp_path, settings)
    assert len(decode(tmp_path / "videos/train_0000.mp4")) == 4
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["classes.txt", "settings.json", "test.csv", "train.csv", "videos"]


@pytest.mark.parametrize("name", ["classes.txt", "train.csv", "videos/a.mp4"])
@pytest.mark.parametrize("given", ["the folder", ""])
def test_what_others_have_written_is_left_alone(tmp_path, monkeypatch, name, given):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(SlowFastExtError, match=f"holds {name.split('/')[0]}.*MultiLabelVideos"):
        ensure(given and tmp_path, SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == [name.split("/")[0]]
    assert (tmp_path / name).read_text() == "mine"


def test_other_settings_are_refused_by_name(data_set):
    other = dataclasses.replace(SETTINGS, num_train=5, correlated=False)
    with pytest.raises(SlowFastExtError) as caught:
        ensure(data_set, other)
    message = str(caught.value)
    assert str(data_set) in message
    assert "num_train is 4, not 5; correlated is True, not False" in message
    assert "another directory or delete" in message
    assert "seed" not in message


def test_a_set_older_than_a_switch_was_written_with_its_default(tmp_path):
    settings = SyntheticSettings(num_train=1, num_test=1, num_frames=4)
    ensure(tmp_path, settings)
    path = tmp_path / "settings.json"
    description = json.loads(path.read_text())
    del description["several_at_once"]
    path.write_text(json.dumps(description))
    ensure(tmp_path, settings)
    with pytest.raises(SlowFastExtError, match="several_at_once is True, not False"):
        ensure(tmp_path, dataclasses.replace(settings, several_at_once=False))
    del description["format"]
    path.write_text(json.dumps(description))
    with pytest.raises(SlowFastExtError, match="format is None"):
        ensure(tmp_path, settings)


def test_settings_that_are_no_settings_are_refused(tmp_path):
    (tmp_path / "settings.json").write_text("[half")
    with pytest.raises(SlowFastExtError, match=r"settings\.json.*delete"):
        ensure(tmp_path, SETTINGS)


@pytest.mark.parametrize("wrong", [{"size": 95}, {"num_frames": 3}, {"num_train": 0}, {"seed": -1}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SlowFastExtError, match=next(iter(wrong))):
        SyntheticSettings(**wrong)


def test_the_change_between_decoded_frames_is_inside_the_boxes(tmp_path):
    settings = SyntheticSettings(distractors=False, num_train=1, num_test=1)
    write_video(str(tmp_path), settings, "train", 0)
    frames = decode(tmp_path / "videos/train_0000.mp4").astype(float)
    truth = json.loads((tmp_path / "videos/train_0000.json").read_text())
    change = np.abs(frames[30] - frames[36]).mean(axis=2)
    inside = np.zeros((96, 96), bool)
    for item in truth:
        for number in (30, 36):
            box = item["boxes"][number - round(item["start"] * FPS)]
            x1, y1, x2, y2 = np.rint(np.array(box) * 96).astype(int)
            inside[y1:y2, x1:x2] = True
    assert change[inside].mean() > 3 * change[~inside].mean()
