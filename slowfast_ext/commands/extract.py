"""
python -m slowfast_ext extract: a frozen backbone's maps, computed once.

KEY VALUE pairs may follow, as run_net.py takes them. Under torchrun the processes share the work.
"""

import functools

from slowfast_ext.commands.arguments import INIT_METHOD, seconds_of
from slowfast_ext.engine.extract import SPLITS, extract
from slowfast_ext.engine.launch import launch
from slowfast_ext.engine.pooled import extract_pooled
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.text import nearest


def run(args):
    """Extracts the splits that are named or else those that the config's run reads."""
    cfg = checked_config(args.cfg, [*args.opts, "FEATURES.PATH", ""])
    names = ["train"] * cfg.TRAIN.ENABLE + ["tune"] * cfg.TUNE.ENABLE
    names += ["val"] * bool(names) + ["test"] * cfg.TEST.ENABLE
    names = args.splits.split(",") if args.splits else names
    for name in names:
        if name not in SPLITS:
            known = ", ".join(SPLITS)
            raise SlowFastExtError(f"--splits {name}: must be of {known}{nearest(name, SPLITS)}")
    if args.every is not None and not args.pooled:
        raise SlowFastExtError("--every belongs to --pooled, which is not given")
    if args.pooled:
        # Of the training list there are other views, and no other videos.
        others = {"tune": "train", "train-views": "train"}
        names = list(dict.fromkeys(others.get(name, name) for name in names))
        every = None if args.every is None else seconds_of(args.every, "--every")
        function = functools.partial(extract_pooled, folder=args.out, names=names, every=every)
    else:
        function = functools.partial(extract, folder=args.out, names=names)
    launch(cfg, INIT_METHOD, function)
