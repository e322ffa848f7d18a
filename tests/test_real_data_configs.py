"""The configs of real data sets: both forms of the head, and any number of GPUs."""

import functools
import re
from pathlib import Path

import pytest
import torch

from slowfast_ext.config.load import load_config
from slowfast_ext.engine import batch_size, setup
from slowfast_ext.engine.checkpoint import checkpoint_path
from slowfast_ext.engine.train import training_stage, tuning_stage
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.upstream import IS_MAIN
from tests.helpers import OTHER_LIBRARIES

ROOT = Path(__file__).parents[1]
SETS = ("Charades", "AVA", "Volleyball", "Hockey")
CONFIGS = [
    path
    for name in SETS
    for path in sorted((ROOT / "configs" / name).glob("*.yaml"))
    if IS_MAIN or not path.stem.startswith("X3D")  # 1.0 has no keys for it.
]
by_name = pytest.mark.parametrize("path", CONFIGS, ids=lambda p: f"{p.parent.name}/{p.stem}")
PRINTED = ("ACTIVITY.FORM", "as_printed")


@functools.cache
def loaded(path, *options):
    """A config's values, to be left as they are."""
    return load_config(str(path), ["NUM_GPUS", "0", *options])


# --- Both forms -------------------------------------------------------------------------------


@by_name
def test_one_key_runs_the_other_form_in_a_folder_of_its_own(path):
    cfg, printed = loaded(path), loaded(path, *PRINTED)
    assert "{" not in cfg.OUTPUT_DIR + printed.OUTPUT_DIR
    assert printed.ACTIVITY.FORM == "as_printed"
    has_forms = cfg.ACTIVITY.HEAD == "ActivityHead" and cfg.ACTIVITY.ACTIVITY_FEATURES
    # Others build on BASE, which names no folder.
    if not has_forms or path.stem.endswith("AS_PRINTED") or path.stem == "BASE":
        assert printed.OUTPUT_DIR == cfg.OUTPUT_DIR
    else:
        assert f"{cfg.OUTPUT_DIR}_as_printed" == printed.OUTPUT_DIR


@pytest.mark.parametrize("form", [(), PRINTED])
def test_table_3d_starts_from_the_complete_head_of_its_own_form(form):
    folder = ROOT / "configs" / "Charades"
    complete = loaded(folder / "TABLE3C_COMPLETE.yaml", *form)
    wanted = checkpoint_path(complete.OUTPUT_DIR, "train", complete.SOLVER.MAX_EPOCH)
    for path in folder.glob("TABLE3D_*.yaml"):
        cfg = loaded(path, *form)
        section = cfg.TRAIN if cfg.TUNE.ENABLE else cfg.TEST
        assert wanted == section.CHECKPOINT_FILE_PATH


def test_a_folder_that_is_named_stays():
    path = ROOT / "configs" / "Hockey" / "CSN_152_ACTIVITY.yaml"
    assert loaded(path, *PRINTED, "OUTPUT_DIR", "mine").OUTPUT_DIR == "mine"


# --- Any number of GPUs -----------------------------------------------------------------------

# GPUs of a machine, machines -> clips of a step: 12 where that many share them, else the next
# multiple.
TOTALS = {
    **{(1, 1): 12, (2, 1): 12, (3, 1): 12, (4, 1): 12, (6, 1): 12, (8, 1): 16, (16, 1): 16},
    **{(1, 2): 12, (2, 2): 12, (3, 2): 12, (4, 2): 16, (6, 2): 12, (8, 2): 16, (16, 2): 32},
}


@pytest.fixture
def with_gpus(monkeypatch):
    """Loads a config on a machine of so many GPUs, one of several."""

    def load(path, gpus, machines=1):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        cfg = loaded(path).clone()
        cfg.NUM_GPUS, cfg.NUM_SHARDS = gpus, machines
        setup._check_processes(cfg)
        return cfg

    return load


