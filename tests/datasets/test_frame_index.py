"""Which frames packets' stamps tell of, and how a clock goes on."""

import numpy as np
import pytest

from slowfast_ext.datasets.frame_index import (
    NO_TIME,
    PACKET,
    Clock,
    continued,
    index_by_stamps,
    ticks_of_chunks,
)

# A tick is a frame of 25 a second.
STREAM, FILE = Clock(0.04, True), Clock(0.04, False)


def packets_of(stamps, keys=(0,), hidden=()):
    packets = np.zeros(len(stamps), PACKET)
    packets["shown_at"], packets["decoded_at"] = stamps, NO_TIME
    packets["is_key"][list(keys)] = True
    packets["is_hidden"][list(hidden)] = True
    return packets


@pytest.mark.parametrize("clock", [STREAM, FILE])
@pytest.mark.parametrize(
    "stamps,expected",
    [
        # Starts again, is set back, and both.
        ([0, 1, 2, 3, 0, 1, 2, 3], range(8)),
        ([10, 11, 12, 13, 5, 6, 7], range(10, 17)),
        ([0, 1, 2, 0, 1, 2, 0, 1, 2], range(9)),
        # One stamp is repeated, back, ahead or missing: one frame's time.
        ([0, 1, 2, 2, 4, 5], range(6)),
        ([0, 1, 2, 0, 4, 5], range(6)),
        ([0, 1, 2, 9000, 4, 5], range(6)),
        ([0, 1, NO_TIME, 3, 4], range(5)),
        ([NO_TIME, 1, 2, NO_TIME], range(4)),
        # Two in a row.
        ([0, 1, 9000, 9001, 4, 5, 6], range(7)),
        # Of a rate that varies, the others are kept.
        ([0, 1, 2, 2, 14, 20, 26], [0, 1, 2, 8, 14, 20, 26]),
        # A stamp for several frames, and several frames for a stamp.
        ([0, 0, 0, 3, 3, 3, 6], range(7)),
        ([0, *[NO_TIME] * 3, 8, *[NO_TIME] * 2], range(0, 14, 2)),
        ([7], [7]),
        ([7, NO_TIME, NO_TIME], [7, 8, 9]),
        ([NO_TIME, NO_TIME], None),
    ],
)
def test_a_clock_goes_on(clock, stamps, expected):
    ticks = continued(np.array(stamps, np.int64), clock)
    if expected is None:
        assert ticks is None
        return
    np.testing.assert_allclose(ticks, list(expected))


def test_frames_with_one_stamp_have_the_codecs_rate():
    assert continued(np.array([7, NO_TIME, NO_TIME]), Clock(0.01, True, 4)).tolist() == [7, 11, 15]


def test_a_jump_ahead_is_a_pause_or_a_new_clock():
    stamps = np.array([0, 1, 2, 1000, 1001])
    assert continued(stamps, FILE).tolist() == [0, 1, 2, 1000, 1001]
    assert continued(stamps, STREAM).tolist() == [0, 1, 2, 3, 4]
    # Ten seconds, as of FFmpeg's tools.
    stamps = np.array([0, 1, 2, 252, 253])
    assert continued(stamps, STREAM).tolist() == stamps.tolist()


def test_times_are_ever_later_for_any_stamps():
    random = np.random.default_rng(0)
    for _ in range(200):
        stamps = random.integers(-5, random.integers(2, 500), 12)
        stamps[random.random(12) < 0.1] = NO_TIME
        for clock in (STREAM, FILE):
            ticks = continued(stamps, clock)
            assert ticks is None or (len(ticks) == 12 and (np.diff(ticks) > 0).all())


def test_frames_of_a_clock_that_goes_on_are_sought():
    packets = packets_of([0, 4, 2, 1, 3, 8, 6, 5, 7], keys=(0, 5))
    index = index_by_stamps(packets, True, STREAM, reorders=True)
    assert index.marks.tolist() == index.ticks.tolist() == list(range(9))
    assert index.keys["shown_at"].tolist() == [0, 8] and index.can_seek and not index.is_counted
    # A format in which there is no seeking.
    index = index_by_stamps(packets, False, STREAM, reorders=True)
    assert index.keys["shown_at"].tolist() == [0] and not index.can_seek


@pytest.mark.parametrize("reorders", [False, True])
def test_broken_clocks_are_counted_or_left_to_the_decoder(reorders):
    for stamps in ([*range(70), *range(70)], [0, 1, 2, 2, 3], [0, 1, 5000, 3, 4, *range(5, 90)]):
        index = index_by_stamps(packets_of(stamps), True, STREAM, reorders)
        if reorders:
            assert index is None
        else:
            assert index.is_counted and index.marks.tolist() == list(range(len(stamps)))
            assert (np.diff(index.ticks) > 0).all()


def test_hidden_packets_are_no_frames():
    packets = packets_of([0, 1, 9, 2, 3], hidden=(2,))
    index = index_by_stamps(packets, True, FILE, reorders=False)
    assert index.marks.tolist() == [0, 1, 2, 3]


def test_parts_left_out_between_others_are_not_sought():
    packets = packets_of([20, 21, 22, 18, 19, 23, 24], keys=(0, 3), hidden=(3, 4))
    index = index_by_stamps(packets, True, FILE, reorders=False)
    assert index.marks.tolist() == [20, 21, 22, 23, 24] and not index.can_seek


@pytest.mark.parametrize(
    "chunks,delay,expected",
    [
        ([0, 1, 2, 3], 0, [0, 1, 2, 3]),
        ([0, 1, 2, 30, 31], 0, [0, 1, 2, 30, 31]),
        # A frame is stored one place before it is shown: the gap is one frame later.
        ([0, 1, 2, 3, 30, 31], 1, [0, 1, 2, 29, 30, 31]),
        ([5], 0, [5]),
        ([5], 2, [5]),
    ],
)
def test_times_of_chunks(chunks, delay, expected):
    assert ticks_of_chunks(np.array(chunks), delay).tolist() == expected
