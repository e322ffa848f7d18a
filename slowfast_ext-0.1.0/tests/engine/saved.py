"""What runs have saved."""

import torch


def weights(output_dir, name="checkpoint_epoch_00003.pyth"):
    return torch.load(output_dir / "checkpoints" / name, weights_only=True)["model_state"]


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name
