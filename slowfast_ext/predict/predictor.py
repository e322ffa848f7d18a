"""
When which activity happens in videos of any length.

A window is scored every few seconds; neighbouring windows in which an activity reaches its
threshold make one span.
"""

import os
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from slowfast_ext.config.schema import require_clips_alone
from slowfast_ext.datasets.clips import read_clips
from slowfast_ext.datasets.contract import class_names
from slowfast_ext.datasets.multi_label_videos import MultiLabelVideos
from slowfast_ext.datasets.video import open_by_config
from slowfast_ext.datasets.windows import frame_times, list_windows
from slowfast_ext.engine import loaders
from slowfast_ext.engine.trained import follow_network, scores_of, trained_network
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.calibration import calibration, fit_temperatures, tempered
from slowfast_ext.models.inference import inference
from slowfast_ext.predict.span_files import NamedSpan, VideoSpans, write_spans
from slowfast_ext.predict.thresholds import (
    fit_thresholds,
    read_temperatures,
    read_thresholds,
    temperatures_path,
    thresholds_path,
    write_temperatures,
    write_thresholds,
)
from slowfast_ext.utils import distributed
from slowfast_ext.utils.paths import pathmgr, require_writable


class Predictor:
    """
    A trained network that scores windows of videos.

    Args:
        cfg (CfgNode): of the run.
        every (float): seconds from one window to the next.

    Raises:
        SlowFastExtError: no checkpoint, one of another network, or a config whose network needs
            more than a video.
    """

    def __init__(self, cfg, every):
        require_clips_alone(cfg, "predict is given nothing but videos")
        self.cfg, self.every = cfg, every
        self.network = trained_network(cfg)
        self.class_names = self.network.class_names or class_names(cfg)

    def score(self, path):
        """
        Returns:
            (float array, Windows, VideoInfo): the probabilities, W x A, the windows of a video,
                and what is known of it.
        Raises:
            SlowFastExtError: the video cannot be read.
        """
        with open_by_config(self.cfg, path) as reader:
            windows = list_windows(self.cfg, reader.info, self.every)
            scores = window_scores(self.cfg, self.network, reader, windows)
        return scores, windows, reader.info

    def write_spans(self, videos, out, form="csv"):
        """
        Writes what happens in all videos.

        Args:
            videos (list[str]): their paths.
            out (str), form (str): as of `span_files.write_spans`.
        Raises:
            SlowFastExtError: some videos cannot be read; the others' spans are written.
        """
        path, heat_path = thresholds_path(self.cfg), temperatures_path(self.cfg)
        thresholds = read_thresholds(path, self.class_names)
        scaling = read_temperatures(heat_path, self.class_names)
        unfitted = "0.5, none are fitted: --fit-thresholds fits them"
        print(f"thresholds: {path if pathmgr.exists(path) else unfitted}")
        if pathmgr.exists(heat_path):
            print(f"temperatures: {heat_path}")
        found, problems = [], []
        for video in videos:
            try:
                scores, windows, info = self.score(video)
            except SlowFastExtError as error:
                problems.append(str(error))
                continue
            spans = [
                NamedSpan(self.class_names[activity], start, end, score)
                for activity, start, end, score in spans_of(
                    scores, windows.spans, thresholds, tempered(scores, *scaling)
                )
            ]
            times, fps = frame_times(info, self.cfg.DATA.FRAME_FOLDER_FPS)
            found.append(VideoSpans(video, info, times, fps, spans))
            print(f"{video}: {len(scores)} windows, {len(spans)} spans")
        if found:
            write_spans(form, out, found, self.class_names)
            print(f"wrote {sum(len(video.spans) for video in found)} spans to {out}")
        if problems:
            raise SlowFastExtError("\n".join(problems))

    def fit_thresholds(self):
        """
        Writes OUTPUT_DIR/thresholds.csv from the windows of the validation list's videos or, where
        that list is none but the test's, of the training list's. Raises SlowFastExtError as
        `_labelled_windows`.
        """
        path, split = thresholds_path(self.cfg), "train"
        dataset = self._listed_videos(split, "thresholds")
        if dataset.list_path("val") != dataset.list_path("test"):
            split = "val"
            dataset = self._listed_videos(split, "thresholds")
        scores, labels, words = self._labelled_windows(dataset, split, path)
        write_thresholds(path, self.class_names, *fit_thresholds(scores, labels))
        print(f"wrote {path}, fitted to {words}")

    def fit_temperatures(self):
        """
        Writes OUTPUT_DIR/temperatures.csv from the windows of the validation list's videos, since a
        network is surer of those that it learnt. Raises SlowFastExtError as `_labelled_windows`.
        """
        path, split = temperatures_path(self.cfg), "val"
        dataset = self._listed_videos(split, "temperatures")
        scores, labels, words = self._labelled_windows(dataset, split, path)
        scaling = fit_temperatures(scores, labels)
        write_temperatures(path, self.class_names, *scaling)
        before, after = (
            calibration(found, labels)["expected_calibration_error"]
            for found in (scores, tempered(scores, *scaling))
        )
        print(
            f"wrote {path}, fitted to {words}: their calibration error {before:.4f} -> {after:.4f}"
        )

    def _listed_videos(self, split, what):
        """
        The videos of a list, to fit `what` to; raises SlowFastExtError where the data set is not
        one of videos, or its activities are not the network's.
        """
        dataset = loaders.build_dataset(self.cfg, split)
        if not isinstance(dataset, MultiLabelVideos):
            raise SlowFastExtError(
                f"TRAIN.DATASET is {self.cfg.TRAIN.DATASET}, which lists no videos to fit "
                f"{what} to; where its lists have the columns path and labels, set it to "
                "MultiLabelVideos"
            )
        follow_network(dataset, "the network", self.class_names)
        return dataset

    def _labelled_windows(self, dataset, split, path):
        """
        The windows of a list's videos.

        Args:
            dataset (MultiLabelVideos), split (str): of the list.
            path (str): where is to be written what is fitted to them.

        Returns:
            (float array, float array, str): scores and labels, W x A, and how many they are.

        Raises:
            SlowFastExtError: a video cannot be read, unless DATA.SKIP_BROKEN_VIDEOS; or no label
                is known.
        """
        require_writable(path, "OUTPUT_DIR")
        scores, labels = [], []
        for video in tqdm(dataset.videos, "fit", disable=None):
            try:
                video_scores, windows, _ = self.score(video.path)
            except SlowFastExtError as error:
                if not self.cfg.DATA.SKIP_BROKEN_VIDEOS:
                    raise
                print(f"skipped: {error}")
                continue
            scores.append(video_scores)
            labels.append(windows.targets_of(video, len(self.class_names)))
        where = dataset.list_path(split)
        if not scores:
            raise SlowFastExtError(f"no video of {where} could be read")
        words = f"{sum(map(len, scores))} windows of {len(scores)} videos of {where}"
        scores, labels = np.concatenate(scores), np.concatenate(labels)
        if not (labels >= 0).any():
            raise SlowFastExtError(f"{words}: all their labels are unknown, nothing can be fitted")
        return scores, labels, words


