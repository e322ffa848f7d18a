"""What `prepare charades` has found, as lines for people."""

from slowfast_ext.prepare.charades_media import TOLERANCE
from slowfast_ext.prepare.media import first, named


def report_text(report):
    """The text of a report (dict) of `slowfast_ext.prepare.charades`."""
    lines = [f"{report['classes']} classes"]
    for name, split in report["splits"].items():
        lines += _annotation_lines(name, split)
        lines += _media_lines(split) if "missing" in split else []
    if report.get("media_in_no_split"):
        lines.append(f"media in neither split: {report['media_in_no_split']}")
    if any(split.get("unreadable") for split in report["splits"].values()):
        lines.append(
            "what does not open is in the lists all the same: get it again, or set "
            "DATA.SKIP_BROKEN_VIDEOS True"
        )
    if any(split.get("misnumbered") for split in report["splits"].values()):
        lines.append(
            "what is misnumbered is in the lists all the same, and its labels would fall on other "
            "frames: extract its frames again"
        )
    lines += _object_lines(report["objects"]) if "objects" in report else []
    if "objects_left" in report:
        lines.append(
            f"{report['objects_left']} was left as it is, and may be of other videos: it is read "
            "with OBJECTS.NUM_CLASSES; delete it, or give --action-genome"
        )
    if report.get("out"):
        lines.append(f"wrote classes.txt, train.csv and test.csv to {report['out']}")
    return "\n".join(lines)


def _annotation_lines(name, split):
    labels = split["labels_per_video"]
    return [
        f"{name}: {split['videos']} videos, {split['videos_without_actions']} without actions",
        f"  distinct labels per video: mean {labels['mean']:.2f}, max {labels['max']}",
        f"  rarest class: {_described(split['rarest_class'])}",
        f"  most frequent class: {_described(split['most_frequent_class'])}",
        f"  segments past the video's length (clamped): {split['segments_past_length']} "
        f"of {split['segments']}",
        f"  segments that end before they start (turned round): {split['segments_reversed']}",
    ]


def _described(of_class):
    return f"c{of_class['id']:03d} {of_class['name']} ({of_class['videos']} videos)"


def _media_lines(split):
    return [
        f"  media missing: {named(split['missing'])}",
        f"  media that do not open: {named(split['unreadable'])}",
        *(f"    {problem}" for problem in first(split["unreadable"].values())),
        f"  frames not numbered from 000001 on, or among others: {named(split['misnumbered'])}",
        *(f"    {problem}" for problem in first(split["misnumbered"].values())),
        f"  media over {TOLERANCE:g} s shorter than annotated: "
        f"{named(split['shorter_than_annotated'])}",
        f"  media over {TOLERANCE:g} s longer than annotated: "
        f"{named(split['longer_than_annotated'])}",
    ]


def _object_lines(objects):
    return [
        f"objects: {objects['boxes']} boxes of {objects['classes']} classes in "
        f"{objects['videos']} videos; set OBJECTS.NUM_CLASSES {objects['classes']}",
        f"  left out: {objects['outside']} boxes outside their video's frames, those of "
        f"{objects['other_videos']} videos in neither split",
        f"  left out, drawn on frames of another size: {named(objects['other_size'])}",
        *(f"    {video} {why}" for video, why in first(objects["other_size"].items())),
        f"  videos without any: {objects['videos_without']}",
    ]
