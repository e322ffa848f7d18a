"""Every key that the project adds to PySlowFast's; reading a config."""

import difflib
import re

import torch
import yaml
from fvcore.common.config import CfgNode

from slowfast_ext import upstream
from slowfast_ext.config_checks import check_config
from slowfast_ext.config_files import check_file, merge_file, merge_list
from slowfast_ext.config_rules import all_keys, check_values
from slowfast_ext.errors import SlowFastExtError


def add_slowfast_ext_config(cfg):
    """Adds the project's keys, with the paper's values as defaults, to an upstream config."""
    # --- The network -----------------------------------------------------------------
    cfg.ACTIVITY = CfgNode()
    # Upstream's model class; empty: derived from MODEL.ARCH.
    cfg.ACTIVITY.BACKBONE = ""
    # Of ACTIVITY.BACKBONE CSN: "ip" (interaction-preserved) or "ir" (interaction-reduced).
    cfg.ACTIVITY.CSN_FORM = "ip"
    # The head, by its name in HEAD_REGISTRY.
    cfg.ACTIVITY.HEAD = "ActivityHead"
    # "default", or "as_printed": the paper's equations as they stand (docs/METHOD.md).
    cfg.ACTIVITY.FORM = "default"
    # K, the number of observations.
    cfg.ACTIVITY.NUM_OBSERVATIONS = 64
    # C', the channels of an observation and of an activity's features.
    cfg.ACTIVITY.DIM = 128
    # n, the groups of the observations' linear maps (eq. 13).
    cfg.ACTIVITY.GROUPS = 32
    # "shared": one classifier for all activities (eq. 9); "per_activity": one for each.
    cfg.ACTIVITY.CLASSIFIER = "shared"
    # Table 3c: with activity-specific features, or from the pooled map.
    cfg.ACTIVITY.ACTIVITY_FEATURES = True
    # Table 3c: with the second output, from correlated features.
    cfg.ACTIVITY.CORRELATION = True
    # The mask's source, in the form of a training list; empty: the training list itself.
    cfg.ACTIVITY.COOCCURRENCE_FILE = ""
    # Train the head alone, on a backbone as TRAIN.CHECKPOINT_FILE_PATH gives it.
    cfg.ACTIVITY.FREEZE_BACKBONE = False
    # The head's learning rate over the backbone's.
    cfg.ACTIVITY.LR_MULT = 1.0
    # The row of the paper's tables that a config reproduces; goes into results.json.
    cfg.ACTIVITY.TABLE_ROW = ""

    # --- Speed-invariant tuning (sec. 3.6) ---------------------------------------------
    cfg.TUNE = CfgNode()
    # After training, freeze the backbone and tune the head on clips of mixed rates.
    cfg.TUNE.ENABLE = False
    # Each clip's sampling rate is drawn from these.
    cfg.TUNE.RATES = [2, 4, 8]
    # I, the number of tuning iterations.
    cfg.TUNE.MAX_ITER = 10000
    # The first learning rate; it falls along half a cosine to zero.
    cfg.TUNE.BASE_LR = 0.0035

    # --- Testing -----------------------------------------------------------------------
    # Views of one video, each (sampling rate, clips, crops); empty: upstream's
    # NUM_ENSEMBLE_VIEWS x NUM_SPATIAL_CROPS at DATA.SAMPLING_RATE.
    cfg.TEST.VIEWS = []
    # A file of `fit-rates`: each activity's weights over the rates of TEST.VIEWS; empty: the
    # mean over all views, the paper's sum.
    cfg.TEST.RATE_WEIGHTS = ""
    # One view of the whole frame in place of a clip's crops, which overlap: less to compute.
    cfg.TEST.WHOLE_FRAME = False
    # "float32", or "bfloat16": faster where the processor computes in it, scores not quite equal.
    cfg.TEST.PRECISION = "float32"
    # Test, and validate, under torch.compile: compiling takes minutes, and anew for each shape
    # of inputs; where it fails, one warning, and the test goes on without.
    cfg.TEST.COMPILE = False

    # --- Data --------------------------------------------------------------------------
    # A training clip's labels: of the segments it touches ("clip") or all of its video's.
    cfg.DATA.TRAIN_LABELS = "clip"
    # Frames per second of folders of frames: what turns their frame numbers into seconds.
    cfg.DATA.FRAME_FOLDER_FPS = 24.0
    # Which of a list's paths may lead out of the folder that relative ones start at: "absolute"
    # ones, as in PySlowFast's lists; "none"; or "any", by .. and by links too.
    cfg.DATA.PATHS_OUTSIDE = "absolute"
    # Go on without the videos that cannot be decoded; results.json counts them.
    cfg.DATA.SKIP_BROKEN_VIDEOS = False

    # --- Objects and persons as further columns of F (Table 2) ----------------------------
    # Classes in DATA.PATH_TO_DATA_DIR's object_classes.txt, whose boxes stand in its
    # objects.csv; 0: no objects.
    cfg.OBJECTS = CfgNode()
    cfg.OBJECTS.NUM_CLASSES = 0
    # Boxes with a lower score are left out.
    cfg.OBJECTS.MIN_SCORE = 0.0

    # --- Detection (AVA) ------------------------------------------------------------------
    # What of a frame is tested: "full", or upstream's "centre" crop of DATA.TEST_CROP_SIZE.
    cfg.AVA.TEST_CROP = "full"

    # --- Volleyball (sec. 6) -----------------------------------------------------------------
    cfg.VOLLEYBALL = CfgNode()
    # "persons": each player's action; "clip": which actions there are; "group": the group's
    # activity, with DETECTION.ENABLE from the players' boxes and actions too (bb).
    cfg.VOLLEYBALL.TASK = "persons"
    # Classes of the players' actions that are learnt beside the group's activity.
    cfg.VOLLEYBALL.NUM_ACTIONS = 9
    # The weight of the players' loss beside the group's.
    cfg.VOLLEYBALL.PERSONS_WEIGHT = 1.0

    # --- The synthetic data set: each switch takes one property away ---------------------
    cfg.SYNTHETIC = CfgNode()
    # Training and test videos.
    cfg.SYNTHETIC.NUM_TRAIN = 400
    cfg.SYNTHETIC.NUM_TEST = 120
    # Pixels of a side of their frames.
    cfg.SYNTHETIC.SIZE = 80
    cfg.SYNTHETIC.SEED = 0
    # Several actors act at once; otherwise one, who does an activity.
    cfg.SYNTHETIC.SEVERAL_AT_ONCE = True
    # Actors of a video are at different places.
    cfg.SYNTHETIC.SEVERAL_PLACES = True
    # There are slow, normal and fast activities.
    cfg.SYNTHETIC.SEVERAL_SPEEDS = True
    # Some activities occur together, others exclude each other.
    cfg.SYNTHETIC.CORRELATED = True
    # Things move that are no activity.
    cfg.SYNTHETIC.DISTRACTORS = True
    # One actor a video, labelled with its motion and its ball: to train a backbone first.
    cfg.SYNTHETIC.PARTS = False
    # Slow and fast motions in pairs that rate 8 or rate 2 alone tells apart.
    cfg.SYNTHETIC.TWINS = False
    return cfg


