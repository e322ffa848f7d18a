"""transformers' video networks as backbones, small ones with random weights, saved as folders."""

import json

import pytest
import torch
import torch.nn.functional as F

from slowfast_ext.engine.weights import load_weights, read_weights
from slowfast_ext.models import ActivityNetwork
from slowfast_ext.models.backbones import build_backbone, spatial_stride
from tests.models.backbones.saved_networks import config_of, refusal

transformers = pytest.importorskip("transformers", minversion="5.22")

SMALL = {"hidden_size": 48, "num_attention_heads": 2, "intermediate_size": 64, "num_labels": 5}
# Library's name: (config's class, a config of its own, frames, pixels).
NETWORKS = {
    "VideoMAE": ("VideoMAEConfig", {"image_size": 48, "num_frames": 4, "num_hidden_layers": 2}),
    "VJEPA2": (
        "VJEPA2Config",
        {
            "crop_size": 48,
            "frames_per_clip": 4,
            "num_hidden_layers": 2,
            "pred_num_hidden_layers": 1,
            "pred_hidden_size": 24,
            "pred_num_attention_heads": 2,
            "num_pooler_layers": 1,
        },
    ),
    "Timesformer": (
        "TimesformerConfig",
        {"image_size": 48, "num_frames": 4, "num_hidden_layers": 2},
    ),
    "Vivit": ("VivitConfig", {"image_size": 48, "num_frames": 4, "num_hidden_layers": 2}),
    "VideoPrism": (
        "VideoPrismVisionConfig",
        {"image_size": 54, "num_frames": 4, "num_spatial_layers": 2, "num_temporal_layers": 1},
    ),
}
STRIDES = {
    "VideoMAE": (2, 16),
    "VJEPA2": (2, 16),
    "Timesformer": (1, 16),
    "Vivit": (2, 16),
    "VideoPrism": (1, 18),
}


def classifier_of(name, **changes):
    """The library's own classifier of a small network, every tensor drawn at random."""
    config_name, values = NETWORKS[name]
    config = getattr(transformers, config_name)(**{**SMALL, **values, **changes})
    torch.manual_seed(0)
    network = getattr(transformers, f"{name}ForVideoClassification")(config).eval()
    for tensor_name, parameter in network.named_parameters():
        # Attention that tells positions apart, as a trained one's does.
        is_sharp = any(part in tensor_name for part in ("query", "key", "qkv", "q_proj", "k_proj"))
        is_scale = "norm" in tensor_name and "weight" in tensor_name and name != "VideoPrism"
        torch.nn.init.normal_(parameter, float(is_scale), std=0.4 if is_sharp else 0.1)
    return network


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """`folders(NAME)` -> the classifier, and the folder that it was saved in."""
    made = {}

    def get(name):
        if name not in made:
            folder, network = tmp_path_factory.mktemp(name), classifier_of(name)
            network.save_pretrained(folder)
            made[name] = network, str(folder)
        return made[name]

    return get


def loaded(cfg, folder):
    """The config's network with the folder's weights, in evaluation; what was loaded."""
    network = ActivityNetwork(cfg).eval()
    told = load_weights(network, folder, read_weights(folder, "pytorch")["model_state"])
    return network, told


def clip_for(cfg, frames=None, size=None, seed=0):
    torch.manual_seed(seed)
    frames, size = frames or cfg.DATA.NUM_FRAMES, size or cfg.DATA.TRAIN_CROP_SIZE
    return torch.randn(2, 3, frames, size, size)


def columns(features):
    """B x C x T x H x W -> B x N x C, time first."""
    return features.flatten(2).transpose(1, 2)


def pair_of(folders, name):
    """The library's network, ours with its weights, and a clip for both."""
    network, folder = folders(name)
    cfg = config_of(folder)
    return network, loaded(cfg, folder)[0], clip_for(cfg)


def own_logits(name, network, backbone, clip):
    """The logits of the library's classifier put on the map of ours."""
    features = backbone([clip])[0]
    if name == "VideoMAE":
        # Its norm stands behind the pool: the map before ours.
        tokens = backbone.network(clip.transpose(1, 2)).last_hidden_state
        torch.testing.assert_close(F.layer_norm(tokens, tokens.shape[-1:]), columns(features))
        return network.classifier(network.fc_norm(tokens.mean(1)))
    if name == "VJEPA2":
        return network.classifier(network.pooler(columns(features)))
    if name == "VideoPrism":
        return network.classifier(network.head_layernorm(network.head(columns(features))[0]))[:, 0]
    raise AssertionError(name)


