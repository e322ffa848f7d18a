"""
The one module that knows which PySlowFast is installed.

Two are in use and both install as the module `slowfast`: `pyslowfast` 1.0 from PyPI and
GitHub's main. Everything else of this package imports upstream's parts from here, where
each mend stands with its reason. Nothing is patched that is not broken.
"""

import contextlib
import functools
import importlib.util
import inspect
import logging
import os
import random
import sys
import types
import warnings

import numpy as np
import torch
import torch.distributed as dist
import torch.nn as nn
from fvcore.common.registry import Registry
from torch.utils.checkpoint import checkpoint

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.upstream_config import INSTALL_COMMAND, IS_MAIN, base_config, get_key
from slowfast_ext.utils.paths import is_local, pathmgr


@contextlib.contextmanager
def _roi_align_stand_in():
    """
    Lets upstream's heads be imported where detectron2 is not installed.

    Both versions import `detectron2.layers.ROIAlign`, and detectron2 is on no index.
    torchvision's RoIAlign is the same operator with the same arguments.
    """
    if importlib.util.find_spec("detectron2") is not None:
        yield
        return
    from torchvision.ops import RoIAlign

    package, layers = types.ModuleType("detectron2"), types.ModuleType("detectron2.layers")
    package.layers, layers.ROIAlign = layers, RoIAlign
    stand_ins = {"detectron2": package, "detectron2.layers": layers}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        # So that nobody else mistakes it for detectron2.
        for name in stand_ins:
            sys.modules.pop(name, None)


try:
    with _roi_align_stand_in(), warnings.catch_warnings():
        # fvcore and pytorchvideo script functions on import, which today's torch deprecates.
        warnings.filterwarnings("ignore", ".*torch.jit.script.*")
        # main imports torchvision's old video transforms.
        warnings.filterwarnings("ignore", ".*_video' module is deprecated.*")
        import slowfast
        import slowfast.models.video_model_builder as _video_models
        import slowfast.utils.logging as _logging
        from slowfast.config import defaults as _defaults
        from slowfast.datasets.build import DATASET_REGISTRY
        from slowfast.datasets.utils import pack_pathway_output as _pack_pathway_output
        from slowfast.models.head_helper import ResNetRoIHead, ROIAlign
        from slowfast.models.losses import _LOSSES
        from slowfast.models.losses import get_loss_func as _get_loss_func
        from slowfast.models.optimizer import construct_optimizer as _construct_optimizer
        from slowfast.models.optimizer import get_epoch_lr
        from slowfast.utils import multiprocessing as _multiprocessing
        from slowfast.utils.c2_model_loading import get_name_convert_func
        from slowfast.utils.checkpoint import inflate_weight

        if IS_MAIN:
            from slowfast.datasets.mixup import MixUp
            from slowfast.datasets.random_erasing import RandomErasing
            from slowfast.datasets.transform import _get_param_spatial_crop as random_crop_place
            from slowfast.datasets.transform import create_random_augment
            from slowfast.models.build import MODEL_REGISTRY as _MODEL_REGISTRY
        else:
            from slowfast.models.model_builder import _MODEL_TYPES

            # What its configs cannot ask for.
            MixUp = RandomErasing = random_crop_place = create_random_augment = None
except ImportError as error:
    raise SlowFastExtError(
        f"PySlowFast is installed but cannot be imported ({error}): install what it needs with "
        "pip install '.[main]', see INSTALL.md"
    ) from error

__all__ = [
    # Known without torch.
    "INSTALL_COMMAND",
    "IS_MAIN",
    "base_config",
    "get_key",
    # Upstream's, as they are.
    "DATASET_REGISTRY",
    "MixUp",
    "RandomErasing",
    "ROIAlign",
    "ResNetRoIHead",
    "create_random_augment",
    "get_epoch_lr",
    "get_name_convert_func",
    "inflate_weight",
    "random_crop_place",
]


# --- Models ---------------------------------------------------------------------------


# The networks of this package and of its users, by name.
_OWN_MODELS = {}


