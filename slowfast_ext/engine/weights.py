"""Starting from weights that somebody else trained."""

import json
import logging
import os
import re

import torch

from slowfast_ext import upstream
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.backbones import source_of_prefix
from slowfast_ext.models.backbones.contract import Backbone
from slowfast_ext.utils.paths import pathmgr
from slowfast_ext.utils.text import read_text
from slowfast_ext.utils.unpickling import load_arrays

logger = logging.getLogger(__name__)

SMALLEST_SHARE = 0.95  # A start from fewer tensors is a mistake rather than a start.
# Before the names of another library's network, among this network's.
_LIBRARYS = "backbone.network."
_NAMED = 6  # Of the tensors that a file has besides, as many are told by name.
# A Caffe2 file names its tensors in words of some thirty characters: a longer one is no name.
_LONGEST_NAME = 200


def load_weights(network, path, state, clear_patterns=(), inflate=False, complete=False):
    """
    Copies into the network every tensor that fits by name and shape.

    Weights of ours carry the names of the network; those of an upstream network, or of another
    library's, have the names of their own. A head is taken over where it fits and keeps its start
    otherwise; another classifier's tensors are left in the file.

    Args:
        network (ActivityNetwork): gets the weights.
        path (str): the file, for messages.
        state (dict[str, Tensor]): the file's `model_state`.
        clear_patterns (sequence[str]): taken out of each name once
            (TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN).
        inflate (bool): repeat 2D kernels in time (TRAIN.CHECKPOINT_INFLATE).
        complete (bool): the head must be there too, and no other, as for a test.

    Returns:
        str: what was loaded, for the log, which is warned where the stem or a whole stage was not.

    Raises:
        SlowFastExtError: under 95 % of the backbone's tensors matched (non-local blocks do not
            count where 2D kernels are inflated: such files have none), one is not of finite
            floats or, with `complete`, any tensor is missing or left over.
    """
    own, state = network.state_dict(), _cleared(state, clear_patterns)
    left_over = [n for n in state if n.startswith(("head.", "backbone.")) and n not in own]
    state, fitting, matched = _matched(network.backbone, own, path, state, inflate)
    # Batch-norm's count of batches is in no older file, and is used for nothing here.
    missing = [name for name in own if name not in fitting and "num_batches" not in name]
    if complete:
        _check_complete(path, own, missing, left_over)
    _warn_of_untrained(path, own, missing)
    if inflate:
        # Upstream's asserts on a kernel of another size, and gives the network's own values
        # for whatever else does not fit: it gets what fits.
        fitting = upstream.inflate_weight(fitting, own)
    network.load_state_dict(fitting, strict=False)
    told = f"{matched}; not loaded: {', '.join(missing) or 'none'}"
    unused = sorted(name.removeprefix(_LIBRARYS) for name in state if name not in fitting)
    further = f" and {len(unused) - _NAMED} more" if len(unused) > _NAMED else ""
    return f"{told}; left in the file: {', '.join(unused[:_NAMED])}{further}" if unused else told


def load_start(cfg, network, state=None):
    """
    Copies into the network what fits of TRAIN.CHECKPOINT_FILE_PATH, by TRAIN.CHECKPOINT_TYPE,
    CLEAR_NAME_PATTERN and INFLATE.

    Args:
        state (dict | None): what the file holds, where it was read before.

    Returns:
        str: what was loaded, for the log.

    Raises SlowFastExtError as `read_weights` and `load_weights`.
    """
    options = cfg.TRAIN
    path = options.CHECKPOINT_FILE_PATH
    state = state or read_weights(path, options.CHECKPOINT_TYPE)
    patterns, inflate = options.CHECKPOINT_CLEAR_NAME_PATTERN, options.CHECKPOINT_INFLATE
    _require_same_shapes(cfg, network, _cleared(state["model_state"], patterns))
    return load_weights(network, path, state["model_state"], patterns, inflate)


