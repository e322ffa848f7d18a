"""Boxes of persons, animals or things on single frames, with what they do there."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.frame_spans import Held
from slowfast_ext.prepare.label_cells import clean, labels_in
from slowfast_ext.prepare.label_columns import LABELS, plain

# CVAT's value of an attribute that nobody has set.
_UNSET = ("", "__undefined__")


@dataclass(frozen=True)
class Shape:
    """
    One subject, from one frame up to another.

    Args:
        where (str): its place in the file, for messages.
        video (str): as it is written.
        subject (str): which of the video's; empty: nobody says so.
        first (int), until (int): frames from 0; the latter is the first one behind.
        label (str): the shape's or track's own.
        attributes (dict[str, str]): further ones, by name.
        box (tuple[float] or None): x1, y1, x2, y2 as fractions of the frame, or None.
    """

    where: str
    video: str
    subject: str
    first: int
    until: int
    label: str
    attributes: dict
    box: tuple | None = None


def shapes_with_labels(path, shapes, names=(), separator=";"):
    """
    What each shape shows, by its own label or by its attributes.

    A check box ("true", "false") is a label of the attribute's name, a text is labels.

    Args:
        path (str): of the file, for messages.
        shapes (list[Shape])
        names (list[str]): of the attributes that say what happens, `label` for a shape's own;
            empty: attributes called so, or the shapes' own labels where no shape has attributes.
        separator (str): between labels in a text.
    Returns:
        list[(Shape, Held)]
    Raises:
        SlowFastExtError: there is no such attribute, or it is not clear which is meant.
    """
    known = list(dict.fromkeys(name for shape in shapes for name in shape.attributes))
    chosen = _chosen_attributes(path, known, names)
    pairs = []
    for shape in shapes:
        labels = []
        for name in chosen:
            value = shape.label if name is None else shape.attributes.get(name, "")
            if name is not None and value.lower() in ("true", "false"):
                labels += [name] if value.lower() == "true" else []
            elif value not in _UNSET:
                labels += labels_in(value, separator)
        labels = tuple(dict.fromkeys(filter(None, map(clean, labels))))
        pairs.append((shape, Held(shape.where, shape.first, shape.until, labels)))
    return pairs


def with_subjects(path, shapes, name):
    """
    The shapes, each of the subject that its attribute `name` says; raises SlowFastExtError where
    none has that attribute.
    """
    known = {other: plain(other) == plain(name) for shape in shapes for other in shape.attributes}
    if not any(known.values()):
        raise SlowFastExtError(
            f"{path}: no attribute {name} for --subject; there are {', '.join(known) or 'none'}"
        )
    found = []
    for shape in shapes:
        attributes = {other: text for other, text in shape.attributes.items() if not known[other]}
        subject = next((shape.attributes[n] for n in shape.attributes if known[n]), "")
        found.append(replace(shape, attributes=attributes, subject=subject))
    return found


def up_to_next(shapes):
    """Shapes of single frames up to the next of their subject, where there is every nth frame."""
    by_subject = {}
    for shape in shapes:
        by_subject.setdefault((shape.video, shape.subject), []).append(shape)
    gaps_of = {}
    for key, members in by_subject.items():
        members.sort(key=lambda shape: shape.first)
        # A frame stands several times where each of its labels has a row.
        frames = sorted({shape.first for shape in members})
        gaps_of[key] = dict(zip(frames, np.diff(frames).tolist(), strict=False))
    counts = Counter(gap for (_, of), gaps in gaps_of.items() for gap in gaps.values() if of)
    # The most frequent gap: a longer one means that the subject was away.
    usual, found = max(counts, key=counts.get, default=1), []
    for key, members in by_subject.items():
        step = usual if key[1] else 1
        for shape in members:
            until = shape.first + min(gaps_of[key].get(shape.first, step), step)
            is_single = shape.until == shape.first + 1
            found.append(replace(shape, until=until) if is_single else shape)
    return found


def _chosen_attributes(path, known, names):
    """The attributes that say what happens; None stands for a shape's own label."""
    if not names:
        usual = [name for name in known if plain(name) in LABELS]
        if known and not usual:
            raise SlowFastExtError(
                f"{path}: which says what happens, the shapes' own label or their attributes "
                f"{', '.join(known)}? Name it by --label-columns, label for the shapes' own"
            )
        return usual or [None]
    place_of = {"label": None, **{plain(name): name for name in known}}
    for name in names:
        if plain(name) not in place_of:
            raise SlowFastExtError(
                f"{path}: no attribute {name} for --label-columns; there are "
                f"{', '.join(['label', *known])}"
            )
    return [place_of[plain(name)] for name in names]
