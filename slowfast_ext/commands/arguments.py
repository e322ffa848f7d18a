"""The arguments that commands share: --cfg, videos, KEY VALUE pairs."""

import argparse
import math
import re

from slowfast_ext.errors import SlowFastExtError

_CONFIG_KEY = re.compile(r"[A-Z][A-Z0-9_]*(\.[A-Za-z0-9_]+)*")


def parse_arguments(arguments=None):
    """
    Upstream's arguments.

    Returns:
        Namespace: `cfg_files`, `shard_id`, `num_shards`, `init_method` and `opts`, the
            KEY VALUE pairs, with or without upstream's `--opts` before them.
    """
    parser = argparse.ArgumentParser(prog="run_net.py", description=__doc__)
    parser.add_argument("--cfg", dest="cfg_files", nargs="+", required=True, metavar="YAML")
    parser.add_argument("--shard_id", type=int, default=0, help="number of this machine")
    parser.add_argument("--num_shards", type=int, default=1, help="number of machines")
    parser.add_argument("--init_method", default="tcp://localhost:9999")
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


def add_network_arguments(parser, videos):
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