def check_start(cfg, network, state):
    """Raises SlowFastExtError where `load_start` would; the network stays as it is."""
    options = cfg.TRAIN
    state = _cleared(state["model_state"], options.CHECKPOINT_CLEAR_NAME_PATTERN)
    own, path = network.state_dict(), options.CHECKPOINT_FILE_PATH
    _require_same_shapes(cfg, network, state)
    _matched(network.backbone, own, path, state, options.CHECKPOINT_INFLATE)


def started_share(cfg, network, state):
    """
    How many of the head's parameters `load_start` would take from what the file holds, of how many.
    """
    state = _cleared(state["model_state"], cfg.TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN)
    state = _by_own_names(network.backbone, network.state_dict(), state)
    own = {n: value for n, value in network.named_parameters() if n.startswith("head.")}
    return sum(n in state and state[n].shape == value.shape for n, value in own.items()), len(own)


def _require_same_shapes(cfg, network, state):
    """
    Raises SlowFastExtError where TRAIN.CHECKPOINT_IN_INIT would have main turn a tensor of an
    MViT of images, or of another size, into one of the network's shape; else it changes nothing.
    """
    if not upstream.get_key(cfg, "TRAIN.CHECKPOINT_IN_INIT"):
        return
    own = network.state_dict()
    for name, value in _by_own_names(network.backbone, own, state).items():
        if name in own and value.shape != own[name].shape and name.startswith("backbone."):
            raise SlowFastExtError(
                f"TRAIN.CHECKPOINT_IN_INIT is True: {cfg.TRAIN.CHECKPOINT_FILE_PATH} has {name} of "
                f"shape {tuple(value.shape)} and the network {tuple(own[name].shape)}, and weights "
                "of images are not turned into a video's by this engine: set it to False, or take "
                "weights of videos"
            )


def _cleared(state, patterns):
    for pattern in patterns:
        state = {name.replace(pattern, "", 1): value for name, value in state.items()}
    return state


def _matched(backbone, own, path, state, inflate):
    """A file's tensors by own names, those of them that fit, and a sentence on them; or raises."""
    state = _by_own_names(backbone, own, state)
    fitting = {n: value for n, value in state.items() if n in own and _fits(value, own[n], inflate)}
    matched = _check_share(path, own, state, fitting, inflate)
    _check_numbers(path, own, fitting)
    return state, fitting, matched


def _by_own_names(backbone, own, state):
    """A file's tensors by the names `own` of the network's."""
    if any(name.startswith("backbone.") and name in own for name in state):
        return state  # A checkpoint of ours.
    state, prefix = to_own_names(state), "backbone."
    if isinstance(backbone, Backbone):
        # As the library names them, or as this project's backbone alone does.
        state = backbone.own_names({n.removeprefix("network."): v for n, v in state.items()})
        prefix = _LIBRARYS
    return {n if n in own else f"{prefix}{n}": value for n, value in state.items()}


def _fits(value, own, inflate):
    """True where the shapes are equal or, with `inflate`, equal but for the kernel's time."""
    return value.shape == own.shape or (inflate and _is_flat(value, own))


def _is_flat(value, own):
    """True where a 2D kernel, repeated in time, would fit."""
    return value.dim() == 4 and own.dim() == 5 and value.shape == own.shape[:2] + own.shape[3:]


def _check_complete(path, own, missing, left_over):
    wrong = missing or left_over
    if not wrong:
        return
    further = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    if missing:
        what = f"has no {wrong[0]} of shape {tuple(own[wrong[0]].shape)}{further}"
    else:
        what = f"has {wrong[0]}{further}, which this config's network has not"
    raise SlowFastExtError(
        f"{path}: {what}: these are weights of another network; set ACTIVITY and MODEL as they "
        "were in its training"
    )


