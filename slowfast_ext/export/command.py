"""
python -m slowfast_ext export: a trained network as a torch.export or ONNX file.

The file takes the pathways of a batch of any size, normalised by DATA.MEAN and DATA.STD, and
gives the probabilities, B x A. KEY VALUE pairs may follow, as run_net.py takes them.
"""

import argparse
import os

from slowfast_ext.config import load_config
from slowfast_ext.config_rules import require_clips_alone
from slowfast_ext.engine.test import network_to_test
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.export.formats import FORMATS
from slowfast_ext.export.network import clip_network, example_pathways, greatest_difference
from slowfast_ext.paths import open_atomically, require_writable

# The file's probabilities may differ from the network's by no more.
TOLERANCE = 1e-4
# Neither is the batch that the network is traced with.
CHECKED_BATCHES = (1, 3)


def add_arguments(parser):
    """Adds the command's arguments to an argparse parser."""
    parser.add_argument("--cfg", required=True, metavar="YAML", help="the run's config")
    parser.add_argument("--checkpoint", metavar="FILE", help="default: the one a test would take")
    parser.add_argument("--format", required=True, choices=FORMATS)
    parser.add_argument("--out", required=True, metavar="FILE")
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE")


def run(args):
    """Exports, checks the file against the network, and only then gives it its name."""
    options = list(args.opts)
    if args.checkpoint:
        options += ["TEST.CHECKPOINT_FILE_PATH", args.checkpoint]
    # Wherever the file will run, it is written and checked on the CPU.
    cfg = load_config(args.cfg, [*options, "NUM_GPUS", "0"])
    require_writable(args.out, "--out")
    difference = export(cfg, args.format, args.out)
    size = os.path.getsize(args.out) / 2**20
    shapes = ", ".join("B x " + " x ".join(map(str, p.shape[1:])) for p in example_pathways(cfg, 1))
    print(
        f"wrote {args.out} ({args.format}, {size:.1f} MiB): {shapes} -> B x {cfg.MODEL.NUM_CLASSES}"
    )
    print(
        f"largest difference from the network on random clips, batches of "
        f"{' and '.join(map(str, CHECKED_BATCHES))}: {difference:.1e}"
    )


def export(cfg, form, out):
    """
    Writes the network that a test of `cfg` would take.

    Args:
        form (str): of FORMATS.
        out (str): the file; it appears only where it agrees with the network.

    Returns:
        float: the largest difference between the file's probabilities and the network's.

    Raises:
        SlowFastExtError: the network needs more than clips, what the format needs is not
            installed, `out` is the network's own checkpoint, or the file's probabilities are not
            the network's.
    """
    write, load = FORMATS[form]()
    require_clips_alone(cfg, "only networks of clips alone are exported")
    path, network, _, _ = network_to_test(cfg)
    if os.path.realpath(out) == os.path.realpath(path):
        raise SlowFastExtError(f"--out {out} is the checkpoint that is exported: name another file")
    network = clip_network(network)
    content = write(network, example_pathways(cfg, 2))
    batches = [example_pathways(cfg, size) for size in CHECKED_BATCHES]
    difference = greatest_difference(network, load(content), batches)
    # Not a number is above nothing.
    if not difference <= TOLERANCE:
        raise SlowFastExtError(
            f"{out} is not written: the exported network's probabilities differ from the "
            f"network's by {difference:.1e}, more than {TOLERANCE:.0e}; try another --format or "
            "another version of torch"
        )
    with open_atomically(out, "wb") as stream:
        stream.write(content)
    return difference
