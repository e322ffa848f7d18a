"""AVA's keyframes, clips and boxes, against upstream's own data set where it runs."""

import shutil

import numpy as np
import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.datasets import Ava
from slowfast_ext.datasets.ava_frames import keyframe_clip, read_frame_lists
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from tests.ava_tree import LENGTH, options, write_tree
from tests.datasets.test_multi_label_videos import options as small_options


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("ava")
    write_tree(root)
    return root


def config(tree, **changes):
    words = small_options(tree, RESNET__WIDTH_PER_GROUP=8, TEST__VIEWS="[]")
    changes = {key.replace("__", "."): str(value) for key, value in changes.items()}
    sizes = {
        "DATA.TRAIN_CROP_SIZE": "32",
        "DATA.TRAIN_JITTER_SCALES": "[48, 48]",
        "DATA.TEST_CROP_SIZE": "48",
    }
    pairs = {**options(tree), **sizes, **changes}
    return checked_config(None, [*words, *(word for pair in pairs.items() for word in pair)])


def test_keyframes_are_persons_with_their_actions(tree):
    dataset = Ava(config(tree), "train")
    assert dataset.video_ids == [f"{m},{s:04d}" for m in ("one", "two") for s in (902, 903, 904)]
    assert dataset.class_names == ["stand", "sit", "talk"]
    first = dataset.keyframes[0]
    np.testing.assert_allclose(first.boxes, [[0, 0.1, 0.4, 0.9], [0.5, 0.1, 0.9, 0.9]])
    assert first.labels.tolist() == [[1, 0, 1], [0, 1, 0]]
    assert dataset.labels.shape == (12, 3)
    assert dataset.item_labels.shape == (len(dataset), 3)
    assert dataset.item_labels[0].tolist() == [1, 1, 1], "of both persons"
    path = str(tree / "annotations" / "ava_train_v2.2.csv")
    assert dataset.read_labels(path).sum() == dataset.labels.sum()


def test_evaluation_takes_predicted_boxes_over_the_threshold(tree):
    dataset = Ava(config(tree), "test")
    assert [len(keyframe.boxes) for keyframe in dataset.keyframes] == [2, 1, 3]
    low = Ava(config(tree, AVA__DETECTION_SCORE_THRESH=0.05), "test")
    assert [len(keyframe.boxes) for keyframe in low.keyframes] == [2, 2, 3]


def test_every_fourth_second_between_epochs(tree):
    assert Ava(config(tree), "val").video_ids == ["three,0904"]
    assert len(Ava(config(tree, AVA__FULL_TEST_ON_VAL=True), "val")) == 3


def test_a_test_gives_a_clip_of_the_whole_frame_for_each_rate(tree):
    dataset = Ava(config(tree, TEST__VIEWS="[[2, 1, 1], [4, 1, 1]]"), "test")
    sample = dataset[0]
    (clips,) = sample.pathways
    assert clips.shape == (2, 3, 4, 48, 64)
    # The keyframe of second 902 is frame 60.
    assert clips[0, 0, :, 0, 0].tolist() == [56, 58, 60, 62]
    assert clips[1, 0, :, 0, 0].tolist() == [52, 56, 60, 64]
    np.testing.assert_allclose(
        sample.boxes, np.array([[0, 0.1, 0.4, 0.9], [0.5, 0.1, 0.9, 0.9]]) * [64, 48, 64, 48]
    )
    assert sample.persons.tolist() == [0, 1]


def test_a_centre_crop_cuts_boxes_and_leaves_out_those_outside(tree):
    dataset = Ava(config(tree, AVA__TEST_CROP="centre", DATA__TEST_CROP_SIZE=48), "test")
    sample = dataset[2]
    assert sample.pathways[0].shape == (1, 3, 4, 48, 48)
    # The crop begins at column 8 of 64.
    np.testing.assert_allclose(sample.boxes[0], [0, 0, 0.3 * 64 - 8, 0.9 * 48], rtol=1e-6)
    narrow = dataset.keyframes[2]._replace(boxes=np.array([[0, 0, 0.1, 1], [0.5, 0, 0.6, 1.0]]))
    dataset.keyframes[2] = narrow._replace(labels=narrow.labels[:2])
    assert dataset[2].persons.tolist() == [1]


