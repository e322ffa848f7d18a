"""
python -m slowfast_ext prepare charades: Charades' official files, checked, become lists.

The class ids in the lists are the numbers of the official codes (92 for c092): names hold
commas and slashes.
"""

import os
from collections import Counter

from slowfast_ext.datasets.charades_annotations import SPLITS, read_annotations
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.action_genome import (
    object_classes,
    object_files,
    place_boxes,
    read_action_genome,
)
from slowfast_ext.prepare.charades_media import TOLERANCE, CharadesMedia
from slowfast_ext.prepare.media import check_media_arguments, conclude, named
from slowfast_ext.utils.paths import open_atomically, pathmgr
from slowfast_ext.utils.tables import csv_text
from slowfast_ext.utils.text import read_text

_LIST_FILES = ["classes.txt", *(f"{split}.csv" for split in SPLITS)]
_OBJECT_FILES = ["object_classes.txt", "objects.csv"]
_HEADER = ("path", "labels", "start", "end")


def run(args):
    """
    Checks the annotations and the media against each other, writes the lists, prints counts.

    Raises:
        SlowFastExtError: arguments that do not go together, bad rows (all of them), or media
            that are missing (after the counts are printed); nothing is written then.
    """
    _check_arguments(args)
    class_names, splits = read_annotations(args.annotations)
    report = {
        "classes": len(class_names),
        "splits": {name: _counts(videos, class_names) for name, videos in splits.items()},
    }
    failed = None if args.annotations_only else _prepare(args, class_names, splits, report)
    conclude(args, report, _notes(report), failed)


def _prepare(args, class_names, splits, report):
    """Checks the media and writes the files; fills the report, returns why nothing is written."""
    media = CharadesMedia(args.videos or args.frames, ".mp4" if args.videos else "")
    ids = {video.id for videos in splits.values() for video in videos}
    boxes = read_action_genome(args.action_genome) if args.action_genome else None
    object_names = None if boxes is None else object_classes(boxes, ids)
    _refuse_foreign_files(args.out, class_names, object_names)
    missing = []
    for name, videos in splits.items():
        report["splits"][name].update(media.check(videos, name))
        missing += report["splits"][name]["missing"]
    report["media_in_no_split"] = media.num_unlisted(splits)
    report["out"] = None if missing else args.out
    if missing:
        return (
            f"{media.folder} lacks {named(missing)}: nothing was written; a video is expected "
            f"as {media.folder}/{'ID.mp4' if args.videos else 'ID/ID-000001.jpg'}"
        )
    files = _list_files(class_names, splits, media)
    if boxes is not None:
        rows, report["objects"] = place_boxes(boxes, media.infos, ids)
        report["objects"]["classes"] = len(object_names)
        files.update(object_files(object_names, rows))
        _refuse_other_objects(args.out, files["objects.csv"])
    elif pathmgr.exists(os.path.join(args.out, "objects.csv")):
        report["objects_left"] = os.path.join(args.out, "objects.csv")
    for name, text in files.items():
        with open_atomically(os.path.join(args.out, name)) as stream:
            stream.write(text)
    return None


def _check_arguments(args):
    check_media_arguments(args, [*_LIST_FILES, *(_OBJECT_FILES if args.action_genome else [])])
    if args.action_genome and (args.annotations_only or not args.videos):
        raise SlowFastExtError(
            "--action-genome needs --videos, and no --annotations-only: its frame numbers and "
            "its pixels are those of the video files"
        )


def _refuse_foreign_files(out, class_names, object_names):
    """
    Raises SlowFastExtError where files would be written over that this command has not written.

    Lists of other data have the same names, and may have the same header: what lies beside
    other classes than these is not of this command.
    """
    _refuse_beside_other_names(out, _LIST_FILES, class_names)
    for split in SPLITS:
        path = os.path.join(out, f"{split}.csv")
        if pathmgr.exists(path) and not _is_own_list(path):
            raise SlowFastExtError(_foreign(path))
    if object_names is not None:
        _refuse_beside_other_names(out, _OBJECT_FILES, object_names)


