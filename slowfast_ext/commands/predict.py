"""python -m slowfast_ext predict: when which activity happens in videos, as a file."""

from slowfast_ext.commands.arguments import seconds_of, videos_and_options
from slowfast_ext.datasets.windows import window_seconds
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.predict.predictor import Predictor
from slowfast_ext.predict.span_files import check_output, label_studio_interface


def run(args):
    """
    Fits thresholds, temperatures, or writes the spans of all videos, or all of it.

    Raises:
        SlowFastExtError: wrong arguments; or videos that cannot be read, all of them, after the
            others' spans are written.
    """
    videos, options = videos_and_options(args)
    if not (videos or args.fit_thresholds or args.fit_temperatures):
        raise SlowFastExtError(
            "no video is given: name files, --fit-thresholds or --fit-temperatures"
        )
    if videos and not args.out:
        raise SlowFastExtError("--out is missing: name the file that gets the spans")
    if args.out:
        check_output(args.format, args.out, videos)
    # Windows along whole videos are not what features are of.
    cfg = checked_config(args.cfg, [*options, "FEATURES.PATH", ""])
    every = window_seconds(cfg) if args.every is None else seconds_of(args.every, "--every")
    predictor = Predictor(cfg, every)
    if args.fit_thresholds:
        predictor.fit_thresholds()
    if args.fit_temperatures:
        predictor.fit_temperatures()
    if videos:
        predictor.write_spans(videos, args.out, args.format)
        if args.format == "label-studio":
            print("Label Studio's labelling interface for these tasks:")
            print(label_studio_interface(predictor.class_names))
