"""A data set that makes itself: real video files of several actors acting at once."""

from slowfast_ext.datasets.multi_label_videos import MultiLabelVideos
from slowfast_ext.datasets.synthetic.scenes import SyntheticSettings
from slowfast_ext.datasets.synthetic.videos import ensure
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
        options = {key.lower(): value for key, value in cfg.SYNTHETIC.items()}
        ensure(cfg.DATA.PATH_TO_DATA_DIR, SyntheticSettings(**options))
