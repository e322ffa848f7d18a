"""The page of a report: a template, its style and its script in one file."""

import base64
import hashlib
import os
from pathlib import Path

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.results import plain
from slowfast_ext.report import sections
from slowfast_ext.report.correlation import correlation
from slowfast_ext.report.hardest import hardest_videos


def make_sections(found, num_videos):
    """{name: {"content": what is drawn} or {"why_not": a sentence}}, in the page's order."""
    makers = {
        "summary": sections.summary,
        "curves": sections.curves,
        "classes": sections.classes,
        "precision_recall": sections.precision_recall,
        "calibration": sections.calibration,
        "rates": sections.rates,
        "correlation": lambda run: correlation(run, num_videos),
        "hardest": lambda run: hardest_videos(run, with_maps=num_videos > 0),
        "settings": sections.settings,
        "versions": sections.versions,
    }
    made = {}
    for name, make in makers.items():
        try:
            made[name] = {"content": make(found)}
        except SlowFastExtError as error:
            made[name] = {"why_not": str(error)}
    return made


def render(folder, sections):
    """
    Args:
        folder (str): the run's OUTPUT_DIR.
        sections (dict): of `make_sections`.

    Returns:
        str: the page; names in it are escaped, it loads nothing, and no script but its own runs.
    """
    import jinja2

    files = (Path(__file__).parent / f"page.{ending}" for ending in ("html", "css", "js"))
    template, style, script = (file.read_text(encoding="utf-8") for file in files)
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    # The page's policy names the one script that may run.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # What the script draws; all else stands in the page itself.
    drawn = ("curves", "precision_recall", "calibration", "rates", "correlation")
    return environment.from_string(template).render(
        # "." has no name of its own.
        title=os.path.basename(os.path.abspath(folder)),
        folder=folder,
        style=style,
        script=script,
        digest=digest,
        data=plain({name: sections[name].get("content") for name in drawn}),
        **sections,
    )
