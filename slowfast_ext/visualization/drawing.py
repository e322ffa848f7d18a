"""Drawing on RGB images with OpenCV: text, heat, boxes of activated regions, bars over time."""

import colorsys
import unicodedata

import cv2
import numpy as np

from slowfast_ext.models.activity_maps import THRESHOLD

# Told apart by most people who see colours differently (Okabe and Ito), the darkest one made
# lighter, since they are drawn on video.
_PALETTE = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 200, 140),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
    (60, 140, 255),
    (170, 170, 170),
)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Pixels of a capital letter at the font's scale 1.
_CAPITAL = 22
BACKGROUND, TRACK, FAINT, BRIGHT = (24, 24, 28), (48, 48, 54), (150, 150, 156), (245, 245, 245)


def color_of(number):
    """RGB of the activity shown as number 0, 1, ...: no two are the same."""
    if number < len(_PALETTE):
        return _PALETTE[number]
    # The golden ratio spreads any number of hues evenly.
    hue = (number * 0.618034) % 1.0
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.65, 0.95))


# --- Text -----------------------------------------------------------------------------


def put_text(image, text, x, baseline, height, color, width=None):
    """
    Draws text with capitals of `height` pixels; what is wider than `width` ends in "...".

    OpenCV's font has ASCII alone: accents are left out, other signs become "?".
    """
    scale, thickness = height / _CAPITAL, max(1, round(height / 9))
    text = whole = _ascii(text)
    while width is not None and whole and text_width(text, height) > width:
        whole = whole[:-1]
        text = f"{whole.rstrip()}..."
    cv2.putText(image, text, (int(x), int(baseline)), _FONT, scale, color, thickness, cv2.LINE_AA)


def text_width(text, height):
    """Pixels from left to right of a text with capitals of `height` pixels."""
    thickness = max(1, round(height / 9))
    return cv2.getTextSize(_ascii(text), _FONT, height / _CAPITAL, thickness)[0][0]


def _ascii(text):
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return plain.encode("ascii", "replace").decode()


# --- Maps -----------------------------------------------------------------------------


def laid_out(heat, height, width):
    """
    A map on a picture, float32, height x width: positions tile it, linear between their middles.

    By the arithmetic of padding a position's field of view is centred half a stride further up
    and to the left. But it is nearly as wide as the frame, and in a network trained on the
    synthetic videos activities are found where tiles lie (docs/PICTURES.md).

    Args:
        heat (float array): H' x W'.
    """
    return cv2.resize(np.ascontiguousarray(heat, np.float32), (width, height))


def draw_heat(image, heat):
    """An H x W x 3 image under a map, H x W in [0, 1]: clear where it is 0, red where it is 1."""
    colors = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1]
    # Never all of it: the frame is to be seen below its heat.
    share = np.minimum(0.75, 1.5 * heat)[..., None]
    return (image * (1 - share) + colors * share).astype(np.uint8)


def draw_tint(image, heat, color):
    """An H x W x 3 image tinted with a colour as strong as a map, H x W in [0, 1], says."""
    share = 0.6 * heat[..., None]
    return (image * (1 - share) + np.array(color, heat.dtype) * share).astype(np.uint8)


def regions(heat, threshold=THRESHOLD):
    """
    Boxes around the activated regions of a map.

    Args:
        heat (float array): H x W.
    Returns:
        list[tuple]: x1, y1, x2, y2 in pixels, x2 and y2 behind the last one.
    """
    activated = (heat >= threshold).astype(np.uint8)
    _, _, found, _ = cv2.connectedComponentsWithStats(activated, connectivity=8)
    # The first is what is not activated.
    return [(int(x), int(y), int(x + w), int(y + h)) for x, y, w, h, _ in found[1:]]


