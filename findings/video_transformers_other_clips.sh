#!/usr/bin/env bash
# V-JEPA 2 and TimeSformer of transformers take clips that their positions or layers do not fit.
#
# Versions: transformers 5.24.0, torch 2.14.1, numpy 2.4.0.
# Behaviour: V-JEPA 2 builds its rotary positions for config.crop_size in its constructor. A clip of
# another size runs without a word, and rows and columns are counted on the old grid; the same
# weights built for that size give other features. Setting config.crop_size afterwards does nothing.
# TimeSformer resizes its embeddings of time to a clip of another length, but its layers part the
# tokens by config.num_frames: with a multiple of it frames are mixed, without a word.
# Output seen (relative difference of the features, random weights):
#     V-JEPA 2, 64 pixels by a network for 48: 0.16; with config.crop_size set afterwards: 0.16
#     TimeSformer, 8 frames by a network for 4: 0.81
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install -q transformers==5.24.0 torch==2.14.1 numpy==2.4.0
cat >check.py <<'PY'
import torch
from transformers import TimesformerConfig, TimesformerModel, VJEPA2Config, VJEPA2Model


def build(model, config, weights=None):
    torch.manual_seed(0)
    network = model(config).eval()
    for name, tensor in network.named_parameters():
        # Attention as sharp as a trained network's: random weights hardly attend.
        sharp = any(part in name for part in ("query", "key", "qkv"))
        scale = "norm" in name and "weight" in name
        torch.nn.init.normal_(tensor, float(scale), 0.4 if sharp else 0.1)
    return network


def difference(given, right):
    return ((given - right).norm() / right.norm()).item()


def v_jepa(crop_size):
    sizes = {"hidden_size": 48, "num_attention_heads": 2, "num_hidden_layers": 2}
    predictor = {"pred_hidden_size": 24, "pred_num_attention_heads": 2}
    config = VJEPA2Config(
        crop_size=crop_size, frames_per_clip=4, pred_num_hidden_layers=1, **predictor, **sizes
    )
    return build(VJEPA2Model, config)


def timesformer(num_frames):
    sizes = {"hidden_size": 48, "num_attention_heads": 2, "num_hidden_layers": 2}
    config = TimesformerConfig(
        image_size=48, num_frames=num_frames, intermediate_size=64, **sizes
    )
    return build(TimesformerModel, config)


torch.manual_seed(1)
with torch.no_grad():
    clip = torch.randn(1, 4, 3, 64, 64)
    small, right = v_jepa(48), v_jepa(64)
    right.load_state_dict(small.state_dict())
    wanted = right(clip, skip_predictor=True).last_hidden_state
    silent = difference(small(clip, skip_predictor=True).last_hidden_state, wanted)
    small.config.crop_size = 64
    later = difference(small(clip, skip_predictor=True).last_hidden_state, wanted)

    clip = torch.randn(1, 8, 3, 48, 48)
    short, right = timesformer(4), timesformer(8)
    state = short.state_dict()
    times = "embeddings.time_embeddings"
    # As the library itself resizes them, by the nearest frame.
    state[times] = state[times].repeat_interleave(2, dim=1)
    right.load_state_dict(state)
    mixed = difference(short(clip).last_hidden_state, right(clip).last_hidden_state)
print(
    f"V-JEPA 2, 64 pixels by a network for 48: {silent:.2f}; "
    f"with config.crop_size set afterwards: {later:.2f}"
)
print(f"TimeSformer, 8 frames by a network for 4: {mixed:.2f}")
assert silent > 0.05, "V-JEPA 2 fits its positions to the clip now"
assert later > 0.05, "V-JEPA 2 follows its config after it was built now"
assert mixed > 0.05, "TimeSformer parts its tokens by the clip's frames now"
PY
env/bin/python check.py
