"""The names of a network's outputs, wherever its config has them."""

import json

from slowfast_ext import upstream
from slowfast_ext.datasets.contract import ActivityDataset, named_datasets
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.text import read_text


def class_names(cfg):
    """
    MODEL.NUM_CLASSES names: from DEMO.LABEL_FILE_PATH, else those of the data set that the config
    names, the training's first, else classes.txt. Raises SlowFastExtError.
    """
    path = upstream.get_key(cfg, "DEMO.LABEL_FILE_PATH")
    if path:
        # Upstream's form.
        form = f"{path}: must be a JSON object of classes and their ids from 0 on, "
        form += '{"run": 0, ...}'
        try:
            ids = json.loads(read_text(path))
        except ValueError as error:
            raise SlowFastExtError(f"{form}; {error}") from error
        if not isinstance(ids, dict) or not all(type(i) is int for i in ids.values()):
            raise SlowFastExtError(form)
        names = {i: name for name, i in ids.items()}
        return names_by_output(path, names, cfg.MODEL.NUM_CLASSES)
    # Videos of any origin need no data set, and a config may name one of upstream's.
    dataset = next(iter(named_datasets(cfg)), ActivityDataset)
    return dataset.read_class_names(cfg)


def names_by_output(path, names, number):
    """
    {output from 0 on: name} -> the names of a network's outputs, "class ID" where there is none.
    Raises SlowFastExtError for a name of an output that there is not; `path` is for its message.
    """
    outside = [i for i in names if not 0 <= i < number]
    if outside:
        raise SlowFastExtError(
            f"{path}: the class {names[outside[0]]!r} is the network's output {outside[0]}, but "
            f"with MODEL.NUM_CLASSES {number} they go from 0 to {number - 1}"
        )
    return [names.get(i, f"class {i}") for i in range(number)]