def register_model(model):
    """Class decorator: makes `model` known under its class name as MODEL.MODEL_NAME."""
    _OWN_MODELS[model.__name__] = model
    if IS_MAIN:
        return _MODEL_REGISTRY.register()(model)
    # 1.0 has no registry, only a dict.
    _MODEL_TYPES[model.__name__] = model
    return model


def model_class(name):
    """
    The registered model class `name`.

    Raises:
        SlowFastExtError: no model has that name.
    """
    if IS_MAIN:
        known = dict(iter(_MODEL_REGISTRY))
    else:
        # 1.0's dict goes by MODEL.ARCH; main's names for the same classes serve here too.
        known = {"SlowFast": _video_models.SlowFastModel, "ResNet": _video_models.ResNetModel}
        known.update(_MODEL_TYPES)
    known.update(_OWN_MODELS)  # In main's registry `enter_programs` may have put another.
    if name not in known:
        hint = "" if IS_MAIN else " (GitHub's main of PySlowFast has more, see INSTALL.md)"
        raise SlowFastExtError(
            f"no model is named '{name}': this PySlowFast has {', '.join(sorted(known))}{hint}"
        )
    return known[name]


def _recomputing(module):
    """
    In place of fairscale's `checkpoint_wrapper`, where that is not installed: the module, of which
    the backward pass computes the activations anew (MODEL.ACT_CHECKPOINT).
    """
    # A partial and no function of its own: a deep copy computes with its own weights.
    module.forward = functools.partial(_recomputed, module.forward)
    return module


def _recomputed(forward, *inputs):
    if not torch.is_grad_enabled():
        return forward(*inputs)
    return checkpoint(forward, *inputs, use_reentrant=False)


if IS_MAIN and _video_models.checkpoint_wrapper is None:
    _video_models.checkpoint_wrapper = _recomputing


# --- Data -----------------------------------------------------------------------------


# The data sets of this package and of its users, by the form of name that upstream looks up.
OWN_DATASETS = Registry("DATASET")


def register_dataset(dataset):
    """
    Class decorator: makes `dataset` known as TRAIN.DATASET and TEST.DATASET.

    Upstream looks a data set up under `name.capitalize()`, which lower-cases the rest:
    a class MultiLabelVideos would never be found under its own name. In upstream's registry its
    own data set of the same name stays.
    """
    name = dataset.__name__.capitalize()
    OWN_DATASETS._do_register(name, dataset)
    if name not in DATASET_REGISTRY:
        DATASET_REGISTRY._do_register(name, dataset)
    return dataset


def pack_pathways(cfg, clip):
    """
    Splits one clip into the pathways of MODEL.ARCH.

    Args:
        clip (Tensor): C x T x H x W.

    Returns:
        list[Tensor]: [C x T x H x W] or, for two pathways, [slow, fast].
    """
    if IS_MAIN and cfg.DATA.REVERSE_INPUT_CHANNEL:
        # main reverses the channels in here, where nothing says what they are.
        clip = clip[[2, 1, 0]]
    return _pack_pathway_output(cfg, clip)


@contextlib.contextmanager
def seeded(draws):
    """
    Upstream draws from the CPU's generators of the process: seeded by the next of `draws`, a numpy
    Generator, within, and as before after.
    """
    seed = int(draws.integers(2**32))
    python, array = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed)
        # torch.manual_seed would seed GPUs too, for good, and takes 80 times as long.
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(array)


# --- Engine ---------------------------------------------------------------------------


def get_loss_func(name):
    """Upstream's loss class of that name, main's two more over 1.0 too."""
    if name == "bce_logit":
        return nn.BCEWithLogitsLoss
    if name == "soft_cross_entropy" and not IS_MAIN:
        return nn.CrossEntropyLoss  # The same, of a row of labels.
    return _get_loss_func(name)


