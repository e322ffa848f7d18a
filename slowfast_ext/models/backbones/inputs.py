"""What a config leaves open of a network's input, as the network's weights expect it."""

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.backbones import backbone_name, backbone_source, input_facts

# The short sides of upstream's training frames, 256 to 320, for one pixel of its crop of 224.
_JITTER = (8 / 7, 10 / 7)


def take_input(cfg, given=()):
    """
    Sets the keys of the input that are not among the names `given`, those that a YAML file or the
    command line set, to what the backbone's weights expect. Upstream's networks expect what the
    config says.

    Raises:
        SlowFastExtError: the backbone is unknown, or MODEL.ARCH is set to one of two pathways.
    """
    if not backbone_source(cfg)[0].prefix:
        return
    facts, data = input_facts(cfg), cfg.DATA
    if cfg.MODEL.ARCH not in cfg.MODEL.SINGLE_PATHWAY_ARCH:
        if "MODEL.ARCH" in given:
            raise SlowFastExtError(
                f"MODEL.ARCH is {cfg.MODEL.ARCH!r}: it must be left out, or c2d, for "
                f"ACTIVITY.BACKBONE {backbone_name(cfg)}, which takes one pathway"
            )
        cfg.MODEL.ARCH = "c2d"  # Upstream packs one pathway for it; nothing else of it is used.
    values = {
        "DATA.MEAN": list(facts.mean),
        "DATA.STD": list(facts.std),
        "DATA.NUM_FRAMES": facts.num_frames,
        "DATA.TRAIN_CROP_SIZE": facts.size,
        "DATA.TEST_CROP_SIZE": facts.size,
        "DATA.INPUT_CHANNEL_NUM": [3],
        "DATA.REVERSE_INPUT_CHANNEL": facts.channel_order == "BGR",
        "AVA.BGR": False,
    }
    for key, value in values.items():
        if key not in given:
            section, _, last = key.partition(".")
            cfg[section][last] = value
    if "DATA.TRAIN_JITTER_SCALES" not in given:
        data.TRAIN_JITTER_SCALES = [round(data.TRAIN_CROP_SIZE * ratio) for ratio in _JITTER]
