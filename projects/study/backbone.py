"""The frozen backbone of a seed: trained on videos of one actor."""

import torch

from slowfast_ext import upstream
from slowfast_ext.engine import checkpoint, loaders
from slowfast_ext.engine.train import training_stage
from slowfast_ext.engine.trainer import Trainer
from slowfast_ext.evaluation.evaluators import build_evaluator


def train_backbone(cfg):
    """
    Trains the network of `cfg` on clips whose rates are drawn from TUNE.RATES; goes on from
    what OUTPUT_DIR holds.

    The engine trains at DATA.SAMPLING_RATE alone, as the paper does. A backbone that was
    trained on a large set has seen many speeds; what its maps do not hold no head can find.

    Returns:
        str: the path of its last checkpoint.
    """
    tune_set, val_set = (loaders.build_dataset(cfg, split) for split in ("tune", "val"))
    loader = loaders.training_loader(cfg, tune_set)
    upstream.setup_logging(cfg.OUTPUT_DIR)
    torch.manual_seed(cfg.RNG_SEED)
    network = upstream.model_class(cfg.MODEL.MODEL_NAME)(cfg)
    Trainer(
        cfg, training_stage(cfg, len(loader)), network, loader, build_evaluator(cfg, val_set)
    ).run()
    return checkpoint.checkpoint_path(cfg.OUTPUT_DIR, "train", cfg.SOLVER.MAX_EPOCH)
