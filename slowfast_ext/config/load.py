"""Reading a config: defaults, plug-ins, a YAML file, KEY VALUE pairs."""

import contextlib
import re

import yaml
from fvcore.common.config import CfgNode

from slowfast_ext import upstream_config
from slowfast_ext.config.compare import set_own
from slowfast_ext.config.defaults import check_keys, default_config
from slowfast_ext.config.files import merge_list, merge_tree, read_config
from slowfast_ext.config.plugins import import_plugins
from slowfast_ext.config.schema import all_keys, check_values, flattened
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.text import nearest

# Which keys the file and the options set; in the config's attributes, which its copies get too.
_GIVEN = "__given_keys__"

# Networks that MODEL.ARCH tells from each other; the last is one stock file's, and in no registry.
_BY_ARCH = ("SlowFast", "ResNet", "X3D", "ResNet_nopool")


def load_config(path, options=(), own=None):
    """
    Defaults, then a YAML file (chained by `_BASE_`), then KEY VALUE pairs; each key checked.

    The modules of PLUGINS are imported first, and may add keys (`config.plugins`).

    Args:
        path (str | None): the YAML file.
        options (sequence): KEY, VALUE, KEY, VALUE, ...; a value is a text, as of a command
            line, or what it stands for.
        own (dict | None): {key: value} that a command decides for itself, as `set_own` has it.

    Returns:
        CfgNode: NUM_GPUS -1 is replaced by the number of GPUs that this machine has.

    Raises:
        SlowFastExtError: one sentence naming the key, the value and the rule.
    """
    if len(options) % 2:
        raise SlowFastExtError(f"options are pairs of KEY VALUE: '{options[-1]}' has no value")
    cfg, tree, networks = default_config(), {}, []
    if path is not None:
        with _in_a_sentence(cfg, path):
            tree, networks = read_config(path)
            CfgNode(tree)  # Refuses values of types that no config has.
    # Before any key of theirs is looked at.
    pairs = zip(options[::2], options[1::2], strict=True)
    with _in_a_sentence(cfg, path):
        merge_tree(cfg, {key: value for key, value in tree.items() if key == "PLUGINS"})
    with _in_a_sentence(cfg, "command line"):
        merge_list(cfg, [word for pair in pairs if pair[0] == "PLUGINS" for word in pair])
    check_keys(cfg, cfg, ["PLUGINS"])
    import_plugins(cfg.PLUGINS, cfg)
    defaults = cfg.clone()  # With the plug-ins' keys, and before any value of the user's.
    with _in_a_sentence(cfg, path):
        merge_tree(cfg, tree)
    with _in_a_sentence(cfg, "command line"):
        merge_list(cfg, options)
    cfg.__dict__[_GIVEN] = frozenset(flattened(tree)) | frozenset(options[::2])
    set_own(cfg, own or {})
    _name_form(cfg)
    _keep_backbone(cfg, networks)
    check_values(cfg, defaults)
    if cfg.SOLVER.BASE_LR_SCALE_NUM_SHARDS:
        # As upstream does on loading a config.
        for name in ("BASE_LR", "WARMUP_START_LR", "COSINE_END_LR"):
            cfg.SOLVER[name] *= cfg.NUM_SHARDS
    check_keys(cfg, defaults)
    if cfg.NUM_GPUS == -1:
        # Only now: importing torch takes seconds, and a wrong key is told before.
        import torch

        cfg.NUM_GPUS = torch.cuda.device_count()
    return cfg


def given_keys(cfg):
    """The keys that the config's file or options set, whatever to: a frozenset of names."""
    return cfg.__dict__.get(_GIVEN, frozenset())


def _keep_backbone(cfg, networks):
    """
    Takes the network that a file names for the backbone where ActivityNetwork is put in its place
    and MODEL.ARCH may give another: PTVSlowFast, say. `networks` are as of `read_config`.
    """
    is_ours = cfg.MODEL.MODEL_NAME == "ActivityNetwork"
    if is_ours and not cfg.ACTIVITY.BACKBONE:
        network = next((name for name in networks if name != "ActivityNetwork"), "SlowFast")
        cfg.ACTIVITY.BACKBONE = "" if network in _BY_ARCH else network


def _name_form(cfg):
    """
    Replaces {form} in OUTPUT_DIR and in checkpoints' paths: by nothing for ACTIVITY.FORM default,
    by _FORM for another, so that one key runs a config in that form, in a folder of its own.
    """
    form = "" if cfg.ACTIVITY.FORM == "default" else f"_{cfg.ACTIVITY.FORM}"
    cfg.OUTPUT_DIR = cfg.OUTPUT_DIR.replace("{form}", form)
    for section in (cfg.TRAIN, cfg.TEST):
        section.CHECKPOINT_FILE_PATH = section.CHECKPOINT_FILE_PATH.replace("{form}", form)


@contextlib.contextmanager
def _in_a_sentence(cfg, source):
    """Says in a sentence what CfgNode does not like of a file or of the command line."""
    try:
        yield
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
    except (ValueError, SyntaxError, OverflowError) as error:
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
        if "." not in key or not isinstance(upstream_config.get_key(cfg, k), CfgNode)
    ]
    hint = nearest(key, known)
    if not hint and not upstream_config.IS_MAIN:
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
