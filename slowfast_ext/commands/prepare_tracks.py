"""
python -m slowfast_ext prepare tracks: boxes with activities become a set in AVA's form, or clips
cut around each subject.

Tracks are CVAT's XML, VIA 3's or MOT's, as `slowfast_ext.prepare.track_files` reads them; labels
may stand in another file, such as BORIS' events, that names the same subjects.
"""

import os
from collections import Counter

import numpy as np
from tqdm import tqdm

from slowfast_ext.commands.label_reading import warn_of_missing
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.ava_frames import require_times
from slowfast_ext.prepare.label_forms import check_problems, read_label_file
from slowfast_ext.prepare.label_times import check_times
from slowfast_ext.prepare.labelled_spans import add_unlabelled_time
from slowfast_ext.prepare.media import check_new_files, conclude, named
from slowfast_ext.prepare.mini_scenes import cut_scenes
from slowfast_ext.prepare.own_media import OwnMedia
from slowfast_ext.prepare.stratify import check_split, stratified_split
from slowfast_ext.prepare.track_files import read_tracks
from slowfast_ext.prepare.track_labels import with_labels
from slowfast_ext.prepare.track_sets import ava_files, boxes_on_seconds, unfit_names
from slowfast_ext.utils.paths import open_atomically, pathmgr, require_writable_in
from slowfast_ext.utils.tables import csv_text
from slowfast_ext.utils.text import refuse_bad_rows

_CLIPS, _LABELS = "clips", "labels.csv"


def run(args):
    """
    Reads the tracks, writes the set or the clips, and prints counts and what to run next.

    Raises:
        SlowFastExtError: arguments, tracks or videos are wrong, or --out holds other files of
            these names; no list is written then.
    """
    _check_arguments(args)
    media = OwnMedia(args.videos)
    columns = args.label_columns.split(",") if args.label_columns else []
    tracks, missing = read_tracks(
        args.tracks,
        media,
        label_columns=None if args.labels else columns,
        separator=args.separator or ";",
        subject=args.subject,
        frame_base=args.frame_base,
    )
    warn_of_missing(args.tracks, missing, media)
    joined = {}
    if args.labels:
        tracks, joined = _with_labels(args, tracks, media, columns)
    names = sorted({label for track in tracks for held in track.helds for label in held.labels})
    if not names:
        raise SlowFastExtError(f"{args.labels or args.tracks}: no box says what happens")
    by_video = {}
    for track in sorted(tracks, key=lambda track: track.video):
        by_video.setdefault(track.video, []).append(track)
    report = {
        "videos": len(by_video),
        "videos_not_found": named(list(missing)),
        "subjects": len(tracks),
        "boxes": sum(len(track.shapes) for track in tracks),
        "boxes_without_activity": sum(not t.at(s.first)[1] for t in tracks for s in t.shapes),
        "classes": len(names),
        **joined,
    }
    if args.mini_scenes:
        _write_scenes(args, media, by_video, report)
    else:
        _write_set(args, media, by_video, names, report)
    conclude(args, report, [])


def _check_arguments(args):
    check_split(args.test_share, args.seed)
    size = args.mini_scenes
    if size is not None and not (16 <= size <= 2048 and size % 2 == 0):
        raise SlowFastExtError(f"--mini-scenes is {size}: it must be even, and from 16 to 2048")
    for option in ("labels", "label_columns", "separator", "subject", "out"):
        if getattr(args, option) == "":
            raise SlowFastExtError(f"--{option.replace('_', '-')} is empty: name one")
    require_writable_in(args.out, [_LABELS], "--out")


def _with_labels(args, tracks, media, columns):
    """(tracks, counts of what has no partner): each with the labels of --labels of its subject."""
    file = read_label_file(
        args.labels,
        media,
        label_columns=columns,
        separator=args.separator or "",
        frame_base=args.frame_base,
        facts_are_shared=True,
    )
    seconds = check_times(file)
    check_problems(file)
    add_unlabelled_time(file, seconds)
    warn_of_missing(args.labels, file.missing, media)
    tracks, alone = with_labels(tracks, file)
    counts = {what: named(names) for what, names in alone.items()}
    unused = {why: named(places) for why, places in file.unused_rows.items()}
    return tracks, {"form_of_labels": file.form, **counts, "rows_not_used": unused}


def _write_set(args, media, by_video, names, report):
    """Writes the files of annotations that `prepare ava` reads."""
    problems = unfit_names(by_video, media)
    for track in (track for tracks in by_video.values() for track in tracks):
        unknown = [run for *_, runs in track.stretches() for run in runs]
        problems += [
            f"{run.where}: it is unknown what {track.subject} does in {track.video}, which AVA's "
            "form cannot say: cut --mini-scenes"
            for run in unknown[:1]
        ]
    refuse_bad_rows(args.tracks, problems)
    if len(by_video) < 2:
        raise SlowFastExtError(f"{args.tracks}: one video cannot be split into train and test")
    boxes = {}
    for video, tracks in by_video.items():
        info = media.info(video)
        require_times(media.path(video), info)
        boxes[os.path.splitext(video)[0]] = boxes_on_seconds(tracks, info.times)
    labels_of = [{label for *_, labels in found for label in labels} for found in boxes.values()]
    labels = np.array([[name in labels for name in names] for labels in labels_of])
    in_test = stratified_split(labels, args.test_share, args.seed)
    splits = {
        split: {
            n: found
            for (n, found), test in zip(boxes.items(), in_test, strict=True)
            if test == value
        }
        for split, value in (("train", False), ("val", True))
    }
    for split, videos in splits.items():
        counts = Counter(label for found in videos.values() for *_, ls in found for label in ls)
        if not counts:
            raise SlowFastExtError(
                f"{args.tracks}: no box of {split} with an activity lies on a whole second; AVA's "
                "form has no others"
            )
        report[split] = {
            "videos": len(videos),
            "keyframes": sum(len({second for second, *_ in found}) for found in videos.values()),
            "boxes": sum(map(len, videos.values())),
            "labels": {name: counts[name] for name in names},
        }
    files = ava_files(names, splits)
    check_new_files(args.out, files)
    for name, text in files.items():
        with open_atomically(os.path.join(args.out, name)) as stream:
            stream.write(text)
    report["out"] = args.out
    report["next"] = (
        f"python -m slowfast_ext prepare ava --annotations {args.out} --videos {args.videos} "
        "--start 0 --out DIR"
    )


def _write_scenes(args, media, by_video, report):
    """Writes the clips, then the file of their labels."""
    folder = os.path.join(args.out, _CLIPS)
    path = os.path.join(args.out, _LABELS)
    if pathmgr.exists(path) or (pathmgr.isdir(folder) and pathmgr.ls(folder)):
        raise SlowFastExtError(f"--out {args.out} holds clips already: choose another one")
    rows = []
    for video, tracks in tqdm(by_video.items(), "videos", disable=None, leave=False):
        found = cut_scenes(media, video, tracks, folder, args.mini_scenes)
        rows += [(*row[:4], video, row[4]) for row in found]
    header = ("path", "labels", "start", "end", "source_video", "unknown")
    # As in lists, the last column is there where something is unknown.
    width = len(header) - (not any(row[-1] for row in rows))
    with open_atomically(path) as stream:
        stream.write(csv_text([row[:width] for row in (header, *rows)]))
    report["clips"] = len({name for name, *_ in rows})
    report["out"] = args.out
    report["next"] = (
        f"python -m slowfast_ext prepare lists --videos {folder} --labels {path} --out DIR"
    )
