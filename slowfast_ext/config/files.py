"""Reading a config's files: what YAML allows and they must not have; numbers of either kind."""

import os
import re

import yaml
from fvcore.common.config import BASE_KEY, CfgNode
from iopath.common.file_io import g_pathmgr

from slowfast_ext import upstream
from slowfast_ext.errors import SlowFastExtError


def check_file(path, chain=()):
    """
    Checks a config's file and those that it is based on.

    Args:
        chain (sequence[str]): the files that led here by `_BASE_`.

    Raises:
        SlowFastExtError: a section or key stands twice (YAML would drop the first), an anchor
            lies within itself, or the chain of `_BASE_` never ends.
    """
    place = os.path.realpath(path)
    if place in chain:
        raise SlowFastExtError(f"{path}: its chain of _BASE_ never ends")
    # As fvcore opens it.
    with g_pathmgr.open(path, "r") as stream:
        root = _composed(path, stream)
    for base in _bases(root):
        base = os.path.join(os.path.dirname(path), os.path.expanduser(base))
        check_file(base, (*chain, place))


# A config of all keys has some 500 parts; anchors within anchors make any number of few lines.
_MOST_PARTS = 100_000


def read_yaml(path, text):
    """
    The plain values of a YAML text, which `path` holds.

    Raises:
        SlowFastExtError: as of `check_file`, or it asks for anything but plain values.
    """
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


def _check_node(path, node, above, checked):
    """`above`: the nodes that this one lies in; `checked`: those that need no second look."""
    where = f"{path}:{node.start_mark.line + 1}" if node else path
    if any(node is other for other in above):
        raise SlowFastExtError(f"{where}: an anchor that is used within itself")
    if not isinstance(node, yaml.CollectionNode) or id(node) in checked:
        return
    children = node.value
    if isinstance(node, yaml.MappingNode):
        _check_keys(path, [key for key, _ in node.value])
        children = [value for _, value in node.value]
    for child in children:
        _check_node(path, child, [*above, node], checked)
    checked.add(id(node))


def _check_keys(path, keys):
    lines = {}
    for key in keys:
        if not isinstance(key, yaml.ScalarNode):
            continue
        line = key.start_mark.line + 1
        if key.value in lines:
            raise SlowFastExtError(
                f"{path}:{line}: {key.value} stands in line {lines[key.value]} already, and YAML "
                "takes the last alone: put both together"
            )
        lines[key.value] = line


def _bases(root):
    """The files that a file names by `_BASE_`: one or a list."""
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    for key, value in pairs:
        if key.value == BASE_KEY:
            nodes = value.value if isinstance(value, yaml.SequenceNode) else [value]
            yield from (node.value for node in nodes if isinstance(node, yaml.ScalarNode))


# --- Whole numbers where a float is meant: stock files have `WARMUP_EPOCHS: 34` ----------


def merge_file(cfg, path):
    """cfg.merge_from_file(path), but a whole number serves where cfg has a float."""
    loaded = cfg.load_yaml_with_base(path)
    cfg.merge_from_other_cfg(CfgNode(_with_floats(loaded, cfg)))


def merge_list(cfg, options):
    """cfg.merge_from_list(options), likewise."""
    pairs = list(options)
    for place in range(0, len(pairs), 2):
        is_float = isinstance(upstream.get_key(cfg, pairs[place]), float)
        if is_float and re.fullmatch(r"-?[0-9]+", pairs[place + 1]):
            pairs[place + 1] += ".0"
    cfg.merge_from_list(pairs)


def _with_floats(given, known):
    """`given`, dicts in dicts, with whole numbers as floats where `known` has those."""
    if not isinstance(given, dict) or not isinstance(known, dict):
        is_whole = isinstance(given, int) and not isinstance(given, bool)
        return float(given) if is_whole and isinstance(known, float) else given
    return {key: _with_floats(value, known.get(key)) for key, value in given.items()}
