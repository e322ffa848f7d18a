"""
python -m slowfast_ext fit-rates: each activity's weights over the sampling rates of a test.

KEY VALUE pairs may follow, as run_net.py takes them.
"""

import os

import numpy as np

from slowfast_ext.engine import loaders
from slowfast_ext.engine.scoring import score_videos
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.trained import follow_network, network_to_test
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.rate_weights import (
    learn_weights,
    means_by_rate,
    shares_of,
    write_rate_weights,
)
from slowfast_ext.utils.paths import require_writable


def run(args):
    """
    Scores the training list's videos in the views of TEST.VIEWS with the network that a test
    would take, fits the weights, writes OUTPUT_DIR/rate_weights.csv and prints it.

    Raises:
        SlowFastExtError: a config without rates to choose from, no checkpoint, or a video that
            cannot be read.
    """
    cfg = checked_config(args.cfg, args.options)
    if cfg.DETECTION.ENABLE:
        raise SlowFastExtError("DETECTION.ENABLE must be False: rates are fitted to whole videos")
    if len({rate for rate, _, _ in cfg.TEST.VIEWS}) < max(2, len(cfg.TEST.VIEWS)):
        raise SlowFastExtError(
            f"TEST.VIEWS is {cfg.TEST.VIEWS}: fit-rates needs two rates or more, each once"
        )
    path = os.path.join(cfg.OUTPUT_DIR, "rate_weights.csv")
    require_writable(path, "OUTPUT_DIR")
    dataset = loaders.build_dataset(cfg, "train")
    groups = dataset.view_groups(cfg)
    checkpoint, network, _, history = network_to_test(cfg)
    follow_network(dataset, checkpoint, history.class_names)
    scores, _ = score_videos(
        cfg,
        network,
        dataset,
        "fit-rates",
        lambda views: means_by_rate(views, groups),
    )
    indices = sorted(scores)
    by_rate = np.stack([scores[index] for index in indices], 1)  # R x V x A
    # A x R.
    weights = learn_weights(by_rate, dataset.labels[indices], shares_of(groups))
    write_rate_weights(path, dataset.class_names, groups, weights)
    for name, activity_weights in zip(dataset.class_names, weights, strict=True):
        pairs = zip(groups, activity_weights, strict=True)
        print(f"{name}: " + ", ".join(f"rate {rate} {w:.2f}" for (rate, _, _), w in pairs))
    print(f"wrote {path}; test with TEST.RATE_WEIGHTS {path}")
