"""
A training step of SlowFast-R50 with the paper's head, what of it is the head's, and a tuning step.

    python -m benchmarks.network [--repeats 15]

Two clips of 32 x 224 x 224. A tuning step leaves the backbone fixed: no graph below the head.
The head's gradients must be the same on a fixed backbone as on one that learns.
"""

import torch

from benchmarks.limits import limit_of
from benchmarks.networks import slowfast_r50
from benchmarks.timing import (
    alternate,
    benchmark_parser,
    milliseconds,
    ratio_row,
    relative_difference,
    report,
    require_equal,
    row,
    saved_bytes,
)
from slowfast_ext.datasets.clips import Sample
from slowfast_ext.engine.train import training_stage, tuning_stage
from slowfast_ext.engine.trainer import Trainer

BATCH = 2


class Training:
    """The engine's training step, or its tuning step, of a network on two random clips."""

    def __init__(self, cfg, network, make_stage):
        self.trainer = Trainer(cfg, make_stage(cfg, 1), network, loader=[None])
        self.network = network
        torch.manual_seed(1)
        shape = (BATCH, 3, cfg.DATA.NUM_FRAMES, *[cfg.DATA.TRAIN_CROP_SIZE] * 2)
        clip = torch.randint(256, shape, dtype=torch.uint8)
        labels = (torch.rand(BATCH, cfg.MODEL.NUM_CLASSES) < 0.05).float()
        pathways = [clip[:, :, :: cfg.SLOWFAST.ALPHA], clip]
        self.batch = Sample(pathways, labels, torch.arange(BATCH))
        self.inputs, _ = self.trainer.inputs(self.batch)

    def loss(self):
        return self.trainer.loss(self.batch, self.network(self.inputs))

    def __call__(self):
        self.trainer.step(self.batch, "benchmark")

    def head_gradients(self):
        return torch.autograd.grad(self.loss(), list(self.network.head.parameters()))

    def saved_bytes(self):
        known = [*self.network.parameters(), *self.network.buffers(), *self.inputs]
        return saved_bytes(self.loss, *known)


def head_alone(training):
    """The head's forward and backward on the backbone's map."""
    with torch.no_grad():
        features = training.network.features(training.inputs)
    features.requires_grad_()

    def step():
        sum(logits.sum() for logits in training.network.head(features)).backward()

    return step


def equal_gradients(training, tuning):
    """Ends the benchmark where the head learns otherwise on a fixed backbone; returns a note."""
    training.network.backbone.eval()
    found, wanted = tuning.head_gradients(), training.head_gradients()
    training.network.train()
    difference = max(map(relative_difference, found, wanted))
    return require_equal("the head's gradients", difference, 1e-4)


def main():
    parser = benchmark_parser(__doc__)
    args = parser.parse_args()
    training, tuning = (
        Training(*slowfast_r50({"MODEL.DROPOUT_RATE": 0.0}), make_stage)
        for make_stage in (training_stage, tuning_stage)
    )
    note = equal_gradients(training, tuning)
    step, whole = "a tuning step of SlowFast-R50", "a training step"
    memory = tuning.saved_bytes() / training.saved_bytes()
    sides = {"training": training, "tuning": tuning, "head": head_alone(training)}
    seconds = alternate(sides, args.repeats)
    shares = [h / t for h, t in zip(seconds["head"], seconds["training"], strict=True)]
    head_note = f"head {milliseconds(seconds['head'])}"
    report(
        "network",
        [
            row(
                "the head's share of a training step",
                whole,
                shares,
                most=0.03,
                note=head_note,
                limit=lambda: limit_of(sides["head"], *training.network.head.parameters()),
            ),
            ratio_row(
                step,
                whole,
                seconds,
                "tuning",
                "training",
                note,
                least=2.5,
                limit=lambda: f"{limit_of(tuning)}; a training step: {limit_of(training)}",
            ),
            row(f"{step}: bytes saved for backward", whole, [memory], most=0.5),
        ],
    )


if __name__ == "__main__":
    main()
