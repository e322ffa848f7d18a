"""timm's image networks as backbones, frame by frame, with random weights."""

import pytest
import torch

from slowfast_ext.config.defaults import default_config
from slowfast_ext.engine.weights import load_weights, read_weights
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import ActivityNetwork
from slowfast_ext.models.backbones import (
    build_backbone,
    input_facts,
    map_shape,
    source_of_prefix,
    spatial_stride,
)
from slowfast_ext.models.backbones.inputs import take_input

timm = pytest.importorskip("timm", minversion="1.0.20")


@timm.models.register_model
def small_swin(pretrained=False, **options):
    options |= {"embed_dim": 16, "num_heads": (1,) * 4, "depths": (1,) * 4}
    return timm.models.swin_transformer.swin_tiny_patch4_window7_224(pretrained, **options)


@timm.models.register_model
def small_hiera(pretrained=False, **options):
    options |= {"embed_dim": 16, "num_heads": 1, "stages": (1,) * 4}
    return timm.models.hiera.hiera_tiny_224(pretrained, **options)


def config_of(name, **changes):
    """A config of the network with two frames of its own size."""
    cfg = default_config()
    cfg.ACTIVITY.BACKBONE = f"timm:{name}"
    cfg.MODEL.NUM_CLASSES = 3
    cfg.ACTIVITY.GROUPS, cfg.ACTIVITY.DIM, cfg.ACTIVITY.NUM_OBSERVATIONS = 8, 16, 4
    keys = {"DATA.NUM_FRAMES": 2}
    keys |= {key.replace("__", "."): value for key, value in changes.items()}
    cfg.merge_from_list([word for pair in keys.items() for word in pair])
    take_input(cfg, keys)
    return cfg


def loaded(cfg, path):
    network = ActivityNetwork(cfg).eval()
    told = load_weights(network, str(path), read_weights(str(path), "pytorch")["model_state"])
    return network, told


def clip_for(cfg, frames=2, height=None, width=None):
    torch.manual_seed(0)
    size = cfg.DATA.TRAIN_CROP_SIZE
    return torch.randn(1, 3, frames, height or size, width or size)


def refusal(function, *args):
    with pytest.raises(SlowFastExtError) as caught:
        function(*args)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "channels", "stride"),
    [
        ("test_resnet", 96, 32),
        ("test_efficientnet", 256, 32),
        ("test_convnext", 64, 32),
        ("test_vit", 64, 16),
        ("small_swin", 128, 32),
        ("small_hiera", 128, 32),
    ],
)
def test_the_networks_own_classifier_on_our_map_gives_its_logits(tmp_path, name, channels, stride):
    """Channels last in Swin, tokens in ViT: all are maps here, each of one frame."""
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=5).eval()
    for norm in network.modules():
        if isinstance(norm, torch.nn.LayerNorm) and norm.weight is not None:
            torch.nn.init.normal_(norm.weight, 1.0, 0.3)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    cfg = config_of(name)
    ours, told = loaded(cfg, tmp_path / "weights.pth")
    assert ours.backbone.facts == input_facts(cfg)
    clip = clip_for(cfg)
    with torch.no_grad():
        features = ours.backbone([clip])[0]
        for frame in range(2):
            image = features[:, :, frame]
            if name == "small_hiera":  # Its classifier takes what its blocks give.
                logits = network.forward_head(image.permute(0, 2, 3, 1).flatten(1, 2))
            elif "vit" in name:  # Of tokens; the class token is not of the map.
                theirs = network.forward_features(clip[:, :, frame])[:, network.num_prefix_tokens :]
                torch.testing.assert_close(image.flatten(2).mT, theirs, atol=1e-5, rtol=0)
                continue
            else:
                channels_last = name == "small_swin"
                image = image.permute(0, 2, 3, 1) if channels_last else image
                logits = network.forward_head(image)
            torch.testing.assert_close(logits, network(clip[:, :, frame]), atol=1e-5, rtol=0)
    size = cfg.DATA.TRAIN_CROP_SIZE // stride
    assert map_shape(cfg, ours.backbone) == (channels, 2, size, size, 1)
    assert spatial_stride(cfg, ours.backbone) == stride


