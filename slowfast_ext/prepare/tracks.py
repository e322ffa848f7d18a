"""Tracks: where each person or animal of a video is on its frames, and what it does there."""

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from slowfast_ext.prepare.frame_spans import runs_of


@dataclass(frozen=True)
class Track:
    """
    One subject of one video.

    Args:
        video (str): relative to the folder of videos.
        subject (str): which of the video's.
        shapes (list[Shape]): with boxes, by rising frames.
        helds (list[Held]): what it does, and on which frames.
        unknown (list[Held]): of which labels nobody knows there whether it does them.
    """

    video: str
    subject: str
    shapes: list
    helds: list
    unknown: list = field(default_factory=list)

    @cached_property
    def runs(self):
        """list[Held]: what it does as runs of one label each."""
        return runs_of(self.helds)

    def at(self, frame):
        """
        (box, labels) on a frame by its number from 0, None where the subject is not there.

        Between two shapes of a track the box goes evenly from one to the other, as tools draw it.
        """
        place = bisect_right(self.shapes, frame, key=lambda shape: shape.first) - 1
        if place < 0 or frame >= self.shapes[place].until:
            return None
        shape, box = self.shapes[place], np.array(self.shapes[place].box)
        following = self.shapes[place + 1] if place + 1 < len(self.shapes) else None
        if following is not None and following.first == shape.until:
            part = (frame - shape.first) / (following.first - shape.first)
            box = (1 - part) * box + part * np.array(following.box)
        return box, tuple(r.labels[0] for r in self.runs if r.first <= frame < r.until)

    def stretches(self):
        """
        The stretches of frames on which the subject is there without a gap.

        Returns:
            list[(int, int, list[Held], list[Held])]: the first frame, the first one behind, and
                within these the runs of labels and those of unknown ones.
        """
        found = []
        for shape in self.shapes:
            if not found or shape.first > found[-1][1]:
                found.append([shape.first, shape.until])
            found[-1][1] = max(found[-1][1], shape.until)
        unknown = runs_of(self.unknown)
        return [(*span, _within(self.runs, *span), _within(unknown, *span)) for span in found]


def _within(runs, first, until):
    """The parts of runs from one frame up to another."""
    return [
        replace(run, first=max(run.first, first), until=min(run.until, until))
        for run in runs
        if run.first < until and first < run.until
    ]


def tracks_of(file, pairs):
    """
    Args:
        file (LabelFile): whose videos they are of; gets what is wrong, and videos that are missing.
        pairs (list[(Shape, Held)]): of `shapes_with_labels`.
    Returns:
        list[Track]: a shape that says no subject is one of its own, but for those with one box
            that say several labels. Shapes without a box, such as tags of whole images, are in
            none.
    Raises:
        SlowFastExtError: a video cannot be read.
    """
    found, videos, media = {}, {}, file.media
    for shape, held in pairs:
        if file.is_missing(shape.where, shape.video):
            continue
        if shape.video not in videos:
            videos[shape.video], problem = media.find(shape.video)
            file.problems += [f"{shape.where}: {problem}"] if problem else []
        video = videos[shape.video]
        if video is not None and shape.first >= media.info(video).length:
            what = f"frame {shape.first} from 0, of {media.info(video).length} in {video}"
            file.problems.append(f"{shape.where}: {what}")
        if shape.box is not None and video is not None:
            own = () if shape.subject else (shape.first, shape.box)
            found.setdefault((video, shape.subject, *own), []).append((shape, held))
    return [
        Track(video, subject, *_by_frame(members, file.problems))
        for (video, subject, *_), members in found.items()
    ]


def _by_frame(pairs, problems):
    """
    The shapes of a subject by rising frames, and what each shows; one that stands several times,
    as where each label has a row or a box of its own, shows all of it.
    """
    shapes, helds = [], []
    for shape, held in sorted(pairs, key=lambda pair: pair[0].first):
        before = shapes[-1] if shapes else None
        if before is None or shape.first >= before.until:
            shapes.append(shape)
            helds.append(held)
        elif (shape.first, shape.until, shape.box) == (before.first, before.until, before.box):
            labels = dict.fromkeys([*helds[-1].labels, *held.labels])
            helds[-1] = replace(helds[-1], labels=tuple(labels))
        else:
            problems.append(
                f'{shape.where}: subject "{shape.subject}" has another box on frame {shape.first} '
                f"from 0, at {before.where}"
            )
    return shapes, helds
