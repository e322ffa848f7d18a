"""What a run writes for TensorBoard, read back by TensorBoard's own reader."""

import numpy as np
import pytest

from slowfast_ext.commands.run_net import main
from slowfast_ext.engine import tensorboard
from slowfast_ext.engine.checkpoint import History
from slowfast_ext.errors import SlowFastExtError


def scalars(folder):
    """{tag: [(step, value)]} of a stage's folder; and the tags of its pictures."""
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard"
    )
    events = reader.EventAccumulator(str(folder)).Reload()
    tags = events.Tags()
    of_tag = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags["scalars"]}
    return of_tag, tags["images"]


def test_a_run_and_its_resumption(arguments, tmp_path):
    pytest.importorskip("tensorboard", reason="needs tensorboard")
    options = {"TENSORBOARD__ENABLE": True, "ACTIVITY__LR_MULT": 2.0, "TRAIN__EVAL_PERIOD": 1}
    main(arguments(tmp_path, TUNE__ENABLE=False, TEST__ENABLE=False, **options))
    for name in ("checkpoint_epoch_00003.pyth", "checkpoint_epoch_00002.pyth"):
        (tmp_path / "checkpoints" / name).unlink()
    main(arguments(tmp_path, **options))

    train, pictures = scalars(tmp_path / "runs-Synthetic" / "train")
    # Three epochs of three steps; what the first run wrote after the checkpoint is purged.
    assert [step for step, _ in train["loss"]] == list(range(9))
    assert [step for step, _ in train["mAP"]] == [2, 5, 8]
    maps = [tag for tag in pictures if tag.startswith("evidence/videos/test_")]
    assert len(maps) == 2 and sorted(pictures) == sorted(["AP by class", *maps])
    of_backbone, of_head = (np.array(train[f"learning rate/{p}"]) for p in ("backbone", "head"))
    np.testing.assert_allclose(of_head[:, 1], 2 * of_backbone[:, 1], rtol=1e-6)
    assert all(value > 0 for _, value in train["speed/clips per second"])

    tune, _ = scalars(tmp_path / "runs-Synthetic" / "tune")
    assert [step for step, _ in tune["loss"]] == list(range(4))
    assert "learning rate/backbone" not in tune
    tested, _ = scalars(tmp_path / "runs-Synthetic" / "test")
    assert set(tested) >= {"mAP", "mAP by rate/rate 4", "mAP by rate/rate 2"}


@pytest.mark.parametrize("missing", ["tensorboard", "matplotlib"])
def test_without_what_it_needs(arguments, tmp_path, monkeypatch, missing):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == missing else 1)
    with pytest.raises(SlowFastExtError, match=f"pip install {missing},"):
        main(arguments(tmp_path / "run", TENSORBOARD__ENABLE=True))
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made(arguments, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    (tmp_path / "logs").write_text("")
    with pytest.raises(SlowFastExtError, match="TENSORBOARD.LOG_DIR"):
        main(arguments(tmp_path, TENSORBOARD__ENABLE=True, TENSORBOARD__LOG_DIR="logs"))


def test_curves_go_on_from_a_checkpoint():
    history = History()
    history.add_point("train", 1, 0.5, 0.1, None)
    history.add_point("train", 2, 0.4, 0.1, 0.3)
    again = History()
    again.update("x.pyth", history.state())
    again.add_point("train", 2, 0.3, 0.1, None)
    assert again.curves == {"train": [[1, 0.5, 0.1, None], [2, 0.3, 0.1, None]]}
    with pytest.raises(SlowFastExtError, match="x.pyth: .*'curves'.* is damaged"):
        again.update("x.pyth", {"curves": {"train": [["a"]]}})


def test_class_bars():
    figure = tensorboard.class_bars(np.array([0.2, np.nan, 0.9]), ["a", "b", "$c_$"])
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [r"\$c_\$", "a"]
    assert [bar.get_width() for bar in axes.patches] == [0.9, 0.2]
    figure.savefig("/dev/null", format="png")
