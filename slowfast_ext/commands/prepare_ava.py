"""
python -m slowfast_ext prepare ava: AVA's official files, checked, become PySlowFast's tree.

OUT/frames/NAME/NAME_000001.jpg (30 a second from second 900 on, short side 256),
OUT/frame_lists/train.csv and val.csv, OUT/annotations/: what the keys of AVA's configs name.
"""

import contextlib
import os

from slowfast_ext.datasets.ava_frames import FPS
from slowfast_ext.datasets.video_file import VideoFile
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.ava_counts import SPLITS, FileNames, count, read_annotations
from slowfast_ext.prepare.ava_frames import (
    count_frames,
    extract_all,
    require_times,
    video_files,
)
from slowfast_ext.prepare.ava_tree import copy_annotations, write_frame_list, write_start
from slowfast_ext.prepare.media import (
    check_media_arguments,
    conclude,
    first,
    named,
)
from slowfast_ext.utils.paths import is_local, pathmgr

_BOXES_NOTE = "person boxes come from AVA's published ones or from `prepare boxes`"


def run(args):
    """
    Checks the annotations and the media against each other, writes the tree, prints counts.

    Raises:
        SlowFastExtError: arguments that do not go together, bad rows, or media that are
            missing or cannot be read (after the counts are printed); no lists are written
            then, but finished folders of frames are kept for the next run.
    """
    check_media_arguments(args, [f"frame_lists/{split}.csv" for split in SPLITS])
    if args.out and not is_local(args.out):
        raise SlowFastExtError(f"--out {args.out}: frames are written to a local folder only")
    if args.start is not None and args.start < 0:
        raise SlowFastExtError(f"--start {args.start} is below 0")
    names = FileNames(args.version)
    label_map, splits = read_annotations(args.annotations, names, args.start)
    report = {
        "version": args.version,
        "classes": len(label_map),
        "splits": {name: count(split, label_map) for name, split in splits.items()},
        "files_missing": _files_missing(args.annotations, names),
    }
    failed = None if args.annotations_only else _prepare(args, names, splits, report)
    if "config" in report and max(label_map) > 80:
        report["config"]["MODEL"] = {"NUM_CLASSES": max(label_map)}
    notes = [_BOXES_NOTE] if report["files_missing"] else []
    conclude(args, report, notes, failed)


def _files_missing(folder, names):
    """Names of the official files that are not there and can be done without."""
    wanted = [f(split) for split in SPLITS for f in (names.ground_truth, names.exclusions)]
    wanted.append(names.person_boxes("val"))
    return [name for name in wanted if not pathmgr.isfile(os.path.join(folder, name))]


def _prepare(args, names, splits, report):
    """Writes the tree and completes the report; returns why it cannot, or None."""
    media = video_files(args.videos) if args.videos else _frame_folders(args.frames)
    wanted = dict.fromkeys(name for split in splits.values() for name in split.videos)
    report["media_in_no_split"] = len(media.keys() - wanted)
    report["missing"] = [name for name in wanted if not _is_there(media.get(name))]
    if report["missing"]:
        return (
            f"{args.videos or args.frames} lacks {named(report['missing'])}: nothing was written; "
            f"expected is {'NAME.mp4 or the like' if args.videos else 'NAME/NAME_000001.jpg'}"
        )
    # Those of other seconds would be taken for AVA's, which are kept.
    own = "frames" if args.start is None else "whole_frames"
    frames = os.path.abspath(args.frames or os.path.join(args.out, own))
    unreadable = {}
    if args.videos:
        wanted_media = {name: media[name] for name in wanted}
        if args.start is not None:
            lengths, unreadable = _lengths(wanted_media)
            _refuse_late(splits, lengths)
        unreadable |= extract_all(
            {n: path for n, path in wanted_media.items() if n not in unreadable},
            frames,
            whole=args.start is not None,
        )
    num_frames = _count_all_frames(frames, wanted, unreadable)
    report["unreadable"] = unreadable
    if unreadable:
        return "\n".join(
            [f"no lists were written, for {named(sorted(unreadable))} cannot be read:"]
            + first(unreadable.values())
        )
    if args.start is not None:
        _refuse_late(splits, {name: count / FPS for name, count in num_frames.items()})
    _write(args, names, splits, report, frames, num_frames)
    return None


