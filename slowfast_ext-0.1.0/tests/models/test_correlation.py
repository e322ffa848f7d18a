"""Corr formed by blocks of rows, against Corr as a whole; what is kept of it."""

import torch

from slowfast_ext.models import correlation
from slowfast_ext.models.correlation import ActivityCorrelation


def kept_bytes(num_activities):
    """Bytes that the backward pass of one clip needs, parameters and Mask left out."""
    module = ActivityCorrelation(num_activities, 8)
    own = {t.untyped_storage().data_ptr() for t in [*module.parameters(), module.mask]}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = tensor
        return tensor

    features = torch.randn(1, num_activities, 8, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = module(features)
    del output
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def test_blocks_give_values_and_gradients_of_the_whole(monkeypatch):
    torch.manual_seed(0)
    module = ActivityCorrelation(7, 8).double()
    module.mask.copy_(torch.rand(7, 7))
    features = torch.randn(2, 7, 8, dtype=torch.float64, requires_grad=True)
    inputs, weights = [features, *module.parameters()], torch.randn(2, 7, 8).double()

    query, key = module.query(features), module.key(features)
    whole = (query @ key.transpose(1, 2)).softmax(-1) + module.mask
    wanted = torch.autograd.grad((whole @ features * weights).sum(), inputs)
    for block in (1, 3, 7, 512):
        monkeypatch.setattr(correlation, "BLOCK", block)
        correlated, matrix = module(features, need_weights=True)
        torch.testing.assert_close(matrix, whole)
        torch.testing.assert_close(correlated, whole @ features)
        found = torch.autograd.grad((correlated * weights).sum(), inputs)
        for got, want in zip(found, wanted, strict=True):
            torch.testing.assert_close(got, want)


def test_what_is_kept_grows_no_faster_than_the_activities():
    few, many = kept_bytes(100), kept_bytes(1600)
    assert 0 < many <= 16 * few
