"""A row of the schema: a key's default, what it may be, and what it changes."""

import copy
import enum
import math
from dataclasses import dataclass

from fvcore.common.config import CfgNode

from slowfast_ext import upstream_config
from slowfast_ext.config.rules import anything
from slowfast_ext.errors import SlowFastExtError


class Scope(enum.Flag):
    """What a key's value changes; what changes nothing is only reported, or computed faster."""

    # The network, or what it is fed: its checkpoints need the value that they were trained with.
    NETWORK = enum.auto()
    # What is learnt: a run that goes on needs it as it was, a test of its OUTPUT_DIR too.
    TRAINING = enum.auto()
    # Likewise, but of the tuning alone.
    TUNING = enum.auto()
    # How training goes: a run that goes on needs it as it was, a test does not.
    COURSE = enum.auto()
    # What a test says of a video, given the network's weights.
    SCORES = enum.auto()
    # Nothing that counts, but another machine may not have what it asks for.
    MACHINE = enum.auto()
    # The head alone: a backbone's maps are the same.
    HEAD = enum.auto()


# What stands in the rows.
NOTHING, MACHINE = Scope(0), Scope.MACHINE
TRAINING, TUNING, COURSE, SCORES = Scope.TRAINING, Scope.TUNING, Scope.COURSE, Scope.SCORES
RESULTS = TRAINING | SCORES
NETWORK = Scope.NETWORK | RESULTS
HEAD = NETWORK | Scope.HEAD


class Upstreams(enum.Enum):
    """In place of a default: upstream declares the key."""

    IN_BOTH = enum.auto()
    IN_MAIN = enum.auto()
    IN_PYPI = enum.auto()


IN_BOTH, IN_MAIN, IN_PYPI = Upstreams
SECTION = CfgNode()


@dataclass(frozen=True)
class Main:
    """In place of a default: GitHub's main declares the key; 1.0 is given it, with main's value."""

    default: object


@dataclass(frozen=True)
class Key:
    """
    A row of the schema.

    Attributes:
        name (str): SECTION.KEY, or a section.
        default: the value of a key of ours; otherwise Main or Upstreams.
        rule (callable): what the value must be besides its type, of `rules`.
        scope (Scope | None): None: that of the section, whose own row states it.
    """

    name: str
    default: object
    rule: object = anything
    scope: Scope | None = None

    def add_to(self, cfg):
        """Declares the key in an upstream config that does not have it."""
        default = self.default
        if isinstance(default, Main):
            default = IN_MAIN if upstream_config.IS_MAIN else default.default
        if isinstance(default, Upstreams):
            return
        *parents, name = self.name.split(".")
        for parent in parents:
            cfg = cfg.setdefault(parent, CfgNode())
        # Each config has lists of its own.
        cfg[name] = copy.deepcopy(default)

    def check(self, cfg, defaults):
        """Refuses a value that breaks the rule; a key that this PySlowFast lacks passes."""
        section, _, name = self.name.rpartition(".")
        node = upstream_config.get_key(cfg, section) if section else cfg
        if node is None or name not in node:
            return
        broken = self.rule(node[name], upstream_config.get_key(defaults, self.name))
        if broken:
            refuse(cfg, self.name, broken)


def refuse(cfg, key, rule):
    """Raises the SlowFastExtError that the key's value breaks a rule: "must be ..."."""
    raise SlowFastExtError(f"{key} is {upstream_config.get_key(cfg, key)!r}: it {rule}")


def require_clips_alone(cfg, why):
    """Raises SlowFastExtError, which says `why`, where a network takes persons or objects too."""
    for key, off in (("DETECTION.ENABLE", False), ("OBJECTS.NUM_CLASSES", 0)):
        if upstream_config.get_key(cfg, key) != off:
            refuse(cfg, key, f"must be {off}: {why}")


def all_keys(cfg, prefix=""):
    """Every dotted key of the config, sections included."""
    for name, value in cfg.items():
        yield prefix + name
        if isinstance(value, CfgNode):
            yield from all_keys(value, f"{prefix}{name}.")


def flattened(tree, prefix=""):
    """{"A": {"B": 1}} -> {"A.B": 1}."""
    flat = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat.update(flattened(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def check_values(cfg, defaults):
    """No empty value where there was one, no number that is not finite, no text with NUL."""
    for key in all_keys(defaults):
        value, default = upstream_config.get_key(cfg, key), upstream_config.get_key(defaults, key)
        # BN.NUM_SYNC_DEVICES None is upstream's way to say all of them, with BN.GLOBAL_SYNC; for
        # videos it does not look at AUG.COLOR_JITTER.
        may_be_none = key in ("BN.NUM_SYNC_DEVICES", "AUG.COLOR_JITTER")
        if value is None and default is not None and not may_be_none:
            refuse(cfg, key, f"must not be empty; its default is {default!r}")
        # Some of main's own defaults are infinite.
        if isinstance(value, float) and value != default and not math.isfinite(value):
            refuse(cfg, key, "must be a finite number")
        if isinstance(value, str) and "\0" in value:
            refuse(cfg, key, "must not contain the character NUL")
