"""The truth of `tool_files` as CVAT, per-frame tables and data sets write it."""

import json

from tests.prepare.tool_files import RATE, TRUTH

NUMBERS = {"run": "0", "jump": "1", "wave": "2"}
FRAMES = 10


def labels_at(video, frame):
    """What goes on while a frame is shown."""
    shown = frame / RATE
    return [label for name, label, s, e in TRUTH if name == video and s <= shown < e]


def _files(ending, text_of):
    return {f"{video}{ending}": text_of(video) for video in "abc"}


def _cvat(video, body):
    meta = f"<meta><task><source>{video}.mp4</source></task></meta>"
    return f"<annotations><version>1.1</version>{meta}{body}</annotations>"


def cvat_video():
    """A track a label, whose box is outside where it ends."""

    def text_of(video):
        tracks = ""
        for number, (name, label, start, end) in enumerate(TRUTH):
            frames = range(round(start * RATE), round(end * RATE) + 1)
            boxes = "".join(
                f'<box frame="{n}" outside="{int(n == frames[-1])}" keyframe="1" xtl="1" ytl="1" '
                'xbr="9" ybr="9"></box>'
                for n in frames
            )
            if name == video:
                tracks += f'<track id="{number}" label="{label}">{boxes}</track>'
        return _cvat(video, tracks)

    return _files(".xml", text_of)


def cvat_images():
    def text_of(video):
        images = ""
        for n in range(FRAMES):
            tags = "".join(f'<tag label="{label}"></tag>' for label in labels_at(video, n))
            images += f'<image id="{n}" name="frame_{n:06d}">{tags}</image>'
        return _cvat(video, images)

    return _files(".xml", text_of)


def _rows(video, labels, before=()):
    for n in range(FRAMES):
        found = labels_at(video, n)
        yield ",".join(map(str, [n, *before, *(int(label in found) for label in labels)]))


def deep_ethogram():
    def text_of(video):
        rows = _rows(video, ["run", "jump", "wave"])
        rows = (r.replace(",", f",{int(not labels_at(video, n))},", 1) for n, r in enumerate(rows))
        return "\n".join([",background,run,jump,wave", *rows])

    return _files("_labels.csv", text_of)


def simba():
    def text_of(video):
        rows = _rows(video, ["run", "jump", "wave"], (12.5, 1.0, 1))
        return "\n".join([",Nose_x,Nose_y,Nose_p,run,jump,wave", *rows])

    return _files(".csv", text_of)


def boris_binary():
    """With a row at the end of the video, on which nothing counts any more."""

    def text_of(video):
        rows = ["time\trun\tjump\twave"]
        for n in range(FRAMES + 1):
            found = labels_at(video, n)
            counts = (str(int(label in found)) for label in ("run", "jump", "wave"))
            rows.append("\t".join([f"{n / RATE:.1f}", *counts]))
        return "\n".join(rows)

    return _files("_No focal subject.tsv", text_of)


def solomon():
    def text_of(video):
        rows = ["Time;moves;air;hand"]
        for n in range(FRAMES):
            found = labels_at(video, n)
            cells = (label if label in found else "" for label in ("run", "jump", "wave"))
            rows.append(";".join([f"{n / RATE:.2f}".replace(".", ","), *cells]))
        return "\n".join(rows)

    return _files(".csv", text_of)


def actions():
    """In frames of a network's features, eight a video."""
    data = {}
    for video in "abc":
        found = [
            [int(NUMBERS[label]), 8 * s, 8 * e] for name, label, s, e in TRUTH if name == video
        ]
        data[video] = {"subset": "training", "duration": 8, "actions": found}
    return json.dumps(data)


def frame_list():
    rows = ["original_vido_id video_id frame_id path labels"]
    for video in "abc":
        for n in range(FRAMES):
            labels = ",".join(NUMBERS[label] for label in labels_at(video, n)) or '""'
            rows.append(f"{video} 0 {n} image/{video}/{n + 1}.jpg {labels}")
    return "\n".join(rows) + "\n"


def bento():
    def text_of(video):
        head = f"Bento annotation file\nMovie file(s):  {video}.mp4\n\nStimulus name: \n"
        head += f"Annotation start frame: 1\nAnnotation framerate: {RATE}\n\n"
        head += "List of channels:\nCh1\n\nList of annotations:\nrun\njump\nwave\n\nCh1----------\n"
        blocks = [
            f">{label}\nStart\tStop\tDuration\n{round(s * RATE) + 1}\t{round(e * RATE)}\t1\n\n"
            for name, label, s, e in TRUTH
            if name == video
        ]
        return head + "".join(blocks)

    return _files(".annot", text_of)


def class_files():
    return {
        f"{label}.txt": "".join(
            f"{n} {s:.2f} {e:.2f}\n" for n, found, s, e in TRUTH if found == label
        )
        for label in NUMBERS
    }
