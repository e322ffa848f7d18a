"""What a key's value must be: rules, each (value, default) -> what is wrong with it, or None."""

import math
import re

from slowfast_ext import upstream_config
from slowfast_ext.utils.paths import is_local

# Frames of a clip, from one to the next, clips of a video; pixels of a side: more is a mistake.
MOST_FRAMES, MOST_PIXELS = 10_000, 8192


def is_count(number, most=math.inf):
    """True for a whole number of at least 1."""
    # YAML's `yes` is a bool, which Python takes for the number 1.
    return isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= most


def is_number(number):
    """True for a finite number."""
    return isinstance(number, (int, float)) and math.isfinite(number)


def anything(value, default):
    """The rule of keys whose type says all."""


def must(words, is_met):
    """The rule "must WORDS", which a value breaks where `is_met(value)` is False."""
    return lambda value, default: None if is_met(value) else f"must {words}"


def both(*rules):
    """The first of the rules that the value breaks."""
    return lambda *given: next(filter(None, (rule(*given) for rule in rules)), None)


def count(most=math.inf):
    """The rule of a whole number that counts something."""
    at_least = must("be at least 1", lambda number: number >= 1)
    return both(at_least, must(f"be at most {most}", lambda number: number <= most))


def one_of(*words):
    """The rule of a key whose value is one of a few words."""
    return must(f"be one of {', '.join(words)}", lambda word: word in words)


def not_done(value, default):
    """Upstream's switch whose work the engine here does not do: refused, not ignored."""
    return None if value == default else f"is not done by this engine: set it to {default!r}"


def needs_main(value, default):
    """A key of upstream's network, optimizer or schedule, for which 1.0 has no code."""
    if upstream_config.IS_MAIN or value == default:
        return None
    return "needs GitHub's main of PySlowFast, and pyslowfast 1.0 is installed"


def no_range_or(rule):
    """The rule of an empty list, or of two numbers in their order which each meet `rule`."""
    return must(
        "be empty, or a range of two numbers above 0",
        lambda ends: (
            not ends
            or (
                len(ends) == 2
                and all(is_number(end) and not rule(end, None) for end in ends)
                and ends[0] <= ends[1]
            )
        ),
    )


not_negative = must("not be negative", lambda number: number >= 0)
above_zero = must("be above 0", lambda number: number > 0)
seed = both(not_negative, must("be below 2**63", lambda number: number < 2**63))
share = must("lie in (0, 1]", lambda number: 0 < number <= 1)
fraction = must("lie in [0, 1]", lambda number: 0 <= number <= 1)
dropout = must("lie in [0, 1)", lambda number: 0 <= number < 1)
focusing = must("be 0, or 1 or more", lambda gamma: is_number(gamma) and (gamma == 0 or gamma >= 1))
frames = must(f"lie in 1..{MOST_FRAMES}", lambda number: is_count(number, MOST_FRAMES))
rates = must(
    f"be sampling rates, whole numbers in 1..{MOST_FRAMES}",
    lambda given: len(given) > 0 and all(is_count(rate, MOST_FRAMES) for rate in given),
)
views = must(
    f"list (rate, clips, crops), whole numbers in 1..{MOST_FRAMES}",
    lambda given: all(
        isinstance(view, (list, tuple))
        and len(view) == 3
        and all(is_count(number, MOST_FRAMES) for number in view)
        for view in given
    ),
)
channels = must(
    "have one number for each of R, G and B",
    lambda numbers: len(numbers) == 3 and all(map(is_number, numbers)),
)
deviations = both(channels, must("be above 0", lambda numbers: min(numbers) > 0))
clipping = must(
    "be a number above 0, or None for no clipping",
    lambda limit: limit is None or (is_number(limit) and limit > 0),
)
parts_of_names = must(
    "list parts of tensors' names",
    lambda parts: all(isinstance(part, str) and part for part in parts),
)
# Upstream passes over what it does not know.
rand_augment = must(
    "be empty, or rand with parts of m, n, mstd, inc and w, as rand-m7-n4-mstd0.5-inc1",
    lambda text: not text or re.fullmatch(r"rand(-([mnw]|inc)\d+|-mstd\d+(\.\d+)?)*", text),
)
local_folder = must("be a folder of this machine", is_local)
renames = must(
    "list renamed labels as old=new",
    lambda pairs: all(isinstance(p, str) and all(p.partition("=")) for p in pairs),
)
modules = must(
    "list names of modules, as my_heads or my_package.heads",
    lambda names: (
        isinstance(names, (list, tuple))
        and all(
            isinstance(name, str) and all(map(str.isidentifier, name.split("."))) for name in names
        )
    ),
)
