"""python -m slowfast_ext predict: when which activity happens in videos, as a CSV file."""

from slowfast_ext.commands.arguments import seconds_of, videos_and_options
from slowfast_ext.datasets.windows import window_seconds
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.predict.predictor import Predictor
from slowfast_ext.utils.paths import pathmgr, require_writable


def run(args):
    """
    Fits thresholds, or writes the spans of all videos, or both.

    Raises:
        SlowFastExtError: wrong arguments; or videos that cannot be read, all of them, after the
            others' rows are written.
    """
    videos, options = videos_and_options(args)
    if not videos and not args.fit_thresholds:
        raise SlowFastExtError("no video is given: name files, or --fit-thresholds")
    if videos and not args.out:
        raise SlowFastExtError("--out is missing: name the CSV file that gets the spans")
    if args.out and (not args.out.endswith(".csv") or pathmgr.isdir(args.out)):
        raise SlowFastExtError(f"--out {args.out}: must be a file that ends in .csv")
    if videos:
        # Before hours of scoring.
        require_writable(args.out, "--out")
    # Windows along whole videos are not what features are of.
    cfg = checked_config(args.cfg, [*options, "FEATURES.PATH", ""])
    every = window_seconds(cfg) if args.every is None else seconds_of(args.every, "--every")
    predictor = Predictor(cfg, every)
    if args.fit_thresholds:
        predictor.fit_thresholds()
    if videos:
        predictor.write_spans(videos, args.out)