@pytest.mark.parametrize("name", ["test_vit", "test_convnext"])
def test_painting_a_cell_changes_its_column_most(name):
    cfg = config_of(name)
    network = build_backbone(cfg).eval()
    stride = int(spatial_stride(cfg, network))
    clip = clip_for(cfg)
    painted = clip.clone()
    painted[:, :, 1, 2 * stride : 3 * stride, stride : 2 * stride] += 3
    with torch.no_grad():
        change = (network([painted])[0] - network([clip])[0]).norm(dim=1)[0]
    assert change[0].max() == 0  # A frame sees no other.
    width = change.shape[2]
    assert divmod(change[1].argmax().item(), width) == (2, 1)


def test_most_networks_take_frames_of_other_sizes():
    for name in ("test_vit", "test_convnext", "test_resnet"):
        cfg = config_of(name)
        stride = int(spatial_stride(cfg, network := build_backbone(cfg).eval()))
        with torch.no_grad():
            features = network([clip_for(cfg, 3, 5 * stride, 4 * stride)])[0]
        assert features.shape[2:] == (3, 5, 4)


def test_others_are_refused():
    cfg = config_of("test_vit")
    text = refusal(build_backbone(cfg), [clip_for(cfg, 2, 168, 160)])
    assert "it takes multiples of 16 pixels: set DATA.TRAIN_CROP_SIZE" in text
    cfg = config_of("small_hiera")
    text = refusal(build_backbone(cfg), [clip_for(cfg, 1, 256, 256)])
    assert "it takes 224 x 224 pixels alone" in text


def test_windows_that_do_not_fill_the_frame_are_refused(monkeypatch):
    def fail(*args, **options):
        raise AssertionError("height (40) must be divisible by window (7)")

    network = build_backbone(config_of("test_vit"))
    monkeypatch.setattr(network.network, "forward_intermediates", fail)
    text = refusal(network, [torch.zeros(1, 3, 1, 160, 160)])
    assert text == (
        "ACTIVITY.BACKBONE timm:test_vit does not take frames of 160 x 160 pixels: height (40) "
        "must be divisible by window (7)"
    )


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "small_swin"])
def test_an_earlier_stage_is_the_librarys_and_every_parameter_learns(name):
    torch.manual_seed(0)
    whole = timm.create_model(name, num_classes=0).eval()
    cfg = config_of(name, ACTIVITY__STAGE=3)
    network = build_backbone(cfg).eval()
    network.network.load_state_dict(whole.state_dict(), strict=False)
    clip = clip_for(cfg)
    norm = name == "test_vit"  # All its maps are tokens of one width, which its norm takes.
    with torch.no_grad():
        maps = whole.forward_intermediates(clip[:, :, 0], norm=norm, intermediates_only=True)
    features = network([clip])[0]
    torch.testing.assert_close(features[:, :, 0], maps[2], atol=1e-5, rtol=0)
    features.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    stages = len(maps)
    cfg.ACTIVITY.STAGE = stages + 1
    assert f"gives the maps of 1..{stages}, or 0 for the last" in refusal(build_backbone, cfg)


def test_the_times_of_frames_are_learnt_beside_a_frozen_backbone():
    cfg = config_of("test_convnext")
    cfg.MODEL.DROPOUT_RATE = 0.0
    network = ActivityNetwork(cfg)
    network.freeze_backbone()
    clip = clip_for(cfg)
    network.eval()
    before = network([clip])
    assert torch.allclose(before, network([clip.flip(2)]), atol=1e-6)  # Blind to their order.
    network.train()
    sum(logits.sum() for logits in network([clip])).backward()
    times = network.time_embedding.vectors
    assert times.grad.abs().max() > 0 and not times.any()
    assert all(p.grad is None for p in network.backbone.parameters())
    with torch.no_grad():
        times.normal_()
    network.eval()
    assert not torch.allclose(network([clip]), network([clip.flip(2)]), atol=1e-6)
    # What a backbone gives may be stored: it has no times yet.
    assert torch.equal(network([network.backbone_map([clip])], are_maps=True), network([clip]))
    text = refusal(network, [clip_for(cfg, frames=1)])
    assert text == (
        "the clip has 1 frames, and the network has learnt the times of 2: set DATA.NUM_FRAMES to 2"
    )


