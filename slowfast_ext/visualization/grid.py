"""A clip's maps as one picture: a row an activity, a column a frame (as the paper's figure 4)."""

import cv2
import numpy as np

from slowfast_ext.models.activity_maps import THRESHOLD
from slowfast_ext.visualization import drawing

MOST_COLUMNS = 8
_CELL, _LABELS, _GAP, _TEXT = 150, 210, 4, 11
_PAPER, _INK, _SOFT = (255, 255, 255), (20, 20, 20), (110, 110, 110)


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
    height, width = images.shape[1:3]
    cell = max(1, round(_CELL * height / width))
    images = [cv2.resize(image, (_CELL, cell), interpolation=cv2.INTER_AREA) for image in images]
    strips = [_strip("video", "", None, images)]
    for number, (name, score, maps) in enumerate(rows):
        color = drawing.color_of(number)
        cells = [draw_cell(image, heat, color) for image, heat in zip(images, maps, strict=True)]
        strips.append(_strip(name, f"score {score:.2f}", color, cells))
    cells = [draw_cell(image, heat) for image, heat in zip(images, backbone, strict=True)]
    strips.append(_strip("backbone", "all channels", None, cells))
    return np.concatenate([_header(title, seconds), *strips, _scale(strips[0].shape[1])])


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


def _strip(name, note, color, cells):
    height = cells[0].shape[0]
    label = np.full((height, _LABELS, 3), _PAPER, np.uint8)
    left = 14
    if color is not None:
        label[8 : height - 8, 4:10] = color
        left = 20
    lines = [*_wrapped(name, _LABELS - left - 8), note]
    baseline = (height - 2 * _TEXT * (len(lines) - 1)) // 2 + _TEXT // 2
    for number, line in enumerate(lines):
        ink = _SOFT if number == len(lines) - 1 else _INK
        drawing.put_text(label, line, left, baseline + 2 * _TEXT * number, _TEXT, ink)
    gap = np.full((height, _GAP, 3), _PAPER, np.uint8)
    row = np.concatenate([label, *(part for cell in cells for part in (cell, gap))], axis=1)
    return np.concatenate([row, np.full((_GAP, row.shape[1], 3), _PAPER, np.uint8)])


def _wrapped(text, width):
    """A name on at most two lines."""
    if drawing.text_width(text, _TEXT) <= width:
        return [text]
    words = text.split()
    first = next((n for n in range(len(words), 0, -1) if _fits(words[:n], width)), 1)
    return [" ".join(words[:first]), " ".join(words[first:])][: 1 + (first < len(words))]


def _fits(words, width):
    return drawing.text_width(" ".join(words), _TEXT) <= width


def _header(title, seconds):
    width = _LABELS + len(seconds) * (_CELL + _GAP)
    header = np.full((58, width, 3), _PAPER, np.uint8)
    drawing.put_text(header, title, 14, 24, _TEXT + 1, _INK, width - 28)
    for number, second in enumerate(seconds):
        x = _LABELS + number * (_CELL + _GAP)
        drawing.put_text(header, f"{second:.2f} s", x, 50, _TEXT - 1, _SOFT)
    return header


def _scale(width):
    """What the colours mean, from 0 to 1, with a mark at the threshold."""
    strip, length, left = np.full((44, width, 3), _PAPER, np.uint8), 200, _LABELS
    values = np.linspace(0, 1, length, dtype=np.float32)
    bar = cv2.applyColorMap((255 * values[None]).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1]
    strip[14:26, left : left + length] = bar
    mark = left + round(length * THRESHOLD)
    strip[10:30, mark - 1 : mark + 1] = _INK
    drawing.put_text(strip, "0", left - 16, 25, _TEXT - 1, _SOFT)
    drawing.put_text(strip, "1", left + length + 6, 25, _TEXT - 1, _SOFT)
    note = f"of the clip's largest value; boxes from {THRESHOLD:g} on"
    drawing.put_text(strip, note, left + length + 24, 25, _TEXT - 1, _SOFT)
    return strip