def window_scores(cfg, network, reader, windows):
    """
    Probabilities of every window, from its centre crop or, with TEST.WHOLE_FRAME, all of it.

    No more than TEST.BATCH_SIZE windows and their frames are held at once.

    Args:
        network (ActivityNetwork): on its device, in evaluation.
        reader (datasets.video.Video): the opened video.

    Returns:
        float array: W x A.

    Raises:
        SlowFastExtError: a frame cannot be decoded.
    """
    name, scores = os.path.basename(reader.path), []
    with inference(cfg, network, distributed.device(cfg)):
        for frames in tqdm(windows.batches(cfg.TEST.BATCH_SIZE), name, disable=None, leave=False):
            batch = read_clips(cfg, reader, frames, cfg.TEST.WHOLE_FRAME)
            scores.append(scores_of(cfg, network, batch))
    return np.concatenate(scores)


class ActivitySpan(NamedTuple):
    """An activity's id, when it starts and ends in seconds, and its score."""

    activity: int
    start: float
    end: float
    score: float


def spans_of(scores, windows, thresholds, shown=None):
    """
    Neighbouring windows in which an activity reaches its threshold make one span.

    Args:
        scores (float array): W x A.
        windows (float array): W x 2, start and end of each window, one after the other.
        thresholds (float array): [A].
        shown (float array): W x A, what the spans' scores are of; None: `scores`.

    Returns:
        list[ActivitySpan]: by start, then activity; a span's score is the mean of its windows'.
    """
    shown = scores if shown is None else shown
    active = np.pad(scores >= thresholds, ((1, 1), (0, 0))).astype(np.int8)
    changes = np.diff(active, axis=0).T
    # Ordered by activity, then time: a span's first window and the one behind its last stand at
    # the same place of both.
    firsts, ends = np.argwhere(changes == 1), np.argwhere(changes == -1)
    found = []
    for (activity, first), (_, end) in zip(firsts.tolist(), ends.tolist(), strict=True):
        start, stop = float(windows[first, 0]), float(windows[end - 1, 1])
        mean = float(shown[first:end, activity].mean())
        found.append(ActivitySpan(activity, start, stop, mean))
    return sorted(found, key=lambda span: (span.start, span.activity))
