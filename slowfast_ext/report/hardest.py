"""The videos on which a run's scores are furthest from the labels, with pictures."""

import base64

import cv2
import numpy as np

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.activity_maps import has_maps
from slowfast_ext.visualization.drawing import color_of
from slowfast_ext.visualization.grid import draw_cell
from slowfast_ext.visualization.maps import first_view, shown_activities, view_maps

MOST_VIDEOS = 12
HEIGHT = 120
"""Pixels of a thumbnail's height."""


def hardest_videos(run, with_maps):
    """
    The videos of the largest binary cross-entropy between scores and labels.

    Args:
        with_maps (bool): the network is run, for the activity maps that it may have.

    Returns:
        list[dict]: hardest first: `id`, `loss` (mean over the activities, in nats), `present`
            and `wrong` ([name, score]: its activities, and the three highest others) and
            `pictures` ([{source, caption}], and why one is missing in `why_no_picture`).

    Raises:
        SlowFastExtError: no scores or no labels.
    """
    scores, labels = run.predictions
    losses = cross_entropy(scores, labels)
    ids, names = run.test_set.video_ids, run.test_set.class_names
    videos = []
    for index in np.argsort(-losses, kind="stable")[:MOST_VIDEOS]:
        # A video that could not be read has no scores.
        if not np.isfinite(losses[index]):
            continue
        falling = np.argsort(-scores[index], kind="stable")
        known = falling[labels[index, falling] >= 0]
        named = [(names[a], float(scores[index, a]), labels[index, a] > 0) for a in known]
        videos.append(
            {
                "id": ids[index],
                "loss": float(losses[index]),
                "present": [[name, score] for name, score, present in named if present],
                "wrong": [[name, score] for name, score, present in named if not present][:3],
                **_pictures_or_why(run, index, with_maps),
            }
        )
    return videos


def cross_entropy(scores, labels):
    """
    V x A scores and labels -> [V] nats, the mean over the activities that are known; -inf without
    scores.
    """
    # A score of exactly 0 or 1 that is wrong would weigh more than all others together.
    inside = np.clip(scores, 1e-7, 1 - 1e-7)
    losses = -np.where(labels > 0, np.log(inside), np.log1p(-inside))
    known = labels >= 0
    losses = np.where(known, losses, 0).sum(1) / known.sum(1).clip(min=1)
    return np.where(np.isfinite(scores).all(1), losses, -np.inf)


def _pictures_or_why(run, index, with_maps):
    found = []
    try:
        sample = run.test_set[index]
        frames = first_view(run.cfg, sample)
        chosen = np.linspace(0, len(frames) - 1, 3).round().astype(int)
        caption = "first, middle and last frame of the centre view"
        found.append({"source": jpeg(side_by_side(frames[chosen])), "caption": caption})
        if with_maps and has_maps(run.cfg):
            found += map_pictures(run, sample, chosen)
    except SlowFastExtError as error:
        return {"pictures": found, "why_no_picture": str(error)}
    return {"pictures": found, "why_no_picture": None}


def map_pictures(run, sample, chosen):
    """
    The evidence for what happens in a video's view and for the highest of the others.

    `chosen` are the view's frames that are shown. Returns dicts of `source`, a data URI, and
    `caption`.
    """
    frames, maps = view_maps(run.cfg, run.network, sample)
    labels = sample.labels.flatten().numpy()
    # A box on a small frame would be blocks: heat and boxes are drawn on HEIGHT pixels.
    scale = HEIGHT / frames.shape[1]
    large = [cv2.resize(frames[i], None, fx=scale, fy=scale) for i in chosen]
    pictures = []
    for number, activity in enumerate(shown_activities(labels, maps.scores)):
        heats = maps.kinds["evidence"][activity][chosen]
        color = color_of(number)
        cells = [draw_cell(image, heat, color) for image, heat in zip(large, heats, strict=True)]
        kind = "happens" if labels[activity] > 0 else "does not happen"
        kind = "unknown" if labels[activity] < 0 else kind
        name = run.test_set.class_names[activity]
        caption = f"evidence for {name} ({kind}): score {maps.scores[activity]:.2f} in this view"
        pictures.append({"source": jpeg(side_by_side(cells)), "caption": caption})
    return pictures


def side_by_side(images):
    """RGB images of one size in a row, a grey line after each."""
    line = ((0, 0), (0, 2), (0, 0))
    return np.concatenate([np.pad(of, line, constant_values=128) for of in images], axis=1)


def jpeg(image):
    """RGB uint8, H x W x 3 -> a data URI, HEIGHT pixels high where it is higher."""
    scale = min(HEIGHT / image.shape[0], 1.0)
    bgr = np.ascontiguousarray(image[..., ::-1])
    small = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    content = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"
