"""A head trained on a frozen backbone's stored features and tested, without a folder of its own."""

from slowfast_ext.engine import loaders
from slowfast_ext.engine.scoring import evaluate
from slowfast_ext.engine.train import build_network, counted_mask, training_stage
from slowfast_ext.engine.trainer import Trainer
from slowfast_ext.engine.weights import load_start
from slowfast_ext.evaluation.evaluators import build_evaluator


def tested_metrics(cfg, train_set, test_set, split):
    """
    Args:
        cfg (CfgNode): with FEATURES.PATH and TRAIN.CHECKPOINT_FILE_PATH.
        train_set, test_set (ActivityDataset): the latter of `split`, "val" or "test".
    Returns:
        MultilabelMetrics
    """
    network = build_network(cfg, counted_mask(cfg, train_set))
    load_start(cfg, network)
    network = learn(cfg, training_stage, network, loaders.training_loader(cfg, train_set))
    return evaluate(build_evaluator(cfg, test_set), network, split).metrics


def learn(cfg, make_stage, network, loader):
    """Trains a network through a stage, `training_stage` or `tuning_stage`; the one to test."""
    trainer = Trainer(cfg, make_stage(cfg, len(loader)), network, loader)
    for epoch in range(trainer.num_epochs):
        for _step in trainer.learn(epoch):
            pass
    return trainer.tested_network
