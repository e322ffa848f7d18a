"""python -m slowfast_ext report: one page, OUTPUT_DIR/report.html, about a run."""

import os
import sys

from slowfast_ext.commands.label_reading import warn_of_missing
from slowfast_ext.errors import SlowFastExtError, require_packages
from slowfast_ext.prepare.label_forms import read_label_file
from slowfast_ext.prepare.own_media import OwnMedia
from slowfast_ext.report.page import make_sections, render
from slowfast_ext.report.run_files import Run
from slowfast_ext.report.sections import time_budget
from slowfast_ext.utils.paths import open_atomically, require_writable


def run(args):
    """
    Writes the page; a section that cannot be drawn says why.

    Raises:
        SlowFastExtError: jinja2 is not installed, OUTPUT_DIR holds nothing of a run, or the spans
            are wrong.
    """
    require_packages("the report", ["jinja2"])
    if args.videos < 0:
        raise SlowFastExtError(f"--videos is {args.videos}: it must not be negative")
    path = os.path.join(args.output_dir, "report.html")
    found = Run(args.output_dir, args.opts)
    require_writable(path, "OUTPUT_DIR")
    spans = _spans(args)
    drawn = make_sections(found, args.videos)
    if not any("content" in section for section in drawn.values()):
        raise SlowFastExtError(next(iter(drawn.values()))["why_not"])
    if spans is not None:
        drawn["time_budget"] = {"content": spans}
    with open_atomically(path) as stream:
        stream.write(render(args.output_dir, drawn))
    for name, section in drawn.items():
        if "why_not" in section:
            print(f"{name} is left out: {section['why_not']}", file=sys.stderr)
    print(f"wrote {path}")


def _spans(args):
    """The content of the section on --spans, None where there are none."""
    if (args.spans is None) != (args.spans_videos is None):
        raise SlowFastExtError(
            "--spans and --spans-videos go together: a file of spans, and the folder of its videos"
        )
    if args.spans is None:
        return None
    file = read_label_file(args.spans, OwnMedia(args.spans_videos))
    content = time_budget(file)
    warn_of_missing(args.spans, file.missing, file.media)
    return content
