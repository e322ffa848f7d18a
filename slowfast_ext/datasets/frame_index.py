"""
Which frames a video file holds and when each is shown, by its packets' time stamps.

Stamps count in units ("ticks") of the stream. Stamps that go on are taken as they are; a clock
that starts again, is set back or has a wrong stamp goes on where it was, as FFmpeg's own tools
let it (ffmpeg's options -dts_delta_threshold and -dts_error_threshold).
"""

from dataclasses import dataclass

import numpy as np

# What is remembered of a frame's packet, 18 bytes: a film has hundreds of thousands of them.
PACKET = np.dtype([("shown_at", "i8"), ("decoded_at", "i8"), ("is_key", "?"), ("is_hidden", "?")])
NO_TIME = np.iinfo("i8").min

LARGEST_STEP = 10.0
"""Seconds: where a clock may start again, a longer step is no pause. FFmpeg's default."""

# A frame is stored at most so many places after one that is shown later (H.264 and HEVC allow no
# more), and at most so many before it (the longest pyramids of frames that encoders write).
_MOST_BEHIND, _MOST_AHEAD = 16, 64


@dataclass(frozen=True)
class Clock:
    """
    How a file's stamps count.

    Args:
        tick (float): seconds.
        may_restart (bool): its format has clocks that may start anywhere, and anew (MPEG streams).
        step (float): ticks from frame to frame, where no two stamps tell them.
    """

    tick: float
    may_restart: bool
    step: float = 1.0

    @property
    def far(self):
        """Ticks: LARGEST_STEP."""
        return LARGEST_STEP / self.tick

    @property
    def most_step(self):
        """Ticks: a longer step ahead is a jump; elsewhere a recording may pause for hours."""
        return self.far if self.may_restart else np.inf


@dataclass(frozen=True)
class FrameIndex:
    """
    The frames of a file in the order shown.

    Attributes:
        marks (int64 array [length]): what a decoded frame is recognised by: its time stamp or,
            with `is_counted`, how many frames came before it.
        ticks (float64 array [length] or None): when each is shown; None where nothing says it.
        keys (PACKET array): from where frames are decoded, in the order shown; only the first
            where a file must be decoded from its start.
        is_counted (bool): frames are decoded from the file's first key frame on and counted.
        can_seek (bool): the reader finds a key frame by its time.
        are_chunks (bool): marks and keys' times are those at which packets are decoded (AVI).
    """

    marks: np.ndarray
    ticks: np.ndarray | None
    keys: np.ndarray
    is_counted: bool
    can_seek: bool
    are_chunks: bool = False

    def mark_of(self, coded):
        """The mark of PyAV's packet or frame; None where it has none. Not of counted frames."""
        return coded.dts if self.are_chunks else coded.pts

    @classmethod
    def of_chunks(cls, packets):
        """Of packets each of which gives its own frame at once, in the order shown."""
        shown = packets[~packets["is_hidden"]]["decoded_at"]
        keys = packets[packets["is_key"] & ~packets["is_hidden"]]
        keys["shown_at"] = keys["decoded_at"]
        return cls(shown, shown.astype(float), keys, False, True, True)

    @classmethod
    def counted(cls, first_key, length, ticks):
        """Of frames that are known by their number; `first_key` is a PACKET array of one."""
        return cls(np.arange(length), ticks, first_key, True, False)


def index_by_stamps(packets, can_seek, clock, reorders):
    """
    The frames that packets give, where their stamps alone tell.

    Args:
        packets (PACKET array): in the file's order from the first key frame on; all that are not
            hidden have stamps.
        can_seek (bool): the reader finds a key frame by its time.
        clock (Clock): of the file.
        reorders (bool): frames may be stored in another order than they are shown in.

    Returns:
        FrameIndex or None: None where the decoder must tell the order.
    """
    shown = packets[~packets["is_hidden"]]
    stamps = shown["shown_at"]
    order = np.argsort(stamps, kind="stable")
    # What a header says of the order is not always so.
    reorders = reorders or (np.diff(stamps) < 0).sum() > 0.1 * len(stamps)
    goes_on = _goes_on(shown, order, clock.most_step, reorders)
    if goes_on and len(np.unique(stamps)) == len(stamps):
        # What is cut off at the start is decoded for what follows.
        is_hidden = packets["is_hidden"] & np.logical_or.accumulate(~packets["is_hidden"])
        keys = packets[packets["is_key"] & ~is_hidden]
        # Key frames' times say nothing where parts are left out between others.
        has_edits = is_hidden.any() and (np.diff(packets["shown_at"][packets["is_key"]]) < 0).any()
        can_seek = can_seek and not has_edits and (np.diff(keys["shown_at"]) > 0).all()
        keys = keys if can_seek else packets[:1]
        return FrameIndex(stamps[order], stamps[order].astype(float), keys, False, can_seek)
    if reorders:
        return None
    return FrameIndex.counted(packets[:1], len(stamps), continued(stamps, clock))


