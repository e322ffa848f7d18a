"""Classes belong to the network: lists with the same names in another order, and with others."""

import json
import shutil

import pytest
import torch

from slowfast_ext.commands.run_net import main
from slowfast_ext.errors import SlowFastExtError
from tests.helpers import assert_equal, weights


@pytest.fixture
def turned(finished_run, data_dir, tmp_path):
    """The finished run's data, its classes in the reverse order."""
    folder = tmp_path / "turned"
    shutil.copytree(data_dir, folder)
    names = (folder / "classes.txt").read_text().split()
    lines = (folder / "classes.txt").read_text().splitlines()
    assert len(names) > len(lines)
    (folder / "classes.txt").write_text("\n".join(lines[::-1]) + "\n")
    return folder


def options_of(folder):
    return {
        "TRAIN__DATASET": "MultiLabelVideos",
        "TEST__DATASET": "MultiLabelVideos",
        "DATA__PATH_TO_DATA_DIR": folder,
    }


def test_of_a_checkpoint(finished_run, turned, arguments, tmp_path):
    path = finished_run / "checkpoints" / "checkpoint_tune_epoch_00002.pyth"
    names = (turned / "classes.txt").read_text().splitlines()
    assert torch.load(path, weights_only=True)["class_names"] == names[::-1]
    test = {"TRAIN__ENABLE": False, "TUNE__ENABLE": False, "TEST__CHECKPOINT_FILE_PATH": path}
    main(arguments(tmp_path / "out", **test, **options_of(turned)))
    wanted = json.loads((finished_run / "results.json").read_text())
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["per_class"] == wanted["per_class"] and found["mAP"] == wanted["mAP"]
    (turned / "classes.txt").write_text("\n".join(["x", *names[1:]]) + "\n")
    for file in ("train.csv", "test.csv"):
        text = (turned / file).read_text()
        (turned / file).write_text(text.replace(names[0], "x"))
    with pytest.raises(SlowFastExtError, match=f'trained on "{names[0]}", where the data set has'):
        main(arguments(tmp_path / "none", **test, **options_of(turned)))
    renamed = {"DATA__RENAMED_CLASSES": f"['{names[0]}=x']"}
    main(arguments(tmp_path / "renamed", **test, **options_of(turned), **renamed))
    found = json.loads((tmp_path / "renamed" / "results.json").read_text())
    assert found["mAP"] == wanted["mAP"] and found["per_class"][-1]["name"] == "x"


def test_a_run_goes_on(turned, arguments, tmp_path):
    """As if nothing had happened, to the bit; with other classes it does not."""
    short = {"SOLVER__MAX_EPOCH": 2, "TUNE__ENABLE": False, "TEST__ENABLE": False}
    short |= options_of(turned)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    main(arguments(whole, **short))
    shutil.copytree(whole, cut)
    (cut / "checkpoints" / "checkpoint_epoch_00002.pyth").unlink()
    names = (turned / "classes.txt").read_text().splitlines()
    (turned / "classes.txt").write_text("\n".join(sorted(names)) + "\n")
    main(arguments(cut, **short))
    name = "checkpoint_epoch_00002.pyth"
    assert_equal(weights(whole, name), weights(cut, name))
    saved = torch.load(cut / "checkpoints" / name, weights_only=True)
    assert saved["class_names"] == names != sorted(names)
    for file in ("classes.txt", "train.csv", "test.csv"):
        (turned / file).write_text((turned / file).read_text().replace(names[0], "x"))
    (cut / "checkpoints" / name).unlink()
    with pytest.raises(SlowFastExtError, match='where the data set has "x"'):
        main(arguments(cut, **short))
