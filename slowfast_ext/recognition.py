"""A trained network for use from Python: `slowfast_ext.load(cfg, checkpoint).predict(path)`."""

import os

from slowfast_ext.config.schema import require_clips_alone
from slowfast_ext.datasets.contract import class_names as names_of_config
from slowfast_ext.datasets.lists import Segment, Video
from slowfast_ext.datasets.multi_label_videos import MultiLabelVideos
from slowfast_ext.engine.scoring import video_scores
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.trained import trained_network
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.rate_weights import combination
from slowfast_ext.models.inference import inference
from slowfast_ext.utils import distributed


def load(cfg, checkpoint=None, class_names=None, options=()):
    """
    A trained network.

    Args:
        cfg (str): the run's YAML file.
        checkpoint (str | None): None: the one that a test would take.
        class_names (sequence[str] | None): None: the checkpoint's own or, of older ones that have
            none, DATA.PATH_TO_DATA_DIR/classes.txt.
        options (sequence[str]): KEY, VALUE, ... as run_net.py takes them.

    Returns:
        Recognizer

    Raises:
        SlowFastExtError: a wrong config, no checkpoint or one of another network, names that
            are missing or not as many as the classes, or a network that needs more than a video.
    """
    named = ["TEST.CHECKPOINT_FILE_PATH", str(checkpoint)] if checkpoint else []
    return Recognizer(checked_config(str(cfg), [*options, *named]), class_names)


class Recognizer:
    """
    Says what happens in a video, as a test does: all views of TEST.VIEWS, combined.

    Attributes:
        cfg (CfgNode): of the run.
        class_names (list[str]): A.
        network (ActivityNetwork): on its device, in evaluation.
    """

    def __init__(self, cfg, class_names=None):
        require_clips_alone(cfg, "predict is given nothing but a video")
        self.cfg = cfg
        self.network = _named_network(cfg, class_names)
        self.class_names = self.network.class_names
        self._combine = combination(cfg, OneVideo.view_groups(cfg), self.class_names)

    def predict(self, path):
        """
        Args:
            path (str): a video file or a folder of frames.

        Returns:
            dict[str, float]: the probability of each class, by its name.

        Raises:
            SlowFastExtError: the video cannot be read.
        """
        sample = OneVideo(self.cfg, self.class_names, os.fspath(path))[0]
        with inference(self.cfg, self.network, distributed.device(self.cfg)):
            scores = video_scores(self.cfg, self.network, sample, self._combine)
        return dict(zip(self.class_names, scores.tolist(), strict=True))


class OneVideo(MultiLabelVideos):
    """The test of a list that holds one video, of which nothing is known."""

    def __init__(self, cfg, class_names, path):
        self._names, self._path = class_names, path
        super().__init__(cfg, "test")

    def read_class_names(self, cfg):
        """Those that were given."""
        return self._names

    def read_videos(self, path, check_files=True):
        return [Video(self._path, (Segment(()),))]


def _named_network(cfg, given):
    """The network that a test would take, with `class_names`."""
    if given is not None:
        return trained_network(cfg, _checked_names(cfg, given))
    try:
        network = trained_network(cfg)
        network.class_names = network.class_names or names_of_config(cfg)
    except SlowFastExtError as error:
        hint = "; or give class_names" if "classes.txt" in str(error) else ""
        raise SlowFastExtError(f"{error}{hint}") from error
    return network


def _checked_names(cfg, given):
    if isinstance(given, str):
        raise SlowFastExtError(f"class_names is {given!r}: it must be a sequence of names")
    names, number = [str(name) for name in given], cfg.MODEL.NUM_CLASSES
    if len(set(names)) != len(names):
        raise SlowFastExtError("class_names: a class is named twice")
    if len(names) != number:
        raise SlowFastExtError(
            f"class_names names {len(names)} classes but MODEL.NUM_CLASSES is {number}"
        )
    return names
