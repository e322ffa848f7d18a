"""Any folder of videos, or of folders of frames, with lists of what happens in them when."""

import os

import numpy as np
import torch

from slowfast_ext.config.schema import refuse
from slowfast_ext.datasets import augmentation, views
from slowfast_ext.datasets.clips import CutViews, Sample, crop_of_view, join_clips, to_pathways
from slowfast_ext.datasets.contract import ActivityDataset
from slowfast_ext.datasets.known_files import known_folder
from slowfast_ext.datasets.lists import label_matrix, read_list, read_names
from slowfast_ext.datasets.object_boxes import VideoObjects, check_any_listed, read_objects
from slowfast_ext.datasets.video import open_by_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.upstream import register_dataset
from slowfast_ext.utils.paths import pathmgr


@register_dataset
class MultiLabelVideos(ActivityDataset):
    """
    DATA.PATH_TO_DATA_DIR holds `classes.txt` (one activity a line) and the lists
    `train.csv`, `val.csv` (optional: the test list serves) and `test.csv`
    (`path,labels[,start,end][,unknown]`, see `slowfast_ext.datasets.lists`). Relative paths start
    at DATA.PATH_PREFIX or, where that is empty, at the folder of the lists, and must not lead out
    of it unless DATA.PATHS_OUTSIDE says so.

    All views of a video take its distinct frames in uint8, at most DATA.NUM_FRAMES for each clip
    of TEST.VIEWS (84 MB at the paper's 10 clips of 32 frames, 340 x 256), whatever its length;
    beside them some 40 bytes for each frame of the file. A loader's worker has two such videos
    ready.

    Args: those of ActivityDataset.

    Raises:
        SlowFastExtError: all bad rows of the list at once, with file:line.
    """

    augments = augmentation.AUGMENTS
    # Whether no label may begin after its video: times in frames would leave all clips without.
    checks_times = True

    @classmethod
    def check_config(cls, cfg):
        """The labels of its lists are of videos, not of persons."""
        if cfg.DETECTION.ENABLE:
            refuse(cfg, "DETECTION.ENABLE", f"must be False for {cls.__name__}")

    def __init__(self, cfg, split):
        self.cfg = cfg
        self.root = cfg.DATA.PATH_TO_DATA_DIR
        list_path = self.list_path(split)
        self.class_names = self.listed_names = self.read_class_names(cfg)
        self.videos = self.read_videos(list_path)
        self.objects = self._read_objects(list_path)
        self.labels = label_matrix(self.videos, len(self.class_names))
        self.rates = cfg.TUNE.RATES if split == "tune" else [cfg.DATA.SAMPLING_RATE]
        groups = [(cfg.DATA.SAMPLING_RATE, 1, 1)] if split == "val" else self.view_groups(cfg)
        self.views = views.list_views(groups)
        self.whole_frame = cfg.TEST.WHOLE_FRAME and split != "val"
        known_folder(cfg)  # A warning about it comes from here, and not from each worker.

    def list_path(self, split):
        name = "train" if split == "tune" else split
        path = os.path.join(self.root, f"{name}.csv")
        if split == "val" and not pathmgr.exists(path):
            path = os.path.join(self.root, "test.csv")
        return path

    def read_videos(self, path, check_files=True):
        rules = {"outside": self.cfg.DATA.PATHS_OUTSIDE if check_files else "any"}
        rules["allow_empty"] = self.cfg.DATA.SKIP_BROKEN_VIDEOS
        return read_list(path, self.listed_names, self._prefix, check_files, **rules)

    def _read_objects(self, list_path):
        """{video id: VideoObjects}, or None where OBJECTS.NUM_CLASSES is 0."""
        options = self.cfg.OBJECTS
        if not options.NUM_CLASSES:
            return None
        path = os.path.join(self.root, "object_classes.txt")
        names = read_names(path, "OBJECTS.NUM_CLASSES", options.NUM_CLASSES)
        path = os.path.join(self.root, "objects.csv")
        objects = read_objects(path, names, options.MIN_SCORE)
        check_any_listed(path, objects, list_path, self.video_ids)
        return objects

    @property
    def num_videos_with_objects(self):
        """How many videos of the list have boxes; None where no objects are used."""
        return self.objects and len(self.objects.keys() & set(self.video_ids))

    @property
    def has_unknown(self):
        """Also where another span of the video shows the label."""
        return any(video.unknown for video in self.videos)

    def read_labels(self, path):
        """The label matrix, [V, A], of another list of this form; its videos may be absent."""
        videos = self.read_videos(path, check_files=False)
        places = [self.class_names.index(name) for name in self.listed_names]
        return label_matrix([v.renumbered(places) for v in videos], len(places))

    def order_classes(self, names):
        """As ActivityDataset's; class ids in the lists stay lines of classes.txt."""
        places = [names.index(name) for name in self.class_names]
        self.class_names = list(names)
        self.videos = [video.renumbered(places) for video in self.videos]
        self.labels = label_matrix(self.videos, len(names))

    def __len__(self):
        return len(self.videos)

    @property
    def video_ids(self):
        """One id a video, in the list's order."""
        return [self.video_id(video) for video in self.videos]

    def video_id(self, video):
        """The path as the list names it."""
        return video.path.removeprefix(os.path.join(os.path.normpath(self._prefix), ""))

    def __getitem__(self, key):
        """
        Args:
            key (tuple[int, int] | int): (epoch, index) gives a training clip, an index all
                views of that video.

        Returns:
            Sample: with pathways [3 x T x H x W] and labels [A] for a clip, or a list of
                AUG.NUM_SAMPLE of them, each augmented by itself; for a video with pathways
                [CutViews] and a list of objects, those of each view.
        """
        if isinstance(key, tuple):
            return self._training_clip(*key)
        return self._all_views(key)

    # --- Training ----------------------------------------------------------------------

    def _training_clip(self, epoch, index):
        cfg, video = self.cfg, self.videos[index]
        # The order of the draws is part of a seed's meaning.
        random = views.sample_random(cfg.RNG_SEED, epoch, index)
        rate = self.rates[random.integers(len(self.rates))]
        short_side = augmentation.short_side(cfg, random)
        with self.open(index) as reader:
            frames = self._clip_frames(reader.info, rate, random.random())
            images = reader.read(frames, short_side)
            times = self._times(reader.info)
        if cfg.DATA.TRAIN_LABELS == "clip":
            # The last frame of all is shown until nothing comes any more.
            until = np.append(times, np.inf)[frames[-1] + 1]
            video = video.between(times[frames], until)
        labels = torch.from_numpy(video.targets(len(self.class_names)))

        def sample():
            shown, crop = augmentation.training_images(cfg, random, images)
            objects = self._objects_in(index, frames, images, crop)
            return Sample(to_pathways(cfg, shown), labels, index, objects)

        if not cfg.AUG.ENABLE or cfg.AUG.NUM_SAMPLE == 1:
            return sample()
        return [sample() for _ in range(cfg.AUG.NUM_SAMPLE)]

    # --- Testing -----------------------------------------------------------------------

    def _all_views(self, index):
        """Reads and scales each frame that any view needs once; views are cut when asked for."""
        with self.open(index) as reader:
            frames = [self._clip_frames(reader.info, v.rate, v.fraction) for v in self.views]
            needed, position = np.unique(np.concatenate(frames), return_inverse=True)
            images = reader.read(needed, self.cfg.DATA.TEST_CROP_SIZE)
        position = position.reshape(len(self.views), -1)
        frame = (self.cfg, *images.shape[1:3], self.whole_frame)
        crops = [crop_of_view(*frame, view.crop, view.num_crops) for view in self.views]
        objects = None
        if self.objects is not None:
            pairs = zip(frames, crops, strict=True)
            objects = [self._objects_in(index, clip, images, crop) for clip, crop in pairs]
        pathways = self._views_of(images, position, crops)
        return Sample(pathways, torch.from_numpy(self.labels[index]), index, objects)

    def _views_of(self, images, position, crops):
        """CutViews of each pathway, from the places of each view's frames in `images`, V x T."""
        planes = torch.from_numpy(np.ascontiguousarray(images.transpose(3, 0, 1, 2))).flatten(0, 1)
        # Which plane goes where is found by giving the planes' numbers the pixels' way.
        numbers = np.arange(len(planes)).reshape(3, -1).T[:, None, None]  # frames x 1 x 1 x 3
        pathways = join_clips([to_pathways(self.cfg, numbers[view]) for view in position])
        return [CutViews(planes, pathway.flatten(2), crops) for pathway in pathways]

    # --- Both --------------------------------------------------------------------------

    def media_path(self, index):
        return self.videos[index].path

    def open(self, index):
        """Opens a video of the list, to be closed by the caller."""
        reader = open_by_config(self.cfg, self.videos[index].path)
        try:
            if self.checks_times:
                self.videos[index].check_within(reader.info)
            self._objects_of(index).check_within(reader)
        except SlowFastExtError:
            reader.close()
            raise
        return reader

    def _objects_of(self, index):
        if self.objects is None:
            return VideoObjects.none()
        return self.objects.get(self.video_id(self.videos[index]), VideoObjects.none())

    def _clip_frames(self, info, rate, fraction):
        data = self.cfg.DATA
        return views.clip_of_video(info, data.NUM_FRAMES, rate, data.TARGET_FPS, fraction)

    def _objects_in(self, index, frames, images, crop):
        """The video's objects in a crop of a clip of these frames; None where none are used."""
        if self.objects is None:
            return None
        return self._objects_of(index).in_clip(frames, crop, *images.shape[1:3])

    def _times(self, info):
        """Seconds of every frame from the file's start."""
        if info.times is not None:
            return info.times
        return np.arange(info.length) / self.cfg.DATA.FRAME_FOLDER_FPS

    @property
    def _prefix(self):
        return self.cfg.DATA.PATH_PREFIX or self.root
