"""What `prepare lists` tells of the lists it has written."""

import os
import shlex
from collections import Counter

import numpy as np
import pandas as pd

from slowfast_ext.prepare.media import as_yaml, named


def strongest_pairs(labels, names, number):
    """
    The pairs of labels with the highest and the lowest correlation (phi coefficient).

    Args:
        labels (array): [N, A], of N videos: bool, or -1 where it is unknown; a pair is counted
            among the videos that know both.
        names (list[str]): A names.
        number (int): how many pairs of either kind at most.

    Returns:
        (list[dict], list[dict]): co-occurring and excluding pairs, the strongest first: `labels`,
            `videos` with both, `expected` number of these by chance, `correlation`. Labels that
            all videos or none have are in no pair.
    """
    present, known = (labels > 0).astype(float), (labels >= 0).astype(float)
    first, second = np.triu_indices(len(names), 1)
    # Videos that know both of a pair, that have its first, its second, both.
    videos, ones, twos, both = (
        (one.T @ two)[first, second]
        for one, two in ((known, known), (present, known), (known, present), (present, present))
    )
    spread = np.sqrt(ones * (videos - ones) * twos * (videos - twos))
    values = (videos * both - ones * twos) / np.where(spread > 0, spread, 1) * (spread > 0)

    def described(place):
        return {
            "labels": [names[first[place]], names[second[place]]],
            "videos": int(both[place]),
            "expected": round(float(ones[place] * twos[place] / videos[place]), 2),
            "correlation": round(float(values[place]), 3),
        }

    order = np.argsort(-values, kind="stable")
    together = [described(place) for place in order[:number] if values[place] > 0]
    apart = [described(place) for place in order[::-1][:number] if values[place] < 0]
    return together, apart


CONFIG = "configs/Synthetic/ACTIVITY_SLOWFAST.yaml"
_NUM_PAIRS = 5


def report_of(file, names, splits, out):
    """
    What the lists hold, as plain values.

    Args:
        file (LabelFile): what was read.
        names (list[str]): of the classes.
        splits (dict[str, list[OwnVideo]])
        out (str): where the lists are.
    """
    counts = {}
    for split, videos in splits.items():
        counts[split] = Counter(label for video in videos for label in video.labels)
    everything = [video for videos in splits.values() for video in videos]
    sets = [(video.labels, video.unknown_among(names)) for video in everything]
    labels = np.array([[(name in has) - (name in lacks) for name in names] for has, lacks in sets])
    together, apart = strongest_pairs(labels, names, _NUM_PAIRS)
    return {
        "form": file.form,
        "columns_not_used": file.unused,
        "rows_not_used": {why: named(places) for why, places in file.unused_rows.items()},
        "labels_not_used": file.unused_labels,
        "videos_not_found": named(list(file.missing)),
        "spellings": file.spellings,
        "videos_withheld": len(file.withheld),
        "classes": len(names),
        "videos": {split: len(videos) for split, videos in splits.items()},
        "videos_without_a_row": len(file.media) - len(everything) - len(file.withheld),
        "folders_of_frames": sum(video.path in file.media.num_frames for video in everything),
        "labels": {
            name: {split: counted[name] for split, counted in counts.items()} for name in names
        },
        **_unknown(labels, names),
        "co_occurring": together,
        "excluding": apart,
        "out": out,
        "command": _command(out, len(names), len(splits["train"])),
    }


def _unknown(labels, names):
    """Of how many videos a label is unknown, where it is of any."""
    counts = (labels < 0).sum(axis=0).tolist()
    unknown = {name: count for name, count in zip(names, counts, strict=True) if count}
    return {"videos_that_do_not_know": unknown} if unknown else {}


def _command(out, num_classes, num_train):
    """Trains on the lists and tests; small sets get smaller batches and more epochs."""
    batch_size = min(16, num_train)
    epochs = max(14, round(350 * batch_size / num_train))
    options = {
        "TRAIN.DATASET": "MultiLabelVideos",
        "TEST.DATASET": "MultiLabelVideos",
        "DATA.PATH_TO_DATA_DIR": out,
        "MODEL.NUM_CLASSES": num_classes,
        "TRAIN.BATCH_SIZE": batch_size,
        "SOLVER.MAX_EPOCH": epochs,
        "TRAIN.EVAL_PERIOD": max(1, epochs // 2),
        "TRAIN.CHECKPOINT_PERIOD": max(1, epochs // 2),
        "OUTPUT_DIR": os.path.join("output", os.path.basename(os.path.abspath(out))),
    }
    words = [str(word) for pair in options.items() for word in pair]
    return shlex.join(["python", "run_net.py", "--cfg", CONFIG, *words])


def text_of(report):
    """The report for people: YAML, and tables of what is better read in columns."""
    report, tables = dict(report), []
    for key in ("labels", "co_occurring", "excluding"):
        found = report.pop(key)
        # A row a label, a row a pair.
        table = pd.DataFrame(found).T if key == "labels" else pd.DataFrame(found)
        tables.append(f"{key}:\n{table.to_string(index=key == 'labels') if found else '  none'}")
    command = report.pop("command")
    notes = []
    if report["videos_withheld"]:
        notes.append("no test video has a label: they are withheld, and these videos left out")
    if report["folders_of_frames"]:
        notes.append(
            "folders of frames: DATA.FRAME_FOLDER_FPS (24) turns their frame numbers into seconds; "
            "times are not checked"
        )
    if notes:
        report["notes"] = notes
    return "\n".join([as_yaml(report), *tables, "train and test on the lists:", command])
