"""python -m slowfast_ext report: one page, OUTPUT_DIR/report.html, about a run."""

import argparse
import os
import sys

from slowfast_ext.errors import SlowFastExtError, require_packages
from slowfast_ext.report.page import make_sections, render
from slowfast_ext.report.run_files import Run
from slowfast_ext.utils.paths import open_atomically, require_writable


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
