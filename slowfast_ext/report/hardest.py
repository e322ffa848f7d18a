"""The videos on which a run's scores are furthest from the labels, with pictures."""

import base64

import cv2
import numpy as np

from slowfast_ext.errors import SlowFastExtError

MOST_VIDEOS = 12
HEIGHT = 120
"""Pixels of a thumbnail's height."""


def hardest_videos(run):
    """
    The videos of the largest binary cross-entropy between scores and labels.

    Returns:
        list[dict]: hardest first: `id`, `loss` (mean over the activities, in nats), `present`
            and `wrong` ([name, score]: its activities, and the three highest others) and
            `pictures` ([{source, caption}], or why there is none in `why_no_picture`).

    Raises:
        SlowFastExtError: no scores or no labels.
    """
    scores, labels = run.predictions
    losses = cross_entropy(scores, labels)
    ids, names = run.test_set.video_ids, run.test_set.class_names
    videos = []
    for index in np.argsort(-losses, kind="stable")[:MOST_VIDEOS]:
        if not np.isfinite(losses[index]):
            continue
        falling = np.argsort(-scores[index], kind="stable")
        named = [(names[a], float(scores[index, a]), bool(labels[index, a])) for a in falling]
        videos.append(
            {
                "id": ids[index],
                "loss": float(losses[index]),
                "present": [[name, score] for name, score, present in named if present],
                "wrong": [[name, score] for name, score, present in named if not present][:3],
                **_pictures_or_why(run, index),
            }
        )
    return videos


def cross_entropy(scores, labels):
    """V x A scores and labels -> [V] nats, the mean over activities; -inf without scores."""
    inside = np.clip(scores, 1e-7, 1 - 1e-7)
    losses = -np.where(labels, np.log(inside), np.log1p(-inside)).mean(1)
    return np.where(np.isfinite(scores).all(1), losses, -np.inf)


def _pictures_or_why(run, index):
    try:
        return {"pictures": pictures(run, index), "why_no_picture": None}
    except SlowFastExtError as error:
        return {"pictures": [], "why_no_picture": str(error)}


def pictures(run, index):
    """
    The pictures of one test video, in the order in which the page shows them; a picture more,
    such as its activity maps, is one more {source, caption} here.

    Returns:
        list[dict]: `source`, a data URI, and `caption`.
    """
    sample = run.test_set[index]
    clip = max((p[:1][0] for p in sample.pathways), key=lambda pathway: pathway.shape[1])
    chosen = np.linspace(0, clip.shape[1] - 1, 3).round().astype(int)
    frames = clip[:, chosen].permute(1, 2, 3, 0).numpy()
    if run.cfg.DATA.REVERSE_INPUT_CHANNEL:
        frames = frames[..., ::-1]
    # A grey line between them.
    strip = np.concatenate(
        list(np.pad(frames, ((0, 0), (0, 0), (0, 2), (0, 0)), constant_values=128)), axis=1
    )
    return [{"source": jpeg(strip), "caption": "first, middle and last frame of the centre view"}]


def jpeg(image):
    """RGB uint8, H x W x 3 -> a data URI, HEIGHT pixels high where it is higher."""
    scale = min(HEIGHT / image.shape[0], 1.0)
    bgr = np.ascontiguousarray(image[..., ::-1])
    small = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    content = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"
