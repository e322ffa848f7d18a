"""The names of a checkpoint's outputs against those of a data set."""

import pytest

from slowfast_ext.config.defaults import default_config
from slowfast_ext.datasets import MultiLabelVideos
from slowfast_ext.datasets.class_names import names_of_outputs
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from tests.helpers import CONFIG, pairs


def named(stored, listed, *renamed):
    cfg = default_config()
    cfg.DATA.RENAMED_CLASSES = list(renamed)
    return names_of_outputs(cfg, "x.pyth", stored, listed)


def test_names_are_the_checkpoints():
    assert named(["run", "jump"], ["jump", "run"]) == ["run", "jump"]
    assert named(["run", "jump"], None) == ["run", "jump"]
    # An older checkpoint has none.
    assert named(None, ["jump", "run"]) == ["jump", "run"]
    assert named(None, None) is None


def test_a_renamed_label():
    assert named(["run", "jump"], ["hop", "run"], "jump=hop") == ["run", "hop"]
    # A checkpoint that was trained on with the new name already.
    assert named(["run", "hop"], ["hop", "run"], "jump=hop") == ["run", "hop"]
    with pytest.raises(SlowFastExtError, match='RENAMED_CLASSES: x.pyth has no class "walk"'):
        named(["run", "jump"], ["hop", "run"], "walk=hop")


def test_numbers_in_place_of_names():
    """A label map that does not name an output, and frame lists without names."""
    assert named(["run", "class 1"], ["run", "jump"]) == ["run", "jump"]
    assert named(["run", "jump"], ["class 0", "jump"]) == ["run", "jump"]
    assert named(["run", "jump"], ["c000", "c001"]) == ["run", "jump"]
    with pytest.raises(SlowFastExtError):
        named(["run", "jump"], ["jump", "class 1"])


def test_other_names_are_refused():
    with pytest.raises(SlowFastExtError) as caught:
        named(["run", "walk"], ["amble", "run"])
    assert 'x.pyth was trained on "walk", where the data set has "amble"' in str(caught.value)
    assert "DATA.RENAMED_CLASSES \"['walk=amble']\"" in str(caught.value)


@pytest.mark.parametrize("value", ["['walk']", "['=walk']", "['walk=']", "[3]"])
def test_wrong_renames(tmp_path, value):
    with pytest.raises(SlowFastExtError, match="DATA.RENAMED_CLASSES is .* list renamed labels"):
        checked_config(CONFIG, [*pairs(tmp_path), "DATA.RENAMED_CLASSES", value])


def test_a_data_set_in_the_order_of_a_network(run_folder):
    """Class ids in lists stay lines of classes.txt."""
    cfg = checked_config(CONFIG, pairs(run_folder))
    dataset = MultiLabelVideos(cfg, "train")
    assert dataset.class_names == ["run", "jump", "wave"]
    before = dataset.labels
    names = ["wave", "run", "jump"]
    dataset.order_classes(names)
    assert dataset.class_names == names
    assert dataset.labels.tolist() == before[:, [2, 0, 1]].tolist()
    first, second = dataset.videos[0].segments
    assert first.labels == (1, 0) and second.labels == (2,)
    other = run_folder / "lists" / "other.csv"
    other.write_text("path,labels\nx.mp4,0;jump\ny.mp4,2\n")
    assert dataset.read_labels(str(other)).tolist() == [[0, 1, 1], [1, 0, 0]]
    dataset.order_classes(["run", "jump", "wave"])
    assert dataset.labels.tolist() == before.tolist()
