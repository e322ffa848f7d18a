"""MixUp and CutMix of a batch's clips and labels, by PySlowFast's own arithmetic."""

import numpy as np
import torch

from slowfast_ext import upstream
from slowfast_ext.config.schema import refuse, require_clips_alone
from slowfast_ext.engine.batch_size import batch_size_per_process
from slowfast_ext.engine.losses import smoothed
from slowfast_ext.utils import distributed

# Keeps these draws apart from others that are seeded with three small numbers.
_MIXING_DRAWS = 0x313


def check_mixing(cfg):
    """Raises SlowFastExtError where MIXUP.ENABLE asks for what is not defined."""
    if not cfg.MIXUP.ENABLE:
        return
    require_clips_alone(cfg, "MIXUP.ENABLE has no boxes of both clips")
    if cfg.MODEL.LOSS_FUNC == "equalization":
        rule = "must not be equalization with MIXUP.ENABLE: it asks whether anything happens at all"
        refuse(cfg, "MODEL.LOSS_FUNC", rule)
    if cfg.LOSS.LABEL_SMOOTHING:
        rule = "must be 0.0 with MIXUP.ENABLE, whose MIXUP.LABEL_SMOOTH_VALUE smooths labels"
        refuse(cfg, "LOSS.LABEL_SMOOTHING", rule)
    if cfg.MIXUP.PROB and not (cfg.MIXUP.ALPHA or cfg.MIXUP.CUTMIX_ALPHA):
        refuse(cfg, "MIXUP.ALPHA", "must be above 0 where MIXUP.CUTMIX_ALPHA is not")
    clips = batch_size_per_process(cfg, "TRAIN.BATCH_SIZE")
    clips *= cfg.AUG.NUM_SAMPLE if cfg.AUG.ENABLE else 1
    if clips == 1 and cfg.MIXUP.PROB:
        rule = "leaves each process one clip, and MIXUP.ENABLE mixes two"
        refuse(cfg, "TRAIN.BATCH_SIZE", rule)


class Mixing:
    """
    Mixes each clip of a batch with the one that is as far from the batch's end as it from its
    start, all by one share drawn: whole clips (Zhang et al., ICLR 2018), or a rectangle of all
    frames (Yun et al., ICCV 2019); labels by the share of pixels, then smoothed as upstream does.

    Where the loss is linear in the labels, as all that are allowed here are, this is the sum of
    both clips' losses by their shares. Upstream's own takes a class number a clip and mixes one
    pathway.

    Args:
        cfg (CfgNode): MIXUP.
    """

    def __init__(self, cfg):
        self.options, self.seed = cfg.MIXUP, cfg.RNG_SEED

    def start_epoch(self, epoch):
        """Draws follow from the seed, the epoch and the process alone."""
        sequence = [self.seed, epoch, distributed.rank(), _MIXING_DRAWS]
        self.draws = np.random.default_rng(sequence)

    def __call__(self, pathways, labels):
        """
        Args:
            pathways (list[Tensor]): B x 3 x T x H x W each, floats; changed in place.
            labels (Tensor): B x A; below 0 is unknown, as a mixed one is where either is.

        Returns:
            Tensor: B x A.
        """
        seed, shares = self.draws.integers(2**32), torch.eye(len(labels))
        if len(labels) > 1:  # One may be left of a batch, where others are broken.
            for clips in pathways:
                # The same draws for each: pathways show the same rectangle of the same clips.
                with upstream.seeded(np.random.default_rng(seed)):
                    _, shares = self._mix(len(labels))(clips, torch.arange(len(labels)))
        known = shares @ (labels < 0).float() == 0
        mixed = smoothed(shares @ labels, self.options.LABEL_SMOOTH_VALUE, labels.shape[1])
        return torch.where(known, mixed, -1.0)

    def _mix(self, num_clips):
        """Upstream's, with each clip as a class of its own: what it gives for labels is shares."""
        options = self.options
        return upstream.MixUp(
            mixup_alpha=options.ALPHA,
            cutmix_alpha=options.CUTMIX_ALPHA,
            mix_prob=options.PROB,
            switch_prob=options.SWITCH_PROB,
            label_smoothing=0.0,
            num_classes=num_clips,
        )
