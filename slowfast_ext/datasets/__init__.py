"""The data sets; importing this registers them in upstream's DATASET_REGISTRY."""

from slowfast_ext.datasets.ava import Ava
from slowfast_ext.datasets.charades import Charades
from slowfast_ext.datasets.multi_label_videos import MultiLabelVideos
from slowfast_ext.datasets.synthetic.dataset import Synthetic
from slowfast_ext.datasets.upstream_dataset import UpstreamDataset
from slowfast_ext.datasets.volleyball import Volleyball

__all__ = ["Ava", "Charades", "MultiLabelVideos", "Synthetic", "UpstreamDataset", "Volleyball"]