@pytest.mark.parametrize("name", ["VideoMAE", "VJEPA2", "VideoPrism"])
def test_the_librarys_classifier_on_our_map_gives_its_logits(folders, name):
    network, ours, clip = pair_of(folders, name)
    with torch.no_grad():
        logits = own_logits(name, network, ours.backbone, clip)
        torch.testing.assert_close(
            logits, network(clip.transpose(1, 2)).logits.reshape(2, 5), atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("name", ["Timesformer", "Vivit"])
def test_of_networks_that_classify_by_a_token_of_their_own_the_others_are_our_map(folders, name):
    """The class token sees every patch of the last layer but one: the logits stand for it."""
    network, ours, clip = pair_of(folders, name)
    with torch.no_grad():
        tokens = getattr(network, name.lower())(clip.transpose(1, 2)).last_hidden_state
        features = ours.backbone([clip])[0]
        again = ours.backbone.network(clip.transpose(1, 2)).last_hidden_state
        logits = network.classifier(again[:, 0])
        torch.testing.assert_close(logits, network(clip.transpose(1, 2)).logits)
    theirs = tokens[:, 1:].mean(1)
    torch.testing.assert_close(features.mean((2, 3, 4)), theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_painting_a_cell_changes_its_column_most(folders, name):
    _, folder = folders(name)
    cfg = config_of(folder)
    network = build_backbone(cfg).eval()
    frames, pixels = STRIDES[name]
    clip = clip_for(cfg)[:1]
    with torch.no_grad():
        before = network([clip])[0]
        times, rows, places = before.shape[2:]
        assert (rows, places) == (3, 3)
        for cell in [(0, 0, 2), (times - 1, 1, 0), (1, 2, 1)]:
            painted = clip.clone()
            time, top, left = (n * s for n, s in zip(cell, (frames, pixels, pixels), strict=True))
            painted[:, :, time : time + frames, top : top + pixels, left : left + pixels] += 3
            change = (network([painted])[0] - before).norm(dim=1)[0]
            assert divmod(change.argmax().item(), 9)[0] == cell[0]
            assert divmod(change.argmax().item() % 9, 3) == cell[1:]
    assert spatial_stride(cfg, network) == pixels


@pytest.mark.parametrize("name", NETWORKS)
def test_a_saved_folder_is_read_back_to_the_bit(folders, name):
    network, folder = folders(name)
    ours, told = loaded(config_of(folder), folder)
    assert "not loaded: " in told and "backbone" not in told.split("not loaded: ")[1].split(";")[0]
    assert "classifier.weight" in told.split("left in the file: ")[1]
    theirs = getattr(network, network.base_model_prefix).state_dict()
    own = ours.backbone.network.state_dict()
    assert own.keys() == {n for n in theirs if not n.startswith(("predictor.", "pooler."))}
    assert all(torch.equal(value, theirs[n]) for n, value in own.items())


@pytest.mark.parametrize("name", ["VideoMAE", "Vivit"])
def test_a_frame_more_is_refused_where_the_library_drops_it(folders, name):
    network, folder = folders(name)
    cfg = config_of(folder)
    clip = clip_for(cfg, frames=5)
    with torch.no_grad():
        whole, cut = (network(frames.transpose(1, 2)).logits for frames in (clip, clip[:, :, :4]))
        assert torch.equal(whole, cut)
        text = refusal(build_backbone(cfg), [clip])
    assert "it takes 4 frames alone: set DATA.NUM_FRAMES to 4" in text


@pytest.mark.parametrize("name", ["VideoMAE", "Vivit", "Timesformer"])
def test_another_size_is_refused_where_positions_are_of_one(folders, name):
    cfg = config_of(folders(name)[1])
    text = refusal(build_backbone(cfg), [clip_for(cfg, size=64)])
    assert "it takes 48 x 48 pixels alone: set DATA.TRAIN_CROP_SIZE and DATA.TEST_CROP" in text


def test_v_jepa_is_built_for_the_size_that_it_is_given(folders):
    """Against the library's own network, read with that crop_size; its positions would be wrong."""
    network, folder = folders("VJEPA2")
    cfg = config_of(folder, DATA__TRAIN_CROP_SIZE=64, DATA__TEST_CROP_SIZE=64)
    ours, _ = loaded(cfg, folder)
    clip = clip_for(cfg)
    right = type(network).from_pretrained(folder, crop_size=64).eval()
    with torch.no_grad():
        features = columns(ours.backbone([clip])[0])
        theirs, wrong = (
            n.vjepa2(clip.transpose(1, 2), skip_predictor=True).last_hidden_state
            for n in (right, network)
        )
        torch.testing.assert_close(features, theirs, atol=1e-5, rtol=0)
        assert (features - wrong).norm() > 0.05 * features.norm()
        assert "64 x 64 pixels alone" in refusal(ours.backbone, [clip_for(cfg, size=48)])
        longer = ours.backbone([clip_for(cfg, frames=6)])[0]
    assert longer.shape == (2, 48, 3, 4, 4)
    assert "a multiple of 2 frames" in refusal(ours.backbone, [clip_for(cfg, frames=5)])
    assert "multiples of 16 pixels" in refusal(build_and_run, config_of(folder), 40)
    cfg.DATA.TEST_CROP_SIZE = 48
    assert refusal(build_backbone, cfg).startswith("DATA.TEST_CROP_SIZE is 48: for V-JEPA 2")


def build_and_run(cfg, size):
    cfg.DATA.TRAIN_CROP_SIZE = cfg.DATA.TEST_CROP_SIZE = size
    return build_backbone(cfg)([clip_for(cfg)])


def test_v_jepa_has_no_predictor_and_every_parameter_of_it_learns(folders):
    cfg = config_of(folders("VJEPA2")[1])
    backbone = build_backbone(cfg)
    backbone([clip_for(cfg)])[0].square().sum().backward()
    names = dict(backbone.named_parameters())
    assert not any("predictor" in name for name in names)
    assert all(parameter.grad is not None for parameter in names.values())


def test_timesformer_is_built_for_the_frames_that_it_is_given(folders):
    """Its layers would mix the frames of clips of another length than its config's."""
    network, folder = folders("Timesformer")
    cfg = config_of(folder, DATA__NUM_FRAMES=8)
    ours, _ = loaded(cfg, folder)
    clip = clip_for(cfg)
    right = type(network).from_pretrained(folder, num_frames=8, ignore_mismatched_sizes=True).eval()
    with torch.no_grad():
        times = right.timesformer.embeddings.time_embeddings
        times.copy_(network.timesformer.embeddings.time_embeddings.repeat_interleave(2, dim=1))
        features = ours.backbone([clip])[0]
        theirs, mixed = (
            n.timesformer(clip.transpose(1, 2)).last_hidden_state[:, 1:] for n in (right, network)
        )
    assert features.shape == (2, 48, 8, 3, 3)
    tokens = features.flatten(3).permute(0, 3, 2, 1).flatten(1, 2)
    torch.testing.assert_close(tokens, theirs, atol=1e-5, rtol=0)
    assert (tokens - mixed).norm() > 0.05 * tokens.norm()
    assert "8 frames alone" in refusal(ours.backbone, [clip_for(cfg, frames=4)])


def test_videoprism_takes_one_frame_as_one_and_sizes_of_whole_patches(folders):
    network, folder = folders("VideoPrism")
    cfg = config_of(folder)
    ours, _ = loaded(cfg, folder)
    with torch.no_grad():
        single = clip_for(cfg, frames=1)
        library = network.vision_model(single.transpose(1, 2)).last_hidden_state
        assert library.shape[1] == 4 * 9  # One frame becomes four of its own.
        assert ours.backbone([single])[0].shape == (2, 48, 1, 3, 3)
        assert ours.backbone([clip_for(cfg, size=72)])[0].shape == (2, 48, 4, 4, 4)
    text = refusal(ours.backbone, [clip_for(cfg, size=64)])
    assert "multiples of 18 pixels" in text


def test_the_query_and_value_biases_of_videomae_are_read(folders):
    network, folder = folders("VideoMAE")
    state = read_weights(folder, "pytorch")["model_state"]
    assert any(name.endswith("attention.q_bias") for name in state)  # In memory query.bias.
    ours, _ = loaded(config_of(folder), folder)
    for layer in ours.backbone.network.encoder.layer:
        attention = layer.attention.attention
        assert attention.query.bias.abs().min() > 0 and attention.value.bias.abs().min() > 0


def test_a_clip_like_videoprism_serves_with_its_video_network(tmp_path):
    vision = {**SMALL, **NETWORKS["VideoPrism"][1]}
    values = {"model_type": "videoprism", "vision_config": vision}
    (tmp_path / "config.json").write_text(json.dumps(values))
    cfg = config_of(tmp_path)
    assert build_backbone(cfg)([clip_for(cfg)])[0].shape == (2, 48, 4, 3, 3)


def test_code_that_a_config_names_is_not_fetched(folders, tmp_path):
    values = classifier_of("VideoMAE").config.to_dict()
    values |= {"auto_map": {"AutoModel": "evil.Model"}, "attn_implementation": "someone/kernel"}
    (tmp_path / "config.json").write_text(json.dumps(values))
    (tmp_path / "evil.py").write_text("raise SystemExit('was run')")
    cfg = config_of(tmp_path)
    network = build_backbone(cfg).network
    assert type(network) is transformers.VideoMAEModel
    assert network.config._attn_implementation == "sdpa"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "has no config.json of transformers; known are VideoMAE, V-JEPA 2, TimeSformer,"),
        ("{", "not a valid JSON file"),
        ('{"model_type": "vit"}', "is of the architecture 'vit': known are VideoMAE,"),
        ('{"model_type": "videomae", "hidden_size": "x"}', "its config.json is not valid"),
        ('{"model_type": "videomae", "image_size": [160, 224]}', "clips here are square"),
        ('{"model_type": "timesformer", "attention_type": "space_only"}', "no map of time"),
        ('{"model_type": "vivit", "tubelet_size": [2, 16, 8]}', "only square patches serve"),
    ],
)
def test_a_folder_of_another_kind_is_refused(tmp_path, content, words):
    if content:
        (tmp_path / "config.json").write_text(content)
    assert words in refusal(config_of, tmp_path)


