"""What a run says of its lists before it trains."""

import re
from types import SimpleNamespace

import pytest

from slowfast_ext.engine.train import _warn_of_learnt_videos


@pytest.mark.parametrize(
    "val,test,told",
    [
        (["c"], ["d"], None),
        (["c", "b"], ["c", "b"], "1 of the 2 items of val .* too, b for one"),
        (["c"], ["d", "a", "b"], "2 of the 3 items of test .* too, a for one"),
        (["c"], None, None),
    ],
)
def test_videos_to_measure_by_that_are_learnt_are_told_of_once(val, test, told, caplog):
    ids = {"train": ["a", "b"], "val": val, "test": test}
    _warn_of_learnt_videos({k: SimpleNamespace(video_ids=v) for k, v in ids.items() if v})
    assert len(caplog.messages) == (told is not None)
    assert not told or caplog.records[0].levelname == "WARNING"
    assert not told or re.search(told, caplog.text)


def test_learnt_videos_of_both_lists_are_told_of(caplog):
    ids = {"train": ["a", "b"], "val": ["a", "c"], "test": ["b"]}
    _warn_of_learnt_videos({k: SimpleNamespace(video_ids=v) for k, v in ids.items()})
    assert [re.search("items of (val|test)", m)[1] for m in caplog.messages] == ["val", "test"]
