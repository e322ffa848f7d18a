"""Training, then tuning."""

import logging
from dataclasses import dataclass

import torch

from slowfast_ext import upstream
from slowfast_ext.config.schema import refuse
from slowfast_ext.datasets.class_names import names_of_outputs, order_as
from slowfast_ext.datasets.stored_maps import first_epoch
from slowfast_ext.engine import checkpoint, loaders
from slowfast_ext.engine.batch_size import batch_sentence, scaled_solver
from slowfast_ext.engine.checkpoint import History, Start
from slowfast_ext.engine.trainer import Trainer
from slowfast_ext.engine.weights import check_start, published_source, read_weights
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.evaluators import build_evaluator
from slowfast_ext.models.backbones import backbone_name
from slowfast_ext.models.correlation import cooccurrence
from slowfast_ext.utils.paths import make_folder, pathmgr

logger = logging.getLogger(__name__)


def train(cfg, draw_view=None):
    """
    Trains, then tunes where TUNE.ENABLE is set; goes on from what OUTPUT_DIR already holds. What
    draws views is as of TensorBoard.

    Raises SlowFastExtError where lists, videos or checkpoints are not what cfg says.
    """
    # All lists and paths are checked before anything is written or trained.
    start = Start(cfg)
    check_named_checkpoints(cfg, start)
    splits = ("train", "tune", "val", *(["test"] if cfg.TEST.ENABLE else []))
    # Tuning and test included, since their lists are read after days otherwise.
    sets = {split: loaders.build_dataset(cfg, split) for split in splits}
    # What tests are measured by too: finding it wrong after days of training is late.
    evaluators = {split: build_evaluator(cfg, sets[split]) for split in splits[2:]}
    _check_labels(cfg, sets["train"])
    names = _follow_checkpoint(cfg, start, sets.values())
    mask = counted_mask(cfg, sets["train"])
    for split in splits[2:]:
        if sets[split].maps is not None:
            sets[split].maps.ready(clips=False)
    train_loader, tune_loader = (loaders.training_loader(cfg, sets[s]) for s in ("train", "tune"))
    positives = (torch.as_tensor(sets["train"].labels) > 0).sum(0).tolist()
    network, history = build_network(cfg, mask), History(class_names=names, positives=positives)
    if cfg.TRAIN.CHECKPOINT_FILE_PATH and not pathmgr.exists(cfg.OUTPUT_DIR):
        check_start(cfg, network, start.look())  # One that goes on does not start from them.
    make_folder(cfg.OUTPUT_DIR, "OUTPUT_DIR")
    upstream.setup_logging(cfg.OUTPUT_DIR)
    if cfg.TRAIN.FIT_BATCH_SIZE:
        logger.info(batch_sentence(cfg))
    for split, dataset in sets.items():
        loaders.log_dataset(split, dataset)
    _warn_of_learnt_videos(sets)
    if cfg.LOG_MODEL_INFO:
        logger.info(f"{sum(p.numel() for p in network.parameters()):,} parameters")
    parts = evaluators["val"], history, draw_view, start
    if cfg.TRAIN.ENABLE:
        _warn_of_random_start(cfg)
        stage = training_stage(cfg, len(train_loader))
        Trainer(cfg, stage, network, train_loader, *parts).run()
    if cfg.TUNE.ENABLE:
        stage = tuning_stage(cfg, len(tune_loader))
        Trainer(cfg, stage, network, tune_loader, *parts).run()


# --- The stages -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """
    What one stage does differently.

    Attributes:
        name: "train" or "tune", also the split that its clips come from.
        cfg: the config with this stage's solver.
        num_iterations: optimizer steps in all.
        first_epoch: the number of its first epoch in the order of random draws.
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
    """
    SOLVER.MAX_EPOCH epochs, or the first TRAIN.MAX_ITER iterations of them, of the network or of
    its head alone, at DATA.SAMPLING_RATE.
    """
    scaled = scaled_solver(cfg)
    num_iterations = cfg.SOLVER.MAX_EPOCH * epoch_length
    if cfg.TRAIN.MAX_ITER:
        num_iterations = min(num_iterations, scaled.TRAIN.MAX_ITER)
    first = first_epoch(cfg, "train")
    return Stage("train", scaled, num_iterations, first, cfg.ACTIVITY.FREEZE_BACKBONE)


def tuning_stage(cfg, epoch_length):
    """TUNE.MAX_ITER iterations of the head on clips of the rates TUNE.RATES."""
    # The paper names no learning rate or decay for it: TUNE.BASE_LR and half a cosine are ours.
    tuning = scaled_solver(cfg)  # Checkpoints and results keep the run's own config.
    tuning.SOLVER.BASE_LR = tuning.TUNE.BASE_LR
    tuning.SOLVER.LR_POLICY = "cosine"
    tuning.SOLVER.COSINE_END_LR = 0.0
    tuning.SOLVER.WARMUP_EPOCHS = 0.0
    tuning.SOLVER.MAX_EPOCH = tuning.TUNE.MAX_ITER / epoch_length
    first = first_epoch(cfg, "tune")
    return Stage("tune", tuning, tuning.TUNE.MAX_ITER, first, freeze_backbone=True)


