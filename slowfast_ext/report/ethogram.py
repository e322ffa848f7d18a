"""Pictures of when what happens: one a video, a row an activity."""

import base64
import contextlib
import io
import re
import warnings

from tqdm import tqdm

# Points on the page; rows of many activities get lower until names cannot be read.
_ROW_HEIGHT, _WIDTH = 0.28, 10.0
_MAX_HEIGHT = 40.0
# Dots an inch of pictures on a page, which are 1,000 dots wide.
_DPI = 100


def write_ethogram(stream, bouts, seconds, activities):
    """
    Writes a PDF file.

    Args:
        stream (binary file)
        bouts (DataFrame): of `prepare.bouts.bouts_of`.
        seconds (dict): video -> its length; each gets a page.
        activities (list[str]): a row each, the first on top; subjects have colours.
    """
    # Without pyplot, which keeps every figure.
    from matplotlib.backends.backend_pdf import PdfPages

    with PdfPages(stream) as pages, _missing_letters_told():
        for _, figure in _pages(bouts, seconds, activities):
            pages.savefig(figure)


def ethogram_pictures(bouts, seconds, activities):
    """[(video, PNG as a data URI)] of what `write_ethogram` draws, for a page."""
    pictures = []
    with _missing_letters_told():
        for video, figure in _pages(bouts, seconds, activities):
            stream = io.BytesIO()
            figure.savefig(stream, format="png", dpi=_DPI)
            data = base64.b64encode(stream.getvalue()).decode()
            pictures.append((video, f"data:image/png;base64,{data}"))
    return pictures


@contextlib.contextmanager
def _missing_letters_told():
    """Says once which letters are boxes, in place of matplotlib's warning for each on each page."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    letters = {}
    for warning in caught:
        if match := re.match(r"Glyph (\d+)", str(warning.message)):
            letters[chr(int(match[1]))] = None
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    if letters:
        print(
            f"the ethogram's font lacks {' '.join(letters)}, drawn as boxes: name a font that has "
            "them as font.family in a file matplotlibrc of this folder"
        )


def _pages(bouts, seconds, activities):
    """Yields (video, Figure)."""
    subjects = sorted(set(bouts["subject"]))
    by_video = dict(list(bouts.groupby("video")))
    for video, length in tqdm(seconds.items(), "ethogram", disable=None, leave=False):
        shown = by_video.get(video, bouts.iloc[:0])
        yield video, _page(video, length, shown, activities, subjects)


def _page(video, length, bouts, activities, subjects):
    from matplotlib.figure import Figure

    height = min(1.5 + _ROW_HEIGHT * len(activities), _MAX_HEIGHT)
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.subplots()
    place = {name: number for number, name in enumerate(activities)}
    for number, subject in enumerate(subjects):
        own = bouts[bouts["subject"] == subject]
        colour = f"C{number % 10}"
        for activity, group in own.groupby("activity"):
            # Subjects share a row, one above the other.
            low = place[activity] - 0.4 + 0.8 * number / len(subjects)
            spans = list(zip(group["start"], group["end"] - group["start"], strict=True))
            axes.broken_barh(spans, (low, 0.8 / len(subjects)), color=colour)
            moments = group["start"][group["start"] == group["end"]]
            middle = low + 0.4 / len(subjects)
            axes.plot(moments, [middle] * len(moments), "|", color=colour, markersize=8)
        axes.plot([], [], color=colour, linewidth=6, label=subject or "no subject")
    # A name is no formula.
    axes.set_title(video, parse_math=False, fontsize="medium")
    axes.set_yticks(range(len(activities)), activities, parse_math=False)
    axes.set(xlim=(0, length), ylim=(len(activities) - 0.5, -0.5), xlabel="seconds")
    axes.grid(axis="x", alpha=0.3)
    if subjects not in ([], [""]):
        axes.legend(loc="upper right", fontsize="small")
    return figure
