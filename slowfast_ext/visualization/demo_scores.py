"""What the demo scores in a clip: the clip, or each person in it."""

import os
from typing import NamedTuple

import numpy as np
import torch

from slowfast_ext.config.defaults import default_config
from slowfast_ext.datasets import clips
from slowfast_ext.datasets.ava_annotations import BOX, read_person_boxes
from slowfast_ext.datasets.keyframe_clips import persons_in
from slowfast_ext.datasets.views import Crop
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.inference import inference
from slowfast_ext.prepare.person_detectors import load_detector
from slowfast_ext.utils import distributed


class Scored(NamedTuple):
    """
    A clip's scores.

    Attributes:
        boxes (float array): P x 4, x1, y1, x2, y2 as fractions of the frame; None: no persons are
            looked for, and the clip as a whole is scored.
        scores (float array): P x A, or 1 x A of the clip as a whole; probabilities.
    """

    boxes: np.ndarray | None
    scores: np.ndarray

    def of_clip(self):
        """[A]: the largest over the persons, 0 where there is nobody."""
        return self.scores.max(0, initial=0)


class ClipScorer:
    """
    Scores clips.

    Args:
        cfg (CfgNode): of the run; with DETECTION.ENABLE persons are scored.
        network (ActivityNetwork): on its device, in evaluation.
        video (str): DEMO.PREDS_BOXES' name of the video; unused where persons are detected.
    """

    def __init__(self, cfg, network, video):
        self.cfg, self.network = cfg, network
        self.boxes_of = None
        if cfg.DETECTION.ENABLE:
            self.boxes_of = _GivenBoxes(cfg, video) if cfg.DEMO.PREDS_BOXES else _Detected(cfg)

    def __call__(self, pathways, keyframe, seconds):
        """
        Args:
            pathways (list[Tensor]): 1 x 3 x T x H x W each, uint8; of persons, whole frames.
            keyframe (callable): gives the RGB frame that persons are looked for in.
            seconds (float): when it is shown.

        Returns:
            Scored
        """
        device = distributed.device(self.cfg)
        boxes, further = None, {}
        if self.boxes_of is not None:
            height, width = pathways[0].shape[-2:]
            boxes = self.boxes_of(keyframe, seconds)
            whole = Crop(0, 0, height, width)
            pixels, kept = persons_in(whole, boxes, (height, width))
            boxes = boxes[kept.numpy()]
            if not len(boxes):
                return Scored(boxes, np.zeros((0, self.cfg.MODEL.NUM_CLASSES)))
            further = clips.further_input(None, clips.join_boxes([pixels]), device)
        with inference(self.cfg, self.network, device):
            inputs = clips.network_input(self.cfg, pathways, device)
            scores = self.network(inputs, **further).double().cpu().numpy()
        return Scored(boxes, scores)


class _GivenBoxes:
    """
    Boxes of DEMO.PREDS_BOXES, in AVA's form: those of the second nearest to a moment.

    The video's first frame is second DEMO.STARTING_SECOND.
    """

    def __init__(self, cfg, video):
        path = cfg.DEMO.PREDS_BOXES
        rows = read_person_boxes(path).astype({"video": str})
        name = os.path.splitext(os.path.basename(os.path.normpath(video)))[0]
        known = sorted(set(rows["video"]))
        rows = rows[rows["video"] == name]
        if rows.empty:
            raise SlowFastExtError(
                f"DEMO.PREDS_BOXES {path} has no boxes of '{name}', which the video's file name "
                f"says; it has those of {', '.join(known[:5])}{', ...' if known[5:] else ''}"
            )
        # A box with several actions has as many rows.
        rows = rows[rows["score"] >= cfg.AVA.DETECTION_SCORE_THRESH].drop_duplicates(
            ["second", *BOX]
        )
        self.first = cfg.DEMO.STARTING_SECOND
        self.boxes = {second: group[BOX].to_numpy() for second, group in rows.groupby("second")}

    def __call__(self, keyframe, seconds):
        return self.boxes.get(round(self.first + seconds), np.zeros((0, 4)))


class _Detected:
    """Boxes of the person detector that `prepare boxes` uses too."""

    def __init__(self, cfg):
        weights, default = cfg.DEMO.DETECTRON2_WEIGHTS, default_config().DEMO
        if weights in ("", default.DETECTRON2_WEIGHTS):
            weights = None
        try:
            self.detect = load_detector(weights, cfg.DEMO.DETECTRON2_THRESH)
        except SlowFastExtError as error:
            # The words are those of a command with this option.
            sentence = str(error).replace("--weights", "DEMO.DETECTRON2_WEIGHTS")
            raise SlowFastExtError(
                f"{sentence}; or name a file of boxes by DEMO.PREDS_BOXES"
            ) from error

    @torch.no_grad()
    def __call__(self, keyframe, seconds):
        image = np.ascontiguousarray(keyframe())
        boxes, _ = self.detect([image])[0]
        height, width = image.shape[:2]
        return (boxes / [width, height, width, height]).clip(0, 1)
