"""
What run_net.py and the commands of `python -m slowfast_ext` take.

Nothing here imports torch: help and usage errors come at once.
"""

import argparse
import math
import os
import re

from slowfast_ext.errors import SlowFastExtError

# Where the processes of a job that a command starts on this machine meet.
INIT_METHOD = "tcp://localhost:9999"

_CONFIG_KEY = re.compile(r"[A-Z][A-Z0-9_]*(\.[A-Za-z0-9_]+)*")


def parse_arguments(arguments=None):
    """
    Upstream's arguments.

    Returns:
        Namespace: `cfg_files`, `shard_id`, `num_shards`, `init_method` and `opts`, the
            KEY VALUE pairs, with or without upstream's `--opts` before them.
    """
    description = "Train, tune, test and show demos from PySlowFast-style YAML files."
    parser = argparse.ArgumentParser(prog="run_net.py", description=description)
    parser.add_argument("--cfg", dest="cfg_files", nargs="+", required=True, metavar="YAML")
    parser.add_argument("--shard_id", type=int, default=0, help="number of this machine")
    parser.add_argument("--num_shards", type=int, default=1, help="number of machines")
    parser.add_argument("--init_method", default=INIT_METHOD)
    parser.add_argument("--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE")
    args, rest = parser.parse_known_args(arguments)
    # argparse lets --cfg swallow the pairs behind it: a key looks like no file name.
    keys = [i for i, word in enumerate(args.cfg_files) if _is_key(word)]
    first = keys[0] if keys else len(args.cfg_files)
    args.opts = args.cfg_files[first:] + rest + args.opts
    args.cfg_files = args.cfg_files[:first]
    if not args.cfg_files or any(word.startswith("--") for word in args.opts):
        unknown = [word for word in args.opts if word.startswith("--")]
        raise SlowFastExtError(f"unknown argument {unknown[0]}" if unknown else "--cfg has no file")
    return args


def _is_key(word):
    return bool(_CONFIG_KEY.fullmatch(word)) and not word.endswith((".yaml", ".yml"))


class LeavesWords(argparse.Action):
    """Takes an option's value and leaves the videos and KEY VALUE pairs that argparse adds."""

    def __call__(self, parser, namespace, values, option_string=None):
        takes_value = self.nargs == "+"
        setattr(namespace, self.dest, values[0] if takes_value else True)
        namespace.words = [*getattr(namespace, "words", ()), *values[takes_value:]]


ONE_VALUE = {"nargs": "+", "action": LeavesWords}


def _network_arguments(parser, videos):
    """Adds the videos, whose help is given, --cfg and --checkpoint to an argparse parser."""
    parser.add_argument("videos", nargs="*", metavar="VIDEO", help=videos)
    parser.add_argument(
        "--cfg", required=True, metavar="YAML", **ONE_VALUE, help="the run's config"
    )
    parser.add_argument(
        "--checkpoint", metavar="FILE", **ONE_VALUE, help="default: the one that a test would take"
    )


def videos_and_options(args):
    """The videos, and the KEY VALUE words of the config, wherever they stand in the command."""
    words = parse_arguments(["--cfg", args.cfg, *args.words])
    checkpoint = ["TEST.CHECKPOINT_FILE_PATH", args.checkpoint] if args.checkpoint else []
    return args.videos + words.cfg_files[1:], words.opts + checkpoint


