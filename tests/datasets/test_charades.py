"""Charades over PySlowFast's frame lists and over prepared lists."""

import argparse

import av
import cv2
import numpy as np
import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.commands import prepare_charades as prepare
from slowfast_ext.commands.data_arguments import prepare_charades_arguments
from slowfast_ext.datasets import Charades, video
from slowfast_ext.datasets.charades import read_frame_list
from slowfast_ext.datasets.video import FrameFolder
from slowfast_ext.engine.loaders import build_dataset
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError

LENGTH = 60
HEADER = "original_vido_id video_id frame_id path labels\n"


def options(folder, **changes):
    settings = {
        "MODEL.MODEL_NAME": "ActivityNetwork",
        "MODEL.NUM_CLASSES": 4,
        "MODEL.ARCH": "i3d",
        "MODEL.LOSS_FUNC": "bce_logit",
        "MODEL.HEAD_ACT": "sigmoid",
        "RESNET.WIDTH_PER_GROUP": 8,
        "DATA.INPUT_CHANNEL_NUM": "[3]",
        "ACTIVITY.GROUPS": 8,
        "DATA.PATH_TO_DATA_DIR": folder,
        "DATA.NUM_FRAMES": 4,
        "DATA.SAMPLING_RATE": 4,
        "DATA.TRAIN_CROP_SIZE": 32,
        "DATA.TRAIN_JITTER_SCALES": "[48, 48]",
        "DATA.TEST_CROP_SIZE": 48,
        "TRAIN.DATASET": "charades",
        "TEST.DATASET": "charades",
        "TEST.VIEWS": "[[4, 2, 3]]",
        "NUM_GPUS": 0,
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return [str(word) for pair in settings.items() for word in pair]


def frame(number, height=48, width=64):
    """RGB: red tells the frame's number; the other channels are dark."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = 4 * number
    return image


def numbers_of(clip):
    """3 x T x H x W -> the numbers of its frames, from their red."""
    assert clip[1:].max() < 20
    return (clip[0, :, 16, 16].float() / 4).round().int().tolist()


def write_frames(folder, images):
    folder.mkdir(parents=True)
    for number, image in enumerate(images, start=1):
        path = str(folder / f"{folder.name}-{number:06d}.png")
        cv2.imwrite(path, np.ascontiguousarray(image[..., ::-1]))


def frame_rows(video_id, labels, ending="png"):
    """Lines of a frame list; `labels` has one text a frame."""
    return "".join(
        f'{video_id} 0 {number} {video_id}/{video_id}-{number + 1:06d}.{ending} "{text}"\n'
        for number, text in enumerate(labels)
    )


@pytest.fixture
def frame_lists(tmp_path):
    for video_id in ("AAAAA", "BBBBB"):
        write_frames(tmp_path / "frames" / video_id, map(frame, range(LENGTH)))
    rows = frame_rows("AAAAA", ["3,1"] * 10 + ["1"] * 10 + [""] * 30 + ["0"] * 10)
    rows += frame_rows("BBBBB", [""] * LENGTH)
    for name in ("train", "val"):
        (tmp_path / f"{name}.csv").write_text(HEADER + rows)
    return tmp_path


def dataset(folder, split, **changes):
    words = options(folder, DATA__PATH_PREFIX=folder / "frames", **changes)
    return build_dataset(checked_config(None, words), split)


def test_ours_is_the_one_that_is_registered():
    assert upstream.DATASET_REGISTRY.get("charades".capitalize()) is Charades


def test_a_data_set_of_ours_is_never_replaced():
    with pytest.raises(AssertionError, match="already registered"):
        upstream.register_dataset(type("Charades", (), {}))


def test_frame_lists(frame_lists):
    test = dataset(frame_lists, "test")
    assert test.video_ids == ["AAAAA", "BBBBB"]
    assert test.class_names == ["c000", "c001", "c002", "c003"]
    assert test.labels.tolist() == [[1, 1, 0, 1], [0, 0, 0, 0]]
    (views,), labels, index, *_ = test[0]
    assert views.shape == (6, 3, 4, 48, 48) and index == 0
    assert labels.tolist() == [1, 1, 0, 1]
    assert [numbers_of(view) for view in views[::3]] == [[0, 4, 8, 12], [47, 51, 55, 59]]
    (frame_lists / "classes.txt").write_text("run\njump\nsing\nlaugh\n")
    assert dataset(frame_lists, "val").class_names == ["run", "jump", "sing", "laugh"]
    with pytest.raises(SlowFastExtError, match="names 4 classes but MODEL.NUM_CLASSES is 5"):
        dataset(frame_lists, "val", MODEL__NUM_CLASSES=5)


def test_a_clips_labels_are_those_of_its_frames(frame_lists):
    """Of all from the first to the last: frames that are not sampled count, as upstream's do."""
    of_frame = [{1, 3}] * 10 + [{1}] * 10 + [set()] * 30 + [{0}] * 10
    train, seen = dataset(frame_lists, "train"), set()
    for epoch in range(40):
        (clip,), labels, *_ = train[(epoch, 0)]
        first, *_, last = numbers_of(clip)
        wanted = set().union(*of_frame[first : last + 1])
        assert set(np.flatnonzero(labels).tolist()) == wanted
        seen.add(frozenset(wanted))
    assert len(seen) > 3
    whole = dataset(frame_lists, "train", DATA__TRAIN_LABELS="video")
    assert all(whole[(epoch, 0)][1].tolist() == [1, 1, 0, 1] for epoch in range(5))


def test_labels_between_sampled_frames_count(frame_lists):
    text = HEADER + frame_rows("AAAAA", ["2" if number == 1 else "" for number in range(LENGTH)])
    (frame_lists / "train.csv").write_text(text)
    video = dataset(frame_lists, "train").videos[0]
    assert video.labels_between(np.array([0, 4, 8]) / 24) == (2,)
    assert video.labels_between(np.array([2, 6]) / 24) == ()
    assert video.labels_between(np.array([1]) / 24) == (2,)


@pytest.mark.parametrize("reverse", [False, True])
def test_red_stays_red(frame_lists, reverse):
    """The key that stock files set for upstream's BGR reader does not turn RGB round."""
    test = dataset(frame_lists, "test", DATA__REVERSE_INPUT_CHANNEL=reverse)
    assert numbers_of(test[0][0][0][3]) == [47, 51, 55, 59]


def test_labels_of_another_list(frame_lists):
    test = dataset(frame_lists, "test")
    (frame_lists / "o.csv").write_text(HEADER + "X 0 0 X/X-000001.jpg 2,0\n")
    assert test.read_labels(str(frame_lists / "o.csv")).tolist() == [[1, 0, 1, 0]]
    (frame_lists / "o.csv").write_text("path,labels\nX.mp4,3\n")
    assert test.read_labels(str(frame_lists / "o.csv")).tolist() == [[0, 0, 0, 1]]


def test_all_bad_rows_of_a_frame_list(frame_lists):
    path = frame_lists / "list.csv"
    path.write_text(
        HEADER
        + 'AAAAA 0 0 AAAAA/AAAAA-000002.png "1"\n'
        + 'AAAAA 0 0 AAAAA/AAAAA-000001.png "1"\n'
        + "AAAAA 0 0 AAAAA/AAAAA-000003.png\n\n"
        + 'AAAAA 0 0 AAAAA/AAAAA-000003.png "1,4"\n'
        + 'AAAAA 0 0 BBBBB/AAAAA-000004.png "x"\n'
        + f"AAAAA 0 0 AAAAA/AAAAA-000004.png {'9' * 5000}\n"
        + 'AAAAA 0 0 BBBBB/AAAAA-000004.png "1"\n'
        + 'CCCCC 0 0 CCCCC/CCCCC-000001.png "1"\n'
    )
    with pytest.raises(SlowFastExtError) as caught:
        read_frame_list(str(path), 4, str(frame_lists / "frames"), 24)
    assert str(caught.value).replace(f"{frame_lists}/", "").split("\n") == [
        "list.csv: 7 bad rows; correct or remove:",
        "list.csv:3: AAAAA-000001.png must come before AAAAA-000002.png: "
        "frames stand in their order",
        "list.csv:4: 4 fields where the header has 5",
        'list.csv:6: the labels "1,4" are not class ids in 0..3',
        'list.csv:7: the labels "x" are not class ids in 0..3',
        f"list.csv:8: the labels {'9' * 77}... are not class ids in 0..3",
        "list.csv:9: BBBBB/AAAAA-000004.png lies in another folder than AAAAA's first frame",
        "list.csv:10: no such folder frames/CCCCC; DATA.PATH_PREFIX must name the folder that "
        "the list's paths start at",
    ]
    path.write_bytes(HEADER.encode() + b"AAAAA 0 0 AAAAA/\xff.png 1\n")
    with pytest.raises(SlowFastExtError, match="not UTF-8"):
        read_frame_list(str(path), 4, str(frame_lists), 24)


def test_a_frame_list_with_a_sixth_column(tmp_path):
    """As Animal Kingdom's: labels without quotes, frames' numbers not padded."""
    rows = [f"V 0 {n} V/{n}.jpg {'2,0' if n < 10 else '1'} x\n" for n in range(1, 13)]
    (tmp_path / "train.csv").write_text(HEADER.replace("labels", "labels type") + "".join(rows))
    (video,) = read_frame_list(str(tmp_path / "train.csv"), 4, "", 24.0, check_files=False)
    assert [(s.labels, s.start * 24, s.end * 24) for s in video.segments] == [
        ((0, 2), 0, 8),
        ((1,), 9, 11),
    ]


@pytest.mark.parametrize("text", ["", HEADER, f"{HEADER}\n \n"])
def test_a_frame_list_without_rows(tmp_path, text):
    (tmp_path / "train.csv").write_text(text)
    with pytest.raises(SlowFastExtError, match=r"train\.csv: no rows after the header"):
        read_frame_list(str(tmp_path / "train.csv"), 4, str(tmp_path), 24.0)


@pytest.mark.parametrize("key", [0, (3, 0)])
def test_a_folder_with_other_frames_than_the_list_is_refused(frame_lists, key):
    (frame_lists / "frames" / "AAAAA" / "AAAAA-000060.png").unlink()
    with pytest.raises(SlowFastExtError, match="holds 59 frames, the list names 60 of AAAAA"):
        dataset(frame_lists, "train")[key]


@pytest.mark.parametrize("key", [0, (3, 0)])
def test_a_video_is_opened_once(frame_lists, monkeypatch, key):
    opened = []

    class Opened(FrameFolder):
        def __init__(self, path):
            opened.append(path)
            super().__init__(path)

    monkeypatch.setattr(video, "FrameFolder", Opened)
    dataset(frame_lists, "train")[key]
    assert opened == [str(frame_lists / "frames" / "AAAAA")]


def test_without_any_list(tmp_path):
    (tmp_path / "classes.txt").write_text("a\nb\nc\nd\n")
    with pytest.raises(SlowFastExtError, match=r"test\.csv: cannot be read"):
        dataset(tmp_path, "test")


# --- What `prepare charades` wrote -----------------------------------------------------


def write_video(path, num_frames=LENGTH, fps=24):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=fps, options={"crf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        for number in range(num_frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame(number), "rgb24")))
        container.mux(stream.encode())


@pytest.fixture
def prepared(tmp_path):
    """Lists of two training videos and a test video, one of them without actions."""
    official = tmp_path / "annotations"
    official.mkdir()
    header = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions"
    for split, rows in {
        "train": 'AAAAA,S,K,6,6,Yes,"a, b",x;y,d,c003 0.00 0.50;c001 2.00 9.00,2.50\n'
        "BBBBB,S,K,6,6,Yes,a,x,d,,2.50\n",
        "test": "CCCCC,S,K,6,6,Yes,a,x,d,c000 0.00 1.00;c001 3.00 4.00,2.50\n",
    }.items():
        (official / f"Charades_v1_{split}.csv").write_text(f"{header},length\n{rows}")
    names = "c000 A/b\nc001 C, d\nc002 E\nc003 F; g\n"
    names += "".join(f"c{index:03d} Doing thing {index}\n" for index in range(4, 157))
    (official / "Charades_v1_classes.txt").write_text(names)
    (tmp_path / "videos").mkdir()
    for video_id in ("AAAAA", "BBBBB", "CCCCC"):
        write_video(tmp_path / "videos" / f"{video_id}.mp4")
        write_frames(tmp_path / "frames" / video_id, map(frame, range(LENGTH)))
    return tmp_path


def prepare_lists(tree, media):
    parser = argparse.ArgumentParser()
    prepare_charades_arguments(parser)
    words = ["--annotations", f"{tree}/annotations", f"--{media}", f"{tree}/{media}"]
    prepare.run(parser.parse_args([*words, "--out", f"{tree}/{media}_lists"]))
    changes = {"DATA__TARGET_FPS": 24, "MODEL__NUM_CLASSES": 157}
    return checked_config(None, options(tree / f"{media}_lists", **changes))


def test_prepared_videos_and_frames_give_the_same(prepared):
    of_videos, of_frames = (prepare_lists(prepared, media) for media in ("videos", "frames"))
    tests = [build_dataset(cfg, "test") for cfg in (of_videos, of_frames)]
    for test in tests:
        assert test.video_ids == ["CCCCC"]
        assert test.class_names[:4] == ["A/b", "C, d", "E", "F; g"]
        # A segment past the end is the video's all the same.
        assert test.labels[:, :4].tolist() == [[1, 1, 0, 0]] and test.labels.sum() == 2
    assert torch.equal(tests[0][0][0][0][:], tests[1][0][0][0][:])
    trains = [build_dataset(cfg, "train") for cfg in (of_videos, of_frames)]
    assert trains[0].video_ids == ["AAAAA", "BBBBB"]
    seen = set()
    for epoch in range(30):
        (clip,), labels, *_ = trains[0][(epoch, 0)]
        assert torch.equal(clip, trains[1][(epoch, 0)][0][0])
        first, *_, last = numbers_of(clip)
        wanted = [0, float(last / 24 >= 2), 0, float(first / 24 <= 0.5)]
        assert labels.tolist() == trains[1][(epoch, 0)][1].tolist() == wanted + [0] * 153
        seen.add(tuple(wanted))
        assert not trains[0][(epoch, 1)][1].any()
    assert len(seen) > 2
