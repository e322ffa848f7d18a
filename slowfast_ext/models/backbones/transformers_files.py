"""What a folder of transformers', or the Hugging Face hub, holds beside a network's config."""

import contextlib
import json
import math

import torch

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.backbones.contract import require_extra

try:
    import transformers
    from transformers.utils import cached_file

    # Older ones leave VideoMAE's biases and VideoPrism's classifiers in their files.
    if tuple(map(int, transformers.__version__.split(".")[:2])) < (5, 22):
        raise ImportError(f"{transformers.__version__} is older than 5.22")
except ImportError as error:
    require_extra("transformers", error)


def normalisation(kind, name):
    """
    Mean and std for pixels in 0..1, as a folder's preprocessor_config.json states them, or of its
    architecture where there is none.

    ViViT's processor, as it is by default, gives -3..1 (findings/vivit_range.sh): it centres, and
    then normalises as if it had not. Its weights were trained on -1..1: transformers' conversion of
    them asserts that nothing is normalised after centring. So are they fed here; a network that was
    trained with that processor takes DATA.MEAN 0.75 and DATA.STD 0.25 for each channel.
    """
    path, values = _processor_file(name)
    if path is None:
        return kind.normalisation
    try:
        if kind.is_centred and values.get("offset", True):
            return kind.normalisation
        # (255 * factor * pixel - mean) / std, for a pixel in 0..1.
        factor = 255 * (values.get("rescale_factor", 1 / 255) if values.get("do_rescale", 1) else 1)
        means, stds = kind.normalisation
        means, stds = values.get("image_mean") or means, values.get("image_std") or stds
        if not values.get("do_normalize", True):
            means, stds = (0.0,) * 3, (1.0,) * 3
        pairs = [(mean / factor, std / factor) for mean, std in zip(means, stds, strict=True)]
        if len(pairs) != 3 or not all(map(math.isfinite, sum(pairs, ()))) or min(stds) <= 0:
            raise ValueError("three finite numbers each, and std above 0")
    except (AttributeError, TypeError, ValueError, ZeroDivisionError) as error:
        raise SlowFastExtError(
            f"{path}: image_mean, image_std or rescale_factor is not what it must be: {error}"
        ) from error
    return tuple(zip(*pairs, strict=True))


def _processor_file(name):
    """The path of a folder's, or the hub's, processor file and what it holds; None, None."""
    for file_name in ("video_preprocessor_config.json", "preprocessor_config.json"):
        path = None
        try:
            path = cached_file(name, file_name, _raise_exceptions_for_missing_entries=False)
            if path:
                with open(path, encoding="utf-8") as stream:
                    return path, json.load(stream)
        except Exception as error:  # The hub, its client and JSON fail in many ways.
            what = path or f"{name}: {file_name}"
            raise SlowFastExtError(f"{what}: cannot be read: {first_line(error)}") from error
    return None, None


def read_tensors(kind, config, which, state=None):
    """
    {name: tensor} of a published network, or of a file's `state`, by the names of `kind`'s network;
    and transformers' report on which it found.
    """
    # A config is checked with the meta device as the default, where nothing is read.
    with quietly(), torch.device("cpu"):
        network, report = getattr(transformers, kind.model).from_pretrained(
            which,
            config=config,
            state_dict=state,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=state is not None,  # The caller tells.
            output_loading_info=True,
            dtype=torch.float32,
            **kind.options,
        )
    return network.state_dict(), report


def first_line(error):
    """What an error of the hub, or of a file, says first."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


@contextlib.contextmanager
def quietly():
    """Without transformers' own table of every tensor and its bars; the caller says what counts."""
    logs = transformers.utils.logging
    verbosity, has_bars = logs.get_verbosity(), logs.is_progress_bar_enabled()
    logs.set_verbosity(logs.CRITICAL)
    logs.disable_progress_bar()
    try:
        yield
    finally:
        logs.set_verbosity(verbosity)
        if has_bars:
            logs.enable_progress_bar()
