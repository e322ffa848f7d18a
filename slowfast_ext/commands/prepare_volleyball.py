"""
python -m slowfast_ext prepare volleyball: Volleyball's own folders, checked, become lists.

OUT gets train.csv, val.csv and test.csv by the official split, and classes.txt, the persons'
actions. A moment's frames stay where they are.
"""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torchvision.ops import box_iou
from tqdm import tqdm

from slowfast_ext.datasets.volleyball_annotations import (
    ACTIONS,
    COLUMNS,
    GROUPS,
    REACH,
    ListedMoment,
    read_annotations,
    write_moments,
)
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.media import conclude, first, named
from slowfast_ext.prepare.volleyball_tree import (
    NUM_MOMENTS,
    SPLITS,
    count_tracklets,
    frame_size,
    moment_folders,
    video_folders,
)
from slowfast_ext.utils.paths import open_atomically, require_writable_in
from slowfast_ext.utils.text import read_text, refuse_bad_rows

# Two boxes of a moment that overlap by this IoU or more are probably one player's.
NEAR_DUPLICATE = 0.6


def run(args):
    """
    Checks annotations and frames against each other, writes the lists, prints counts.

    Raises:
        SlowFastExtError: arguments that do not go together, bad lines (of all files at once),
            or frames that are missing or cannot be read (after the counts are printed);
            nothing is written then.
    """
    if args.annotations_only and args.out:
        raise SlowFastExtError("--out and --annotations-only are given together: leave one out")
    if not args.annotations_only:
        if not args.out:
            raise SlowFastExtError("--out is missing: name the folder that gets the lists")
        files = ["classes.txt", *(f"{split}.csv" for split in SPLITS)]
        require_writable_in(args.out, files, "--out")
    videos = video_folders(args.root)
    splits, spellings = _read_all(args.root, videos)
    report = {
        "splits": {split: _counts(moments) for split, moments in splits.items()},
        "group_labels_respelled": spellings,
        "videos_missing": [v for s in SPLITS for v in SPLITS[s] if v not in videos[s]],
        "tracklets": _tracklets(args.root, splits),
    }
    failed = None if args.annotations_only else _prepare(args, videos, splits, report)
    moments = sum(split["moments"] for split in report["splits"].values())
    notes = []
    if not report["videos_missing"] and moments != NUM_MOMENTS:
        notes.append(f"{moments} moments, where the published set has {NUM_MOMENTS}")
    conclude(args, report, notes, failed)


def _read_all(root, videos):
    """({split: {video: its Moments}}, {spelling: count}); raises with all bad lines."""
    splits, spellings, problems = {}, Counter(), []
    for split, folders in videos.items():
        splits[split] = {}
        for video, folder in folders.items():
            path = os.path.join(folder, "annotations.txt")
            splits[split][video], respelled, wrong = read_annotations(path)
            problems += wrong
            spellings.update(respelled)
    refuse_bad_rows(root, problems)
    return splits, spellings


def _tracklets(root, splits):
    """Counts of them; raises with all bad lines."""
    annotated = [
        count_tracklets(root, video, [moment.target for moment in moments])
        for split in splits.values()
        for video, moments in split.items()
    ]
    refuse_bad_rows(root, [problem for *_, problems in annotated for problem in problems])
    moments, boxes = (sum(found[place] for found in annotated) for place in (0, 1))
    return {"moments": moments, "boxes": boxes}


def _counts(videos):
    """What the annotations of one split hold."""
    moments = [moment for found in videos.values() for moment in found]
    groups = np.bincount([moment.group for moment in moments], minlength=len(GROUPS))
    person_actions = [moment.actions for moment in moments]
    actions = np.bincount(np.concatenate([[], *person_actions]).astype(int), minlength=len(ACTIONS))
    return {
        "videos": len(videos),
        "moments": len(moments),
        "boxes": int(actions.sum()),
        "groups": dict(zip(GROUPS, groups.tolist(), strict=True)),
        "actions": dict(zip(ACTIONS, actions.tolist(), strict=True)),
        "near_duplicate_boxes": sum(_num_near_duplicates(moment.boxes) for moment in moments),
    }