def _goes_on(shown, order, most_step, reorders):
    """True where the clock of packets goes on from the first to the last."""
    behind = np.arange(len(order)) - np.argsort(order)
    most_behind, most_ahead = (_MOST_BEHIND, _MOST_AHEAD) if reorders else (0, 0)
    decoded_at = shown["decoded_at"][shown["decoded_at"] != NO_TIME]
    steps = np.diff(shown["shown_at"][order])
    return (
        behind.max() <= most_behind
        and behind.min() >= -most_ahead
        and (np.diff(decoded_at) >= 0).all()
        and (steps <= most_step).all()
    )


def ticks_of_chunks(decoded_at, delay):
    """
    When frames are shown that are stored with the times at which they are decoded alone (AVI).

    The decoder gives the first frame when it has been given `delay` packets more.

    Args:
        decoded_at (int64 array [length]): of the packets.
        delay (int): at least 0.

    Returns:
        float64 array [length]: the first frame's is its packet's.
    """
    step = _usual_step(decoded_at, np.arange(len(decoded_at)), 1.0)
    late = np.arange(1, delay + 1) * step + decoded_at[-1]
    return np.append(decoded_at, late)[delay:] - delay * step


def continued(stamps, clock):
    """
    Frames' times, ever later, from stamps in the order shown.

    A stamp that the next ones contradict is wrong by itself: its frame lies between theirs. Where
    the clock jumps back, or ahead where it may start again, it goes on by the usual step.

    Args:
        stamps (int64 array [length]): NO_TIME where there is none.
        clock (Clock): of the file.

    Returns:
        float64 array [length] or None: None where no frame has a stamp.
    """
    places = np.flatnonzero(stamps != NO_TIME)
    if not len(places):
        return None
    stamps_there = stamps[places].astype(float)
    step = _usual_step(stamps_there, places, clock.step)
    kept, ticks, offset = [], [], 0.0
    for number, place in enumerate(places):
        time, following = stamps_there[number] + offset, stamps_there[number + 1 :][:_MOST_AHEAD]
        if not ticks:
            kept, ticks = [place], [time]
            continue
        last, is_first_jump = ticks[-1], not offset
        if _is_wrong(time, last, following + offset, clock.far):
            continue
        if not 0 < time - last <= (clock.most_step if is_first_jump else clock.far):
            time = last + step * (place - kept[-1])
            offset = time - stamps_there[number]
        kept.append(place)
        ticks.append(time)
    return _at_all_places(len(stamps), np.array(kept), np.array(ticks), step)


def _is_wrong(time, last, following, far):
    """True where a clock goes on from `last` in the `following` times, but not by way of `time`."""
    if time == last:
        # A clock that is too coarse for the frames gives several of them one stamp.
        following = following[following != time]
    if not len(following):
        return False
    if time <= last:
        return last < following[0] <= last + far
    if time > last + far:
        return bool(((last < following) & (following <= last + far)).any())
    return last < following[0] < time


def _usual_step(stamps, places, unknown):
    """
    The median of the steps ahead between frames in ticks; `unknown` where there is none. Program
    streams may give one of many frames a stamp: `places` are the numbers of those that have one.
    """
    steps = np.diff(stamps) / np.diff(places)
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else unknown


def _at_all_places(length, places, ticks, step):
    """The times of all frames from those at some places: evenly between, by `step` outside."""
    numbers = np.arange(length)
    found = np.interp(numbers, places, ticks)
    found -= np.maximum(places[0] - numbers, 0) * step
    return found + np.maximum(numbers - places[-1], 0) * step