def _check_share(path, own, state, fitting, inflate):
    """A sentence on how many of the backbone's tensors are there; raises SlowFastExtError."""
    wanted = [n for n in own if n.startswith("backbone.") and "num_batches" not in n]
    is_flat = any(_is_flat(value, own[name]) for name, value in state.items() if name in own)
    missing = [name for name in wanted if name not in fitting]
    new = [name for name in missing if inflate and is_flat and "_nonlocal" in name]
    wanted, missing = ([n for n in names if n not in new] for names in (wanted, missing))
    message = f"{path}: {len(wanted) - len(missing)} of the backbone's {len(wanted)} tensors match"
    if len(missing) > (1 - SMALLEST_SHARE) * len(wanted):
        what = "these are weights of another network"
        if is_flat and not inflate:
            what = "its kernels are 2D: TRAIN.CHECKPOINT_INFLATE True repeats them in time"
        raise SlowFastExtError(
            f"{message}; missing or of another shape are {', '.join(missing[:3])}, ...: {what}"
        )
    return f"{message}, {len(new)} of non-local blocks are new" if new else message


def _check_numbers(path, own, fitting):
    """Raises SlowFastExtError where a tensor does not hold the finite floats that it must."""
    for name, value in fitting.items():
        if own[name].is_floating_point() and not (
            value.is_floating_point() and value.isfinite().all()
        ):
            kind = "not finite" if value.is_floating_point() else f"of {value.dtype}"
            raise SlowFastExtError(
                f"{path}: its tensor {name} is {kind}: weights must be finite floats; take "
                "another checkpoint"
            )


def _warn_of_untrained(path, own, missing):
    """Warns where the stem, in part, or a whole stage keeps its random start."""
    parts = {}
    for name in own:
        if name.startswith("backbone.") and "num_batches" not in name:
            parts.setdefault(name.split(".")[1], set()).add(name)
    # The stem is the first, and all others see nothing but what it lets through.
    for index, (part, names) in enumerate(parts.items()):
        lost = names.intersection(missing)
        if lost == names or (index == 0 and lost):
            logger.warning(
                f"{path}: {len(lost)} of the {len(names)} tensors of the backbone's {part} are not "
                "in it and keep their random start"
            )


def read_weights(path, checkpoint_type):
    """
    A checkpoint's dict, at least `model_state`; the type is that of TRAIN.CHECKPOINT_TYPE.

    Besides a file of torch's `path` may be one of safetensors, a folder as transformers saves
    them, or PREFIX:WEIGHTS for those that a library of BACKBONE_SOURCES publishes.

    Raises SlowFastExtError where the file is missing, damaged, or would execute something.
    """
    source, which = published_source(path)
    if source:
        return _with_model_state(path, {"model_state": source.published_weights(which)})
    if checkpoint_type == "caffe2":
        return _with_model_state(path, {"model_state": _read_caffe2(path)})
    if pathmgr.isdir(path):
        return _with_model_state(path, {"model_state": _read_folder(path)})
    if path.endswith(".safetensors"):
        return _with_model_state(path, {"model_state": _read_safetensors(path)})
    state = _read_plain(path)
    if isinstance(state, dict) and "model_state" not in state:
        # Other projects' files: the tensors under `state_dict`, or nothing but tensors.
        state = {"model_state": state.get("state_dict", state)}
    return _with_model_state(path, state)


def published_source(path):
    """(BackboneSource, WEIGHTS) of a path PREFIX:WEIGHTS; (None, path) of any other."""
    prefix, colon, which = path.partition(":")
    source = source_of_prefix(prefix) if colon and prefix and not pathmgr.exists(path) else None
    return (source, which) if source else (None, path)


_INDEX, _WHOLE = "model.safetensors.index.json", "model.safetensors"


