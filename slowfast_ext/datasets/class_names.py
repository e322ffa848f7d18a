"""The names of a checkpoint's classes beside those of a data set."""

from slowfast_ext.errors import SlowFastExtError


def names_of_outputs(cfg, path, stored, listed):
    """
    The names of a checkpoint's outputs, in their order, as the lists call them.

    Args:
        cfg (CfgNode): DATA.RENAMED_CLASSES says which were called otherwise in training.
        path (str): the checkpoint, for messages.
        stored (list[str] or None): the names in it; older ones have none.
        listed (list[str] or None): the names that the data set has, in any order; None: it has
            none.

    Raises:
        SlowFastExtError: the data set has other classes than the checkpoint.
    """
    if stored is None:
        return listed
    renames = dict(pair.split("=", 1) for pair in cfg.DATA.RENAMED_CLASSES)
    gone = [old for old, new in renames.items() if not {old, new} & set(stored)]
    if gone:
        raise SlowFastExtError(f'DATA.RENAMED_CLASSES: {path} has no class "{gone[0]}"')
    names = [renames.get(name, name) for name in stored]
    if listed is None:
        return names
    if len(names) == len(listed):
        names, listed = _named_by(names, listed), _named_by(listed, names)
    if sorted(names) == sorted(listed):
        return names
    theirs, ours = ([n for n in a if n not in b] for a, b in ((names, listed), (listed, names)))
    pair = f"{(theirs or ['OLD'])[0]}={(ours or ['NEW'])[0]}"
    raise SlowFastExtError(
        f"{path} was trained on {_shown(theirs)}, where the data set has {_shown(ours)}: take the "
        f"data set's lists as they were; a label that was renamed since: DATA.RENAMED_CLASSES "
        f"\"['{pair}']\""
    )


def order_as(dataset, names):
    """Gives a data set the order `names` of the network's outputs, where it has another."""
    if names != dataset.read_class_names(dataset.cfg):
        dataset.order_classes(names)


def _named_by(names, others):
    """Names of outputs where those that say no more than their number are the others' instead."""
    numbers = [f"c{i:03d}" for i in range(len(names))]
    numbers = numbers if names == numbers else [f"class {i}" for i in range(len(names))]
    known = zip(names, others, numbers, strict=True)
    return [other if name == number else name for name, other, number in known]


def _shown(names):
    quoted = ", ".join(f'"{name}"' for name in names[:5])
    return (quoted or "nothing else") + (f" and {len(names) - 5} more" if len(names) > 5 else "")
