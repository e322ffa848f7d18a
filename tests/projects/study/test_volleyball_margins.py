"""What the comparison on stand-in volleyball keeps from one run to the next."""

import torch

from projects.study.volleyball_margins import CONFIG, maps_remembered
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.models.network import ActivityNetwork


def test_remembered_maps_are_those_of_each_clip():
    options = ["NUM_GPUS", "0", "TRAIN.CHECKPOINT_FILE_PATH", "any"]
    torch.manual_seed(0)
    network = ActivityNetwork(checked_config(CONFIG, options))
    network.freeze_backbone()
    slow, fast = torch.randn(3, 3, 2, 32, 48), torch.randn(3, 3, 8, 32, 48)

    def features(*places):
        return network.features([slow[list(places)], fast[list(places)]])

    wanted = features(0, 1, 2)
    with maps_remembered():
        torch.testing.assert_close(features(2, 0), wanted[[2, 0]])
        torch.testing.assert_close(features(1, 2, 1), wanted[[1, 2, 1]])
        # What is known needs no backbone.
        network.backbone = None
        torch.testing.assert_close(features(0, 1, 2), wanted)


def test_a_network_is_called_with_remembered_maps_as_without():
    options = ["NUM_GPUS", "0", "TRAIN.CHECKPOINT_FILE_PATH", "any"]
    with maps_remembered():
        # Its check runs the network too, which has no numbers there.
        network = ActivityNetwork(checked_config(CONFIG, options)).eval()
        network.freeze_backbone()
        clips = [torch.randn(2, 3, 2, 32, 48), torch.randn(2, 3, 8, 32, 48)]
        with torch.no_grad():
            remembered = network(clips), network(clips)
    with torch.no_grad():
        wanted = network(clips)
    for scores in remembered:
        torch.testing.assert_close(scores, wanted)
