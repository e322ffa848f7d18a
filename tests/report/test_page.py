"""The page in headless Chromium: opens from a file, by keyboard, on a phone, in the dark."""

import argparse

import cv2
import numpy as np
import pytest

from slowfast_ext.commands import report
from slowfast_ext.commands.arguments import report_arguments
from tests.report.chromium import EXECUTABLE, Browser
from tests.report.conftest import LABELS, NAMES

pytest.importorskip("jinja2", reason="needs jinja2")
pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="needs chromium (apt install chromium)")


@pytest.fixture(scope="module")
def page(finished_report_run):
    parser = argparse.ArgumentParser()
    report_arguments(parser)
    folder = finished_report_run[0]
    report.run(parser.parse_args([str(folder), "--videos", "2"]))
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser():
    browser = Browser()
    yield browser
    browser.close()


def column(browser, number):
    script = (
        f"[...document.querySelectorAll('#ap tbody tr')].map((r) => r.cells[{number}].textContent)"
    )
    return browser.run(script)


def sorting(browser):
    return browser.run("[...document.querySelectorAll('#ap thead th')].map((c) => c.ariaSort)")


def brightness(browser):
    return cv2.imdecode(np.frombuffer(browser.screenshot(), np.uint8), 0).mean()


@pytest.mark.parametrize("width", [1280, 390])
def test_all_is_drawn_quietly(browser, page, width):
    browser.open(page, width)
    assert browser.run("document.querySelectorAll('svg').length") == 5
    drawn = """[...document.querySelectorAll('svg, circle, svg rect, canvas')].every(
        (e) => e.getBoundingClientRect().width > 0)"""
    assert browser.run(drawn)
    assert browser.run("[...document.images].every((i) => i.complete && i.naturalWidth > 0)")
    # A strip of frames a video, of evidence for what happens and for the highest of the others.
    assert browser.run("document.images.length") == len(LABELS) + LABELS.sum() + len(LABELS)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.complaints == []
    assert all(url.startswith(("file://", "data:")) for url in browser.requests)
    assert sum(url.startswith("file://") for url in set(browser.requests)) == 1
    # More than one colour on each canvas; each image decoded.
    colours = """[...document.querySelectorAll('canvas')].map((c) => {
        const pixels = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        return new Set(new Uint32Array(pixels.buffer)).size; })"""
    assert len(browser.run(colours)) == 2 and min(browser.run(colours)) > 2


def test_scores_stay_whole_beside_long_names(browser, page):
    browser.open(page, 390)
    browser.run("document.querySelector('.scores span').textContent = 'long name '.repeat(30)")
    lines = """(() => {
        const range = document.createRange();
        range.selectNodeContents(document.querySelector('.scores b'));
        return range.getClientRects().length; })()"""
    assert browser.run(lines) == 1


def test_a_large_heat_map_follows_the_keys(browser, page):
    """The cells are drawn once and not for each key."""
    browser.open(page)
    browser.run("document.querySelector('canvas').focus()")
    browser.press("ArrowDown")
    made = """(() => {
        const make = CanvasRenderingContext2D.prototype.putImageData;
        window.made = 0;
        CanvasRenderingContext2D.prototype.putImageData = function (...of) {
            window.made++; make.apply(this, of); }; })()"""
    browser.run(made)
    browser.press("ArrowRight")
    assert browser.run("window.made") == 0
    browser.run("document.getElementById('theme').click()")
    assert browser.run("window.made") == 2


def test_sorting_by_keyboard(browser, page):
    browser.open(page)
    assert sorting(browser)[:3] == ["none", "descending", "none"]
    browser.run("document.querySelector('#ap thead button').focus()")
    browser.press("Enter")
    assert sorting(browser)[:3] == ["ascending", "none", "none"]
    names = column(browser, 0)
    assert sorted(names) == sorted(NAMES) and names == browser.run(
        f"{column(browser, 0)!r}.sort((a, b) => a.localeCompare(b))"
    )
    browser.press("Enter")
    assert column(browser, 0) == names[::-1]
    browser.press("Tab")
    for order in ("descending", "ascending"):
        browser.press("Enter")
        assert sorting(browser)[1] == order
        values = [float(text) for text in column(browser, 1)[:3]]
        assert values == sorted(values, reverse=order == "descending")
        # Without positives there is nothing to sort by.
        assert column(browser, 1)[3] == "none"
    outline = browser.run("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_theme(browser, page):
    browser.open(page, theme="dark")
    browser.run("localStorage.clear()")
    browser.open(page, theme="dark")
    pressed = "document.getElementById('theme').ariaPressed"
    assert brightness(browser) < 90 and browser.run(pressed) == "true"
    browser.run("document.getElementById('theme').focus()")
    browser.press("Enter")
    assert brightness(browser) > 200 and browser.run(pressed) == "false"
    browser.run("localStorage.clear()")
    browser.open(page, theme="light")
    assert brightness(browser) > 200
    assert browser.complaints == []


def test_moving_over_a_heat_map(browser, page):
    browser.open(page)
    browser.run("document.querySelector('canvas').focus()")
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        browser.press(key)
    said = browser.run("document.querySelector('.cell').textContent")
    names = browser.run("JSON.parse(document.getElementById('data').textContent).correlation.names")
    assert said.startswith(f"{names[1]} → {names[1]}: 0.")


def test_choosing_an_activity(browser, page):
    browser.open(page)
    line = "document.querySelector('[data-chart^=precision] polyline').getAttribute('points')"
    before = browser.run(line)
    browser.run(
        """(() => {
        const select = document.getElementById('pr-class');
        select.value = '1';
        select.dispatchEvent(new Event('change')); })()"""
    )
    assert browser.run(line) != before