def _lengths(media):
    """Seconds of each video that can be opened, by name, and what is wrong with the others."""
    lengths, unreadable = {}, {}
    for name, path in media.items():
        try:
            with contextlib.closing(VideoFile(path)) as video:
                require_times(path, video.info)
                lengths[name] = video.info.duration
        except SlowFastExtError as error:
            unreadable[name] = str(error)
    return lengths, unreadable


def _refuse_late(splits, lengths):
    """Raises SlowFastExtError where a video ends before its last keyframe."""
    late = [
        f"{video},{second:04d} (it ends at {split.clock.first + lengths[video]:.1f})"
        for split in splits.values()
        for video, second in split.last_keyframes.items()
        if video in lengths and second - split.clock.first >= lengths[video]
    ]
    if late:
        raise SlowFastExtError(
            f"keyframes after the end of their videos: {named(late)}: check --start, the second of "
            "a video's first frame"
        )


def _count_all_frames(frames, names, unreadable):
    """Frames of each readable video, by name; `unreadable` gets what is wrong with others."""
    num_frames = {}
    for name in names:
        if name in unreadable:
            continue
        try:
            num_frames[name] = count_frames(frames, name)
        except SlowFastExtError as error:
            unreadable[name] = str(error)
    return num_frames


def _is_there(path):
    """An empty file counts as missing: it is a download that never began."""
    return path is not None and (os.path.isdir(path) or os.path.getsize(path) > 0)


def _frame_folders(folder):
    if not os.path.isdir(folder):
        raise SlowFastExtError(f"{folder}: no such folder; check the path")
    return {entry.name: entry.path for entry in os.scandir(folder) if entry.is_dir()}


def _write(args, names, splits, report, frames, num_frames):
    """Writes annotations and lists, and adds to the report what they are."""
    out = os.path.abspath(args.out)
    annotations, lists = os.path.join(out, "annotations"), os.path.join(out, "frame_lists")
    copy_annotations(args.annotations, annotations, names, splits)
    # Frames elsewhere are named by their whole paths, which need no key to be found; not so where
    # a path has blanks, for these separate a list's fields.
    is_elsewhere = args.frames and frames != os.path.join(out, "frames") and not frames.split()[1:]
    for name, split in splits.items():
        # PySlowFast stops at a list whose videos are not those of the boxes to train on.
        videos = split.videos_with_boxes if name == "train" else split.videos
        counts = {video: num_frames[video] for video in videos}
        report["splits"][name]["frames"] = sum(counts.values())
        report["splits"][name]["shorter_than_annotated"] = [
            video
            for video, second in split.last_keyframes.items()
            if (second - split.clock.first) * FPS >= num_frames[video]
        ]
        folder = frames if is_elsewhere else ""
        write_frame_list(os.path.join(lists, f"{name}.csv"), counts, folder)
    write_start(lists, args.start)
    report["config"] = _config(frames, lists, annotations, names, splits)


def _config(frames, lists, annotations, names, splits):
    """PySlowFast's keys for this tree."""
    keys = {
        "FRAME_DIR": frames,
        "FRAME_LIST_DIR": lists,
        "ANNOTATION_DIR": annotations,
        "LABEL_MAP_FILE": names.label_map,
    }
    if "train" in splits:
        keys.update(TRAIN_LISTS=["train.csv"], TRAIN_GT_BOX_LISTS=[names.ground_truth("train")])
    if "val" in splits:
        keys.update(
            TEST_LISTS=["val.csv"],
            TEST_PREDICT_BOX_LISTS=[names.person_boxes("val")],
            GROUNDTRUTH_FILE=names.ground_truth("val"),
            EXCLUSION_FILE=names.exclusions("val"),
        )
    return {"AVA": keys}
