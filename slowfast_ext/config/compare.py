"""A checkpoint's config against this run's."""

import contextlib

import yaml

from slowfast_ext.config.defaults import scope_of
from slowfast_ext.config.files import read_yaml
from slowfast_ext.config.schema import Scope, flattened
from slowfast_ext.errors import SlowFastExtError

# Keys that a command sets, whatever the run's config says; in the config's attributes, which
# its copies and spawned processes get too.
_OWN = "__own_keys__"

# What was done before there was a key for it: checkpoints from then do not name it.
_BEFORE = {
    "ACTIVITY.COLUMN_DIM": 0,
    "ACTIVITY.CONTEXT": False,
    "ACTIVITY.EVIDENCE": False,
    "ACTIVITY.EVIDENCE_RANK": 0,
    "ACTIVITY.RESIDUAL_CORRELATION": False,
    "DATA.PIXEL_ASPECT": False,
    # The rest of LOSS counts with losses alone that there were not either.
    "LOSS.LABEL_SMOOTHING": 0.0,
    "LOSS.POS_WEIGHT": 0.0,
    "SOLVER.EMA": 0.0,
    "SYNTHETIC.IMBALANCE": 1.0,
    "TRAIN.REPEAT_THRESHOLD": 0.0,
}


def set_own(cfg, values):
    """
    Sets keys, {key: value}, that a command decides for itself: they say nothing of the run, and
    are not compared with a checkpoint's.
    """
    cfg.merge_from_list([word for pair in values.items() for word in pair])
    cfg.__dict__[_OWN] = cfg.__dict__.get(_OWN, frozenset()) | values.keys()


def check_same_config(path, state, cfg, stage):
    """Raises SlowFastExtError where a checkpoint to go on from was trained with other settings."""
    advice = "choose another OUTPUT_DIR"
    if cfg.TRAIN.ENABLE:
        advice += ", or start anew there with TRAIN.AUTO_RESUME False"
    elif stage == "train":
        advice += f" with TRAIN.CHECKPOINT_FILE_PATH {path}"
    _refuse_different(path, state, cfg, _learnt(stage) | Scope.COURSE, advice)


def check_tested_config(path, state, cfg, stage):
    """As check_same_config, for a test of what OUTPUT_DIR holds."""
    advice = f"set them as they were, or test it by name with TEST.CHECKPOINT_FILE_PATH {path}"
    _refuse_different(path, state, cfg, _learnt(stage), advice)


def check_same_network(path, state, cfg, advice, keys=()):
    """
    Raises SlowFastExtError, which gives the `advice`, where this config makes another network than
    the checkpoint's, feeds it otherwise, or differs in one of the `keys`.
    """
    # Files of other projects have no settings of ours, and pass.
    if isinstance(state.get("cfg"), str) and "ACTIVITY:" in state["cfg"].splitlines():
        _refuse_different(path, state, cfg, Scope.NETWORK, advice, keys)


def check_same_results(path, config, cfg):
    """As check_same_config, for results whose `config`, that of results.json, is given."""
    everything = Scope.TRAINING | Scope.TUNING | Scope.COURSE | Scope.SCORES
    advice = "choose another OUTPUT_DIR, or remove that run's folder"
    _refuse_different(path, {"cfg": yaml.safe_dump(config)}, cfg, everything, advice)


def _learnt(stage):
    return Scope.TRAINING if stage == "train" else Scope.TRAINING | Scope.TUNING


def _refuse_different(path, state, cfg, scope, advice, keys=()):
    settings, text = None, state.get("cfg")
    with contextlib.suppress(SlowFastExtError):
        settings = read_yaml(path, text) if isinstance(text, str) else None
    if not isinstance(settings, dict):
        raise SlowFastExtError(f"{path}: does not say with which settings it was trained")
    theirs, ours = _BEFORE | flattened(settings), flattened(yaml.safe_load(cfg.dump()))
    own = cfg.__dict__.get(_OWN, ())
    # A key that only one of them has belongs to the other version of PySlowFast.
    different = [
        f"{key} {theirs[key]!r} (now {ours[key]!r})"
        for key in sorted(theirs.keys() & ours.keys() - own)
        if (scope_of(key) & scope or key in keys) and _differs(key, theirs[key], ours[key], scope)
    ]
    if different:
        raise SlowFastExtError(f"{path} was trained with {', '.join(different)}: {advice}")


def _differs(key, theirs, ours, scope):
    # A test may name further modules, as for a measure of one's own.
    if key == "PLUGINS" and Scope.COURSE not in scope and isinstance(theirs, list):
        return any(name not in ours for name in theirs)
    return theirs != ours
