"""The page of a report: a template, its style and its script in one file."""

import base64
import hashlib
import importlib.resources
import os

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


# What the script draws; all else stands in the page itself.
_DRAWN = ("curves", "precision_recall", "rates", "correlation")


def render(folder, sections):
    """
    Args:
        folder (str): the run's OUTPUT_DIR.
        sections (dict): of `make_sections`.

    Returns:
        str: the page; names in it are escaped, it loads nothing, and no script but its own runs.
    """
    import jinja2

    package = importlib.resources.files("slowfast_ext.report")
    template, style, script = (
        (package / name).read_text(encoding="utf-8")
        for name in ("page.html", "page.css", "page.js")
    )
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    # "." has no name of its own.
    title = os.path.basename(os.path.abspath(folder))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    drawn = {name: sections[name].get("content") for name in _DRAWN}
    return environment.from_string(template).render(
        title=title,
        folder=folder,
        style=style,
        script=script,
        digest=digest,
        data=plain(drawn),
        **sections,
    )