def draw_boxes(image, boxes):
    """
    Draws boxes, in place, and lines of text on plates inside their tops.

    A plate that would hide another one, or leave the picture, is moved where there is room.

    Args:
        image (uint8 array): H x W x 3, RGB.
        boxes (list): (x1, y1, x2, y2 in pixels; color; lines of text) each.
    """
    height, width = image.shape[:2]
    thickness = max(1, round(min(height, width) / 200))
    for box, color, _ in boxes:
        x1, y1, x2, y2 = (int(round(value)) for value in box)
        cv2.rectangle(image, (x1, y1), (max(x1, x2 - 1), max(y1, y2 - 1)), color, thickness)
    size = max(8, round(height / 45))
    tall, taken = round(1.9 * size), []
    for box, color, lines in boxes:
        for line in lines:
            wide = min(width, text_width(line, size) + size)
            left = min(max(0, round(box[0])), width - wide)
            top = min(max(0, round(box[1])), max(0, height - tall))
            top = _free_top(top, left, left + wide, tall, taken, height)
            taken.append((left, left + wide, top))
            image[top : top + tall, left : left + wide] = color
            baseline, room = top + round(1.45 * size), wide - size // 2
            put_text(image, line, left + size // 2, baseline, size, (0, 0, 0), room)


def _free_top(top, left, right, tall, taken, height):
    """Where a plate hides none of the `taken`, (left, right, top) each: below, else above them."""
    across = [other for start, end, other in taken if start < right and left < end]
    below = sorted(other + tall for other in across if other + tall > top)
    above = sorted((other - tall for other in across if other - tall < top), reverse=True)
    for place in [top, *below, *above]:
        is_free = all(abs(place - other) >= tall for other in across)
        if is_free and 0 <= place <= height - tall:
            return place
    return top


# --- Bars over time -------------------------------------------------------------------


class Bars:
    """
    A panel of one row per activity: its name, its score over time as bars, its score now.

    Args:
        names (list[str]): of the activities shown.
        scores (float array): W x A, their scores in the windows, in [0, 1].
        spans (float array): W x 2, start and end of the windows in seconds.
        thresholds (float array): [A]: bars from there on are bright.
        width (int): pixels.
        interval (tuple[float, float]): seconds shown; None: from the first to the last window.
    """

    def __init__(self, names, scores, spans, thresholds, width, interval=None):
        self.names, self.scores, self.spans, self.thresholds = names, scores, spans, thresholds
        self.start, self.end = interval or (spans[0, 0], spans[-1, 1])
        self.text = self._text_size(width)
        self.row = 3 * self.text
        self.left, self.right = round(0.3 * width), width - 5 * self.text
        self.panel = np.full((self.height_of(width, len(names)), width, 3), BACKGROUND, np.uint8)
        for number in range(len(names)):
            self._draw_row(number)

    @staticmethod
    def height_of(width, num_names):
        """Pixels of the panel from top to bottom: even, as H.264 needs it."""
        text = Bars._text_size(width)
        return 2 * ((3 * text * num_names + 2 * text + 1) // 2)

    @staticmethod
    def _text_size(width):
        """Pixels of a capital letter; on large pictures they are a share of the width."""
        return max(8, min(14, width // 55), width // 110)

    def window_at(self, seconds):
        """The number of the window that stands for a moment; from the end on, the last."""
        return min(np.searchsorted(self.spans[:, 1], seconds, side="right"), len(self.spans) - 1)

    def at(self, seconds):
        """The panel, H x width x 3, with a mark at a time and the scores of its window."""
        panel = self.panel.copy()
        for number, score in enumerate(self.scores[self.window_at(seconds)]):
            color = BRIGHT if score >= self.thresholds[number] else FAINT
            baseline = self._bottom(number) - self.text // 2
            put_text(panel, f"{score:.2f}", self.right + self.text, baseline, self.text, color)
        # A single moment has no length to divide by.
        share = (seconds - self.start) / max(self.end - self.start, 1e-9)
        x = int(self.left + np.clip(share, 0, 1) * (self.right - 1 - self.left))
        cv2.line(panel, (x, self.text // 2), (x, self._bottom(len(self.names) - 1)), BRIGHT, 1)
        return panel

    def _bottom(self, number):
        return self.text + (number + 1) * self.row - self.text // 2

    def _draw_row(self, number):
        bottom, color = self._bottom(number), color_of(number)
        most = self.row - self.text // 2
        baseline = bottom - self.text // 2
        name, room = self.names[number], self.left - 2 * self.text
        put_text(self.panel, name, self.text, baseline, self.text, color, room)
        self.panel[bottom - most : bottom, self.left : self.right] = TRACK
        edges = np.linspace(self.start, self.end, self.right - self.left + 1)
        first = np.searchsorted(self.spans[:, 1], edges[:-1], side="right")
        last = np.searchsorted(self.spans[:, 0], edges[1:], side="left")
        for x, i, j in zip(range(self.left, self.right), first, last, strict=True):
            # The largest of the windows in a column of pixels: a short one is not lost.
            score = float(self.scores[i:j, number].max(initial=0))
            is_reached = score >= self.thresholds[number]
            shade = color if is_reached else tuple(round(0.45 * part) for part in color)
            self.panel[bottom - round(most * score) : bottom, x] = shade
