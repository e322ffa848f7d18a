"""A clip's maps as one picture: a row an activity, a column a frame (as the paper's figure 4)."""

import textwrap

import cv2
import numpy as np

from slowfast_ext.models.activity_maps import THRESHOLD
from slowfast_ext.visualization import drawing

MOST_COLUMNS = 8
# Pixels: a frame's width, the names beside the frames, between cells, above and below them.
_CELL, _LABELS, _GAP, _ABOVE, _BELOW = 150, 210, 4, 58, 44
_TEXT, _INK, _SOFT = 11, (20, 20, 20), (110, 110, 110)
# Letters of a name that fit beside the frames.
_LETTERS = 22


def columns_of(length):
    """Which of a clip's frames stand in the columns: at most MOST_COLUMNS, evenly spread."""
    number = min(length, MOST_COLUMNS)
    return np.floor((np.arange(number) + 0.5) * length / number).astype(int)


def draw_grid(title, images, seconds, rows, backbone):
    """
    The picture: the frames, a row of heat for each activity, the backbone's own map.

    Activated regions of an activity have boxes in its colour.

    Args:
        title (str): what the maps are.
        images (uint8 array): M x H x W x 3, RGB, the frames of the columns.
        seconds (sequence[float]): when each is shown.
        rows (list): (name, score, maps, M x H' x W' in [0, 1]) of each activity.
        backbone (float array): M x H' x W'.

    Returns:
        uint8 array: H x W x 3, RGB.
    """
    cell = max(1, round(_CELL * images.shape[1] / images.shape[2]))
    images = [cv2.resize(image, (_CELL, cell), interpolation=cv2.INTER_AREA) for image in images]
    strips = [("video", "", None, images)]
    for number, (name, score, maps) in enumerate(rows):
        color = drawing.color_of(number)
        cells = [draw_cell(image, heat, color) for image, heat in zip(images, maps, strict=True)]
        strips.append((name, f"score {score:.2f}", color, cells))
    cells = [draw_cell(image, heat) for image, heat in zip(images, backbone, strict=True)]
    strips.append(("backbone", "all channels", None, cells))

    lefts = [_LABELS + column * (_CELL + _GAP) for column in range(len(images))]
    tops = [_ABOVE + row * (cell + _GAP) for row in range(len(strips))]
    size = tops[-1] + cell + _GAP + _BELOW, lefts[-1] + _CELL + _GAP
    picture = np.full((*size, 3), 255, np.uint8)
    drawing.put_text(picture, title, 14, 24, _TEXT + 1, _INK, size[1] - 28)
    for left, second in zip(lefts, seconds, strict=True):
        drawing.put_text(picture, f"{second:.2f} s", left, 50, _TEXT - 1, _SOFT)
    for top, (name, note, color, cells) in zip(tops, strips, strict=True):
        for left, image in zip(lefts, cells, strict=True):
            picture[top : top + cell, left : left + _CELL] = image
        _draw_label(picture[top : top + cell, :_LABELS], name, note, color)
    _draw_scale(picture[-_BELOW:, _LABELS:])
    return picture


def draw_cell(image, heat, color=None):
    """
    A frame as large as shown, under a map's heat.

    Args:
        image (uint8 array): H x W x 3, RGB.
        heat (float array): H' x W' in [0, 1].
        color (tuple): of boxes around activated regions; None: no boxes.
    """
    heat = drawing.laid_out(heat, *image.shape[:2])
    cell = drawing.draw_heat(image, heat)
    if color is not None:
        for x1, y1, x2, y2 in drawing.regions(heat):
            # A dark rim keeps the box apart from heat of its colour.
            cv2.rectangle(cell, (x1 - 2, y1 - 2), (x2 + 1, y2 + 1), (0, 0, 0), 1)
            cv2.rectangle(cell, (x1, y1), (x2 - 1, y2 - 1), color, 2)
    return cell


def _draw_label(label, name, note, color):
    """A name on at most two lines, a note below it and the activity's colour beside both."""
    height, left = len(label), 14
    if color is not None:
        label[8 : height - 8, 4:10] = color
        left = 20
    lines = [*textwrap.wrap(name, _LETTERS, max_lines=2, placeholder=" ..."), note]
    baseline = (height - 2 * _TEXT * (len(lines) - 1)) // 2 + _TEXT // 2
    for number, line in enumerate(lines):
        ink = _SOFT if number == len(lines) - 1 else _INK
        y = baseline + 2 * _TEXT * number
        drawing.put_text(label, line, left, y, _TEXT, ink, _LABELS - left - 8)


def _draw_scale(strip):
    """What the colours mean, from 0 to 1, with a mark at the threshold."""
    length = 200
    values = np.linspace(0, 255, length).astype(np.uint8)[None]
    strip[14:26, :length] = cv2.applyColorMap(values, cv2.COLORMAP_JET)[..., ::-1]
    mark = round(length * THRESHOLD)
    strip[10:30, mark - 1 : mark + 1] = _INK
    text = f"0 to 1 of the clip's largest value; boxes from {THRESHOLD:g} on"
    drawing.put_text(strip, text, length + 12, 25, _TEXT - 1, _SOFT)
