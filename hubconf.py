"""torch.hub's entry: `torch.hub.load(FOLDER, "slowfast_ext", cfg=..., source="local")`."""

# What is imported under these names; torch.hub asks for them before it calls anything.
dependencies = [
    "torch",
    "torchvision",
    "slowfast",
    "fvcore",
    "iopath",
    "cv2",
    "numpy",
    "PIL",
    "av",
    "yaml",
    "pandas",
    "tqdm",
]


def slowfast_ext(cfg, checkpoint=None, class_names=None, options=()):
    """As slowfast_ext.load: a network whose `predict(path)` gives named probabilities."""
    from slowfast_ext import load

    return load(cfg, checkpoint, class_names, options)
