"""A seed's maps against the backbone's own, clip by clip."""

import torch

from projects.study import maps
from projects.study.rates import PLACES
from slowfast_ext.datasets.clips import collate, network_input
from slowfast_ext.engine import loaders
from slowfast_ext.engine.extract import backbone_network
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.models import ActivityNetwork


def test_maps_are_the_frozen_backbones(arguments, tmp_path, monkeypatch):
    monkeypatch.setattr(maps, "CLIPS", {8: 1, 4: 2})
    words = arguments(tmp_path, "ACTIVITY_FROZEN", TRAIN__CHECKPOINT_FILE_PATH=tmp_path / "b.pyth")
    torch.save({"model_state": {}}, tmp_path / "b.pyth")
    cfg = checked_config(words[1], words[2:])
    torch.manual_seed(3)
    torch.save({"model_state": ActivityNetwork(cfg).state_dict()}, tmp_path / "b.pyth")
    found = maps.make_maps(cfg, str(tmp_path / "b.pyth"), str(tmp_path / "maps"))

    network = backbone_network(cfg).eval()
    train_set, test_set = (loaders.build_dataset(cfg, split) for split in ("tune", "test"))

    @torch.no_grad()
    def of_network(batch):
        return network.backbone_map(network_input(cfg, batch, torch.device("cpu"))[0])

    for rate, number in maps.CLIPS.items():
        train_set.rates = [rate]
        samples = [train_set[number - 1, index] for index in range(len(train_set))]
        wanted = of_network(collate(samples))
        assert found.clips[rate].shape[0] == number
        torch.testing.assert_close(found.clips[rate][-1].float(), wanted, rtol=2e-3, atol=1e-3)
        labels = torch.stack([sample.labels for sample in samples])
        assert torch.equal(found.clip_labels[rate][-1], labels)
    assert torch.equal(found.view_labels, torch.from_numpy(test_set.labels))
    test_set.views = maps.distinct_views([(8, 3, 1)])
    wanted = of_network(test_set[1].batch_of_views(slice(None)))
    views = [PLACES.index((8, fraction)) for fraction in (0.0, 0.5, 1.0)]
    torch.testing.assert_close(found.views[1, views].float(), wanted, rtol=2e-3, atol=1e-3)