# --- The parts of a run -----------------------------------------------------------------------


def _check_labels(cfg, dataset):
    """
    Raises SlowFastExtError where nothing can be learnt but that nothing ever happens, or where a
    softmax would have to leave out labels.
    """
    if cfg.TRAIN.ENABLE and "cross_entropy" in cfg.MODEL.LOSS_FUNC and dataset.has_unknown:
        refuse(
            cfg, "MODEL.LOSS_FUNC", "cannot leave out the labels that are unknown: bce_logit can"
        )
    if cfg.TRAIN.ENABLE and not (torch.as_tensor(dataset.labels) > 0).any():
        raise SlowFastExtError(
            f"TRAIN.DATASET {cfg.TRAIN.DATASET}: none of its {len(dataset)} training items has a "
            "label: there is nothing to learn; check the lists of labels"
        )


def _warn_of_learnt_videos(sets):
    """Where what measures the network is learnt too, figures say little of other videos."""
    learnt = set(sets["train"].video_ids)
    for split in ("val", "test"):
        ids = sets[split].video_ids if split in sets else []
        if split == "test" and ids == sets["val"].video_ids:
            return  # Without a validation list of its own both are the test's.
        if shared := [name for name in ids if name in learnt]:
            logger.warning(
                f"{len(shared)} of the {len(ids)} items of {split} are of the training list too, "
                f"{shared[0]} for one: the network is measured by what it learns"
            )


def _warn_of_random_start(cfg):
    """ACTIVITY.BACKBONE with a folder of weights reads as if they were taken from it."""
    name = backbone_name(cfg)
    if ":" in name and not cfg.TRAIN.CHECKPOINT_FILE_PATH:
        logger.warning(
            f"ACTIVITY.BACKBONE {name} starts from random weights: TRAIN.CHECKPOINT_FILE_PATH "
            "names a file or folder of them, or those that its library downloads"
        )


def _follow_checkpoint(cfg, start, datasets):
    """
    Gives the data sets the order of classes of the checkpoint that this run goes on from.

    Returns:
        list[str]: the names of the network's outputs.

    Raises:
        SlowFastExtError: the run's own checkpoint has other classes.
    """
    datasets = list(datasets)
    listed = datasets[0].read_class_names(cfg)
    try:
        names = names_of_outputs(cfg, start.path, start.class_names(), listed)
    except SlowFastExtError as error:
        if start.is_own:
            raise
        logger.warning(f"{error}; the classes are taken for new ones")
        names = listed
    for dataset in datasets:
        order_as(dataset, names)
    return names


def check_named_checkpoints(cfg, start):
    """Raises SlowFastExtError where a checkpoint that a key names is not there or will not stay."""
    keys = ["TRAIN.CHECKPOINT_FILE_PATH"] + ["TEST.CHECKPOINT_FILE_PATH"] * cfg.TEST.ENABLE
    for key in keys:
        path = upstream.get_key(cfg, key)
        if published_source(path)[0]:
            # Downloads them before anything is written.
            start.look() if path == start.path else read_weights(path, "pytorch")
        elif path and not pathmgr.exists(path):
            raise SlowFastExtError(f"{key}: {path}: there is no such checkpoint")
        starts_anew = cfg.TRAIN.ENABLE and not cfg.TRAIN.AUTO_RESUME
        if path and starts_anew and checkpoint.is_set_aside(cfg.OUTPUT_DIR, path):
            raise SlowFastExtError(
                f"{key}: {path} is one of those that TRAIN.AUTO_RESUME False renames: choose "
                "another OUTPUT_DIR, or rename it yourself"
            )


def counted_mask(cfg, train_set):
    """Mask (eq. 8), A x A: from the training labels, or from ACTIVITY.COOCCURRENCE_FILE."""
    labels = train_set.cooccurrence_labels
    if cfg.ACTIVITY.COOCCURRENCE_FILE:
        labels = train_set.read_labels(cfg.ACTIVITY.COOCCURRENCE_FILE)
    return cooccurrence(torch.as_tensor(labels))


def build_network(cfg, mask):
    """The network at its start, drawn from RNG_SEED, with the labels' mask where it takes one."""
    torch.manual_seed(cfg.RNG_SEED)  # All processes start from the same weights.
    network = upstream.model_class(cfg.MODEL.MODEL_NAME)(cfg)
    network.set_cooccurrence(mask)
    return network
