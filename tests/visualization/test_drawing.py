"""What is drawn where."""

import numpy as np

from slowfast_ext.visualization import drawing
from slowfast_ext.visualization.grid import columns_of, draw_grid
from slowfast_ext.visualization.videos import picture_size


def test_regions_are_boxed_one_by_one():
    heat = np.zeros((20, 30))
    heat[2:5, 3:9] = 0.5
    heat[5, 9] = 1  # Touches the first at a corner.
    heat[12:20, 25:30] = 0.9
    heat[10, 2] = 0.49
    assert sorted(drawing.regions(heat)) == [(3, 2, 10, 6), (25, 12, 30, 20)]
    assert drawing.regions(np.zeros((4, 4))) == []


def test_heat_leaves_cold_places_alone():
    image = np.full((4, 6, 3), 100, np.uint8)
    heat = np.zeros((4, 6), np.float32)
    heat[1, 2] = 1
    shown = drawing.draw_heat(image, heat)
    red, _, blue = shown[1, 2]
    assert red > blue and (shown[heat == 0] == 100).all()


def test_colours_differ():
    assert len({drawing.color_of(number) for number in range(60)}) == 60


def test_bars_show_every_window_where_it_is():
    scores = np.array([[0.0, 0.9], [1.0, 0.2]])
    bars = drawing.Bars(["a", "b"], scores, np.array([[0, 1], [1, 4]]), np.full(2, 0.5), 640)
    panel = bars.at(0.5)
    assert panel.shape == (drawing.Bars.height_of(640, 2), 640, 3) and panel.shape[0] % 2 == 0
    quarter = bars.left + (bars.right - bars.left) // 4
    row = bars._bottom(0) - 5
    is_bar = (panel[row] == drawing.color_of(0)).all(-1)
    assert not is_bar[bars.left : quarter - 1].any()
    assert is_bar[quarter + 1 : bars.right].all()
    # Below its threshold a bar is dim: window 2 of the second.
    bright = (panel[bars._bottom(1) - 2] == drawing.color_of(1)).all(-1)
    marked = (panel[bars._bottom(1) - 2] == drawing.BRIGHT).all(-1)
    assert (bright | marked)[bars.left : quarter - 1].all() and not bright[quarter + 1 :].any()


def test_narrow_windows_are_not_lost():
    """A column of pixels shows the largest score of the many windows in it."""
    scores = np.zeros((5000, 1))
    scores[2500] = 1
    spans = np.stack([np.arange(5000), np.arange(1, 5001)], 1)
    bars = drawing.Bars(["a"], scores, spans, np.array([0.5]), 640)
    row = bars.panel[bars._bottom(0) - 5]
    assert (row == drawing.color_of(0)).all(-1).any()


def test_long_names_are_shortened():
    image = np.zeros((40, 200, 3), np.uint8)
    drawing.put_text(image, "Grün " * 40, 10, 30, 11, (255, 255, 255), 120)
    assert image[:, 20:120].any() and not image[:, 140:].any()


def test_no_name_hides_another():
    """Boxes that begin at one place, and one at the picture's corner."""
    image = np.zeros((400, 640, 3), np.uint8)
    corner = (600, 390, 640, 400)
    boxes = [(corner, drawing.color_of(n), ["a long name", "another"]) for n in range(4)]
    drawing.draw_boxes(image, boxes)
    # Plates of equal size: of each colour as many pixels, but for the last box's outline.
    areas = [(image == color).all(-1).sum() for _, color, _ in boxes]
    assert min(areas[:3]) > 1000 and max(areas[:3]) == min(areas[:3]) <= areas[3]


def test_text_grows_with_large_pictures():
    assert drawing.Bars.height_of(3840, 6) > 2 * drawing.Bars.height_of(1280, 6)


def test_sizes_are_even():
    assert picture_size(257, 341) == (482, 640)
    assert picture_size(1081, 1921) == (1080, 1920)
    assert picture_size(100, 200, wanted_height=51) == (52, 102)


def test_columns_are_spread():
    assert columns_of(3).tolist() == [0, 1, 2]
    assert columns_of(32).tolist() == [2, 6, 10, 14, 18, 22, 26, 30]


def test_a_grid_has_a_row_for_each_activity_and_the_backbone():
    images, maps = np.full((2, 32, 48, 3), 90, np.uint8), np.zeros((2, 4, 6))
    of = [draw_grid("t", images, [0, 1], [("a", 0.5, maps)] * n, maps) for n in (1, 2)]
    assert of[1].shape[1] == of[0].shape[1]
    assert of[1].shape[0] - of[0].shape[0] == 104  # A cell of 150 x 100 and a gap.