def test_a_square_is_the_whole_frame_squeezed_with_its_boxes(tree):
    options = {"TEST__VIEWS": "[[2, 1, 1]]", "DATA__TEST_CROP_SIZE": 48}
    whole = Ava(config(tree, AVA__TEST_CROP="full", **options), "test")
    square = Ava(config(tree, AVA__TEST_CROP="square", **options), "test")
    wide, sample = whole[0], square[0]
    assert wide.pathways[0].shape[-2:] == (48, 64) and sample.pathways[0].shape[-2:] == (48, 48)
    scale = np.array([48 / 64, 1, 48 / 64, 1])
    np.testing.assert_allclose(sample.boxes, wide.boxes.numpy() * scale, rtol=1e-6)
    assert sample.persons.tolist() == wide.persons.tolist()
    # Colours tell the column: those of a third of the width are where a third of the width is.
    left, right = (s.pathways[0][0, 1, 0, 24].float() for s in (wide, sample))
    np.testing.assert_allclose(left[::4][:16], right[::3], atol=3)


def test_training_clips_follow_from_seed_epoch_and_index(tree):
    first, again = (Ava(config(tree, DATA__RANDOM_FLIP=True), "train") for _ in range(2))
    seen = set()
    for epoch in range(8):
        sample, same = first[(epoch, 1)], again[(epoch, 1)]
        torch.testing.assert_close(sample.pathways[0], same.pathways[0])
        torch.testing.assert_close(sample.boxes, same.boxes)
        (clip,) = sample.pathways
        assert clip.shape == (3, 4, 32, 32) and sample.labels.tolist() == [[1, 1, 0]]
        # Green tells the column that lies at the box's left border.
        left, right = sample.boxes[0, [0, 2]].tolist()
        edges = sorted((clip[1, 0, 0] // 3).tolist())
        flipped = clip[1, 0, 0, 0] > clip[1, 0, 0, -1]
        crop_left = edges[0]
        wanted = np.clip(np.array([0.2, 0.6]) * 64 - crop_left, 0, 32)
        wanted = np.minimum(32 - wanted[::-1] if flipped else wanted, 31)
        np.testing.assert_allclose([left, right], wanted, atol=1e-4)
        seen.add(bool(flipped))
    assert seen == {True, False}


def test_tuning_draws_the_rate(tree):
    dataset = Ava(config(tree, TUNE__RATES="[2, 8]"), "tune")
    steps = {
        int(clip[0, 1, 0, 0]) - int(clip[0, 0, 0, 0])
        for epoch in range(8)
        for (clip,) in [dataset[(epoch, 1)].pathways]
    }
    assert steps == {2, 8}


def test_seconds_of_ones_own_set(tree, tmp_path):
    """frame_lists/start.txt says which second the first frame is; no other second is AVA's."""
    lists = tmp_path / "frame_lists"
    shutil.copytree(tree / "frame_lists", lists)
    (lists / "start.txt").write_text("902\n")
    dataset = Ava(config(tree, AVA__FRAME_LIST_DIR=lists), "train")
    official = Ava(config(tree), "train")
    assert dataset.video_ids == official.video_ids
    for index, keyframe in enumerate(dataset.keyframes):
        wanted = keyframe_clip(keyframe.second - 2, dataset.cfg.DATA.NUM_FRAMES, 1, 180)
        assert dataset.clip_frames(index, 1).tolist() == wanted.tolist()
    (lists / "start.txt").write_text("904")
    late = Ava(config(tree, AVA__FRAME_LIST_DIR=lists), "train")
    assert {keyframe.second for keyframe in late.keyframes} == {904}
    (lists / "start.txt").write_text("x")
    with pytest.raises(SlowFastExtError, match="start.txt: must hold the second"):
        Ava(config(tree, AVA__FRAME_LIST_DIR=lists), "train")


def test_clips_repeat_frames_at_the_movies_ends():
    assert keyframe_clip(900, 4, 2, 100).tolist() == [0, 0, 0, 2]
    assert keyframe_clip(903, 4, 8, 100).tolist() == [74, 82, 90, 98]
    assert keyframe_clip(904, 4, 8, 100).tolist() == [99, 99, 99, 99]


@pytest.mark.parametrize("second", [902, 903, 904])
@pytest.mark.parametrize("num_frames,rate", [(4, 2), (8, 4), (4, 3)])
def test_clips_are_those_that_upstream_samples(second, num_frames, rate):
    from slowfast.datasets.utils import get_sequence

    wanted = get_sequence((second - 900) * 30, num_frames * rate // 2, rate, LENGTH)
    assert keyframe_clip(second, num_frames, rate, LENGTH).tolist() == wanted


@pytest.mark.parametrize(
    "backend",
    [
        "cv2",
        pytest.param(
            "pytorch",
            marks=pytest.mark.skipif(
                not upstream.IS_MAIN, reason="1.0 asks for a key that it does not have"
            ),
        ),
    ],
)
def test_a_test_clip_is_that_of_upstreams_data_set(tree, backend):
    import slowfast.datasets.ava_dataset as upstreams

    cfg = config(tree, AVA__IMG_PROC_BACKEND=backend, DATA__TEST_CROP_SIZE=48)
    (ours,) = Ava(cfg, "test")[2].pathways
    original = upstreams.Ava(cfg, "test")
    index = [second for _, _, second, _ in original._keyframe_indices].index(904)
    (theirs,), _, _, *_, extra = original[index]
    pixels = theirs * torch.tensor(cfg.DATA.STD)[:, None, None, None]
    pixels = (pixels + torch.tensor(cfg.DATA.MEAN)[:, None, None, None]) * 255
    torch.testing.assert_close(ours[0].float(), pixels, atol=1e-3, rtol=0)
    if backend == "cv2":
        # With pytorch upstream clips full-frame boxes to crop x crop.
        wanted = extra["boxes"][np.lexsort(extra["ori_boxes"].T[::-1])]
        np.testing.assert_allclose(Ava(cfg, "test")[2].boxes, wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "change,sentence",
    [
        ({"MODEL__NUM_CLASSES": 2}, "has the class id 3 but MODEL.NUM_CLASSES is 2"),
        ({"AVA__TRAIN_GT_BOX_LISTS": "[]"}, "AVA.TRAIN_GT_BOX_LISTS is empty"),
        ({"AVA__TRAIN_LISTS": "['none.csv']"}, "none.csv: cannot be read"),
        ({"AVA__LABEL_MAP_FILE": "none.pbtxt"}, "none.pbtxt: cannot be read"),
        ({"AVA__TRAIN_LISTS": "['val.csv']"}, "has no box on a keyframe"),
    ],
)
def test_what_does_not_fit_is_named(tree, change, sentence):
    with pytest.raises(SlowFastExtError) as error:
        Ava(config(tree, **change), "train")
    assert sentence in str(error.value)


def test_corners_in_pixels_are_refused(tree):
    (tree / "annotations" / "gt.csv").write_text("one,0902,10,20,100,200,1,0\n")
    (tree / "annotations" / "boxes.csv").write_text("one,0902,10,20,100,200,,0.9\n")
    for split, change in (
        ("train", {"AVA__TRAIN_GT_BOX_LISTS": "['gt.csv']"}),
        ("train", {"AVA__TRAIN_PREDICT_BOX_LISTS": "['boxes.csv']"}),
        ("test", {"AVA__TEST_PREDICT_BOX_LISTS": "['boxes.csv']"}),
    ):
        with pytest.raises(SlowFastExtError, match="csv: corners up to 200, as if in pixels"):
            Ava(config(tree, **change), split)


def test_class_ids_below_1_are_refused(tree):
    path = tree / "annotations" / "zero.txt"
    path.write_text("0 none\n1 stand\n")
    with pytest.raises(SlowFastExtError, match=r"zero.txt has the class id 0"):
        Ava(config(tree, AVA__LABEL_MAP_FILE="zero.txt"), "train")
    path.write_text("one,0902,.1,.1,.5,.9,0\n")
    with pytest.raises(SlowFastExtError, match=r"a box of one,0902 has the action 0"):
        Ava(config(tree, AVA__TRAIN_GT_BOX_LISTS="['zero.txt']"), "train")
    path.write_text("three,0902,.1,.1,.5,.9,0,.95\n")
    with pytest.raises(SlowFastExtError, match=r"a box of three,0902 has the action 0"):
        Ava(config(tree, AVA__TEST_PREDICT_BOX_LISTS="['zero.txt']"), "test")


def test_several_clips_or_crops_of_a_keyframe_are_refused(tree):
    with pytest.raises(SlowFastExtError, match=r"each must be \(rate, 1, 1\)"):
        Ava(config(tree, TEST__VIEWS="[[2, 3, 1]]"), "test")


def test_a_missing_frame_is_named(tree, tmp_path):
    for movie in ("one", "two"):
        (tmp_path / movie).mkdir()
    with pytest.raises(SlowFastExtError, match=r"one_0000\d\d.png: cannot be read"):
        Ava(config(tree, AVA__FRAME_DIR=str(tmp_path)), "train")[(0, 0)]


def test_missing_folders_of_frames_are_an_error_of_the_config_and_no_broken_videos(tree):
    missing = tree / "nowhere"
    with pytest.raises(SlowFastExtError, match=r"nowhere/one: no such folder of frames \(nor 1"):
        Ava(config(tree, AVA__FRAME_DIR=str(missing), DATA__SKIP_BROKEN_VIDEOS=True), "train")


@pytest.mark.parametrize(
    "text,sentence",
    [
        ('one 0 0 one/a_1.jpg ""\n', "its first line must be"),
        (
            'H\none 0 0 one/a_1.jpg ""\none 0 1 one/a_3.jpg ""\n',
            "frames.csv:3: one/a_3.jpg: the frames of one",
        ),
        ('H\none 0 0 a_1.jpg ""\n', "frames.csv:2: a_1.jpg: the frames of one"),
        ('H\none 0 0 one/a.jpg ""\n', "frames.csv:2: one/a.jpg: the frames"),
        ('H\none 0 0 one/a_1.jpg ""\none 0 1\n', "frames.csv:3: 3 fields where"),
        (f'H\none 0 0 one/{"9" * 5000}.jpg ""\none 0 1 one/1.jpg ""\n', "frames.csv:3: one/1.jpg"),
        ("", "its first line must be"),
    ],
)
def test_bad_frame_lists_are_named(tmp_path, text, sentence):
    path = tmp_path / "frames.csv"
    path.write_text(text.replace("H\n", "original_vido_id video_id frame_id path labels\n"))
    with pytest.raises(SlowFastExtError, match=sentence):
        read_frame_lists([str(path)])


def test_a_frame_list_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "frames.csv"
    text = 'original_vido_id video_id frame_id path labels\none 0 0 one/a_1.jpg ""\n'
    path.write_text(text, encoding="utf-8-sig")
    assert read_frame_lists([str(path)])["one"].length == 1


def test_frames_outside_their_folder_are_refused_where_they_are_listed(tree):
    lines = (tree / "frame_lists" / "train.csv").read_text().splitlines()
    first = next(number for number, line in enumerate(lines, 1) if line.startswith("two "))
    (tree / "frame_lists" / "out.csv").write_text("\n".join(lines).replace(" two/", " ../two/"))
    with pytest.raises(SlowFastExtError, match=rf"out\.csv:{first}: \.\./two leads out of"):
        Ava(config(tree, AVA__TRAIN_LISTS="['out.csv']"), "train")
