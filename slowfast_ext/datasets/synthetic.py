"""A data set that makes itself: real video files of several actors acting at once."""

from slowfast_ext.datasets.multi_label_videos import MultiLabelVideos
from slowfast_ext.datasets.synthetic_videos import SyntheticSettings, ensure
from slowfast_ext.upstream import register_dataset


@register_dataset
class Synthetic(MultiLabelVideos):
    """MultiLabelVideos whose videos are written to DATA.PATH_TO_DATA_DIR where they are missing."""

    @staticmethod
    def prepare(cfg):
        """
        Raises:
            SlowFastExtError: the folder holds a set made with other settings.
        """
        options = cfg.SYNTHETIC
        settings = SyntheticSettings(
            num_train=options.NUM_TRAIN,
            num_test=options.NUM_TEST,
            size=options.SIZE,
            seed=options.SEED,
            several_places=options.SEVERAL_PLACES,
            several_speeds=options.SEVERAL_SPEEDS,
            correlated=options.CORRELATED,
            distractors=options.DISTRACTORS,
            parts=options.PARTS,
        )
        ensure(cfg.DATA.PATH_TO_DATA_DIR, settings)