@by_name
def test_a_config_starts_on_any_number_of_gpus(path, with_gpus):
    """What a process takes, what all take together, and learning rates in proportion."""
    for (gpus, machines), total in TOTALS.items():
        cfg = with_gpus(path, gpus, machines)
        size = batch_size.batch_size_per_process(cfg, "TRAIN.BATCH_SIZE")
        assert size * gpus * machines == total
        assert batch_size.batch_size_per_process(cfg, "TEST.BATCH_SIZE") == -(-12 // gpus)
        stage = training_stage(cfg, 600)
        assert pytest.approx(cfg.SOLVER.BASE_LR * total / 12) == stage.cfg.SOLVER.BASE_LR
        # The config's own rate stays what it is, and is the paper's where its networks are.
        assert loaded(path).SOLVER.BASE_LR == cfg.SOLVER.BASE_LR
        assert cfg.SOLVER.BASE_LR == 0.035 or path.stem in OTHER_LIBRARIES
        tuning = tuning_stage(cfg, 600)
        assert pytest.approx(0.0035 * total / 12) == tuning.cfg.SOLVER.BASE_LR
        # As many clips.
        assert tuning.num_iterations * total == pytest.approx(10_000 * 12, abs=total)


def test_all_gpus_are_taken(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    assert load_config(str(CONFIGS[0])).NUM_GPUS == 8


def test_without_the_rule_a_batch_must_be_shared_evenly(with_gpus):
    with_gpus(CONFIGS[1], 8)
    cfg = loaded(CONFIGS[1], "TRAIN.FIT_BATCH_SIZE", "False").clone()
    cfg.NUM_GPUS = 8
    with pytest.raises(SlowFastExtError, match=r"TRAIN\.BATCH_SIZE is 12: it must be a multiple"):
        setup._check_processes(cfg)
    cfg.NUM_GPUS, cfg.NUM_SHARDS = 4, 2
    assert batch_size.batch_size_per_process(cfg, "TRAIN.BATCH_SIZE") == 3
    assert batch_size.growth(cfg) == 1


def test_rates_are_not_raised_twice(with_gpus):
    cfg = with_gpus(CONFIGS[1], 2, machines=2)
    cfg.SOLVER.BASE_LR_SCALE_NUM_SHARDS = True
    with pytest.raises(SlowFastExtError, match=r"BASE_LR_SCALE_NUM_SHARDS is True: it must be Fa"):
        setup._check_processes(cfg)


def test_the_slurm_example_starts(monkeypatch, with_gpus):
    """Two machines of eight GPUs, started by torchrun, which knows nothing of NUM_SHARDS."""
    script = (ROOT / "docs" / "slurm" / "run_net.sbatch").read_text()
    nodes = int(re.search(r"--nodes=(\d+)", script)[1])
    local = int(re.search(r"--nproc_per_node (\d+)", script)[1])
    assert f"NUM_GPUS {local}" in script
    (name,) = re.findall(r"--cfg (\S+)", script)
    for key, value in (("LOCAL_WORLD_SIZE", local), ("WORLD_SIZE", nodes * local)):
        monkeypatch.setenv(key, str(value))
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job")
    cfg = with_gpus(ROOT / name, local)
    assert batch_size.batch_sentence(cfg) == (
        "clips of a step: 16, 1 for each process: the next multiple above "
        "TRAIN.BATCH_SIZE 12, and learning rates are 4/3 times the config's; SOLVER.BASE_LR "
        "0.04667, TUNE.BASE_LR 0.004667"
    )


def test_the_page_has_the_same_table(with_gpus):
    text = (ROOT / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    rows = re.findall(r"\| (\d+)(?: x (\d+))? \| (\d+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \|", text)
    assert len(rows) == len(TOTALS)
    for machines, gpus, total, size, rate, tuning_rate in rows:
        place = (int(gpus), int(machines)) if gpus else (int(machines), 1)
        cfg = with_gpus(CONFIGS[0], *place)
        scaled = batch_size.scaled_solver(cfg)
        assert (int(total), int(size)) == (TOTALS[place], TOTALS[place] // (place[0] * place[1]))
        assert rate == f"{scaled.SOLVER.BASE_LR:.4f}"
        assert tuning_rate == f"{scaled.TUNE.BASE_LR:.5f}"