def load_config(path, options=()):
    """
    Defaults, then a YAML file (chained by `_BASE_`), then KEY VALUE pairs; checked.

    Args:
        path (str | None): the YAML file.
        options (sequence[str]): KEY, VALUE, KEY, VALUE, ...

    Returns:
        CfgNode: NUM_GPUS -1 is replaced by the number of GPUs that this machine has.

    Raises:
        SlowFastExtError: one sentence naming the key, the value and the rule.
    """
    defaults = add_slowfast_ext_config(upstream.base_config())
    cfg = defaults.clone()
    if path is not None:
        _merge(cfg, lambda: check_file(path), path)
        _merge(cfg, lambda: merge_file(cfg, path), path)
    if len(options) % 2:
        raise SlowFastExtError(f"options are pairs of KEY VALUE: '{options[-1]}' has no value")
    _merge(cfg, lambda: merge_list(cfg, options), "command line")
    check_values(cfg, defaults)
    if cfg.SOLVER.BASE_LR_SCALE_NUM_SHARDS:
        # As upstream does on loading a config.
        for name in ("BASE_LR", "WARMUP_START_LR", "COSINE_END_LR"):
            cfg.SOLVER[name] *= cfg.NUM_SHARDS
    if cfg.NUM_GPUS == -1:
        cfg.NUM_GPUS = torch.cuda.device_count()
    check_config(cfg)
    return cfg


