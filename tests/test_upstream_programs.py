"""GitHub main's own run_net.py trains and tests ActivityNetwork, after the one line."""

import json
import math
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from slowfast_ext import upstream
from slowfast_ext.commands.run_net import main as run_net
from slowfast_ext.config.defaults import default_config
from slowfast_ext.errors import SlowFastExtError
from tests.datasets.test_charades import HEADER, frame_rows
from tests.helpers import ROOT, shallow_networks
from tests.robustness.elastic import free_port

if not upstream.IS_MAIN:
    pytest.skip("needs GitHub's main of PySlowFast", allow_module_level=True)

from slowfast_ext.upstream_programs import ProgramNetwork, SummedLoss, one_output

CLONE = Path(upstream.slowfast.__file__).parents[1]
PROGRAM = CLONE / "tools" / "run_net.py"
NUM_CLASSES = 5
# The line that docs/PYSLOWFAST.md has, then what lets it run here: a CPU, on which train_net.py's
# call of CUDA fails, and shallow networks.
LINES = """import slowfast_ext; slowfast_ext.register()
import torch; torch.cuda.synchronize = lambda: None
import slowfast.models.video_model_builder as models; models._MODEL_STAGE_DEPTH[50] = [1] * 4
import random; random.seed(0)  # Upstream seeds numpy and torch, and draws clips by this.
"""
# A minute of one core, since each process imports everything anew: make test leaves it out.
two_processes = pytest.param(
    *("summed_bce_logit", 2),
    marks=pytest.mark.skipif("SLOWFAST_EXT_SLOW" not in os.environ, reason="SLOWFAST_EXT_SLOW=1"),
)
TWO_PROCESSES = "import tests.cpus_as_gpus\n"
needs_clone = pytest.mark.skipif(not PROGRAM.exists(), reason="needs a clone of GitHub's main")


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Frame lists of videos whose colour says their activities."""
    folder, rng, rows = tmp_path_factory.mktemp("charades"), np.random.default_rng(0), ""
    for number in range(8):
        name, labels = f"V{number:04d}", [number % 4, 4] if number % 2 else [number % 4]
        (folder / "frames" / name).mkdir(parents=True)
        for index in range(1, 25):
            image = rng.integers(0, 60, (12, 16, 3)).astype(np.uint8)
            image[..., number % 3] += 60 * (1 + number % 4 // 2)
            image = cv2.resize(image, (64, 48), interpolation=cv2.INTER_LINEAR)
            cv2.imwrite(str(folder / "frames" / name / f"{name}-{index:06d}.jpg"), image)
        rows += frame_rows(name, [",".join(map(str, labels))] * 24, "jpg")
    for split in ("train", "val"):
        (folder / f"{split}.csv").write_text(HEADER + rows)
    return folder


def words(frames, output, **changes):
    settings = {
        "MODEL.MODEL_NAME": "ActivityNetwork",
        "MODEL.NUM_CLASSES": NUM_CLASSES,
        "MODEL.DROPOUT_RATE": 0.0,
        "RESNET.WIDTH_PER_GROUP": 8,
        "RESNET.NUM_BLOCK_TEMP_KERNEL": "[[1, 1], [1, 1], [1, 1], [1, 1]]",
        "ACTIVITY.GROUPS": 8,
        "ACTIVITY.NUM_OBSERVATIONS": 8,
        "ACTIVITY.DIM": 32,
        "BN.NUM_SYNC_DEVICES": 1,
        "BN.NORM_TYPE": "batchnorm",
        "BN.NUM_BATCHES_PRECISE": 2,
        "DATA.PATH_TO_DATA_DIR": frames,
        "DATA.PATH_PREFIX": frames / "frames",
        "DATA.NUM_FRAMES": 8,
        "DATA.TRAIN_CROP_SIZE": 32,
        "DATA.TRAIN_JITTER_SCALES": "[36, 40]",
        "DATA.TEST_CROP_SIZE": 48,
        "DATA_LOADER.NUM_WORKERS": 0,
        "SOLVER.BASE_LR": 0.2,
        "SOLVER.WARMUP_EPOCHS": 0.0,
        "SOLVER.MAX_EPOCH": 40,
        "TRAIN.BATCH_SIZE": 4,
        "TRAIN.CHECKPOINT_FILE_PATH": "",
        "TEST.BATCH_SIZE": 4,
        "TEST.NUM_ENSEMBLE_VIEWS": 2,
        "TEST.SAVE_RESULTS_PATH": "preds.pkl",
        "LOG_PERIOD": 1,
        "NUM_GPUS": 0,
        "OUTPUT_DIR": output,
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return [str(word) for pair in settings.items() for word in pair]


def run_theirs(tmp_path, options, lines=LINES):
    """Upstream's program on its Charades file; returns what it says."""
    program = tmp_path / "run_net.py"
    program.write_text(lines + PROGRAM.read_text())
    stock = CLONE / "configs" / "Charades" / "SLOWFAST_16x8_R50.yaml"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", program]
        + ["--init_method", f"tcp://127.0.0.1:{free_port()}", "--cfg", stock, "--opts", *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


@needs_clone
@pytest.mark.parametrize(
    "loss, processes", [("bce_logit", 1), ("summed_bce_logit", 1), two_processes]
)
def test_mains_own_program_trains_and_tests_the_network(frames, tmp_path, loss, processes):
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    options = words(frames, theirs, MODEL__LOSS_FUNC=loss)
    if processes == 1:
        said = run_theirs(tmp_path, options)
    else:
        options += ["NUM_GPUS", "2", "DIST_BACKEND", "gloo", "DATA_LOADER.PIN_MEMORY", "False"]
        said = run_theirs(tmp_path, options, TWO_PROCESSES + LINES)
    stats = [json.loads(text) for text in re.findall(r"json_stats: (\{.*\})", said)]
    losses = [s["loss"] for s in stats if s.get("_type", "").startswith("train_iter")]
    assert len(losses) == 80 and sum(losses[-4:]) < 0.9 * sum(losses[:4])
    (tested,) = (s for s in stats if s.get("split") == "test_final")
    assert 50 < float(tested["map"]) <= 100
    (checkpoint,) = sorted((theirs / "checkpoints").iterdir())[-1:]
    options = ["TRAIN.ENABLE", "False", "TEST.CHECKPOINT_FILE_PATH", str(checkpoint)]
    stock = str(CLONE / "configs" / "Charades" / "SLOWFAST_16x8_R50.yaml")
    with shallow_networks():
        run_net(["--cfg", stock, *words(frames, ours), *options])
    with open(theirs / "preds.pkl", "rb") as stream:
        their_scores, their_labels = pickle.load(stream)
    with open(ours / "preds.pkl", "rb") as stream:
        our_scores, our_labels = pickle.load(stream)
    assert torch.equal(torch.as_tensor(our_labels).bool(), their_labels.bool())
    assert torch.allclose(torch.as_tensor(our_scores).float(), their_scores.float(), atol=1e-4)
    state = torch.load(checkpoint, weights_only=True)["model_state"]
    assert state["head.correlation.mask"].diagonal().tolist() == [1.0] * NUM_CLASSES


def test_one_output_has_the_mean_probability():
    torch.manual_seed(0)
    logits, labels = (torch.randn(3, 4) * 5, torch.randn(3, 4) * 5), torch.rand(3, 4).round()
    mean = (logits[0].sigmoid() + logits[1].sigmoid()) / 2
    wanted = F.binary_cross_entropy(mean, labels)
    for name, value in (("bce", mean), ("bce_logit", mean.logit())):
        output = one_output(logits, name)
        assert torch.allclose(output, value, atol=1e-4)
        assert upstream.get_loss_func(name)()(output, labels).item() == pytest.approx(wanted.item())
    mean = (logits[0].softmax(-1) + logits[1].softmax(-1)) / 2
    assert torch.allclose(one_output(logits, "cross_entropy").softmax(-1), mean)
    assert one_output((torch.tensor([[500.0]]),) * 2, "bce_logit").item() == 500.0


def test_the_summed_loss_is_the_sum_over_the_outputs():
    logits, labels = (torch.zeros(2, 3), torch.zeros(2, 3)), torch.ones(2, 3)
    assert SummedLoss()(logits, labels).item() == pytest.approx(2 * math.log(2))


def test_their_mixup_of_one_label_is_refused_for_several():
    cfg = default_config()
    cfg.DATA.MULTI_LABEL = cfg.MIXUP.ENABLE = True
    with pytest.raises(SlowFastExtError, match=r"MIXUP.ENABLE is True: .* for one label a clip"):
        ProgramNetwork(cfg)


def test_losses_of_this_package_are_refused():
    cfg = default_config()
    cfg.MODEL.LOSS_FUNC = "focal"
    with pytest.raises(SlowFastExtError, match=r"LOSS_FUNC is 'focal': .*set it to bce_logit"):
        ProgramNetwork(cfg)
