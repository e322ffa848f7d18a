"""
CVAT's XML: tracks of "CVAT for video 1.1", tags and shapes of "CVAT for images 1.1".

Frames count from 0 and are the source video's own, also where a task takes every nth of them.
"""

import math
import os
import re
from dataclasses import dataclass

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.frame_spans import add_held
from slowfast_ext.prepare.shapes import Shape, shapes_with_labels
from slowfast_ext.utils.text import parse_number, shortened, summary_of_bad_rows

_SHAPES = ("box", "points", "polygon", "polyline", "ellipse", "cuboid", "mask", "skeleton")


def recognises(content):
    return content.xml is not None and content.xml.tag == "annotations"


def read(file, content):
    """
    Adds what the shapes show, of each subject by itself.

    Raises:
        SlowFastExtError: all that is wrong in the file, or it is not clear which attributes are
            labels.
    """
    file.form = "CVAT's XML"
    shapes, tasks = cvat_shapes(file.path, content.xml, file.media)
    pairs = shapes_with_labels(file.path, shapes, file.label_columns, file.separator or ";")
    # A task's video is one whose labels are known, also where it shows nothing.
    videos = dict.fromkeys(shape.video for shape in shapes)
    by_subject = {(v, ""): [] for v in [*videos] or [task.video for task in tasks]}
    for shape, held in pairs:
        # A box of the whole frame, as `predict --format cvat` writes them, is nobody's own.
        subject = "" if shape.box == (0, 0, 1, 1) else shape.subject
        by_subject.setdefault((shape.video, subject), []).append(held)
    first = {shape.video: shape.where for shape in reversed(shapes)}
    for (video, subject), helds in by_subject.items():
        where = helds[0].where if helds else first.get(video, file.path)
        add_held(file, where, video, helds, subject=subject)
    for task in tasks:
        if task.last is not None and not task.is_of_images:
            file.add_labelled_frames(task.video, task.first, task.last + task.step)


def cvat_shapes(path, root, media):
    """
    The shapes of CVAT's XML.

    Args:
        path (str): the file, for messages and as the name of a video that it does not name.
        root (Element): of the file.
        media (OwnMedia): whose folders of frames a task of single images is about.
    Returns:
        (list[Shape], list[_Task]): those that are not outside the frame; what they are of.
    Raises:
        SlowFastExtError: all that is wrong in it, with the lines.
    """
    reader = _Reader(path, root, media)
    for track in root.iter("track"):
        reader.read_track(track)
    for image in root.iter("image"):
        reader.read_image(image)
    if reader.problems:
        raise SlowFastExtError(summary_of_bad_rows(path, reader.problems))
    return reader.shapes, [*reader.tasks.values()]


@dataclass
class _Task:
    """
    What <meta> says of a task.

    Args:
        video (str): its name.
        size (list): width and height of its frames in pixels, None where it does not say so.
        step (int): every how many frames it takes one.
        before (int): how many frames a project's export counts before its own.
        first (int), last (int or None): the frames that it is about, by the video's own numbers.
        is_of_images (bool): its frames may be files of a folder.
    """

    video: str
    size: list
    step: int
    before: int
    first: int
    last: int | None
    is_of_images: bool


def _tasks_of(meta, own_name):
    """
    {number: _Task} of a project, whose tracks and images say by number which task they are of, or
    {None: _Task} of anything else.

    A project's export numbers the frames of a subset's tasks on and on: each begins behind the
    frames of those before it (CVAT's ProjectData, since there are projects).
    """
    elements = {task.findtext("id", "").strip(): task for task in meta.iterfind("project//task")}
    tasks, counted = {}, {}
    for number, task in (elements or {None: meta}).items():

        def count(name, default, task=task):
            text = (task.findtext(f".//{name}") or "").strip()
            return int(text) if re.fullmatch("[0-9]{1,9}", text) else default

        found = re.search(r"step\s*=\s*(\d+)", task.findtext(".//frame_filter") or "")
        step = max(1, int(found[1])) if found else 1
        size = [task.findtext(f".//original_size/{side}") for side in ("width", "height")]
        source = (task.findtext("source") or task.findtext("*/source") or "").strip()
        name = task.findtext("name", "").strip() if elements else own_name
        first, subset = count("start_frame", 0), task.findtext("subset")
        tasks[number] = _Task(
            source or name,
            [parse_number(text or "") for text in size],
            step,
            counted.get(subset, 0),
            first,
            count("stop_frame", None),
            not source and not elements,
        )
        counted[subset] = tasks[number].before + first + step * count("size", 0)
    return tasks


