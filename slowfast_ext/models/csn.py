"""CSN-152: the channel-separated network that the paper's strongest rows use."""

import torch.nn as nn
from torchvision.models.video.resnet import Bottleneck, VideoResNet

from slowfast_ext import upstream
from slowfast_ext.errors import SlowFastExtError

# RESNET.DEPTH -> blocks per stage.
BLOCKS = {50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3]}
# The published weights were trained with it.
BATCH_NORM_EPSILON = 1e-3


class DepthwiseConv(nn.Conv3d):
    """Interaction-reduced (ir): the 3 x 3 x 3 convolution of each channel by itself."""

    def __init__(self, channels, channels_out, channels_between, stride=1):
        # torchvision hands three widths; in a bottleneck the first two are one.
        super().__init__(channels, channels_out, 3, stride, padding=1, groups=channels, bias=False)

    @staticmethod
    def get_downsample_stride(stride):
        return (stride, stride, stride)


class PreservingConv(nn.Sequential):
    """Interaction-preserved (ip): a 1 x 1 x 1 convolution over all channels before it."""

    get_downsample_stride = staticmethod(DepthwiseConv.get_downsample_stride)

    def __init__(self, channels, channels_out, channels_between, stride=1):
        super().__init__(
            nn.Conv3d(channels, channels_out, 1, bias=False),
            nn.BatchNorm3d(channels_out),
            DepthwiseConv(channels_out, channels_out, channels_between, stride),
        )


class Stem(nn.Sequential):
    """B x 3 x T x H x W -> B x 64 x T x H/4 x W/4."""

    def __init__(self):
        super().__init__(
            nn.Conv3d(3, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False),
            nn.BatchNorm3d(64),
            nn.ReLU(inplace=True),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        )


_CONVOLUTIONS = {"ip": PreservingConv, "ir": DepthwiseConv}


def keep_size(stage, dilation):
    """Takes the spatial stride out of a stage and dilates its convolutions instead."""
    for module in stage.modules():
        if isinstance(module, nn.Conv3d):
            module.stride = (module.stride[0], 1, 1)  # Time keeps its stride.
            if module.kernel_size[2] > 1:
                module.dilation = module.padding = (1, dilation, dilation)


@upstream.register_model
class CSN(nn.Module):
    """
    ACTIVITY.BACKBONE CSN: a channel-separated ResNet of depth RESNET.DEPTH in the form
    ACTIVITY.CSN_FORM, on torchvision's 3D ResNet. Its tensors have the names of VMZ's.

    Tran, Wang, Torresani, Feiszli, "Video Classification with Channel-Separated
    Convolutional Networks" (ICCV 2019).

    Raises:
        SlowFastExtError: RESNET's depth or width is none of CSN's.
    """

    def __init__(self, cfg):
        super().__init__()
        if cfg.RESNET.DEPTH not in BLOCKS or cfg.RESNET.WIDTH_PER_GROUP != 64:
            raise SlowFastExtError(
                f"RESNET.DEPTH is {cfg.RESNET.DEPTH} and RESNET.WIDTH_PER_GROUP "
                f"{cfg.RESNET.WIDTH_PER_GROUP}: CSN is {', '.join(map(str, BLOCKS))} deep, 64 wide"
            )
        convolution = _CONVOLUTIONS[cfg.ACTIVITY.CSN_FORM]
        network = VideoResNet(Bottleneck, [convolution] * 4, BLOCKS[cfg.RESNET.DEPTH], Stem)
        self.stem = network.stem
        self.layer1, self.layer2 = network.layer1, network.layer2
        self.layer3, self.layer4 = network.layer3, network.layer4
        self.head = nn.Identity()  # `build_backbone` replaces a network's head.
        if cfg.RESNET.SPATIAL_STRIDES[3][0] == 1:
            keep_size(self.layer4, cfg.RESNET.SPATIAL_DILATIONS[3][0])
        # Main has no such key, and 1.0's default is torch's.
        momentum = upstream.get_key(cfg, "BN.MOMENTUM")
        momentum = 0.1 if momentum is None else momentum
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.eps = BATCH_NORM_EPSILON
                module.momentum = momentum

    def forward(self, pathways):
        """
        [B x 3 x T x H x W] -> [B x 2048 x T/8 x H/32 x W/32]; of twice the height and width
        where RESNET.SPATIAL_STRIDES' last is 1, as for detection.
        """
        features = self.stem(pathways[0])
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            features = stage(features)
        return self.head([features])
