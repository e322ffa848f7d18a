"""transformers' video networks: tokens, put back on their grid of space and time."""

import dataclasses
import logging
import os
import re

import torch.nn.functional as F

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.backbones.contract import (
    Backbone,
    BackboneSource,
    InputFacts,
    register_source,
)
from slowfast_ext.models.backbones.transformers_files import (
    first_line,
    normalisation,
    quietly,
    read_tensors,
    transformers,
)

logger = logging.getLogger(__name__)

_HALF, _IMAGENET = ((0.5,) * 3, (0.5,) * 3), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

# Keys of a config.json that name code to fetch and run, or another arithmetic.
_NOT_READ = (
    "auto_map",
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_internal",
    "experts_implementation",
    "quantization_config",
)


class TokenMaps(Backbone):
    """
    A transformer's last tokens as a map, B x C x T' x H' x W', without class token.

    Args:
        name (str), facts (InputFacts), network (nn.Module): as of Backbone.
        strides (tuple[int]): frames, rows and columns of pixels of a token.

    Attributes of a class:
        title (str): the architecture, for messages.
        model (str): transformers' class of the network without a classifier.
        options (dict): that class' arguments beside its config.
        normalisation (tuple): mean and std, where its folder has no preprocessor_config.json.
        class_tokens (int): how many tokens come before those of the patches.
        clip_keys (tuple[str]): the config's names of a clip's frames and of its side in pixels.
        is_centred (bool): its weights expect -1..1, where its processor gives -3..1.
    """

    title = model = ""
    options = {}
    normalisation = _IMAGENET
    class_tokens = 0
    clip_keys = ("num_frames", "image_size")
    is_centred = False

    def __init__(self, name, facts, network, strides):
        super().__init__(name, facts, network)
        self.strides = strides

    @classmethod
    def strides_of(cls, config):
        """Frames, rows and columns of pixels of a token, by the config."""
        patch = _number(config, "patch_size")
        return getattr(config, "tubelet_size", 1), patch, patch

    @classmethod
    def facts_of(cls, config, normalisation):
        """The InputFacts of a config, given the mean and std."""
        frames, patch, _ = cls.strides_of(config)
        num_frames, size = (_number(config, key) for key in cls.clip_keys)
        return InputFacts(
            *normalisation,
            num_frames=num_frames,
            size=size,
            fixed_num_frames=True,
            frame_multiple=frames,
            fixed_size=True,
            size_multiple=patch,
        )

    @classmethod
    def adapt(cls, config, facts, cfg):
        """Sets what the network's constructor reads of the clips; returns the InputFacts then."""
        return facts

    @classmethod
    def drop_paths(cls, config, rate):
        """Sets the rate of stochastic depth; False where the network has none."""
        return False

    def own_names(self, state):
        """
        As a Backbone's, by transformers itself, which knows the names of all its versions: a file
        calls a bias q_bias that is query.bias in memory. What it does not know keeps its name.
        """
        known, report = read_tensors(type(self), self.network.config, None, state)
        wrong = {*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])}
        unknown = {n: state[n] for n in sorted(report["unexpected_keys"]) if n in state}
        return unknown | {name: value for name, value in known.items() if name not in wrong}

    def tokens(self, frames):
        """B x T x 3 x H x W -> the last layer's tokens, B x N x C."""
        return self.network(frames).last_hidden_state

    def on_grid(self, tokens, frames, height, width):
        """The patches' tokens, B x N x C -> B x C x T' x H' x W'."""
        return tokens.unflatten(1, (frames, height, width)).permute(0, 4, 1, 2, 3)

    def features(self, clip):
        sizes = zip(clip.shape[2:], self.strides, strict=True)
        grid = [size // stride for size, stride in sizes]
        tokens = self.tokens(clip.transpose(1, 2))
        return self.on_grid(tokens[:, self.class_tokens :], *grid)


class VideoMAEMaps(TokenMaps):
    """
    VideoMAE (Tong et al. 2022): patches of 2 x 16 x 16, positions computed for one size.

    A network that was trained to be pooled (`use_mean_pooling`) has its last norm in the
    classifier, behind the pool, where a single column is in nobody's scale. Its columns are
    normalised here as all others' are; without weights, since the heads begin with linear maps.
    """

    title, model = "VideoMAE", "VideoMAEModel"
    normalisation = _HALF

    def tokens(self, frames):
        tokens = super().tokens(frames)
        if self.network.layernorm is None:
            tokens = F.layer_norm(tokens, tokens.shape[-1:])
        return tokens


class VJEPA2Maps(TokenMaps):
    """
    V-JEPA 2 (Assran et al. 2025): patches of 2 x 16 x 16 with rotary positions.

    Its constructor takes the grid of the positions from `crop_size`; with clips of another size
    the network goes on, with positions that wrap at wrong places. Here `crop_size` is the
    config's DATA.TRAIN_CROP_SIZE, and clips of another size are refused
    (findings/video_transformers_other_clips.sh).
    """

    title, model = "V-JEPA 2", "VJEPA2Model"
    clip_keys = ("frames_per_clip", "crop_size")

    def __init__(self, name, facts, network, strides):
        super().__init__(name, facts, network, strides)
        # It predicts masked patches: no map is made of it, and no gradient would reach it.
        network.predictor = None

    @classmethod
    def facts_of(cls, config, normalisation):
        facts = super().facts_of(config, normalisation)
        least = {"min_frames": facts.frame_multiple, "square_only": True}
        return dataclasses.replace(facts, fixed_num_frames=False, fixed_size=False, **least)

    @classmethod
    def adapt(cls, config, facts, cfg):
        size = config.crop_size = cfg.DATA.TRAIN_CROP_SIZE
        if size != cfg.DATA.TEST_CROP_SIZE:
            raise SlowFastExtError(
                f"DATA.TEST_CROP_SIZE is {cfg.DATA.TEST_CROP_SIZE}: for V-JEPA 2, whose positions "
                f"are of one size, it must be DATA.TRAIN_CROP_SIZE, {size}"
            )
        return dataclasses.replace(facts, size=size, fixed_size=True)

    @classmethod
    def drop_paths(cls, config, rate):
        config.drop_path_rate = rate
        return True

    def tokens(self, frames):
        return self.network.encoder(frames).last_hidden_state


class TimesformerMaps(TokenMaps):
    """
    TimeSformer (Bertasius et al. 2021): patches of 1 x 16 x 16. Its tokens are (h w t).

    Its layers take T from the config, and mix frames of clips that are longer or shorter
    (findings/video_transformers_other_clips.sh): here it is DATA.NUM_FRAMES. Published embeddings
    of another T are resized to it by the nearest frame, as transformers' own embedding layer does.
    """

    title, model = "TimeSformer", "TimesformerModel"
    class_tokens = 1

    @classmethod
    def facts_of(cls, config, normalisation):
        if config.attention_type == "space_only":
            raise SlowFastExtError(
                "TimeSformer's config.json has attention_type space_only: it averages the frames "
                "and gives no map of time; take one of divided_space_time"
            )
        facts = super().facts_of(config, normalisation)
        return dataclasses.replace(facts, fixed_num_frames=False)

    @classmethod
    def adapt(cls, config, facts, cfg):
        config.num_frames = cfg.DATA.NUM_FRAMES
        return dataclasses.replace(facts, num_frames=config.num_frames, fixed_num_frames=True)

    @classmethod
    def drop_paths(cls, config, rate):
        # Its config declares the rate as a whole number, and checks that when it is set.
        object.__setattr__(config, "drop_path_rate", rate)
        return True

    def own_names(self, state):
        """As a Backbone's; resizes the embeddings of another T."""
        frames = self.network.config.num_frames
        for name, value in state.items():
            if name.endswith("time_embeddings") and value.shape[1] != frames:
                logger.info(f"TimeSformer's embeddings of {value.shape[1]} frames serve {frames}")
                resized = F.interpolate(value.mT, size=frames, mode="nearest")
                state = {**state, name: resized.mT.contiguous()}
        return super().own_names(state)

    def on_grid(self, tokens, frames, height, width):
        return tokens.unflatten(1, (height, width, frames)).permute(0, 4, 3, 1, 2)


class VivitMaps(TokenMaps):
    """ViViT (Arnab et al. 2021), unfactorised: patches of 2 x 16 x 16, learned positions."""

    title, model = "ViViT", "VivitModel"
    options = {"add_pooling_layer": False}
    normalisation = _HALF
    class_tokens = 1
    is_centred = True

    @classmethod
    def strides_of(cls, config):
        return _tubelet(config)


class VideoPrismMaps(TokenMaps):
    """
    VideoPrism (Zhao et al. 2024): patches of 1 x 18 x 18, space first, then time.

    Positions of other clips are interpolated. Without being told to, transformers gives a single
    frame the positions of all 16, and makes 16 of it.
    """

    title, model = "VideoPrism", "VideoPrismVisionModel"
    normalisation = ((0.0,) * 3, (1.0,) * 3)

    @classmethod
    def strides_of(cls, config):
        return _tubelet(config)

    @classmethod
    def facts_of(cls, config, normalisation):
        facts = super().facts_of(config, normalisation)
        return dataclasses.replace(facts, fixed_num_frames=False, fixed_size=False)

    def tokens(self, frames):
        return self.network(frames, interpolate_pos_encoding=True).last_hidden_state


# config.json's model_type -> its maps; a CLIP-like VideoPrism holds the video network in a part.
KINDS = {
    "videomae": VideoMAEMaps,
    "vjepa2": VJEPA2Maps,
    "timesformer": TimesformerMaps,
    "vivit": VivitMaps,
    "videoprism_vision_model": VideoPrismMaps,
    "videoprism": VideoPrismMaps,
}


def _number(config, key):
    """A config's number or square pair as one number; raises SlowFastExtError for another pair."""
    value = getattr(config, key)
    numbers = {value} if isinstance(value, int) else set(value)
    if len(numbers) > 1:
        raise SlowFastExtError(
            f"config.json's {key} is {list(value)}: clips here are square; take a network of one "
            "that is"
        )
    return numbers.pop()


def _tubelet(config):
    """Frames, rows and columns of a `tubelet_size`, whose patch is square."""
    frames, height, width = config.tubelet_size
    if height != width:
        raise SlowFastExtError(
            f"config.json's tubelet_size is {list(config.tubelet_size)}: only square patches serve"
        )
    return frames, height, width


@register_source("transformers")
class TransformersSource(BackboneSource):
    """
    transformers:PATH_OR_ID, a folder of `save_pretrained` or a name on the Hugging Face hub.

    The folder's config.json says which network it is. Weights are read from .safetensors files
    alone; no code of a folder or of the hub is run.
    """

    def facts(self, cfg, name):
        kind, config = read_config(name)
        return kind.facts_of(config, normalisation(kind, name))

    def build(self, cfg, name):
        self.check_stage(cfg, name, 1)
        kind, config = read_config(name)
        facts = kind.adapt(config, kind.facts_of(config, normalisation(kind, name)), cfg)
        rate = cfg.MODEL.DROPCONNECT_RATE
        if rate and not kind.drop_paths(config, rate):
            self.refuse_key(cfg, "MODEL.DROPCONNECT_RATE", f"{name}, {kind.title},")
        network = getattr(transformers, kind.model)(config, **kind.options)
        if cfg.MODEL.ACT_CHECKPOINT:
            # Its name up to version 5.22, whose default re-enters autograd: that needs inputs with
            # gradients.
            old = network.gradient_checkpointing_enable
            getattr(network, "activation_checkpointing_enable", old)({"use_reentrant": False})
        return kind(f"{self.prefix}:{name}", facts, network, kind.strides_of(config))

    def published_weights(self, which):
        """The tensors of a name on the hub, or of a folder, from .safetensors files alone."""
        kind, config = read_config(which)
        try:
            tensors, report = read_tensors(kind, config, which)
        except Exception as error:  # Files, the hub and its client fail in many ways.
            raise SlowFastExtError(
                f"{self.prefix}:{which}: its weights are not read: {first_line(error)}"
            ) from error
        if report["unexpected_keys"]:
            dropped = ", ".join(sorted(report["unexpected_keys"]))
            logger.info(f"{self.prefix}:{which}: left in the file: {dropped}")
        return {name: tensors[name] for name in tensors.keys() - {*report["missing_keys"]}}


def read_config(name):
    """
    What a folder's, or the hub's, config.json says: the class of KINDS and transformers' config.

    Raises:
        SlowFastExtError: there is none, it cannot be read, or it is of another architecture.
    """
    is_folder = os.path.isdir(name)
    if not is_folder and not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", name):
        raise SlowFastExtError(
            f"{name}: there is no such folder; transformers:... takes a folder of save_pretrained, "
            "or a name on the Hugging Face hub such as MCG-NJU/videomae-base"
        )
    try:
        with quietly():
            values, _ = transformers.PretrainedConfig.get_config_dict(name)
    except Exception as error:  # The hub, its client and JSON fail in many ways.
        where = "" if is_folder else "neither a folder here nor read from the Hugging Face hub: "
        raise SlowFastExtError(f"{name}: {where}{first_line(error)}") from error
    model_type = values.get("model_type")
    titles = ", ".join(dict.fromkeys(kind.title for kind in KINDS.values()))
    if model_type is None:
        raise SlowFastExtError(f"{name}: has no config.json of transformers; known are {titles}")
    if model_type not in KINDS:
        raise SlowFastExtError(
            f"{name}: its config.json is of the architecture '{model_type}': known are {titles}"
        )
    kind = KINDS[model_type]
    if model_type == "videoprism":
        values = values.get("vision_config") or {}
    values = {key: value for key, value in values.items() if key not in _NOT_READ}
    model = getattr(transformers, kind.model, None)
    if model is None:
        raise SlowFastExtError(
            f"transformers {transformers.__version__} has no {kind.title}: "
            "pip install --upgrade transformers"
        )
    try:
        return kind, model.config_class.from_dict(values)
    except Exception as error:  # Each config checks its values in its own way.
        reason = " ".join(str(error).split())
        raise SlowFastExtError(f"{name}: its config.json is not valid: {reason}") from error
