"""Reading a config's files: what YAML allows and they must not have; numbers of either kind."""

import functools
import io
import logging
import os
import re

import yaml
from fvcore.common.config import CfgNode
from iopath.common.file_io import g_pathmgr

from slowfast_ext import upstream_config
from slowfast_ext.errors import SlowFastExtError

logger = logging.getLogger(__name__)

_MOST_FILES = 100  # A longer chain leads back into itself.


def read_config(path):
    """
    What a config's file and those that it is based on say.

    Returns:
        (dict, list[str]): dicts in dicts; and the MODEL.MODEL_NAME of each file that has one, the
            config's own first.

    Raises:
        SlowFastExtError: a section stands twice (YAML would drop all keys of the first), an anchor
            lies within itself, or the chain of `_BASE_` never ends.
        OSError, YAMLError, and what else reading finds wrong.
    """
    opened, networks = [], []

    class Checked(CfgNode):
        """fvcore's way to read a file and its bases, each checked where it is opened."""

        @classmethod
        def _open_cfg(cls, filename):
            opened.append(filename)
            if len(opened) > _MOST_FILES:
                raise SlowFastExtError(f"{path}: its chain of _BASE_ never ends")
            with g_pathmgr.open(filename, "r") as stream:  # As fvcore itself opens it.
                text = io.StringIO(stream.read())
            # YAML's errors say it: the file at fault may be one that `path` is based on.
            text.name = filename
            node = _composed(filename, text)
            for name in ("MODEL", "MODEL_NAME"):
                pairs = node.value if isinstance(node, yaml.MappingNode) else []
                node = next((v for k, v in reversed(pairs) if k.value == name), None)
            if isinstance(node, yaml.ScalarNode):
                networks.append(node.value)
            text.seek(0)
            return text

    return Checked.load_yaml_with_base(path), networks


# A config of all keys has some 500 parts; anchors within anchors make any number of few lines.
_MOST_PARTS = 100_000


def read_yaml(path, text):
    """A YAML text's plain values; raises SlowFastExtError as `read_config`, or for any others."""
    try:
        node = _composed(path, text)
        return yaml.SafeLoader("").construct_document(node) if node else None
    except yaml.YAMLError as error:
        raise SlowFastExtError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except (RecursionError, ValueError, TypeError) as error:
        raise SlowFastExtError(f"{path}: not YAML of plain values ({error})") from error


def _composed(path, stream):
    """The checked root of a YAML text, None where it is empty."""
    root = yaml.compose(stream, Loader=yaml.SafeLoader)
    _check_node(path, root, [], set())
    if _num_parts(root, {}) > _MOST_PARTS:
        raise SlowFastExtError(f"{path}: its anchors make more than {_MOST_PARTS} parts")
    return root


def _num_parts(node, counted):
    """The parts of a node with its anchors written out; `counted`: of nodes, by id."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in counted:
        is_mapping = isinstance(node, yaml.MappingNode)
        children = [part for pair in node.value for part in pair] if is_mapping else node.value
        counted[id(node)] = 1 + sum(_num_parts(child, counted) for child in children)
    return counted[id(node)]


@functools.cache
def _warn_once(sentence):
    """A command reads its config before torch is imported, and again."""
    logger.warning(sentence)


def _check_node(path, node, above, checked):
    """`above`: the nodes that this one lies in; `checked`: those that need no second look."""
    where = f"{path}:{node.start_mark.line + 1}" if node else path
    if any(node is other for other in above):
        raise SlowFastExtError(f"{where}: an anchor that is used within itself")
    if not isinstance(node, yaml.CollectionNode) or id(node) in checked:
        return
    children, lines = node.value, {}
    if isinstance(node, yaml.MappingNode):
        children = [value for _, value in node.value]
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if key.value in lines:
                twice = f"{path}:{line}: {key.value} stands in line {lines[key.value]} already"
                if isinstance(value, yaml.MappingNode):
                    rule = "YAML takes the last alone: put both together"
                    raise SlowFastExtError(f"{twice}, and {rule}")
                # Stock files have such keys, of which upstream takes the last too.
                _warn_once(f"{twice}, and the last alone is taken")
            lines[key.value] = line
    for child in children:
        _check_node(path, child, [*above, node], checked)
    checked.add(id(node))


# --- Numbers where a float is meant: stock files have `WARMUP_EPOCHS: 34` -----------------


def merge_tree(cfg, tree):
    """cfg.merge_from_other_cfg of what a file says, but a whole number serves for a float."""
    cfg.merge_from_other_cfg(CfgNode(_with_floats(tree, cfg)))


def merge_list(cfg, options):
    """cfg.merge_from_list(options), likewise; values may be texts or what they stand for."""
    pairs = list(options)
    for place in range(0, len(pairs), 2):
        value = pairs[place + 1]
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        is_float = isinstance(upstream_config.get_key(cfg, pairs[place]), float)
        if is_float and re.fullmatch(r"-?[0-9]+", str(value)):
            value = float(value)  # yacs takes no whole number for a float.
        pairs[place + 1] = value
    cfg.merge_from_list(pairs)


def _with_floats(given, known):
    """`given`, dicts in dicts, with whole numbers as floats where `known` has those."""
    if not isinstance(given, dict) or not isinstance(known, dict):
        is_whole = isinstance(given, int) and not isinstance(given, bool)
        return float(given) if is_whole and isinstance(known, float) else given
    return {key: _with_floats(value, known.get(key)) for key, value in given.items()}
