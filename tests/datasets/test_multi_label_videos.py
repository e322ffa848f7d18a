"""From lists and video files to clips, labels and views."""

import json

import av
import cv2
import numpy as np
import pytest
import torch

from slowfast_ext.commands.run_net import main
from slowfast_ext.datasets import MultiLabelVideos
from slowfast_ext.engine.loaders import build_dataset
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.train import train
from slowfast_ext.errors import SlowFastExtError

LENGTH, FPS = 60, 30


def frame(number):
    """64 x 64, RGB: red tells the frame's number, green its column."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[..., 0] = 4 * number
    image[..., 1] = np.arange(64) * 3
    return image


def write_video(path, length=LENGTH):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=FPS, options={"crf": "0"})
        stream.width = stream.height = 64
        stream.pix_fmt = "rgb24"
        for number in range(length):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame(number), "rgb24")))
        container.mux(stream.encode())


@pytest.fixture
def folder(tmp_path):
    write_video(tmp_path / "a.mp4")
    write_video(tmp_path / "short.mp4", length=5)
    (tmp_path / "frames").mkdir()
    for number in range(LENGTH):
        name = str(tmp_path / "frames" / f"frames-{number + 1:06d}.png")
        cv2.imwrite(name, np.ascontiguousarray(frame(number)[..., ::-1]))
    (tmp_path / "classes.txt").write_text("run\njump\nsing\n")
    rows = "path,labels,start,end\na.mp4,run,0,0.5\na.mp4,jump,1.5,2\n"
    rows += "frames,jump;sing,,\nshort.mp4,,,\n"
    for split in ("train", "test"):
        (tmp_path / f"{split}.csv").write_text(rows)
    return tmp_path


def options(folder, **changes):
    settings = {
        "MODEL.MODEL_NAME": "ActivityNetwork",
        "MODEL.NUM_CLASSES": 3,
        "MODEL.ARCH": "i3d",
        "MODEL.LOSS_FUNC": "bce_logit",
        "MODEL.HEAD_ACT": "sigmoid",
        "RESNET.WIDTH_PER_GROUP": 8,
        "DATA.INPUT_CHANNEL_NUM": "[3]",
        "ACTIVITY.GROUPS": 8,
        "DATA.PATH_TO_DATA_DIR": folder,
        "DATA.NUM_FRAMES": 4,
        "DATA.SAMPLING_RATE": 2,
        "DATA.TRAIN_CROP_SIZE": 64,
        "DATA.TRAIN_JITTER_SCALES": "[64, 64]",
        "DATA.TEST_CROP_SIZE": 64,
        "DATA.RANDOM_FLIP": False,
        "TRAIN.DATASET": "MultiLabelVideos",
        "TEST.DATASET": "MultiLabelVideos",
        "TEST.VIEWS": "[[4, 2, 1], [8, 1, 1]]",
        "NUM_GPUS": 0,
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return [str(word) for pair in settings.items() for word in pair]


def numbers_of(clip):
    """3 x T x H x W -> the numbers of its frames, from their red."""
    return (clip[0, :, 0, 0].float() / 4).round().int().tolist()


def test_views_of_a_video(folder):
    dataset = MultiLabelVideos(checked_config(None, options(folder)), "test")
    (views,), labels, index, *_ = dataset[0]
    assert views.shape == views[:].shape == (3, 3, 4, 64, 64) and views[:].dtype == torch.uint8
    # Rate 4 spans 13 frames: the first and the last clip; rate 8 spans 25: the middle one.
    expected = [[0, 4, 8, 12], [47, 51, 55, 59], [18, 26, 34, 42]]
    assert [numbers_of(view) for view in views] == expected
    assert labels.tolist() == [1, 1, 0] and index == 0


def test_files_and_folders_of_frames_give_the_same_views(folder):
    dataset = MultiLabelVideos(checked_config(None, options(folder)), "test")
    assert torch.equal(dataset[0][0][0][:], dataset[1][0][0][:])


def test_a_short_video_repeats_its_ends(folder):
    (views,), labels, *_ = MultiLabelVideos(checked_config(None, options(folder)), "test")[2]
    assert numbers_of(views[2]) == [0, 0, 4, 4]
    assert labels.tolist() == [0, 0, 0]


def test_training_clips_follow_from_seed_epoch_and_index(folder):
    cfg = checked_config(None, options(folder))
    first, second = (MultiLabelVideos(cfg, "train") for _ in range(2))
    clips = [first[(epoch, 0)][0][0] for epoch in range(6)]
    assert torch.equal(second[(3, 0)][0][0], clips[3])
    starts = {numbers_of(clip)[0] for clip in clips}
    assert len(starts) > 1
    for clip in clips:
        numbers = numbers_of(clip)
        assert np.diff(numbers).tolist() == [2, 2, 2]


def test_times_that_begin_after_the_video_are_no_seconds(folder):
    """Frames in a list written by hand: no clip would have had the label."""
    (folder / "train.csv").write_text("path,labels,start,end\na.mp4,run,0,2\na.mp4,jump,45,59\n")
    dataset = MultiLabelVideos(checked_config(None, options(folder)), "train")
    with pytest.raises(SlowFastExtError, match=r"a.mp4: labels from 45 to 59 s, but .* 2.00 s"):
        dataset[(0, 0)]


def test_moments_are_taught(folder):
    """Between two frames, between two sampled ones, and while the last one is shown."""
    moments = {"run": 20.5 / FPS, "jump": 31 / FPS, "sing": (LENGTH - 0.5) / FPS}
    rows = [f"a.mp4,{name},{time},{time}" for name, time in moments.items()]
    (folder / "train.csv").write_text("\n".join(["path,labels,start,end", *rows]))
    dataset = MultiLabelVideos(checked_config(None, options(folder)), "train")
    assert dataset.labels.tolist() == [[1, 1, 1]]
    taught = np.zeros(3)
    for epoch in range(150):
        (clip,), labels, *_ = dataset[(epoch, 0)]
        first, *_, last = numbers_of(clip)
        assert labels.tolist() == [first <= 20 <= last, first <= 31 <= last, last == LENGTH - 1]
        taught += labels.numpy()
    assert (taught > 0).all()


def test_a_clips_labels_are_those_of_the_segments_that_it_touches(folder):
    dataset = MultiLabelVideos(checked_config(None, options(folder)), "train")
    seen = set()
    for epoch in range(40):
        (clip,), labels, *_ = dataset[(epoch, 0)]
        times = np.array(numbers_of(clip)) / FPS
        wanted = [float((times <= 0.5).any()), float((times >= 1.5).any()), 0.0]
        assert labels.tolist() == wanted
        seen.add(tuple(wanted))
    assert len(seen) == 3
    whole = MultiLabelVideos(
        checked_config(None, options(folder, DATA__TRAIN_LABELS="video")), "train"
    )
    assert all(whole[(epoch, 0)][1].tolist() == [1, 1, 0] for epoch in range(5))


def test_a_clip_that_touches_an_unknown_span_does_not_know_its_labels(folder):
    rows = (folder / "train.csv").read_text().split("\n")
    paths = rows[1].split(",")[0]
    labels = (folder / "classes.txt").read_text().split("\n")[:3]
    (folder / "train.csv").write_text(
        f"path,labels,start,end,unknown\n{paths},{labels[0]},0,0.5,\n"
        f"{paths},,1.5,9,{labels[0]};{labels[2]}\n"
    )
    cfg = checked_config(None, options(folder))
    dataset, seen = MultiLabelVideos(cfg, "train"), set()
    for epoch in range(40):
        (clip,), targets, *_ = dataset[(epoch, 0)]
        times = np.array(numbers_of(clip)) / FPS
        shown, touches = (times <= 0.5).any(), (times >= 1.5).any()
        wanted = (1 if shown else -1 if touches else 0), 0, (-1 if touches else 0)
        assert tuple(targets.tolist()) == wanted
        seen.add(wanted)
    assert len(seen) == 3
    assert dataset.labels.tolist() == [[1, 0, -1]] and dataset.has_unknown
    softmax = {"MODEL__LOSS_FUNC": "cross_entropy", "MODEL__HEAD_ACT": "softmax"}
    sentence = "MODEL.LOSS_FUNC is 'cross_entropy': it cannot leave out the labels that are unknown"
    with pytest.raises(SlowFastExtError, match=sentence):
        train(checked_config(None, options(folder, **softmax)))


def test_tuning_draws_its_rates(folder):
    dataset = MultiLabelVideos(checked_config(None, options(folder, TUNE__RATES="[1, 8]")), "tune")
    steps = {int(np.diff(numbers_of(dataset[(epoch, 0)][0][0]))[0]) for epoch in range(20)}
    assert steps == {1, 8}


def test_rate_counts_frames_at_the_target_frame_rate(folder):
    dataset = MultiLabelVideos(checked_config(None, options(folder, DATA__TARGET_FPS=15)), "test")
    assert numbers_of(dataset[0][0][0][0]) == [0, 8, 16, 24]
    # Frames of a folder are counted as stored, as upstream counts them.
    assert numbers_of(dataset[1][0][0][0]) == [0, 4, 8, 12]


def test_flip_and_crop(folder):
    settings = {"DATA__RANDOM_FLIP": True, "DATA__TRAIN_CROP_SIZE": 32}
    dataset = MultiLabelVideos(checked_config(None, options(folder, **settings)), "train")
    rising = set()
    for epoch in range(20):
        (clip,), *_ = dataset[(epoch, 0)]
        assert clip.shape == (3, 4, 32, 32)
        columns = clip[1, 0, 0].int()
        rising.add(bool((columns.diff() > 0).all()))
    assert rising == {True, False}


def test_class_count_must_agree(folder):
    with pytest.raises(SlowFastExtError, match="names 3 classes but MODEL.NUM_CLASSES is 4"):
        MultiLabelVideos(checked_config(None, options(folder, MODEL__NUM_CLASSES=4)), "test")


def test_unknown_dataset_is_named(folder):
    cfg = checked_config(None, options(folder, TRAIN__DATASET="MultiLabelVideo"))
    with pytest.raises(SlowFastExtError, match="did you mean MultiLabelVideos"):
        build_dataset(cfg, "train")


def test_bad_rows_stop_the_run_before_anything_is_written(folder):
    (folder / "test.csv").write_text("path,labels\na.mp4,rnu\nmissing.mp4,jump\n")
    out = folder / "out"
    (folder / "x.yaml").write_text("NUM_GPUS: 0\n")
    with pytest.raises(SlowFastExtError) as error:
        main(["--cfg", str(folder / "x.yaml"), *options(folder, OUTPUT_DIR=out)])
    assert "test.csv:2: " in str(error.value) and "test.csv:3: " in str(error.value)
    assert not out.exists()


@pytest.mark.parametrize("skip", [False, True])
def test_a_video_that_cannot_be_decoded(folder, skip, capsys):
    """It ends the run with its name or, where a setting says so, is skipped and counted."""
    (folder / "a.mp4").write_bytes((folder / "a.mp4").read_bytes()[:2000])
    out = folder / "out"
    (folder / "x.yaml").write_text(
        "TRAIN:\n  BATCH_SIZE: 1\nSOLVER:\n  MAX_EPOCH: 1\nDATA_LOADER:\n  NUM_WORKERS: 1\n"
    )
    words = ["--cfg", str(folder / "x.yaml")]
    words += options(
        folder, OUTPUT_DIR=out, DATA__SKIP_BROKEN_VIDEOS=skip, BN__USE_PRECISE_STATS=True
    )
    if not skip:
        with pytest.raises(SlowFastExtError, match=r"a\.mp4"):
            main(words)
        return
    main(words)
    results = json.loads((out / "results.json").read_text())
    counts = results["counts"]
    assert counts["videos"] == 2
    assert results["protocol"]["videos_without_scores"] == "ranked last"
    assert "1 of 3 could not be read" in capsys.readouterr().out
    assert list(counts["skipped_in_training"]) == ["a.mp4"]
    assert list(counts["skipped"]) == ["a.mp4"]


# --- Objects ----------------------------------------------------------------------------


def objects_config(folder, *rows):
    (folder / "object_classes.txt").write_text("cup\n")
    (folder / "objects.csv").write_text(
        "\n".join(["video,frame,class,x1,y1,x2,y2,score", *rows]) + "\n"
    )
    return checked_config(None, options(folder, OBJECTS__NUM_CLASSES=1, OBJECTS__MIN_SCORE=0.5))


@pytest.mark.parametrize(
    "rows,sentence",
    [
        ((), "it holds no box whose score is at least OBJECTS.MIN_SCORE"),
        (("a.mp4,1,cup,0,0,1,1,0.4",), "it holds no box whose score"),
        (("b,9,cup,0,0,1,1,1", "a,1,cup,0,0,1,1,1"), r"its boxes are of a, .* videos a\.mp4,"),
    ],
)
def test_objects_of_none_of_the_videos_are_refused(folder, rows, sentence):
    cfg = objects_config(folder, *rows)
    for split, name in (("train", "train"), ("tune", "train"), ("val", "test"), ("test", "test")):
        message = rf"objects\.csv: no video of .*{name}\.csv has a box: {sentence}"
        with pytest.raises(SlowFastExtError, match=message):
            MultiLabelVideos(cfg, split)


@pytest.mark.parametrize("name", ["short.mp4", "frames"])
@pytest.mark.parametrize("split,key", [("train", (0, 0)), ("test", 0)])
def test_a_box_past_the_videos_end_is_refused(folder, name, split, key):
    length = {"short.mp4": 5, "frames": LENGTH}[name]
    (folder / f"{split}.csv").write_text(f"path,labels\n{name},run\n")
    row = f"{name},{{}},cup,0,0,1,1,1"
    dataset = MultiLabelVideos(objects_config(folder, row.format(length)), split)
    assert dataset[key].objects is not None
    dataset = MultiLabelVideos(objects_config(folder, row.format(length + 1)), split)
    with pytest.raises(SlowFastExtError, match=f"{name}: it has {length} frames, .* {length + 1}:"):
        dataset[key]


def test_how_many_videos_have_objects(folder):
    rows = ("a.mp4,1,cup,0,0,1,1,1", "a.mp4,2,cup,0,0,1,1,1", "frames,3,cup,0,0,1,1,0.9")
    rows += ("short.mp4,1,cup,0,0,1,1,0.1", "other.mp4,900,cup,0,0,1,1,1")
    assert MultiLabelVideos(objects_config(folder, *rows), "test").num_videos_with_objects == 2
    without = MultiLabelVideos(checked_config(None, options(folder)), "test")
    assert without.num_videos_with_objects is None
