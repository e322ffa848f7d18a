"""Pictures of a study's result."""

import cv2
import pytest

from projects.study import plots, results

pytest.importorskip("matplotlib", reason="needs matplotlib")


@pytest.fixture
def result():
    metric = {"mean": 0.4, "low": 0.3, "high": 0.5, "per_seed": [0.35, 0.45]}
    metrics = dict.fromkeys(("mAP", *results.SPEEDS), metric)
    row = {"table": "3c", "row": "complete", "metrics": metrics}
    matrices = {"truth": [[1.0, 0.2], [0.3, 1.0]], "Corr": [[2.0, 0.5], [0.1, 2.0]]}
    return {"titles": {"3c": "parts"}, "rows": [row], "matrices": matrices}


def test_pictures_are_drawn(result, tmp_path):
    plots.write_plots(result, str(tmp_path / "new"))
    for name in (plots.SPEEDS_FILE, plots.CORRELATION_FILE):
        image = cv2.imread(str(tmp_path / "new" / name))
        assert image is not None and image.std() > 10


def test_what_the_result_does_not_hold_is_not_drawn(result, tmp_path):
    del result["matrices"]
    plots.write_plots(result, str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [plots.SPEEDS_FILE]