def _read_folder(folder):
    """The tensors of a folder of transformers', from its safetensors file or files."""
    index = os.path.join(folder, _INDEX)
    names = [_WHOLE]
    if pathmgr.exists(index):
        try:
            names = sorted(set(json.loads(read_text(index))["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise SlowFastExtError(f"{index}: is no index of safetensors files") from error
    paths = [os.path.join(folder, str(name)) for name in names]
    for name, path in zip(names, paths, strict=True):
        if os.path.basename(str(name)) != name or not pathmgr.exists(path):
            raise SlowFastExtError(
                f"{folder}: has no {name}: nothing but safetensors files is read of a folder; "
                "save a pytorch_model.bin that you trust anew with transformers' "
                "save_pretrained"
            )
    return {name: value for path in paths for name, value in _read_safetensors(path).items()}


def _read_safetensors(path):
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise SlowFastExtError(
            f"{path}: needs safetensors, which is not installed: pip install safetensors"
        ) from error
    if not pathmgr.exists(path):
        raise SlowFastExtError(f"{path}: there is no such checkpoint")
    try:
        return load_file(pathmgr.get_local_path(path))
    except Exception as error:  # A damaged file can raise anything.
        reason = " ".join(str(error).split())
        raise SlowFastExtError(
            f"{path}: not a file of safetensors, or damaged: {reason}"
        ) from error


def read_checkpoint(path):
    """A checkpoint's dict, on the CPU; nothing in it is executed. Raises SlowFastExtError."""
    return _with_model_state(path, _read_plain(path))


def _open(path):
    """The file for reading; raises SlowFastExtError where that cannot be."""
    if not pathmgr.exists(path):
        raise SlowFastExtError(f"{path}: there is no such checkpoint")
    try:
        return pathmgr.open(path, "rb")
    except OSError as error:
        raise SlowFastExtError(f"{path}: cannot be read: {error.strerror or error}") from error


def _read_plain(path):
    """What a file of torch's holds, on the CPU; raises SlowFastExtError."""
    with _open(path) as stream:
        try:
            return torch.load(stream, map_location="cpu", weights_only=True)
        except Exception as error:  # A damaged file can raise anything.
            raise SlowFastExtError(f"{path}: {_reason_of_torch(path, error)}") from error


def _reason_of_torch(path, error):
    """Why torch did not read a file; its own message advises to allow execution."""
    # "Unsupported class X" up to torch 2.3, "Unsupported global: GLOBAL X" since.
    named = r"[Uu]nsupported (?:global|class):? (?:GLOBAL )?(?!GLOBAL|torch\.)([\w.]{1,100})"
    found = re.search(named, str(error))
    if found:
        return (
            f"holds {found.group(1)} beside tensors and plain values, which is not read, since "
            "that would execute it; where you trust the file, load it with torch.load(FILE, "
            "map_location='cpu', weights_only=False) and save what is needed of it: "
            "torch.save({'model_state': loaded['model_state']}, NEW_FILE)"
        )
    hint = "; if it is one of Caffe2's, set CHECKPOINT_TYPE caffe2"
    return (
        "not a checkpoint of tensors and plain values alone, or damaged; nothing in it was "
        f"executed{hint if path.endswith('.pkl') else ''}"
    )


def _with_model_state(path, state):
    """`state` where it is a dict with dense tensors by name in it; else raises SlowFastExtError."""
    weights = state.get("model_state") if isinstance(state, dict) else None
    is_named = isinstance(weights, dict) and all(isinstance(name, str) for name in weights)
    if not is_named or not all(map(torch.is_tensor, weights.values())):
        raise SlowFastExtError(
            f"{path}: not a PySlowFast checkpoint: no 'model_state' of tensors by name"
        )
    for name, value in weights.items():
        kinds = {
            "quantized": value.is_quantized,
            "complex": value.is_complex(),
            "without content (device meta)": value.is_meta,
            "sparse or nested": value.layout != torch.strided or value.is_nested,
        }
        if kind := next((kind for kind, holds in kinds.items() if holds), None):
            raise SlowFastExtError(
                f"{path}: its tensor {name} is {kind}: only dense tensors of real numbers are read"
            )
    return state


def _read_caffe2(path):
    """The tensors of one of PySlowFast's Caffe2 `.pkl` files under PyTorch's names."""
    with _open(path) as stream:
        try:
            blobs = load_arrays(stream)["blobs"]
            rename = upstream.get_name_convert_func()
            # A pattern of upstream's takes minutes over a name of pages.
            if any(not isinstance(name, str) or len(name) > _LONGEST_NAME for name in blobs):
                raise ValueError("a name that is no text or too long")
            return {rename(name): torch.tensor(value) for name, value in blobs.items()}
        except Exception as error:  # A damaged pickle can raise anything.
            reason = " ".join(str(error).split())
            # torch writes zip files.
            stream.seek(0)
            hint = "; it looks like one of torch's: set CHECKPOINT_TYPE pytorch"
            raise SlowFastExtError(
                f"{path}: not a Caffe2 file of arrays ({reason})"
                f"{hint if stream.read(2) == b'PK' else ''}"
            ) from error


# Names of mmaction2's CSN -> VMZ's, which are ours. A convolution with its normalisation is
# `conv` and `bn` there, 0 and 1 here; the ip form's two convolutions lie one level apart.
_MMACTION2_IR = [
    (r"^(backbone\.)?conv1\.conv\.", "stem.0."),
    (r"^(backbone\.)?conv1\.bn\.", "stem.1."),
    (r"\.conv2\.0\.conv\.", ".conv2.0."),
    (r"\.conv2\.0\.bn\.", ".conv2.1."),
    (r"\.(conv[13]|downsample)\.conv\.", r".\1.0."),
    (r"\.(conv[13]|downsample)\.bn\.", r".\1.1."),
    (r"^backbone\.", ""),
]
_MMACTION2_IP = [
    (r"\.conv2\.0\.conv\.", ".conv2.0.0."),
    (r"\.conv2\.0\.bn\.", ".conv2.0.1."),
    (r"\.conv2\.1\.conv\.", ".conv2.0.2."),
    (r"\.conv2\.1\.bn\.", ".conv2.1."),
    *(pair for pair in _MMACTION2_IR if "conv2" not in pair[0]),
]

# Names of torchvision's 2D ResNet -> those of PySlowFast's single-pathway ResNet.
_TORCHVISION = [
    (r"^conv1\.", "s1.pathway0_stem.conv."),
    (r"^bn1\.", "s1.pathway0_stem.bn."),
    (r"\.conv1\.", ".branch2.a."),
    (r"\.conv2\.", ".branch2.b."),
    (r"\.conv3\.", ".branch2.c."),
    (r"\.bn1\.", ".branch2.a_bn."),
    (r"\.bn2\.", ".branch2.b_bn."),
    (r"\.bn3\.", ".branch2.c_bn."),
    (r"\.downsample\.0\.", ".branch1."),
    (r"\.downsample\.1\.", ".branch1_bn."),
    (r"^layer(\d)\.(\d+)\.", lambda m: f"s{int(m[1]) + 1}.pathway0_res{m[2]}."),
]


def to_own_names(state):
    """
    Renames the tensors of mmaction2's CSN and of torchvision's 2D ResNet, each recognised by
    its names; other files keep theirs.
    """
    table, renamed = _table_for(state), {}
    for name, value in state.items():
        for pattern, replacement in table:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    return renamed


def _table_for(state):
    # Files of a backbone alone lack the prefix.
    for prefix in ("backbone.", ""):
        if f"{prefix}layer1.0.conv2.1.conv.weight" in state:
            return _MMACTION2_IP
        if f"{prefix}layer1.0.conv2.0.conv.weight" in state:
            return _MMACTION2_IR
    if "layer1.0.conv1.weight" in state and "conv1.weight" in state:
        return _TORCHVISION
    return []
