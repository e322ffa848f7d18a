"""One seed's experiment: its videos, its backbone, its maps, and the heads trained on them."""

import os
import sys

import numpy as np
import torch

from projects.study import (  # noqa: F401  (they register the study's heads)
    correlation_forms,
    decoder_parts,
    evidence_forms,
    heads,
)
from projects.study.backbone import train_backbone
from projects.study.cache import GENERATOR_CODE, HEADS_CODE, MAPS_CODE, code_version, key_of
from projects.study.fitting import Outcome, fit_head, held_out_predictions, outcome
from projects.study.maps import make_maps
from projects.study.rates import GROUPS
from projects.study.rows import COMPLETE_RATE, CONTROLS, RATE_4
from slowfast_ext.engine import checkpoint, loaders
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.test import test
from slowfast_ext.engine.train import train
from slowfast_ext.engine.weights import read_checkpoint
from slowfast_ext.utils.paths import CONFIGS, open_atomically

# From 480 videos, as in the quickstart, it learns no motion that one rate alone shows.
BACKBONE = (
    *("SYNTHETIC.NUM_TRAIN", "1440", "SOLVER.MAX_EPOCH", "30"),
    *("TRAIN.EVAL_PERIOD", "30", "TRAIN.CHECKPOINT_PERIOD", "5"),
)
# On cached maps the heads can train and tune longer, and more videos make the measurement finer.
# The learning rates, as those in rows.py, are the best of several on seed 7, which no table has.
HEADS = (
    *("SOLVER.MAX_EPOCH", "20", "SYNTHETIC.NUM_TEST", "240", "SOLVER.BASE_LR", str(COMPLETE_RATE)),
    *("TUNE.MAX_ITER", "400", "TUNE.BASE_LR", "0.005"),
)
# Those that it is trained at: one that was trained on a large set has seen many speeds.
BACKBONE_RATES = (2, 4, 8)
# From the backbone that the heads had frozen and the head that was trained on it, at the scale that
# both have seen; the same test as the other rows'.
WHOLE = (
    *("TRAIN.CHECKPOINT_EPOCH_RESET", "True", "DATA.TRAIN_JITTER_SCALES", "[80, 80]"),
    *("SOLVER.MAX_EPOCH", "3", "TRAIN.EVAL_PERIOD", "3", "TRAIN.CHECKPOINT_PERIOD", "3"),
    *("SYNTHETIC.NUM_TEST", "240", "TEST.VIEWS", str([list(v) for v in RATE_4])),
)
# One thread of the CPU a seed, so that a seed means the same on every machine.
COMMON = ("NUM_GPUS", "0", "DATA_LOADER.NUM_WORKERS", "0", "LOG_PERIOD", "1000")
# Speeds that one sampling rate alone tells apart.
VIDEOS = ("SYNTHETIC.TWINS", "True")

# The cache's folders.
PARTS = ("videos", "backbones", "maps", "heads", "whole")