def _refuse_beside_other_names(out, files, names):
    """The first of `files` must hold these names where any of them exists."""
    paths = [os.path.join(out, name) for name in files]
    found = [path for path in paths if pathmgr.exists(path)]
    if found and (found[0] != paths[0] or read_text(found[0]).split("\n") != [*names, ""]):
        raise SlowFastExtError(_foreign(found[0]))


def _refuse_other_objects(out, text):
    """A detector's boxes have the same form and, it may be, the same classes."""
    path = os.path.join(out, "objects.csv")
    if pathmgr.exists(path) and read_text(path) != text:
        raise SlowFastExtError(
            f"{path} holds other boxes than would be written there, such as those of a detector: "
            "move it away, or choose another --out"
        )


def _is_own_list(path):
    """False for PySlowFast's frame lists, which may lie beside the same classes."""
    with pathmgr.open(path, "rb") as stream:
        return stream.readline(100).strip() == ",".join(_HEADER).encode()


def _foreign(path):
    return (
        f"{path} is a file that this command has not written, or of other annotations: choose "
        "another --out, or move it away"
    )


# --- Counts ---------------------------------------------------------------------------


def _counts(videos, class_names):
    """What the annotations of one split hold; classes are counted in videos."""
    per_video = [len(video.labels) for video in videos]
    # All classes are in it; of equally frequent ones the first counts.
    frequency = Counter(dict.fromkeys(range(len(class_names)), 0))
    frequency.update(label for video in videos for label in video.labels)

    def described(class_id):
        return {
            "id": class_id,
            "name": class_names[class_id],
            "videos": frequency[class_id],
        }

    return {
        "videos": len(videos),
        "videos_without_actions": per_video.count(0),
        "labels_per_video": {"mean": sum(per_video) / len(videos), "max": max(per_video)},
        "rarest_class": described(min(frequency, key=frequency.get)),
        "most_frequent_class": described(max(frequency, key=frequency.get)),
        "segments": sum(len(video.actions) for video in videos),
        "segments_past_length": sum(video.num_past_length for video in videos),
        "segments_reversed": sum(video.num_reversed for video in videos),
    }


def _notes(report):
    """Sentences on what is unusual in a report, and what to do about it."""
    found = {kind for split in report["splits"].values() for kind, items in split.items() if items}
    notes = ["segments past a video's length are cut there, reversed ones turned round"]
    if "unreadable" in found:
        notes.append(
            "what does not open is in the lists all the same: get it again, or set "
            "DATA.SKIP_BROKEN_VIDEOS True"
        )
    if "misnumbered" in found:
        notes.append(
            "what is misnumbered, its frames not from 000001 on or among others, is in the lists "
            "all the same, and its labels would fall on other frames: extract its frames again"
        )
    if found & {"shorter_than_annotated", "longer_than_annotated"}:
        notes.append(f"media count as shorter or longer from a difference of {TOLERANCE:g} s on")
    if "objects" in report:
        notes.append(f"for the objects set OBJECTS.NUM_CLASSES {report['objects']['classes']}")
    if "objects_left" in report:
        notes.append(
            f"{report['objects_left']} was left as it is, and may be of other videos: it is read "
            "with OBJECTS.NUM_CLASSES; delete it, or give --action-genome"
        )
    return notes


# --- Output ---------------------------------------------------------------------------


def _list_files(class_names, splits, media):
    """Name -> content of classes.txt and the lists."""
    files = {"classes.txt": "\n".join(class_names) + "\n"}
    for name, videos in splits.items():
        rows = [
            (media.path(video), *segment)
            for video in videos
            for segment in video.segments or [("",) * 3]
        ]
        files[f"{name}.csv"] = csv_text([_HEADER, *rows])
    return files
