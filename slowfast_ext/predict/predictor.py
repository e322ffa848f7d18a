"""
python -m slowfast_ext predict: when which activity happens in videos, as a CSV file.

A window is scored every few seconds; neighbouring windows in which an activity reaches its
threshold make one span. KEY VALUE pairs may follow, as run_net.py takes them.
"""

import csv
import math
import os

import numpy as np
from tqdm import tqdm

from slowfast_ext.config.schema import require_clips_alone
from slowfast_ext.datasets.class_names import class_names
from slowfast_ext.datasets.multi_label_videos import MultiLabelVideos
from slowfast_ext.datasets.video import open_video
from slowfast_ext.engine import loaders
from slowfast_ext.engine.trained import trained_network
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.predict.spans import spans_of
from slowfast_ext.predict.thresholds import (
    fit_thresholds,
    read_thresholds,
    thresholds_path,
    write_thresholds,
)
from slowfast_ext.predict.windows import list_windows, window_scores
from slowfast_ext.utils.paths import open_atomically, pathmgr, require_writable


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
        self.class_names = class_names(cfg)
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

        Raises:
            SlowFastExtError: a video cannot be read, unless DATA.SKIP_BROKEN_VIDEOS; or the
                data set is not one of videos.
        """
        dataset = loaders.build_dataset(self.cfg, "train")
        if not isinstance(dataset, MultiLabelVideos):
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
            labels.append(windows.labels_of(video.segments, len(self.class_names)))
        if not scores:
            raise SlowFastExtError("no video of the training list could be read")
        fitted = fit_thresholds(np.concatenate(scores), np.concatenate(labels))
        path = thresholds_path(self.cfg)
        write_thresholds(path, self.class_names, *fitted)
        print(f"wrote {path}, fitted to {sum(map(len, scores))} windows of {len(scores)} videos")
