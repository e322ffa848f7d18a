"""
python -m slowfast_ext predict: when which activity happens in videos, as a CSV file.

A window is scored every few seconds; neighbouring windows in which an activity reaches its
threshold make one span. KEY VALUE pairs may follow, as run_net.py takes them.
"""

import argparse
import csv
import math
import os

import numpy as np
from tqdm import tqdm

from slowfast_ext import datasets, upstream  # noqa: F401  (the first registers the data sets)
from slowfast_ext.config import load_config
from slowfast_ext.config_rules import require_clips_alone
from slowfast_ext.datasets.decoding import open_video
from slowfast_ext.datasets.lists import read_names
from slowfast_ext.engine import loaders
from slowfast_ext.engine.main import parse_arguments
from slowfast_ext.engine.test import trained_network
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.paths import open_atomically, pathmgr, require_writable
from slowfast_ext.predict.spans import spans_of
from slowfast_ext.predict.thresholds import (
    fit_thresholds,
    read_thresholds,
    thresholds_path,
    write_thresholds,
)
from slowfast_ext.predict.windows import list_windows, window_scores, window_seconds


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


def add_arguments(parser):
    """Adds the command's arguments to an argparse parser."""
    add_network_arguments(parser, "file, or folder of frames")
    parser.add_argument(
        "--every",
        metavar="SECONDS",
        **ONE_VALUE,
        help="from one window to the next (default: a window's length, at DATA.TARGET_FPS)",
    )
    parser.add_argument("--out", metavar="CSV", **ONE_VALUE, help="video,activity,start,end,score")
    parser.add_argument(
        "--fit-thresholds",
        nargs="*",
        action=LeavesWords,
        default=False,
        metavar="KEY VALUE",
        help="first fit OUTPUT_DIR/thresholds.csv to the training list (best F1 of each "
        "activity); without that file they are 0.5",
    )


def run(args):
    """
    Fits thresholds, or writes the spans of all videos, or both.

    Raises:
        SlowFastExtError: wrong arguments; or videos that cannot be read, all of them, after the
            others' rows are written.
    """
    videos, options = videos_and_options(args)
    _check_arguments(args, videos)
    cfg = load_config(args.cfg, options)
    every = window_seconds(cfg)
    if args.every is not None:
        every = seconds_of(args.every, "--every")
    predictor = Predictor(cfg, every)
    if args.fit_thresholds:
        predictor.fit_thresholds()
    if videos:
        predictor.write_spans(videos, args.out)


def _check_arguments(args, videos):
    if not videos and not args.fit_thresholds:
        raise SlowFastExtError("no video is given: name files, or --fit-thresholds")
    if videos and not args.out:
        raise SlowFastExtError("--out is missing: name the CSV file that gets the spans")
    if args.out and (not args.out.endswith(".csv") or pathmgr.isdir(args.out)):
        raise SlowFastExtError(f"--out {args.out}: must be a file that ends in .csv")
    if videos:
        # Before hours of scoring.
        require_writable(args.out, "--out")


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


class Predictor:
    """
    A trained network that scores windows of videos.

    Args:
        cfg (CfgNode): of the run; DATA.PATH_TO_DATA_DIR holds classes.txt.
        every (float): seconds from one window to the next.

    Raises:
        SlowFastExtError: no checkpoint, one of another network, or a config whose network needs
            more than a video.
    """

    def __init__(self, cfg, every):
        require_clips_alone(cfg, "predict is given nothing but videos")
        self.cfg, self.every = cfg, every
        path = os.path.join(cfg.DATA.PATH_TO_DATA_DIR, "classes.txt")
        self.class_names = read_names(path, "MODEL.NUM_CLASSES", cfg.MODEL.NUM_CLASSES)
        self.network = trained_network(cfg)

    def score(self, path):
        """
        Returns:
            (float array, Windows): the probabilities, W x A, and the windows of a video.
        Raises:
            SlowFastExtError: the video cannot be read.
        """
        with open_video(path) as reader:
            windows = list_windows(self.cfg, reader.info, self.every)
            name = os.path.basename(path)
            total = math.ceil(len(windows.spans) / self.cfg.TEST.BATCH_SIZE)
            with tqdm(total=total, desc=name, disable=None, leave=False) as bar:
                scores = window_scores(self.cfg, self.network, reader, windows, bar.update)
        return scores, windows

    # --- Spans -------------------------------------------------------------------------

    def write_spans(self, videos, out):
        """
        Writes `video,activity,start,end,score` for all videos; the file appears whole.

        Raises:
            SlowFastExtError: some videos cannot be read; the file holds the others' rows.
        """
        path = thresholds_path(self.cfg)
        thresholds = read_thresholds(path, self.class_names)
        print(f"thresholds: {path if pathmgr.exists(path) else '0.5, none are fitted'}")
        rows, problems = [], []
        for video in videos:
            try:
                scores, windows = self.score(video)
            except SlowFastExtError as error:
                problems.append(str(error))
                continue
            spans = spans_of(scores, windows.spans, thresholds)
            rows += [
                (video, self.class_names[s.activity], f"{s.start:.3f}", f"{s.end:.3f}", s.score)
                for s in spans
            ]
            print(f"{video}: {len(scores)} windows, {len(spans)} spans")
        if len(problems) < len(videos):
            with open_atomically(out) as stream:
                writer = csv.writer(stream, lineterminator="\n")
                writer.writerow(["video", "activity", "start", "end", "score"])
                writer.writerows((*row[:-1], f"{row[-1]:.4f}") for row in rows)
            print(f"wrote {len(rows)} spans to {out}")
        if problems:
            raise SlowFastExtError("\n".join(problems))

    # --- Thresholds --------------------------------------------------------------------

    def fit_thresholds(self):
        """
        Writes OUTPUT_DIR/thresholds.csv from the windows of the training list's videos.

        A window has the labels of the segments that contain its middle.

        Raises:
            SlowFastExtError: a video cannot be read, unless DATA.SKIP_BROKEN_VIDEOS; or the
                data set is not one of videos.
        """
        dataset = loaders.build_dataset(self.cfg, "train")
        if not hasattr(dataset, "videos"):
            raise SlowFastExtError(
                f"TRAIN.DATASET is {self.cfg.TRAIN.DATASET}, which lists no videos to fit "
                "thresholds to; where its lists have the columns path and labels, set it to "
                "MultiLabelVideos"
            )
        require_writable(thresholds_path(self.cfg), "OUTPUT_DIR")
        scores, labels = [], []
        for video in tqdm(dataset.videos, "fit", disable=None):
            try:
                of_video, windows = self.score(video.path)
            except SlowFastExtError as error:
                if not self.cfg.DATA.SKIP_BROKEN_VIDEOS:
                    raise
                print(f"skipped: {error}")
                continue
            scores.append(of_video)
            labels.append(self._labels(video, windows))
        if not scores:
            raise SlowFastExtError("no video of the training list could be read")
        fitted = fit_thresholds(np.concatenate(scores), np.concatenate(labels))
        path = thresholds_path(self.cfg)
        write_thresholds(path, self.class_names, *fitted)
        print(f"wrote {path}, fitted to {sum(map(len, scores))} windows of {len(scores)} videos")

    def _labels(self, video, windows):
        """W x A, bool."""
        labels = np.zeros((len(windows.spans), len(self.class_names)), bool)
        for row, middle in zip(labels, windows.spans.mean(axis=1), strict=True):
            row[list(video.labels_between([middle]))] = True
        return labels