def _merge(cfg, merge, source):
    """Runs one of CfgNode's merges and says in a sentence what it does not like."""
    try:
        merge()
    except OSError as error:
        raise SlowFastExtError(
            f"{source}: cannot read {error.filename or source} ({error.strerror}); check the path"
        ) from error
    except yaml.YAMLError as error:
        raise SlowFastExtError(f"{source}: not YAML: {' '.join(str(error).split())}") from error
    except (KeyError, AssertionError) as error:
        raise SlowFastExtError(f"{source}: {_unknown_key(cfg, str(error))}") from error
    except (AttributeError, TypeError) as error:
        raise SlowFastExtError(f"{source}: is not sections of KEY: value pairs") from error
    except RecursionError as error:
        raise SlowFastExtError(f"{source}: is nested too deeply") from error
    except (ValueError, SyntaxError) as error:
        raise SlowFastExtError(f"{source}: {_wrong_type(str(error))}") from error


def _unknown_key(cfg, message):
    """Turns yacs's message about a key into one with the nearest valid key."""
    found = re.search(r"[Nn]on-existent (?:config )?key: ([\w.]+)", message)
    if not found:
        return message.strip("'\"")
    key = found.group(1)
    if key in all_keys(cfg):
        section, _, name = key.rpartition(".")
        return f"{key} stands in one line: in a file {name} belongs below its section, {section}:"
    # A section is what is meant only where a section's name is.
    known = [
        k
        for k in all_keys(cfg)
        if "." not in key or not isinstance(upstream.get_key(cfg, k), CfgNode)
    ]
    hint = nearest(key, known)
    if not hint and not upstream.IS_MAIN:
        hint = "; pyslowfast 1.0 is installed, GitHub's main may know it (INSTALL.md)"
    return f"unknown key {key}{hint}"


def _wrong_type(message):
    """Turns yacs's message about a value's type into one that names the key first."""
    found = re.search(
        r"Type mismatch \(<class '([\w.]+)'> vs\. <class '([\w.]+)'>\) "
        r"with values \((.*) vs\. (.*)\) for config key: (\S+)",
        message,
        re.DOTALL,
    )
    if not found:
        return " ".join(message.split())
    wanted, given, default, value, key = found.groups()
    if wanted.endswith("CfgNode"):
        return f"{key} is {value}: it is a section, and needs KEY: value pairs below it"
    value, default = (" ".join(text.split())[:60] for text in (value, default))
    return f"{key} is {value}, of type {given}: it must be of type {wanted}, as {default}"


def nearest(word, words):
    """`; did you mean X?`, or nothing where no known word is near."""
    # A right name in a wrong section is as common as a misspelt one.
    section, _, last = word.rpartition(".")
    beside = [known for known in words if section and known.rpartition(".")[0] == section]
    close = difflib.get_close_matches(word, beside, n=1, cutoff=0.9)
    close = close or [known for known in words if known.rpartition(".")[2] == last]
    close = close or difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