class Experiment:
    """
    What one seed gives, computed where the cache does not have it.

    The backbone of a seed is one and the same whether a property of the videos is switched
    off or not: what changes is what the heads are trained and tested on.

    Args:
        cache (Cache): of all seeds.
        seed (int): of the videos (SYNTHETIC.SEED) and of all training (RNG_SEED).
        without (str | None): the generator's property (a key of CONTROLS) that is off.
        backbone_rates (sequence[int]): the sampling rates that the backbone is trained at.
    """

    def __init__(self, cache, seed, without=None, backbone_rates=BACKBONE_RATES):
        self.cache, self.seed = cache, seed
        videos = f"seed-{seed}" + (f"-without-{without}" if without else "")
        self.name = f"{videos}-backbone-{'-'.join(map(str, backbone_rates))}"
        self._videos = f"videos/{videos}"
        self._switch = (CONTROLS[without][0], "False") if without else ()
        rates = ("TUNE.RATES", str(list(backbone_rates)))
        self._backbone = self._config(
            "PRETRAIN_SLOWFAST", f"videos/parts-{seed}", (*BACKBONE, *rates)
        )
        self.cfg = self._config("ACTIVITY_FROZEN", self._videos, (*HEADS, *self._switch))
        self._maps_key = key_of(
            _settings(self._backbone), _data(self.cfg), GROUPS, code_version(MAPS_CODE)
        )
        self._loaded, self._trained = None, {}

    def _config(self, name, videos, options):
        seeds = ("RNG_SEED", str(self.seed), "SYNTHETIC.SEED", str(self.seed))
        # A set of the same settings that another generator wrote is not the same set.
        folder = self.cache.path(f"{videos}.{code_version(GENERATOR_CODE)[:8]}")
        return checked_config(
            str(CONFIGS / "Synthetic" / f"{name}.yaml"),
            [*COMMON, *VIDEOS, *options, *seeds, "DATA.PATH_TO_DATA_DIR", folder],
        )

    # --- The maps ----------------------------------------------------------------------

    @property
    def _backbone_checkpoint(self):
        """The path of the trained backbone, with its OUTPUT_DIR."""
        key = key_of(_settings(self._backbone), code_version(MAPS_CODE))
        output_dir = self.cache.path(f"backbones/seed-{self.seed}.{key}")
        last = self._backbone.SOLVER.MAX_EPOCH
        return checkpoint.checkpoint_path(output_dir, "train", last), output_dir

    def make_backbone_videos(self):
        """Writes the videos that the backbone is trained on, with all cores."""
        loaders.build_dataset(self._backbone, "train")

    def make_videos(self):
        """Writes the videos that all rows are trained and tested on, with all cores."""
        loaders.build_dataset(self.cfg, "train")

    def make_backbone(self):
        """Trains the seed's backbone; nothing where it is there and may serve."""
        path, output_dir = self._backbone_checkpoint
        if self.cache.has(os.path.relpath(path, self.cache.folder)):
            return
        cfg = self._backbone.clone()
        cfg.OUTPUT_DIR, cfg.TRAIN.AUTO_RESUME = output_dir, not self.cache.fresh
        train_backbone(cfg)

    @property
    def maps(self):
        """Maps of this seed's videos; of its backbone, which `make_backbone` made before."""
        if self._loaded is None:
            name = f"maps/{self.name}.{self._maps_key}"
            # Those of other settings or code are a quarter of a gigabyte each.
            folder = self.cache.start_folder(name, f"{self.name}.")
            self._loaded = make_maps(self.cfg, self._backbone_checkpoint[0], folder)
        return self._loaded

    # --- The heads ---------------------------------------------------------------------

    def config(self, recipe):
        """The config of a recipe's head."""
        cfg = self.cfg.clone()
        cfg.merge_from_list(recipe.settings())
        return cfg

    def outcome(self, recipe):
        """Outcome of a recipe's head."""
        cfg = self.config(recipe)
        compute = lambda: outcome(cfg, self.maps, self._trained)._asdict()  # noqa: E731
        arrays = self._arrays("head", cfg, Outcome._fields, compute)
        arrays["num_parameters"] = int(arrays["num_parameters"])
        return Outcome(**arrays)

    def held_out(self, recipe):
        """
        Predictions of the training videos, V x R x A, by heads that did not see them; and their
        labels, V x A.
        """
        cfg, names = self.config(recipe), ("predictions", "labels")

        def compute():
            labels = self.maps.video_labels.numpy()
            return {"predictions": held_out_predictions(cfg, self.maps), "labels": labels}

        arrays = self._arrays("held-out", cfg, names, compute)
        return tuple(arrays[name] for name in names)

    def has(self, row):
        """True where nothing needs to be computed for a Row any more."""
        if row.whole_rate is not None:
            return self.cache.has(f"{self._whole(row.recipe, row.whole_rate)[1]}.npz")
        kinds = ("head",) if row.rates == "mean" else ("head", "held-out")
        return all(self.cache.has(self._name(kind, self.config(row.recipe))) for kind in kinds)

    def _whole(self, recipe, rate):
        """The config of a whole network, trained on, and the name of what it gives."""
        cfg = self._config("ACTIVITY_SLOWFAST", self._videos, (*self._switch, *WHOLE))
        cfg.merge_from_list(recipe.settings())
        cfg.SOLVER.BASE_LR, cfg.SOLVER.WARMUP_START_LR = rate, rate / 10
        head = _settings(self.config(recipe))
        key = key_of(_settings(cfg), head, self._maps_key, code_version(HEADS_CODE))
        return cfg, f"whole/{self.name}.{key}"

    def trained_whole(self, recipe, rate):
        """
        Trains a head on the maps as ever and then, with the engine, it and the backbone below it,
        which `make_backbone` made before. Tests that network.

        Args:
            rate (float): the whole network's learning rate; the recipe's is the head's on the maps.

        Returns:
            dict[str, ndarray]: `average_precision`, [A], and the head's `num_parameters`.
        """
        cfg, name = self._whole(recipe, rate)
        cfg.OUTPUT_DIR, cfg.TRAIN.AUTO_RESUME = self.cache.path(name), not self.cache.fresh
        cfg.TRAIN.CHECKPOINT_FILE_PATH = f"{cfg.OUTPUT_DIR}/start.pyth"

        def compute():
            head = fit_head(self.config(recipe), self.maps, trained=self._trained)
            self._write_start(head, cfg.TRAIN.CHECKPOINT_FILE_PATH)
            train(cfg)
            precisions = [row["ap"] for row in test(cfg)["per_class"]]
            return {
                "average_precision": np.array(precisions, np.float64),
                "num_parameters": sum(parameter.numel() for parameter in head.parameters()),
            }

        names = ("average_precision", "num_parameters")
        return self.cache.arrays(f"{name}.npz", names, compute)

    def _write_start(self, head, path):
        """Writes the seed's backbone and a HeadOnMaps as one network's checkpoint."""
        weights = read_checkpoint(self._backbone_checkpoint[0])["model_state"]
        weights = {name: value for name, value in weights.items() if not name.startswith("head.")}
        with open_atomically(path, "wb") as stream:
            torch.save({"model_state": weights | head.state_dict()}, stream)

    def _arrays(self, kind, cfg, names, compute):
        def with_progress():
            print(f"{self.name}: {kind} {cfg.ACTIVITY.HEAD}", file=sys.stderr, flush=True)
            return compute()

        return self.cache.arrays(self._name(kind, cfg), names, with_progress)

    def _name(self, kind, cfg):
        key = key_of(kind, _settings(cfg), self._maps_key, code_version(HEADS_CODE))
        return f"heads/{self.name}.{key}.npz"


def _settings(cfg):
    """The settings that a result depends on: all but where files lie."""
    cfg = cfg.clone()
    cfg.DATA.PATH_TO_DATA_DIR = cfg.OUTPUT_DIR = cfg.TRAIN.CHECKPOINT_FILE_PATH = ""
    return cfg.dump()


def _data(cfg):
    """The settings that clips and views depend on."""
    return [cfg.DATA.dump(), cfg.SYNTHETIC.dump(), cfg.RNG_SEED, cfg.SLOWFAST.dump()]
