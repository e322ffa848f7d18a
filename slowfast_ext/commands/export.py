"""
python -m slowfast_ext export: a trained network as a torch.export or ONNX file.

The file takes the pathways of a batch of any size, normalised by DATA.MEAN and DATA.STD, and
gives the probabilities, B x A. KEY VALUE pairs may follow, as run_net.py takes them.
"""

import os

from slowfast_ext.engine.setup import checked_config
from slowfast_ext.export import CHECKED_BATCHES, example_pathways, export
from slowfast_ext.utils.paths import require_writable


def run(args):
    """Exports, checks the file against the network, and only then gives it its name."""
    options = list(args.opts)
    if args.checkpoint:
        options += ["TEST.CHECKPOINT_FILE_PATH", args.checkpoint]
    # Wherever the file will run, it is written and checked on the CPU.
    cfg = checked_config(args.cfg, options, own={"NUM_GPUS": 0})
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
