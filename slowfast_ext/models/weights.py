"""Starting from weights that somebody else trained."""

import torch

from slowfast_ext import upstream
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.weight_names import to_own_names
from slowfast_ext.paths import pathmgr
from slowfast_ext.unpickling import load_arrays

# A start from fewer tensors than this is a mistake rather than a start.
SMALLEST_SHARE = 0.95


def load_weights(network, path, state, clear_patterns=(), inflate=False, complete=False):
    """
    Copies into the network every tensor that fits by name and shape.

    Weights of ours carry the names of the network; those of an upstream network lack the
    prefix `backbone.`. A head is taken over where it fits and keeps its start otherwise.

    Args:
        network (ActivityNetwork): gets the weights.
        path (str): the file, for messages.
        state (dict[str, Tensor]): the file's `model_state`.
        clear_patterns (sequence[str]): taken out of each name once
            (TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN).
        inflate (bool): repeat 2D kernels in time (TRAIN.CHECKPOINT_INFLATE).
        complete (bool): the head must be there too, and no other, as for a test.

    Returns:
        str: what was loaded, for the log.

    Raises:
        SlowFastExtError: under 95 % of the backbone's tensors matched or, with `complete`,
            any tensor is missing or left over.
    """
    own = network.state_dict()
    for pattern in clear_patterns:
        state = {name.replace(pattern, "", 1): value for name, value in state.items()}
    left_over = [n for n in state if n.startswith(("head.", "backbone.")) and n not in own]
    state = {_own_name(name, own): value for name, value in state.items()}
    fitting = {n: value for n, value in state.items() if n in own and _fits(value, own[n], inflate)}
    if inflate:
        # Upstream's asserts on a kernel of another size, and gives the network's own values
        # for whatever else does not fit: it gets what fits.
        fitting = upstream.inflate_weight(fitting, own)
    matched = _check_share(path, own, fitting)
    missing = [name for name in own if name not in fitting and "num_batches" not in name]
    if complete:
        _check_complete(path, own, missing, left_over)
    network.load_state_dict(fitting, strict=False)
    return f"{matched}; not loaded: {', '.join(missing) or 'none'}"


def _own_name(name, own):
    """The name of an upstream network's tensor here."""
    return name if name in own else f"backbone.{name}"


def _fits(value, own, inflate):
    """True where the shapes are equal or, with `inflate`, equal but for the kernel's time."""
    is_flat = inflate and value.dim() == 4 and own.dim() == 5
    return value.shape == (own.shape[:2] + own.shape[3:] if is_flat else own.shape)


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


def _check_share(path, own, fitting):
    """A sentence on how many of the backbone's tensors are there; raises SlowFastExtError."""
    wanted = [n for n in own if n.startswith("backbone.") and "num_batches" not in n]
    missing = [name for name in wanted if name not in fitting]
    message = f"{path}: {len(wanted) - len(missing)} of the backbone's {len(wanted)} tensors match"
    if len(missing) > (1 - SMALLEST_SHARE) * len(wanted):
        raise SlowFastExtError(
            f"{message}; missing or of another shape are {', '.join(missing[:3])}, ...: these "
            "are weights of another network"
        )
    return message


def read_weights(path, checkpoint_type):
    """
    A checkpoint's dict, at least `model_state`.

    Args:
        checkpoint_type (str): "pytorch" or "caffe2", as TRAIN.CHECKPOINT_TYPE.

    Raises:
        SlowFastExtError: the file is missing, damaged, or would execute something.
    """
    if checkpoint_type == "caffe2":
        return {"model_state": _read_caffe2(path)}
    state = _read_plain(path)
    if isinstance(state, dict) and "model_state" not in state:
        # Other projects' files: the tensors under `state_dict`, or nothing but tensors.
        state = {"model_state": state.get("state_dict", state)}
    state = _with_model_state(path, state)
    return {**state, "model_state": to_own_names(state["model_state"])}


def read_checkpoint(path):
    """
    A checkpoint's dict, on the CPU; nothing in the file is executed.

    Raises:
        SlowFastExtError: there is no such file, or it is not a checkpoint.
    """
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
            # torch's own message advises to load it with execution allowed.
            raise SlowFastExtError(
                f"{path}: not a checkpoint of tensors and plain values alone, or damaged; nothing "
                "in it was executed"
            ) from error


def _with_model_state(path, state):
    """`state` where it is a dict with dense tensors by name in it; else raises SlowFastExtError."""
    weights = state.get("model_state") if isinstance(state, dict) else None
    is_named = isinstance(weights, dict) and all(isinstance(name, str) for name in weights)
    if not is_named or not all(map(torch.is_tensor, weights.values())):
        raise SlowFastExtError(
            f"{path}: not a PySlowFast checkpoint: no 'model_state' of tensors by name"
        )
    for name, value in weights.items():
        kind = _unusual_kind(value)
        if kind:
            raise SlowFastExtError(
                f"{path}: its tensor {name} is {kind}: only dense tensors of real numbers are read"
            )
    return state


def _unusual_kind(tensor):
    """What makes a tensor one that no network's weights are copied from; "" for usual ones."""
    kinds = {
        "quantized": tensor.is_quantized,
        "complex": tensor.is_complex(),
        "without content (device meta)": tensor.is_meta,
        "sparse or nested": tensor.layout != torch.strided or tensor.is_nested,
    }
    return next((kind for kind, holds in kinds.items() if holds), "")


def _read_caffe2(path):
    """The tensors of one of PySlowFast's Caffe2 `.pkl` files under PyTorch's names."""
    with _open(path) as stream:
        try:
            blobs = load_arrays(stream)["blobs"]
            rename = upstream.get_name_convert_func()
            return {rename(name): torch.tensor(value) for name, value in blobs.items()}
        except Exception as error:  # A damaged pickle can raise anything.
            raise SlowFastExtError(f"{path}: not a Caffe2 file of arrays ({error})") from error