def test_a_folder_that_is_not_there_is_refused():
    text = refusal(config_of, "/nowhere/videomae")
    assert text.startswith("/nowhere/videomae: there is no such folder; transformers:... takes")


def test_a_name_that_the_hub_does_not_give_is_refused(monkeypatch):
    def fail(*args, **options):
        raise OSError("We couldn't connect\nto the hub")

    monkeypatch.setattr(transformers.PretrainedConfig, "get_config_dict", fail)
    text = refusal(config_of, "someone/videomae")
    assert text == (
        "someone/videomae: neither a folder here nor read from the Hugging Face hub: "
        "We couldn't connect"
    )


def test_weights_of_another_architecture_are_refused(folders):
    (_, videomae), (_, vivit) = folders("VideoMAE"), folders("Vivit")
    text = refusal(loaded, config_of(videomae), vivit)
    assert "of the backbone's" in text and "these are weights of another network" in text


def test_a_folder_of_pickles_alone_is_refused(folders, tmp_path):
    network, _ = folders("VideoMAE")
    network.config.save_pretrained(tmp_path)
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    text = refusal(loaded, config_of(tmp_path), str(tmp_path))
    assert "has no model.safetensors: nothing but safetensors files is read of a folder" in text


def test_published_weights_come_as_a_folders(folders):
    network, folder = folders("VideoMAE")
    ours, _ = loaded(config_of(folder), f"transformers:{folder}")
    theirs = network.videomae.state_dict()
    assert all(torch.equal(v, theirs[n]) for n, v in ours.backbone.network.state_dict().items())


@pytest.mark.parametrize("name", NETWORKS)
def test_recomputed_activations_give_the_same_gradients(folders, name):
    _, folder = folders(name)
    gradients = []
    for recomputed in (False, True):
        cfg = config_of(folder, MODEL__ACT_CHECKPOINT=recomputed)
        backbone = loaded(cfg, folder)[0].backbone.train()
        backbone([clip_for(cfg)])[0].square().mean().backward()
        gradients.append([p.grad for p in backbone.parameters()])
    for kept, again in zip(*gradients, strict=True):
        torch.testing.assert_close(kept, again)


def test_stochastic_depth_serves_where_the_network_has_it(folders):
    for name in ("VJEPA2", "Timesformer"):
        cfg = config_of(folders(name)[1], MODEL__DROPCONNECT_RATE=0.5)
        rates = [m.drop_prob for m in build_backbone(cfg).modules() if hasattr(m, "drop_prob")]
        assert rates and max(rates) == 0.5
    cfg = config_of(folders("VideoMAE")[1], MODEL__DROPCONNECT_RATE=0.5)
    assert "not built with stochastic depth; set it to 0.0" in refusal(build_backbone, cfg)
