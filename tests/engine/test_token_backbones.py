"""A two-layer VideoMAE of transformers below the heads, from its folder to results.json."""

import json
import shutil

import pytest
import torch

from slowfast_ext.commands.run_net import main
from slowfast_ext.errors import SlowFastExtError
from tests import ava_tree
from tests.helpers import CONFIGS, TINY, assert_equal, weights

transformers = pytest.importorskip("transformers", minversion="5.22")

NARROW = {"ACTIVITY.GROUPS": "8", "ACTIVITY.DIM": "16", "ACTIVITY.NUM_OBSERVATIONS": "4"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A Kinetics-like classifier of clips of 8 x 32 x 32, as save_pretrained leaves it."""
    path = tmp_path_factory.mktemp("videomae")
    sizes = {"image_size": 32, "num_frames": 8, "num_labels": 5, "hidden_size": 32}
    layers = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    torch.manual_seed(0)
    config = transformers.VideoMAEConfig(**sizes, **layers)
    transformers.VideoMAEForVideoClassification(config).save_pretrained(path)
    return path


def arguments(folder, config, output, **changes):
    """run_net.py's arguments; what the network expects of its input is left to it."""
    pairs = {k: v for k, v in TINY.items() if "CROP_SIZE" not in k and "SCALES" not in k}
    pairs |= {**NARROW, "OUTPUT_DIR": output, "ACTIVITY.BACKBONE": f"transformers:{folder}"}
    pairs |= {"TRAIN.CHECKPOINT_FILE_PATH": folder}
    pairs |= {key.replace("__", "."): value for key, value in changes.items()}
    return ["--cfg", str(config), *(str(word) for pair in pairs.items() for word in pair)]


@pytest.fixture
def config(tmp_path):
    """The synthetic set's config without what is SlowFast's in it."""
    text = (CONFIGS / "Synthetic" / "ACTIVITY_SLOWFAST.yaml").read_text()
    keys = ("ARCH:", "NUM_FRAMES:", "CROP_SIZE:", "JITTER_SCALES:", "INPUT_CHANNEL_NUM:")
    kept = [line for line in text.splitlines() if not any(key in line for key in keys)]
    path = tmp_path / "config.yaml"
    path.write_text("\n".join(kept))
    return path


def test_it_trains_tunes_tests_30_views_and_resumes_to_the_bit(folder, config, data_dir, tmp_path):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    options = {
        "DATA__PATH_TO_DATA_DIR": data_dir,
        "TEST__VIEWS": "[[4, 4, 3], [8, 3, 3], [2, 3, 3]]",
        "MODEL__ACT_CHECKPOINT": True,
    }
    main(arguments(folder, config, whole, **options))
    results = json.loads((whole / "results.json").read_text())
    assert results["protocol"]["views"] == [[4, 4, 3], [8, 3, 3], [2, 3, 3]]
    assert results["config"]["DATA"]["MEAN"] == [0.5, 0.5, 0.5]
    (resumed / "checkpoints").mkdir(parents=True)
    name = "checkpoint_epoch_00002.pyth"
    shutil.copy(whole / "checkpoints" / name, resumed / "checkpoints" / name)
    main(arguments(folder, config, resumed, **options))
    for name in ("checkpoint_epoch_00003.pyth", "checkpoint_tune_epoch_00002.pyth"):
        assert_equal(weights(whole, name), weights(resumed, name))
    predictions = [(out / "predictions.csv").read_bytes() for out in (whole, resumed)]
    assert predictions[0] == predictions[1]


def test_a_run_from_features_is_the_run_from_videos_to_the_bit(
    folder, config, data_dir, tmp_path, command
):
    options = {
        **{"DATA__PATH_TO_DATA_DIR": data_dir, "ACTIVITY__FREEZE_BACKBONE": True},
        **{"FEATURES__DTYPE": "float32", "TUNE__ENABLE": False},
    }
    videos, stored, maps = tmp_path / "videos", tmp_path / "stored", tmp_path / "maps"
    main(arguments(folder, config, videos, **options))
    words = arguments(folder, config, tmp_path / "unused", **options)
    code, out, err = command("extract", *words, "--out", maps)
    assert (code, err) == (0, "")
    assert f"extract: {folder}: 32 of the backbone's 32 tensors match" in out
    main(arguments(folder, config, stored, **options, FEATURES__PATH=maps))
    name = "checkpoint_epoch_00003.pyth"
    assert_equal(weights(videos, name), weights(stored, name))
    assert (videos / "predictions.csv").read_bytes() == (stored / "predictions.csv").read_bytes()


def test_persons_of_ava_are_cut_out_of_its_tokens(folder, config, tmp_path):
    ava_tree.write_tree(tmp_path)
    options = {key.replace(".", "__"): value for key, value in ava_tree.options(tmp_path).items()}
    options |= {"AVA__TEST_CROP": "centre", "TEST__VIEWS": "[[4, 1, 1], [2, 1, 1]]"}
    options |= {"SOLVER__MAX_EPOCH": 1, "SOLVER__WARMUP_EPOCHS": 0.0, "TUNE__MAX_ITER": 1}
    main(arguments(folder, config, tmp_path / "out", **options))
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["config"]["DETECTION"]["SPATIAL_SCALE_FACTOR"] == 16
    assert results["counts"]["boxes"] == len(ava_tree.PERSONS)


def test_a_folder_without_safetensors_is_refused_before_anything_is_written(
    folder, config, data_dir, tmp_path
):
    shutil.copytree(folder, tmp_path / "pickles", ignore=shutil.ignore_patterns("*.safetensors"))
    options = {"DATA__PATH_TO_DATA_DIR": data_dir}
    with pytest.raises(SlowFastExtError, match="pickles: has no model.safetensors"):
        main(arguments(tmp_path / "pickles", config, tmp_path / "out", **options))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"DATA__NUM_FRAMES": 9}, "it takes 8 frames alone: set DATA.NUM_FRAMES to 8"),
        ({"DATA__TEST_CROP_SIZE": 48}, "it takes 32 x 32 pixels alone"),
        ({"TEST__WHOLE_FRAME": True}, "TEST.WHOLE_FRAME is True: it must be False"),
        ({"ACTIVITY__STAGE": 1, "MODEL__DROPCONNECT_RATE": 0.1}, "not built with stochastic depth"),
        ({"ACTIVITY__STAGE": 2}, "gives the maps of 0, the last map"),
    ],
)
def test_what_it_does_not_take_is_refused_before_anything_is_written(
    folder, config, data_dir, tmp_path, changes, words
):
    out = tmp_path / "out"
    with pytest.raises(SlowFastExtError, match=words):
        main(arguments(folder, config, out, DATA__PATH_TO_DATA_DIR=data_dir, **changes))
    assert not out.exists()
