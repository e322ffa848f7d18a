"""
Person detectors: detectron2's Faster R-CNN, or torchvision's.

A detector is a function: list of RGB frames (uint8 arrays [H, W, 3]) -> one pair per frame of
boxes (float array [persons, 4]: x1, y1, x2, y2 in pixels) and scores (float array [persons]).
"""

import contextlib
import functools
import hashlib
import http.client
import sys

import numpy as np
import torch
from torchvision.models import detection

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.upstream import detectron2_parts, has_detectron2
from slowfast_ext.utils.paths import pathmgr
from slowfast_ext.utils.unpickling import read_arrays

# The nearest in detectron2's model zoo to the detector of AVA's published boxes.
_DETECTRON2_CONFIG = "COCO-Detection/faster_rcnn_X_101_32x8d_FPN_3x.yaml"
# The first is what is downloaded: torchvision's most accurate.
_TORCHVISION_NETWORKS = (
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_mobilenet_v3_large_fpn",
)
# COCO's person: torchvision counts the background as class 0, detectron2 does not.
_PERSON_OF_TORCHVISION, _PERSON_OF_DETECTRON2 = 1, 0
_CLASSES = "roi_heads.box_predictor.cls_score.weight"
_MOST_CLASSES = 10_000
_HINT = (
    "give --weights FILE, a state_dict of a torchvision Faster R-CNN such as "
    "https://download.pytorch.org/models/fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth"
)


def default_detector():
    """Whose detector is used where no weights are given: "detectron2" or "torchvision"."""
    return "detectron2" if has_detectron2() else "torchvision"