def check_early(args):
    """
    Raises SlowFastExtError for a wrong config, or files that are not there, before torch is
    imported, which takes seconds: as the commands themselves do later.
    """
    # Not at the top: help needs neither, and both take their tenths of a second.
    from slowfast_ext.config.load import load_config
    from slowfast_ext.utils.paths import is_local, no_such_video

    def is_missing(path):
        """False where only more than a look tells: a store's file, or a pattern of pictures."""
        return is_local(path) and "*" not in path and not os.path.exists(path)

    videos, options = [], getattr(args, "opts", None) or getattr(args, "options", None) or []
    if hasattr(args, "words"):
        videos, options = videos_and_options(args)
    for path in getattr(args, "cfg_files", None) or [getattr(args, "cfg", None)]:
        if path:
            # torch alone could count the GPUs of NUM_GPUS -1.
            load_config(path, options if len(options) % 2 else [*options, "NUM_GPUS", "0"])
    checkpoint = getattr(args, "checkpoint", None)
    if checkpoint and is_missing(checkpoint):
        raise SlowFastExtError(f"{checkpoint}: there is no such checkpoint")
    if videos and all(map(is_missing, videos)):
        raise SlowFastExtError("\n".join(map(no_such_video, videos)))


def seconds_of(text, key, or_zero=False):
    """The seconds that an option's text names; raises SlowFastExtError, which names the option."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    # Shorter ones than any frame would only fill the memory.
    if not (math.isfinite(value) and (value >= 0.001 or (or_zero and value == 0))):
        least = "of at least 0.001, or 0" if or_zero else "from 0.001 on"
        raise SlowFastExtError(f"{key} is {text}: it must be a number of seconds {least}")
    return value


# --- Each command's own --------------------------------------------------------------


def quickstart_arguments(parser):
    """`quickstart` takes none."""


def predict_arguments(parser):
    """What `predict` takes."""
    # argparse's own would show what LeavesWords gives back as if options took it.
    parser.usage = (
        "%(prog)s [VIDEO ...] --cfg YAML [--checkpoint FILE] [--every SECONDS] [--out PLACE] "
        "[--format FORMAT] [--fit-thresholds] [--fit-temperatures] [KEY VALUE ...]"
    )
    _network_arguments(parser, "file, or folder of frames")
    parser.add_argument(
        "--every",
        metavar="SECONDS",
        **ONE_VALUE,
        help="from one window to the next (default: a window's length, at DATA.TARGET_FPS)",
    )
    parser.add_argument(
        "--out",
        metavar="PLACE",
        **ONE_VALUE,
        help="the file that gets the spans; for elan and cvat the folder of a file a video",
    )
    parser.add_argument(
        "--format",
        default="csv",
        metavar="FORMAT",
        **ONE_VALUE,
        help="csv: video,activity,start,end,score (default); for correction boris, elan, "
        "label-studio, cvat; json: ActivityNet's",
    )
    parser.add_argument(
        "--fit-thresholds",
        nargs="*",
        action=LeavesWords,
        default=False,
        metavar="KEY VALUE",
        help="first fit OUTPUT_DIR/thresholds.csv (best F1 of each activity) to val.csv or, where "
        "there is none, to train.csv; without that file they are 0.5",
    )
    parser.add_argument(
        "--fit-temperatures",
        nargs="*",
        action=LeavesWords,
        default=False,
        metavar="KEY VALUE",
        help="first fit OUTPUT_DIR/temperatures.csv, a temperature and a shift of each activity, "
        "to val.csv or else test.csv: scores come nearer to how often they are right, and no span "
        "changes",
    )


def maps_arguments(parser):
    """What `maps` takes."""
    parser.usage = (
        "%(prog)s VIDEO --cfg YAML --out DIR [--checkpoint FILE] [--activities NAMES] "
        "[--at SECONDS] [KEY VALUE ...]"
    )
    _network_arguments(parser, "one file, or folder of frames")
    parser.add_argument(
        "--activities",
        metavar="NAMES",
        **ONE_VALUE,
        help="names or ids, separated by ';' (default: the 3 with the highest score)",
    )
    parser.add_argument(
        "--at",
        metavar="SECONDS",
        **ONE_VALUE,
        help="the moment whose clip is drawn (default: where the activities score highest)",
    )
    parser.add_argument("--out", required=True, metavar="DIR", **ONE_VALUE, help="gets the files")


def fit_rates_arguments(parser):
    """What `fit-rates` takes."""
    parser.add_argument("--cfg", required=True, metavar="YAML", help="the run's config")
    parser.add_argument("options", nargs="*", metavar="KEY VALUE")


def extract_arguments(parser):
    """What `extract` takes."""
    parser.add_argument("--cfg", required=True, metavar="YAML", help="the run's config")
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="gets the features: FEATURES.PATH of the runs"
    )
    parser.add_argument(
        "--splits",
        default="",
        metavar="NAMES",
        help="of train, tune, val, test and train-views (for fit-rates), separated by commas "
        "(default: those that the config's run reads)",
    )
    parser.add_argument(
        "--pooled",
        action="store_true",
        help="one vector a window along whole videos instead, DIR/ID.npy, W x C, as networks of "
        "temporal detection read them",
    )
    parser.add_argument(
        "--every",
        type=float,
        metavar="SECONDS",
        help="with --pooled: from one window to the next (default: a window's length)",
    )
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE")


def compare_arguments(parser):
    """What `compare` takes."""
    parser.add_argument("--cfg", required=True, metavar="YAML", help="of all runs")
    parser.add_argument("--heads", default="", metavar="NAMES", help="of ACTIVITY.HEAD, as A,B,C")
    parser.add_argument(
        "--setting",
        action="append",
        default=[],
        metavar="'KEY VALUE ...'",
        help="what one row of the table sets; may stand several times",
    )
    parser.add_argument("--seeds", default="1,2,3", metavar="N,N,...", help="default: 1,2,3")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE")


def report_arguments(parser):
    """What `report` takes."""
    parser.add_argument("output_dir", metavar="OUTPUT_DIR", help="of the run")
    parser.add_argument(
        "--videos",
        type=int,
        default=16,
        metavar="N",
        help="test videos that the network is run on, for the learned correlation map; 0: it is "
        "run on none, and activity maps are left out too (default: 16)",
    )
    parser.add_argument(
        "--spans",
        metavar="FILE",
        help="show the time budget and the ethogram of what `predict` wrote, or of labels",
    )
    parser.add_argument("--spans-videos", metavar="DIR", help="holds the videos of --spans")
    parser.add_argument(
        "--opts",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="KEY VALUE",
        help="in place of the run's own settings, as DATA.PATH_TO_DATA_DIR PLACE",
    )


def export_arguments(parser):
    """What `export` takes."""
    parser.add_argument("--cfg", required=True, metavar="YAML", help="the run's config")
    parser.add_argument("--checkpoint", metavar="FILE", help="default: the one a test would take")
    parser.add_argument("--format", required=True, choices=("torch.export", "onnx"))
    parser.add_argument("--out", required=True, metavar="FILE")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE")


def tables_arguments(parser):
    """What `tables` takes."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--results", metavar="DIR", help="take our numbers from the results.json files below DIR"
    )
    source.add_argument(
        "--cost", action="store_true", help="count parameters and multiply-adds (3a, 3b, 4)"
    )
    source.add_argument(
        "--miniature",
        action="store_true",
        help="train heads on synthetic video, with seeds and intervals (docs/STUDY.md)",
    )
    parser.add_argument("--only", metavar="3c,3d", help="these tables alone")
    parser.add_argument("--json", action="store_true", help="JSON and nothing else")
    study = parser.add_argument_group("with --miniature")
    study.add_argument(
        "--seeds", type=int, nargs="+", metavar="SEED", help="of videos and training; 1 2 3 4 5"
    )
    study.add_argument("--fresh", action="store_true", help="compute all but the videos anew")
    study.add_argument(
        "--without",
        choices=("actors", "places", "speeds", "correlations", "distractors"),
        help="switch a property of the videos off, and show the gain that must vanish",
    )
    study.add_argument(
        "--backbone-rates",
        type=int,
        nargs="+",
        metavar="RATE",
        help="sampling rates that the backbone is trained at; 2 4 8",
    )
    study.add_argument("--plots", metavar="DIR", help="draw 3c, 3d and Corr into this folder")