def _num_near_duplicates(boxes):
    """How many boxes overlap an earlier one of their moment as if they were the same player's."""
    boxes = torch.from_numpy(boxes)
    return int((box_iou(boxes, boxes).tril(-1) >= NEAR_DUPLICATE).any(1).sum())


# --- Frames and lists -------------------------------------------------------------------


def _prepare(args, videos, splits, report):
    """Checks the frames and writes the lists; fills the report, returns why it cannot."""
    _refuse_foreign_files(args.out)
    report["frames"] = {
        "missing": [],
        "unreadable": [],
        "sizes": Counter(),
        "boxes_outside_frame": 0,
        "moments_of_other_than_41_frames": 0,
        "misplaced_folders": [],
        "stray_folders": 0,
        "folders_without_annotation": 0,
    }
    listed = {split: [] for split in splits}
    with ThreadPoolExecutor() as pool:
        for split, split_videos in splits.items():
            for video, moments in tqdm(split_videos.items(), split, disable=None, leave=False):
                folder = videos[split][video]
                listed[split] += _list_video(pool, video, folder, moments, report["frames"])
    problem = _problem_of(report["frames"])
    if not problem:
        report["out"] = _write(args.out, listed)
    return problem and f"nothing was written: {problem}"


def _problem_of(frames):
    """Why no lists can be written of these frames, or None."""
    missing, unreadable = frames["missing"], frames["unreadable"]
    if missing:
        expected = "expected is V/FRAME/FRAME.jpg and the frames around it"
        return "\n".join(
            [f"frames are missing of {named(missing)}; {expected}", *first(unreadable)]
        )
    if unreadable:
        return "\n".join([f"{len(unreadable)} target frames cannot be read:", *first(unreadable)])
    sizes = [tuple(map(int, size.split("x"))) for size in frames["sizes"]]
    if len({round(width / height, 2) for width, height in sizes}) > 1:
        shapes = ", ".join(f"{size} {count}" for size, count in frames["sizes"].items())
        return (
            f"frames are of several shapes ({shapes}) and the clips of a batch must be of one: "
            "scale them to one shape"
        )
    return None


def _list_video(pool, video, folder, moments, report):
    """The ListedMoments of a video; tells the report what is unusual about its frames."""
    folders = moment_folders(folder)
    targets = {moment.target for moment in moments}
    report["folders_without_annotation"] += len(folders.keys() - targets)
    report["missing"] += [f"{folder}/{target}" for target in sorted(targets - folders.keys())]
    moments = [moment for moment in moments if moment.target in folders]
    paths = [folders[moment.target] for moment in moments]
    sizes = pool.map(lambda moment: frame_size(folders[moment.target].path, moment.target), moments)
    listed = []
    for moment, found, (width, height, problem) in zip(moments, paths, sizes, strict=True):
        report["stray_folders"] += found.num_strays
        report["misplaced_folders"] += [found.path] * found.is_misplaced
        if problem:
            report["unreadable"].append(problem)
            continue
        report["sizes"][f"{width}x{height}"] += 1
        outside = (moment.boxes < 0) | (moment.boxes > [width, height] * 2)
        report["boxes_outside_frame"] += int(outside.any(1).sum())
        run = found.run_around(moment.target)
        report["moments_of_other_than_41_frames"] += run[1] - run[0] != 2 * REACH
        listed.append(ListedMoment(found.path, video, *run, moment))
    return listed


def _refuse_foreign_files(out):
    """Raises SlowFastExtError where files would be written over that are not this command's."""
    heads = {"classes.txt": ACTIONS[0], **{f"{split}.csv": ",".join(COLUMNS) for split in SPLITS}}
    for name, head in heads.items():
        path = os.path.join(out, name)
        if os.path.exists(path) and read_text(path).split("\n")[0].strip() != head:
            raise SlowFastExtError(
                f"{path} is a file that this command has not written: choose another --out, or "
                "move it away"
            )


def _write(out, listed):
    """Writes the lists of the splits that have moments; returns the paths of all files."""
    paths = [os.path.join(out, "classes.txt")]
    with open_atomically(paths[0]) as stream:
        stream.write("\n".join(ACTIONS) + "\n")
    for split, moments in listed.items():
        if moments:
            paths.append(os.path.join(out, f"{split}.csv"))
            write_moments(paths[-1], moments)
    return paths
