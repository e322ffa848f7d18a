"""slowfast_ext.load and torch.hub: a video's probabilities, by name."""

import cv2
import numpy as np
import pytest
import torch

import slowfast_ext
from slowfast_ext.datasets.video import open_video
from slowfast_ext.engine.loaders import build_dataset
from slowfast_ext.engine.scoring import evaluate
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.trained import network_to_test
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.evaluators import build_evaluator
from tests.helpers import CONFIG, NAMES, ROOT, pairs

VIEWS = ["TEST.VIEWS", "[[4, 2, 3], [2, 1, 1]]"]


@pytest.fixture
def run(run_folder):
    """The checkpoint, and KEY VALUE pairs with views of two rates."""
    checkpoint = run_folder / "output" / "checkpoints" / "random.pyth"
    return checkpoint, [*pairs(run_folder), *VIEWS]


def test_a_video_gets_the_scores_of_a_test(run_folder, run, tmp_path):
    checkpoint, options = run
    found = slowfast_ext.load(CONFIG, checkpoint, options=options).predict(
        run_folder / "videos" / "0.mp4"
    )
    (tmp_path / "classes.txt").write_text("\n".join(NAMES))
    (tmp_path / "test.csv").write_text(f"path,labels\n{run_folder}/videos/0.mp4,run\n")
    words = [*options, "DATA.PATH_TO_DATA_DIR", str(tmp_path), "TEST.DATASET", "MultiLabelVideos"]
    cfg = checked_config(CONFIG, [*words, "TEST.CHECKPOINT_FILE_PATH", str(checkpoint)])
    _, network, _, _ = network_to_test(cfg)
    wanted = evaluate(build_evaluator(cfg, build_dataset(cfg, "test")), network, "test").scores[0]
    assert list(found) == NAMES
    np.testing.assert_array_equal(list(found.values()), wanted)


def test_a_folder_of_frames(run_folder, run, tmp_path):
    checkpoint, options = run
    with open_video(run_folder / "videos" / "1.mp4") as video:
        for number, image in enumerate(video.read(range(video.info.length))):
            cv2.imwrite(str(tmp_path / f"{number}.png"), np.ascontiguousarray(image[..., ::-1]))
    model = slowfast_ext.load(CONFIG, checkpoint, options=options)
    of_file, of_folder = model.predict(run_folder / "videos" / "1.mp4"), model.predict(tmp_path)
    assert of_folder == pytest.approx(of_file, abs=1e-6)


def test_names_are_given_or_asked_for(run, tmp_path):
    checkpoint, options = run
    options = [*options, "DATA.PATH_TO_DATA_DIR", str(tmp_path)]
    given = slowfast_ext.load(CONFIG, checkpoint, ["a", "b", "c"], options)
    assert given.class_names == ["a", "b", "c"]
    with pytest.raises(SlowFastExtError, match="classes.txt.*or give class_names"):
        slowfast_ext.load(CONFIG, checkpoint, options=options)
    with pytest.raises(SlowFastExtError, match="class_names names 2 classes .* is 3"):
        slowfast_ext.load(CONFIG, checkpoint, ["a", "b"], options)
    with pytest.raises(SlowFastExtError, match="class_names is 'abc': it must be a sequence"):
        slowfast_ext.load(CONFIG, checkpoint, "abc", options)


def test_no_video(run, tmp_path):
    checkpoint, options = run
    model = slowfast_ext.load(CONFIG, checkpoint, options=options)
    with pytest.raises(SlowFastExtError, match="nothing.mp4"):
        model.predict(tmp_path / "nothing.mp4")


def test_torch_hub(run_folder, run):
    checkpoint, options = run
    model = torch.hub.load(
        str(ROOT), "slowfast_ext", CONFIG, str(checkpoint), options=options, source="local"
    )
    assert set(model.predict(run_folder / "videos" / "1.mp4")) == set(NAMES)