def construct_optimizer(network, cfg):
    """Upstream's optimizer; over 1.0 with what main's knows more of: AdamW, betas, groups."""
    if IS_MAIN:
        return _construct_optimizer(network, cfg)
    solver = cfg.SOLVER
    if solver.OPTIMIZING_METHOD == "sgd":
        optimizer = _construct_optimizer(network, cfg)
    else:
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[solver.OPTIMIZING_METHOD]
        optimizer = kind(network.parameters(), lr=solver.BASE_LR, betas=tuple(solver.BETAS))
    batch_norm, others, zero = [], [], []
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if isinstance(module, nn.modules.batchnorm._NormBase):
                batch_norm.append(parameter)  # 1.0 goes by "bn" in the name, which others lack.
            elif solver.ZERO_WD_1D_PARAM and (parameter.dim() == 1 or name == "bias"):
                zero.append(parameter)
            else:
                others.append(parameter)
    decays = ((batch_norm, cfg.BN.WEIGHT_DECAY), (others, solver.WEIGHT_DECAY), (zero, 0.0))
    optimizer.param_groups = [
        {**optimizer.param_groups[0], "params": params, "weight_decay": decay}
        for params, decay in decays
        if params
    ]
    return optimizer


def setup_logging(output_dir=None):
    """Upstream's logging to the terminal and to OUTPUT_DIR/stdout.log, master process only."""
    if output_dir is None:
        _logging.setup_logging()
        return
    pathmgr.mkdirs(output_dir)
    if "output_dir" in inspect.signature(_logging.setup_logging).parameters:
        _logging.setup_logging(output_dir)
        return
    # 1.0 logs to the terminal alone.
    _logging.setup_logging()
    is_main_process = not dist.is_initialized() or dist.get_rank() == 0
    if is_main_process and is_local(output_dir):
        logging.root.addHandler(logging.FileHandler(os.path.join(output_dir, "stdout.log")))


def run_in_process_group(local_rank, num_processes, function, init_method, cfg):
    """Upstream's entry of one spawned GPU process: joins the group, then runs `function(cfg)`."""
    _multiprocessing.run(
        local_rank,
        num_processes,
        function,
        init_method,
        cfg.SHARD_ID,
        cfg.NUM_SHARDS,
        cfg.DIST_BACKEND,
        cfg,
    )


# --- main's own programs --------------------------------------------------------------------


def enter_programs(network, losses, add_keys):
    """
    Makes ours known to main's tools/run_net.py, in its process.

    Args:
        network (type): what MODEL.MODEL_NAME ActivityNetwork builds there.
        losses (dict[str, type]): further values of MODEL.LOSS_FUNC.
        add_keys (callable): adds our keys to a config.
    """
    add_keys(_defaults._C)  # Every config of theirs begins as a copy of it.
    _LOSSES.update(losses)
    _MODEL_REGISTRY._obj_map["ActivityNetwork"] = network
    # The programs, and what reads AVA's results, import each other by the path that they have in
    # their authors' own repository, where the clone's folder is vision/fair/slowfast.
    if importlib.util.find_spec("vision") is None:
        clone = os.path.dirname(os.path.dirname(os.path.abspath(slowfast.__file__)))
        folders = {"vision": [], "vision.fair": [], "vision.fair.slowfast": [clone]}
        for name, folder in folders.items():
            module = sys.modules[name] = types.ModuleType(name)
            module.__path__ = folder
    if not has_detectron2():
        # What draws needs it, and is imported even where nothing is drawn.
        for name, function in (("demo_net", "demo"), ("visualization", "visualize")):
            module = types.ModuleType(f"vision.fair.slowfast.tools.{name}")
            setattr(module, function, _refuse_to_draw)
            sys.modules[module.__name__] = module


def _refuse_to_draw(cfg):
    """In place of the programs' demo and their pictures for TensorBoard."""
    raise SlowFastExtError(
        "DEMO, TENSORBOARD.MODEL_VIS and TENSORBOARD.WRONG_PRED_VIS of PySlowFast's own programs "
        "need detectron2: see INSTALL.md"
    )


def has_detectron2():
    """True where detectron2 is installed, an extra that most machines lack."""
    return importlib.util.find_spec("detectron2") is not None


def detectron2_parts():
    """detectron2's `get_config` of its model zoo, and its `DefaultPredictor`."""
    from detectron2.engine import DefaultPredictor
    from detectron2.model_zoo import get_config

    return get_config, DefaultPredictor