def identity_of_weights(weights):
    """
    What tells one detector from another.

    Args:
        weights (str or None): as of `load_detector`.
    Returns:
        str: the file's SHA-256, or whose detector is used where no weights are given.
    Raises:
        SlowFastExtError: no such file.
    """
    if weights is None:
        return default_detector()
    if not pathmgr.isfile(weights):
        raise SlowFastExtError(f"{weights}: no such file of weights; check --weights")
    digest = hashlib.sha256()
    with pathmgr.open(weights, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def load_detector(weights, min_score):
    """
    Loads the person detector.

    Args:
        weights (str or None): a state_dict of one of torchvision's Faster R-CNNs (of COCO or
            with another number of classes, of which 1 is the person), or a checkpoint of
            detectron2's model zoo (.pkl); None: detectron2's own where it is installed,
            torchvision's otherwise, both downloaded.
        min_score (float): boxes below it are not found.
    Returns:
        callable: the detector.
    Raises:
        SlowFastExtError: the weights cannot be read, belong to no known network, or cannot be
            downloaded.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if weights is None:
        chosen = default_detector()
    else:
        chosen = "detectron2" if weights.endswith(".pkl") else "torchvision"
    if chosen == "torchvision":
        return _torchvision(weights, min_score, device)
    if default_detector() != "detectron2":
        raise SlowFastExtError(
            f"{weights}: a .pkl is a checkpoint of detectron2, which is not installed: {_HINT}"
        )
    return _detectron2(weights, min_score, device)


# --- torchvision ----------------------------------------------------------------------


def _torchvision(weights, min_score, device):
    name, state = _read_state(weights) if weights else _download_state()
    # The state_dict replaces all weights, so none are downloaded for the backbone.
    network = getattr(detection, name)(
        weights=None,
        weights_backbone=None,
        num_classes=_num_classes(state),
        box_score_thresh=min_score,
    )
    network.load_state_dict(state)
    network.eval().to(device)
    return functools.partial(_detect_torchvision, network, device)


@torch.inference_mode()
def _detect_torchvision(network, device, frames):
    images = [torch.from_numpy(f).permute(2, 0, 1).to(device).float() / 255 for f in frames]
    found = []
    for prediction in network(images):
        is_person = prediction["labels"] == _PERSON_OF_TORCHVISION
        boxes, scores = prediction["boxes"][is_person], prediction["scores"][is_person]
        found.append((boxes.cpu().numpy(), scores.cpu().numpy()))
    return found


def _num_classes(state):
    """The classes of a state_dict, 0 where it is none of a detector's."""
    scores = state.get(_CLASSES) if isinstance(state, dict) else None
    return len(scores) if torch.is_tensor(scores) and scores.dim() == 2 else 0


def _read_state(path):
    """(name of the network, state_dict) of a file."""
    try:
        with pathmgr.open(path, "rb") as stream:
            state = torch.load(stream, map_location="cpu", weights_only=True)
    except Exception as error:  # A damaged file can raise anything.
        raise SlowFastExtError(f"{path}: not a readable file of weights: {_HINT}") from error
    for name in _TORCHVISION_NETWORKS:
        if _fits(name, state):
            return name, state
    raise SlowFastExtError(
        f"{path}: the weights are of none of torchvision's {', '.join(_TORCHVISION_NETWORKS)}: "
        f"{_HINT}"
    )


def _fits(name, state):
    """True where the state_dict has just the keys and shapes of the network."""
    # A tensor can claim any length by repeating one number.
    if not 0 < _num_classes(state) <= _MOST_CLASSES:
        return False
    with torch.device("meta"):
        network = getattr(detection, name)(
            weights=None, weights_backbone=None, num_classes=_num_classes(state)
        )
    expected = {key: value.shape for key, value in network.state_dict().items()}
    return expected == {key: getattr(value, "shape", None) for key, value in state.items()}


def _download_state():
    """(name of the network, state_dict), from torchvision's cache or from its server."""
    name = _TORCHVISION_NETWORKS[0]
    enumeration = detection.FasterRCNN_ResNet50_FPN_V2_Weights.DEFAULT
    try:
        # torch prints where it downloads to; standard output may be read by a program.
        with contextlib.redirect_stdout(sys.stderr):
            return name, enumeration.get_state_dict(check_hash=True, map_location="cpu")
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        raise SlowFastExtError(
            "no person detector: detectron2 is not installed, and torchvision cannot download "
            f"{enumeration.url} ({error}): download it elsewhere and give --weights FILE"
        ) from error


# --- detectron2 -----------------------------------------------------------------------


def _detectron2(weights, min_score, device):
    get_config, predictor_class = detectron2_parts()
    # detectron2 itself executes what a pickle asks for: it gets none that asks for anything.
    saved = read_arrays(weights) if weights else None
    cfg = get_config(_DETECTRON2_CONFIG, trained=True)
    cfg.MODEL.DEVICE = device
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = min_score
    if weights:
        cfg.MODEL.WEIGHTS = pathmgr.get_local_path(weights)
    try:
        predictor = predictor_class(cfg)
    except (OSError, http.client.HTTPException) as error:
        raise SlowFastExtError(
            f"detectron2 cannot load {cfg.MODEL.WEIGHTS} ({error}): {_HINT}"
        ) from error
    if weights:
        _check_all_loaded(weights, saved, predictor.model)
    return functools.partial(_detect_detectron2, predictor)


def _check_all_loaded(path, saved, network):
    """detectron2 leaves what a file lacks, or has in another shape, at random values."""
    saved = saved.get("model") if isinstance(saved, dict) else None
    saved = saved if isinstance(saved, dict) else {}
    wrong = [
        name
        for name, parameter in network.named_parameters()
        if np.shape(saved.get(name)) != tuple(parameter.shape)
    ]
    if wrong:
        raise SlowFastExtError(
            f"{path}: not the weights of {_DETECTRON2_CONFIG} of detectron2's model zoo: "
            f"{wrong[0]} and {len(wrong) - 1} more differ"
        )


def _detect_detectron2(predictor, frames):
    found = []
    for frame in frames:
        # The predictor takes OpenCV's order of the channels.
        instances = predictor(frame[:, :, ::-1])["instances"].to("cpu")
        is_person = instances.pred_classes == _PERSON_OF_DETECTRON2
        persons = instances[is_person]
        found.append((persons.pred_boxes.tensor.numpy(), persons.scores.numpy()))
    return found
