"""python -m slowfast_ext report: one page, OUTPUT_DIR/report.html, about a run."""

import argparse
import os
import sys

from slowfast_ext.errors import SlowFastExtError, require_packages
from slowfast_ext.paths import open_atomically, require_writable
from slowfast_ext.report import sections
from slowfast_ext.report.correlation import correlation
from slowfast_ext.report.hardest import hardest_videos
from slowfast_ext.report.page import render
from slowfast_ext.report.run_files import Run


def add_arguments(parser):
    """Adds the command's arguments to an argparse parser."""
    parser.add_argument("output_dir", metavar="OUTPUT_DIR", help="of the run")
    parser.add_argument(
        "--videos",
        type=int,
        default=16,
        metavar="N",
        help="test videos that the network is run on, for the learned correlation map; 0: it is "
        "run on none, and activity maps are left out too (default: 16)",
    )
    parser.add_argument(
        "--opts",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="KEY VALUE",
        help="in place of the run's own settings, as DATA.PATH_TO_DATA_DIR PLACE",
    )


def run(args):
    """
    Writes the page; a section that cannot be drawn says why.

    Raises:
        SlowFastExtError: jinja2 is not installed, or OUTPUT_DIR holds nothing of a run.
    """
    require_packages("the report", ["jinja2"])
    if args.videos < 0:
        raise SlowFastExtError(f"--videos is {args.videos}: it must not be negative")
    path = os.path.join(args.output_dir, "report.html")
    found = Run(args.output_dir, args.opts)
    require_writable(path, "OUTPUT_DIR")
    drawn = make_sections(found, args.videos)
    if not any("content" in section for section in drawn.values()):
        raise SlowFastExtError(next(iter(drawn.values()))["why_not"])
    with open_atomically(path) as stream:
        stream.write(render(args.output_dir, drawn))
    for name, section in drawn.items():
        if "why_not" in section:
            print(f"{name} is left out: {section['why_not']}", file=sys.stderr)
    print(f"wrote {path}")


def make_sections(found, num_videos):
    """{name: {"content": what is drawn} or {"why_not": a sentence}}, in the page's order."""
    makers = {
        "summary": sections.summary,
        "curves": sections.curves,
        "classes": sections.classes,
        "precision_recall": sections.precision_recall,
        "rates": sections.rates,
        "correlation": lambda run: correlation(run, num_videos),
        "hardest": lambda run: hardest_videos(run, with_maps=num_videos > 0),
        "settings": sections.settings,
        "versions": sections.versions,
    }
    return {name: _content_or_why_not(make, found) for name, make in makers.items()}


def _content_or_why_not(make, found):
    try:
        return {"content": make(found)}
    except SlowFastExtError as error:
        return {"why_not": str(error)}
