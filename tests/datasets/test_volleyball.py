"""Volleyball's moments as clips, boxes and labels."""

import importlib

import numpy as np
import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.__main__ import build_parser
from slowfast_ext.config.defaults import add_slowfast_ext_config
from slowfast_ext.datasets.clips import collate
from slowfast_ext.datasets.volleyball import Volleyball
from slowfast_ext.datasets.volleyball_annotations import ACTIONS, GROUPS, mirrored, read_moments
from slowfast_ext.errors import SlowFastExtError
from tests import volleyball_tree


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volleyball")
    volleyball_tree.write_tree(folder / "set")
    words = ["prepare", "volleyball", "--root", str(folder / "set"), "--out", str(folder / "out")]
    args = build_parser().parse_args(words)
    importlib.import_module(args.module).run(args)
    return folder / "out"


TASKS = {
    "persons": {"DETECTION.ENABLE": True},
    "clip": {"DETECTION.ENABLE": False},
    "group": {"DETECTION.ENABLE": False},
    "bb": {"VOLLEYBALL.TASK": "group", "DETECTION.ENABLE": True},
}


def make(lists, task, split="test", **changes):
    cfg = add_slowfast_ext_config(upstream.base_config())
    keys = {
        "VOLLEYBALL.TASK": task,
        **TASKS[task],
        "DATA.PATH_TO_DATA_DIR": str(lists),
        "DATA.NUM_FRAMES": 8,
        "DATA.SAMPLING_RATE": 2,
        "DATA.TRAIN_JITTER_SCALES": [36, 36],
        "DATA.TRAIN_CROP_SIZE": 36,
        "DATA.TEST_CROP_SIZE": 36,
        "DATA.RANDOM_FLIP": False,
        "TEST.VIEWS": [[2, 1, 1]],
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    cfg.merge_from_list([word for pair in keys.items() for word in pair])
    return Volleyball(cfg, split)


def numbers(clip):
    """The numbers of a clip's frames, from their red."""
    return clip[0].float().mean((1, 2)).round().int().tolist()


def test_a_clip_lies_around_its_target_and_stays_within_the_moment(lists):
    clips = [make(lists, "clip", "train")[index].pathways[-1][0] for index in range(4)]
    assert np.abs(np.array(numbers(clips[0])) - range(112, 128, 2)).max() <= 1
    # Moment 70 has the frames 60 to 75 alone.
    wide = make(lists, "clip", "train", TEST__VIEWS=[[4, 1, 1]])[3].pathways[-1][0]
    wanted = [60, 60, 62, 66, 70, 74, 75, 75]
    assert np.abs(np.array(numbers(wide)) - wanted).max() <= 1


def test_boxes_lie_where_they_are_annotated(lists):
    dataset = make(lists, "persons", "train")
    sample = dataset[0]
    wanted = [[5, 10, 9, 18], [10, 10, 16, 22], [10, 10, 16, 23], [40, 8, 45, 17]]
    np.testing.assert_allclose(sample.boxes, wanted)
    assert [ACTIONS[i] for i in sample.labels.argmax(1)] == [
        *("waiting", "spiking", "spiking", "blocking")
    ]
    assert sample.pathways[-1].shape == (1, 3, 8, 36, 64)
    larger = make(lists, "persons", "train", DATA__TEST_CROP_SIZE=72)[0]
    np.testing.assert_allclose(larger.boxes, 2 * np.array(wanted))


def test_boxes_beyond_the_frame_are_cut_off(lists):
    sample = make(lists, "persons", "train")[2]
    np.testing.assert_allclose(sample.boxes, [[50, 8, 63, 17], [0, 8, 4, 17]])


@pytest.mark.parametrize("task", ["persons", "bb"])
def test_a_training_clip_keeps_the_frame_s_shape_and_leaves_out_who_is_outside(lists, task):
    dataset = make(lists, task, "train", DATA__TRAIN_CROP_SIZE=18)
    counts = set()
    for epoch in range(12):
        sample = dataset[epoch, 0]
        assert sample.pathways[-1].shape == (3, 8, 18, 32)
        labels = sample.labels if task == "persons" else sample.person_labels
        assert len(labels) == len(sample.boxes) == len(sample.persons)
        wanted = dataset.listed[0].moment.actions[sample.persons.numpy()]
        np.testing.assert_array_equal(labels.argmax(1), wanted)
        counts.add(len(sample.persons))
    assert len(counts) > 1


def test_clips_of_all_scales_make_one_batch(lists):
    options = {"DATA__TRAIN_JITTER_SCALES": [36, 60], "DATA__TRAIN_CROP_SIZE": 30}
    dataset = make(lists, "bb", "train", **options)
    batch = collate([dataset[epoch, epoch % 4] for epoch in range(6)])
    assert batch.pathways[-1].shape == (6, 3, 8, 30, 53)
    assert batch.labels.shape == (6, 8)
    assert len(batch.person_labels) == len(batch.boxes) == len(batch.persons)


def test_a_flip_swaps_the_sides_of_groups_and_boxes(lists):
    dataset = make(lists, "bb", "train", DATA__RANDOM_FLIP=True)
    plain = make(lists, "bb", "train")[0, 0]
    samples = [dataset[epoch, 0] for epoch in range(10)]
    found = {GROUPS[sample.labels.argmax()] for sample in samples}
    assert found == {"r_spike", "l_spike"}
    flipped = next(s for s in samples if GROUPS[s.labels.argmax()] == "l_spike")
    np.testing.assert_array_equal(flipped.pathways[-1], plain.pathways[-1].flip(-1))
    np.testing.assert_array_equal(flipped.person_labels, plain.person_labels)
    np.testing.assert_allclose(flipped.boxes[:, 0], 64 - np.array([9, 16, 16, 45]))


def test_mirroring_is_its_own_inverse():
    names = [GROUPS[mirrored(group)] for group in range(8)]
    assert names[:4] == ["r_set", "r_spike", "r_pass", "r_winpoint"]
    assert [mirrored(mirrored(group)) for group in range(8)] == list(range(8))


def test_labels_of_each_task(lists):
    assert make(lists, "persons", "train").labels.shape == (9, 9)
    # What is counted together: under softmax each player is a row, else each moment.
    apart = make(lists, "persons", "train")
    np.testing.assert_array_equal(apart.cooccurrence_labels, apart.labels)
    together = make(lists, "persons", "train", MODEL__HEAD_ACT="sigmoid")
    clip = make(lists, "clip", "train")
    assert together.labels.shape == (9, 9)
    np.testing.assert_array_equal(together.cooccurrence_labels, clip.labels)
    np.testing.assert_array_equal(together.read_labels(str(lists / "train.csv")), clip.labels)
    for of_moments in (apart, together, clip):
        np.testing.assert_array_equal(of_moments.item_labels, clip.labels)
    found = {ACTIONS[action] for action in np.flatnonzero(clip.labels[0])}
    assert found == {"waiting", "spiking", "blocking"}
    torch.testing.assert_close(clip[0].labels, torch.from_numpy(clip.labels[0]))
    groups = make(lists, "group", "train")
    assert [GROUPS[g] for g in groups.labels.argmax(1)] == [
        *("r_spike", "l_pass", "l_spike", "r_winpoint")
    ]
    assert groups[0].boxes is None and groups[0].labels.shape == (8,)
    assert groups.video_ids[:2] == ["1/120", "1/160"]


def test_validation_takes_the_test_list_where_there_is_none_of_its_own(lists):
    assert [m.moment.target for m in make(lists, "group", "val").listed] == [90, 95]


def test_bad_rows_are_named_together(lists, tmp_path):
    rows = (lists / "test.csv").read_text().split("\n")
    rows[1] = rows[1].replace("digging", "diving")
    rows[2] = rows[2].replace(",95,", ",950,")
    rows[3:] = ["\0" + rows[1]]
    (tmp_path / "test.csv").write_text("\n".join(rows))
    with pytest.raises(SlowFastExtError) as error:
        read_moments(str(tmp_path / "test.csv"), str(tmp_path), "none")
    assert f'{tmp_path}/test.csv:2: unknown action "diving"' in str(error.value)
    assert "test.csv:3: frame 950 is not one of 75 to 115" in str(error.value)
    assert "test.csv:4: the path holds a NUL character" in str(error.value)


def test_real_moments(real_data, tmp_path):
    """The boxes of two moments, in pixels of a clip a quarter of the frames' size."""
    words = ["prepare", "volleyball", "--root", str(real_data / "volleyball")]
    args = build_parser().parse_args([*words, "--out", str(tmp_path)])
    importlib.import_module(args.module).run(args)
    dataset = make(tmp_path, "bb", "train", DATA__TRAIN_CROP_SIZE=270)
    dataset.cfg.DATA.TRAIN_JITTER_SCALES = [270, 270]
    sample = dataset[0, 0]
    assert sample.pathways[-1].shape == (3, 8, 270, 480)
    assert len(sample.boxes) == 12 and GROUPS[sample.labels.argmax()] == "r_spike"
    torch.testing.assert_close(sample.boxes[0], torch.tensor([430, 575, 512, 745]) / 4)
    spiking = sample.person_labels[:, ACTIONS.index("spiking")]
    assert spiking.nonzero().tolist() == [[8]]


def test_missing_folders_of_frames_are_named_at_once(lists, tmp_path):
    for path in lists.glob("*.csv"):
        text = path.read_text()
        (tmp_path / path.name).write_text(text.replace(str(lists.parent / "set"), "/nowhere"))
    with pytest.raises(SlowFastExtError, match=r"/nowhere/.*: no such folder of frames.*test\.csv"):
        make(tmp_path, "clip", DATA__SKIP_BROKEN_VIDEOS=True)


def test_a_moment_outside_the_folder_is_named_by_its_line(lists):
    with pytest.raises(SlowFastExtError, match=r"test\.csv:2: .* leads out of .*PATHS_OUTSIDE"):
        make(lists, "clip", DATA__PATHS_OUTSIDE="none")
    assert make(lists, "clip", DATA__PATHS_OUTSIDE="none", DATA__PATH_PREFIX=str(lists.parent))
