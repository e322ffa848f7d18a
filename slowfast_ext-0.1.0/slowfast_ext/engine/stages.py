"""The two stages of learning: training the whole network, then tuning the head (sec. 3.6)."""

from dataclasses import dataclass

from slowfast_ext import upstream


@dataclass(frozen=True)
class Stage:
    """
    What one stage does differently.

    Attributes:
        name: "train" or "tune", also the split that its clips come from.
        cfg: the config with this stage's solver.
        num_iterations: optimizer steps in all.
        first_epoch: the number of its first epoch in the order of random draws, so that no
            stage repeats another's.
        freeze_backbone: only what comes after the backbone learns.
    """

    name: str
    cfg: object
    num_iterations: int
    first_epoch: int
    freeze_backbone: bool

    def learning_rate(self, iteration, epoch_length):
        """Upstream's schedule at an iteration of the stage."""
        return upstream.get_epoch_lr(iteration / epoch_length, self.cfg)


def training_stage(cfg, epoch_length):
    """SOLVER.MAX_EPOCH epochs of the network, or of its head alone, at DATA.SAMPLING_RATE."""
    num_iterations = cfg.SOLVER.MAX_EPOCH * epoch_length
    return Stage("train", cfg, num_iterations, 0, cfg.ACTIVITY.FREEZE_BACKBONE)


def tuning_stage(cfg, epoch_length):
    """
    TUNE.MAX_ITER iterations of the head on clips of the rates TUNE.RATES.

    The paper names no learning rate or decay for it: TUNE.BASE_LR and half a cosine are ours.
    """
    tuning = cfg.clone()
    tuning.SOLVER.BASE_LR = cfg.TUNE.BASE_LR
    tuning.SOLVER.LR_POLICY = "cosine"
    tuning.SOLVER.COSINE_END_LR = 0.0
    tuning.SOLVER.WARMUP_EPOCHS = 0.0
    tuning.SOLVER.MAX_EPOCH = cfg.TUNE.MAX_ITER / epoch_length
    return Stage("tune", tuning, cfg.TUNE.MAX_ITER, cfg.SOLVER.MAX_EPOCH, freeze_backbone=True)
