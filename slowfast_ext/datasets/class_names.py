"""The names of a network's outputs, wherever its config has them."""

import json
import os

from slowfast_ext import upstream
from slowfast_ext.datasets.ava_annotations import read_label_map
from slowfast_ext.datasets.lists import read_names
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.text import read_text


def class_names(cfg):
    """
    From DEMO.LABEL_FILE_PATH, else for persons AVA's label map, else classes.txt.

    Returns:
        list[str]: MODEL.NUM_CLASSES names; what the file does not name is "class ID".

    Raises:
        SlowFastExtError: the file cannot be read or is of another number of classes.
    """
    number = cfg.MODEL.NUM_CLASSES
    if upstream.get_key(cfg, "DEMO.LABEL_FILE_PATH"):
        path = cfg.DEMO.LABEL_FILE_PATH
        return _filled(path, _read_json(path), number)
    if cfg.DETECTION.ENABLE:
        path = os.path.join(cfg.AVA.ANNOTATION_DIR, cfg.AVA.LABEL_MAP_FILE)
        # A network's outputs are AVA's ids from 1 on.
        return _filled(path, {i - 1: name for i, name in read_label_map(path).items()}, number)
    path = os.path.join(cfg.DATA.PATH_TO_DATA_DIR, "classes.txt")
    return read_names(path, "MODEL.NUM_CLASSES", number)


def _read_json(path):
    """{id: name} of upstream's form, a JSON object {"name": id, ...}."""
    form = f'{path}: must be a JSON object of classes and their ids from 0 on, {{"run": 0, ...}}'
    try:
        ids = json.loads(read_text(path))
    except ValueError as error:
        raise SlowFastExtError(f"{form}; {error}") from error
    if not isinstance(ids, dict) or not all(type(i) is int for i in ids.values()):
        raise SlowFastExtError(form)
    return {i: name for name, i in ids.items()}


def _filled(path, names, number):
    outside = [i for i in names if not 0 <= i < number]
    if outside:
        raise SlowFastExtError(
            f"{path}: the class {names[outside[0]]!r} is the network's output {outside[0]}, but "
            f"with MODEL.NUM_CLASSES {number} they go from 0 to {number - 1}"
        )
    return [names.get(i, f"class {i}") for i in range(number)]
