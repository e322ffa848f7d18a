"""detectron2's detector, through the command, on a stand-in for it."""

import os
import pickle
import sys
import types

import numpy as np
import pytest
import torch

from slowfast_ext.prepare import person_detectors
from tests.commands.test_prepare_boxes import refused, rows_of, run


@pytest.fixture
def tree(tmp_path, write_moving_square):
    (tmp_path / "videos").mkdir()
    write_moving_square(tmp_path / "videos" / "a.mp4", 100)
    return tmp_path


@pytest.fixture
def detectron2(monkeypatch):
    """
    A stand-in with the parts of detectron2 that are used, as they are documented; the list
    gets a pixel of each image.
    """

    class Instances(types.SimpleNamespace):
        def to(self, device):
            return self

        def __getitem__(self, chosen):
            kept = types.SimpleNamespace(tensor=self.pred_boxes.tensor[chosen])
            return Instances(pred_boxes=kept, scores=self.scores[chosen])

    class Predictor:
        def __init__(self, cfg):
            assert cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST == 0.05
            self.model = torch.nn.Linear(2, 3)

        def __call__(self, image):
            seen.append(image[32, 28].tolist())
            box = torch.tensor([[0.0, 0.0, 48.0, 32.0], [0.0, 0.0, 96.0, 64.0]])
            instances = Instances(
                pred_boxes=types.SimpleNamespace(tensor=box),
                scores=torch.tensor([0.5, 0.75]),
                pred_classes=torch.tensor([2, 0]),
            )
            return {"instances": instances}

    def get_config(path, trained):
        heads = types.SimpleNamespace(SCORE_THRESH_TEST=None)
        model = types.SimpleNamespace(ROI_HEADS=heads, WEIGHTS="downloaded", DEVICE=None)
        return types.SimpleNamespace(MODEL=model)

    seen = []
    zoo, engine = types.ModuleType("model_zoo"), types.ModuleType("engine")
    zoo.get_config, engine.DefaultPredictor = get_config, Predictor
    monkeypatch.setitem(sys.modules, "detectron2.model_zoo", zoo)
    monkeypatch.setitem(sys.modules, "detectron2.engine", engine)
    monkeypatch.setattr(person_detectors, "default_detector", lambda: "detectron2")
    return seen


def test_detectron2_is_used_where_it_is_installed(tree, detectron2):
    run(tree)
    assert [row[1:] for row in rows_of(tree)] == [
        [second, "0.0", "0.0", "1.0", "1.0", "", "0.750000"] for second in ("0902", "0903")
    ]
    # Blue, green, red; the square is there at second 903 only.
    assert max(detectron2[0]) < 80
    np.testing.assert_allclose(detectron2[1], [150, 60, 230], atol=25)


def test_all_weights_of_detectron2_are_loaded(tree, detectron2):
    state = {"weight": np.zeros((3, 2)), "bias": np.zeros(3)}
    path = tree / "weights.pkl"
    path.write_bytes(pickle.dumps({"model": {**state, "bias": np.zeros(81)}}))
    assert "not the weights of COCO-Detection/faster_rcnn" in refused(tree, "--weights", path)
    for content in ([1], {"model": 3}, {"model": {}}):
        path.write_bytes(pickle.dumps(content))
        assert "not the weights of COCO-Detection/faster_rcnn" in refused(tree, "--weights", path)
    path.write_bytes(pickle.dumps({"model": state}))
    run(tree, "--weights", path)
    assert len(rows_of(tree)) == 2


def test_weights_of_detectron2_execute_nothing(tree, detectron2, monkeypatch):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, ("executed",)

    monkeypatch.chdir(tree)
    path = tree / "weights.pkl"
    path.write_bytes(pickle.dumps({"model": Hostile()}))
    assert "nothing in it was executed" in refused(tree, "--weights", path)
    assert not (tree / "executed").exists()