def test_a_file_of_the_library_is_read_back_to_the_bit(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    torch.manual_seed(0)
    whole = timm.create_model("test_vit", num_classes=5)
    state = whole.state_dict()
    torch.save(state, tmp_path / "weights.pth")
    (tmp_path / "folder").mkdir()
    safetensors.save_file(state, tmp_path / "folder" / "model.safetensors")
    cfg = config_of("test_vit")
    for path in ("weights.pth", "folder", "folder/model.safetensors"):
        ours, told = loaded(cfg, tmp_path / path)
        own = ours.backbone.network.state_dict()
        assert all(torch.equal(value, state[n]) for n, value in own.items())
        left = told.split("left in the file: ")[1].split(", ")
        assert sorted(left) == ["head.bias", "head.weight"]
    text = refusal(loaded, config_of("test_convnext"), tmp_path / "weights.pth")
    assert "these are weights of another network" in text


def test_a_network_of_no_name_is_refused_with_the_nearest():
    assert "did you mean resnet18?" in refusal(config_of, "resnt18")
    assert "did you mean resnet18.a1_in1k?" in refusal(config_of, "resnet18.a1_in2k")
    assert "has no network or weights of that name" in refusal(config_of, "hf-hub:someone/resnet18")


def test_the_input_is_that_of_the_weights_that_are_named():
    """Of one network timm has weights of ImageNet's mean and of CLIP's."""
    name = "convnext_base.clip_laion2b_augreg_ft_in12k_in1k"
    expected = timm.get_pretrained_cfg(name)
    own = timm.get_pretrained_cfg("convnext_base")
    assert expected.mean != own.mean
    assert tuple(config_of("convnext_base").DATA.MEAN) == own.mean
    cfg = config_of("convnext_base", TRAIN__CHECKPOINT_FILE_PATH=f"timm:{name}")
    assert (tuple(cfg.DATA.MEAN), tuple(cfg.DATA.STD)) == (expected.mean, expected.std)
    unknown = {"TRAIN__CHECKPOINT_FILE_PATH": "timm:resnet18.a1_in2k"}
    with pytest.raises(SlowFastExtError, match=r"^timm:resnet18\.a1_in2k: timm "):
        config_of("resnet18", **unknown)


def test_published_weights_that_cannot_be_had_are_told(monkeypatch):
    def fail(name, **options):
        raise OSError("no\nnetwork")

    monkeypatch.setattr(timm, "create_model", fail)
    text = refusal(source_of_prefix("timm").published_weights, "resnet18.a1_in1k")
    assert text.startswith("timm:resnet18.a1_in1k: timm does not get these weights (no network);")


def test_recomputed_activations_give_the_same_gradients():
    gradients = []
    for recomputed in (False, True):
        cfg = config_of("test_vit", MODEL__ACT_CHECKPOINT=recomputed)
        torch.manual_seed(0)
        backbone = build_backbone(cfg).train()
        assert backbone.network.grad_checkpointing is recomputed
        backbone([clip_for(cfg)])[0].square().mean().backward()
        gradients.append([p.grad for p in backbone.parameters()])
    for kept, again in zip(*gradients, strict=True):
        torch.testing.assert_close(kept, again)


def test_stochastic_depth_and_recomputing_serve_where_the_network_has_them(monkeypatch):
    cfg = config_of("test_convnext", MODEL__DROPCONNECT_RATE=0.5)
    rates = [m.drop_prob for m in build_backbone(cfg).modules() if hasattr(m, "drop_prob")]
    assert max(rates) == 0.5
    cfg = config_of("efficientvit_m0", MODEL__DROPCONNECT_RATE=0.5)
    assert "is not built with stochastic depth; set it to 0.0" in refusal(build_backbone, cfg)

    def fail(network, enable=True):  # As some networks of timm's.
        raise AssertionError("gradient checkpointing not supported")

    monkeypatch.setattr(timm.models.ConvNeXt, "set_grad_checkpointing", fail)
    cfg = config_of("test_convnext", MODEL__ACT_CHECKPOINT=True)
    assert "is not built with recomputed activations; set" in refusal(build_backbone, cfg)


def test_a_network_without_maps_is_refused(monkeypatch):
    monkeypatch.delattr(timm.models.ByobNet, "forward_intermediates")
    assert "does not give this network's maps" in refusal(config_of, "test_byobnet")