class _Reader:
    """What a file's <meta> says of all its shapes, and the shapes as they are read."""

    def __init__(self, path, root, media):
        self.path, self.media, self.shapes, self.problems = path, media, [], []
        meta = root.find("meta")
        meta = root if meta is None else meta
        own_name = os.path.splitext(os.path.basename(path))[0]
        self.tasks = _tasks_of(meta, own_name)

    def tell(self, element, what):
        self.problems.append(f"{self.path}:{element.line}: {what}")

    def task_of(self, element):
        """The _Task that a track or an image is of, or None, which it tells."""
        if len(self.tasks) == 1:
            return next(iter(self.tasks.values()))
        number = element.get("task_id", "")
        if number not in self.tasks:
            self.tell(element, f'<{element.tag}> of task "{number}", which <meta> does not name')
        return self.tasks.get(number)

    def read_track(self, track):
        """Adds a track's shapes, each up to the next one."""
        task, subject = self.task_of(track), track.get("id", "")
        children = [child for child in track if child.tag in _SHAPES]
        rows = [(task and self._frame(child, "frame", task), child) for child in children]
        if any(frame is None for frame, _ in rows):
            return
        rows.sort(key=lambda row: row[0])
        ends = [frame for frame, _ in rows[1:]]
        # Behind the last one there is nothing that says how long it holds.
        ends += [frame + task.step for frame, _ in rows[-1:]]
        for (frame, child), end in zip(rows, ends, strict=True):
            if not _is_outside(child) and frame < end:
                place = (task.video, subject, frame, end)
                self._add(child, track.get("label"), place, task.size)

    def read_image(self, image):
        """Adds an image's tags and shapes."""
        task = self.task_of(image)
        frame = task and self._frame(image, "id", task)
        video = task and task.video
        if task and task.is_of_images:
            video, frame = self._place_of(image, video)
        if video is None or frame is None:
            return
        size = [parse_number(image.get(side, "")) for side in ("width", "height")]
        for child in image:
            if child.tag in ("tag", *_SHAPES):
                self._add(child, child.get("label"), (video, "", frame, frame + task.step), size)

    def _place_of(self, image, video):
        """The folder of frames, and the place in it, that an image of a file of its own is of."""
        folder, _, name = image.get("name", "").replace("\\", "/").rpartition("/")
        found, problem = self.media.find(folder or video)
        if problem or found not in self.media.num_frames:
            self.tell(image, problem or f"{found} is no folder of frames, and no <source> is named")
            return None, None
        names = self.media.frames(found)
        if name not in names:
            self.tell(image, f'no frame "{shortened(name)}" in {found}')
            return None, None
        return folder or video, names.index(name)

    def _frame(self, element, key, task):
        """The number of a frame of the task's video, or None, which it tells."""
        text = element.get(key, "")
        if not re.fullmatch(r"[0-9]{1,9}", text):
            what = f'{key} "{shortened(text)}" of <{element.tag}> is no number of a frame'
        elif int(text) < task.before + task.first:
            what = f"frame {text} of {task.video}, whose frames begin here at "
            what += str(task.before + task.first)
        elif _is_behind(task, int(text)) and not _is_outside(element):
            what = f"frame {text} of {task.video}, whose frames end here at "
            what += str(task.before + task.last)
        else:
            return int(text) - task.before
        self.tell(element, what)
        return None

    def _add(self, element, label, place, size):
        attributes = {
            found.get("name", ""): (found.text or "").strip()
            for found in element.iterfind("attribute")
        }
        if label is None:
            self.tell(element, f"<{element.tag}> has no label")
            return
        box = None
        if element.tag != "tag" and all(size):
            corners = _corners(element)
            if corners is None:
                self.tell(element, f"<{element.tag}> has no corners that are numbers")
                return
            box = tuple(value / size[n % 2] for n, value in enumerate(corners))
        where = f"{self.path}:{element.line}"
        self.shapes.append(Shape(where, *place, label, attributes, box))


def _is_behind(task, frame):
    """Another task's frame or a wrong stop_frame, by which what is behind it would be unknown."""
    is_known = task.last is not None and not task.is_of_images
    return is_known and frame >= task.before + task.last + task.step


def _is_outside(shape):
    """A skeleton says it of its points alone: it is there while one of them is."""
    points = shape.findall("*[@outside]") if shape.tag == "skeleton" else [shape]
    return bool(points) and all(point.get("outside", "0") != "0" for point in points)


def _corners(shape):
    """x1, y1, x2, y2 in pixels of what holds a shape, or None."""

    def number(key):
        return parse_number(shape.get(key, "nan"))

    try:
        if shape.tag == "skeleton":
            inner = [_corners(point) for point in shape.iterfind("points")]
            points = [corner for box in inner for corner in (box[:2], box[2:])]
        elif shape.tag == "mask":
            left, top = number("left"), number("top")
            points = [(left, top), (left + number("width"), top + number("height"))]
        elif shape.tag == "ellipse":
            (x, y), (dx, dy) = (map(number, names) for names in (("cx", "cy"), ("rx", "ry")))
            points = [(x - dx, y - dy), (x + dx, y + dy)]
        elif shape.get("points"):
            points = [map(float, point.split(",")) for point in shape.get("points").split(";")]
        else:
            # xtl, ytl, ... of a box, xtl1, ytl1, ... of a cuboid.
            axes = [[number(key) for key in shape.attrib if key[0] == axis] for axis in "xy"]
            points = zip(*axes, strict=True)
        xs, ys = zip(*points, strict=True)
        corners = _turned(
            (min(xs), min(ys), max(xs), max(ys)), parse_number(shape.get("rotation", "0"))
        )
        return corners if all(map(math.isfinite, corners)) else None
    except (ValueError, TypeError):
        return None


def _turned(corners, degrees):
    """The corners of what holds a box that is turned around its middle."""
    x1, y1, x2, y2 = corners
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    dx = ((x2 - x1) * cosine + (y2 - y1) * sine) / 2
    dy = ((x2 - x1) * sine + (y2 - y1) * cosine) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    return x - dx, y - dy, x + dx, y + dy
