#!/usr/bin/env bash
# fvcore's and torch's counters of operations leave out attention that is computed as one operator.
#
# Versions: fvcore 0.1.5.post20221221, torch 2.14.1 on the CPU, transformers 5.24.0.
# Behaviour: networks of transformers call scaled_dot_product_attention by default. fvcore has no
# formula for it: total() leaves out both products of matrices (a warning in the log names the
# operator). torch's FlopCounterMode knows the operators that serve a GPU; the one that serves the CPU
# counts nothing, without a word. With attn_implementation="eager", the same numbers by
# separate products, both count them: figures of one network differ, the more the longer its clips.
# Output seen, millions of multiply-adds of a small VideoMAE (512 tokens, two layers of 96 channels):
#     sdpa: fvcore 152.0, torch 151.0
#     eager: fvcore 252.6, torch 251.7
#     left out: 100.7; both products by hand: 100.7
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install -q fvcore==0.1.5.post20221221 torch==2.14.1 transformers==5.24.0 numpy==2.4.0
cat >check.py <<'PY'
import logging

import torch
from fvcore.nn import FlopCountAnalysis
from torch.utils.flop_counter import FlopCounterMode
from transformers import VideoMAEConfig, VideoMAEModel

logging.disable(logging.WARNING)
WIDTH, LAYERS, TOKENS = 96, 2, 8 * 8 * 8
CLIP = torch.rand(1, 16, 3, 128, 128)


def build(attention):
    torch.manual_seed(0)
    config = VideoMAEConfig(
        image_size=128,
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=3,
        intermediate_size=192,
        attn_implementation=attention,
    )
    return VideoMAEModel(config).eval()


counts, outputs = {}, {}
for attention in ("sdpa", "eager"):
    network = build(attention)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        outputs[attention] = network(CLIP).last_hidden_state
    # torch counts a multiplication and an addition as two.
    by_torch = counter.get_total_flops() / 2e6
    counts[attention] = FlopCountAnalysis(network, CLIP).total() / 1e6, by_torch
    print(f"{attention}: fvcore {counts[attention][0]:.1f}, torch {counts[attention][1]:.1f}")
by_hand = LAYERS * 2 * TOKENS * TOKENS * WIDTH / 1e6
left_out = counts["eager"][1] - counts["sdpa"][1]
print(f"left out: {left_out:.1f}; both products by hand: {by_hand:.1f}")
difference = float((outputs["eager"] - outputs["sdpa"]).abs().max())
assert difference < 1e-5, "not the same network"
for counter in (0, 1):
    gap = counts["eager"][counter] - counts["sdpa"][counter]
    assert abs(gap - by_hand) < 1, "attention as one operator is counted now"
PY
env/bin/python -W ignore check.py
