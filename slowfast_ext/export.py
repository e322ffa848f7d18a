"""The formats of an exported network: how each is written to bytes and loaded from them."""

import contextlib
import io
import json
import logging
import os
import warnings

import numpy as np
import torch
import torch.nn as nn

from slowfast_ext.config.schema import require_clips_alone
from slowfast_ext.datasets import clips
from slowfast_ext.engine.trained import network_to_test
from slowfast_ext.errors import SlowFastExtError, require_packages
from slowfast_ext.utils.paths import open_atomically

# Where a file has the names of the outputs, a JSON list, or null where the checkpoint has none:
# an extra file of torch.export's, an entry of ONNX's metadata.
NAMES = "class_names.json"
# What the ONNX format needs beyond torch; setup.py's extra "onnx".
ONNX_MODULES = ("onnx", "onnxscript", "onnxruntime")


def _traced(network, pathways):
    """torch.export's program of a network, for batches of any size."""
    batch = torch.export.Dim("batch", min=1)
    shapes = (tuple({0: batch} for _ in pathways),)
    return torch.export.export(network, pathways, dynamic_shapes=shapes)


def torch_export():
    """(write, load) of torch.export's format; `torch.export.load` reads it."""

    def write(network, pathways):
        content = io.BytesIO()
        names = {NAMES: json.dumps(network.class_names)}
        torch.export.save(_traced(network, pathways), content, extra_files=names)
        return content.getvalue()

    return write, lambda content: torch.export.load(io.BytesIO(content)).module()


def onnx():
    """
    (write, load) of ONNX; the inputs are named `slow`, `fast` or `clip`, the output
    `probabilities`.

    Raises:
        SlowFastExtError: onnx, onnxscript or onnxruntime is missing.
    """
    require_packages("--format onnx", ONNX_MODULES)
    import onnxruntime

    def load(content):
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        names = [given.name for given in session.get_inputs()]

        def exported(*pathways):
            arrays = [pathway.numpy() for pathway in pathways]
            return torch.from_numpy(session.run(None, dict(zip(names, arrays, strict=True)))[0])

        return exported

    return _write_onnx, load


def _write_onnx(network, pathways):
    names = ["clip"] if len(pathways) == 1 else ["slow", "fast"]
    silenced = logging.root.manager.disable
    with warnings.catch_warnings(), contextlib.ExitStack() as after:
        # The exporter's remarks on its own workings tell the user nothing.
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        after.callback(logging.disable, silenced)
        pooling = {torch.ops.aten.adaptive_avg_pool3d.default: _plain_pool}
        exported = _traced(network, pathways).run_decompositions(pooling)
        outputs = ["probabilities"]
        program = torch.onnx.export(
            exported, dynamo=True, input_names=names, output_names=outputs, verbose=False
        )
    # Serialised whole, weights within: one file is what the user asked for.
    model = program.model_proto
    model.metadata_props.add(key=NAMES, value=json.dumps(network.class_names))
    return model.SerializeToString()


def _plain_pool(features, size):
    """ONNX has no adaptive pooling; where the sizes divide it is pooling with a fixed kernel."""
    lengths = features.shape[-3:]
    if any(length % wanted for length, wanted in zip(lengths, size, strict=True)):
        raise SlowFastExtError(
            f"--format onnx: the fast pathway's map, {tuple(lengths)}, does not divide by the slow "
            f"one's, {tuple(size)}: let SLOWFAST.ALPHA divide DATA.NUM_FRAMES, or take torch.export"
        )
    kernel = [length // wanted for length, wanted in zip(lengths, size, strict=True)]
    return torch.nn.functional.avg_pool3d(features, kernel)


# --format -> the function that gives the format's write, from a ClipNetwork and example pathways to
# the file's content, and its load, from that content to what is called with pathways.
FORMATS = {"torch.export": torch_export, "onnx": onnx}


class ClipNetwork(nn.Module):
    """
    An ActivityNetwork in evaluation, its pathways arguments of their own.

    Attributes:
        class_names (list[str] | None): of the outputs, where the checkpoint has them.
    """

    class_names = None

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, *pathways):
        """B x 3 x T x H x W for each pathway -> probabilities, B x A."""
        return self.network(list(pathways))


def clip_network(network):
    """An ActivityNetwork -> ClipNetwork on the CPU, in evaluation, without gradients."""
    return ClipNetwork(network.cpu().requires_grad_(False)).eval()


def example_pathways(cfg, batch_size):
    """What a test gives of random frames: a tuple of each pathway, B x 3 x T x H x W."""
    size = cfg.DATA.TEST_CROP_SIZE
    shape = (batch_size, cfg.DATA.NUM_FRAMES, size, size, 3)
    # Seeded: a check that fails fails again.
    frames = np.random.default_rng(batch_size).integers(256, size=shape, dtype=np.uint8)
    batch = clips.Sample(clips.join_clips([clips.to_pathways(cfg, clip) for clip in frames]))
    return tuple(clips.network_input(cfg, batch, torch.device("cpu"))[0])


@torch.no_grad()
def greatest_difference(network, exported, batches):
    """The largest absolute difference of both; inf where the shapes differ, nan where one is."""
    differences = []
    for pathways in batches:
        wanted, given = network(*pathways), exported(*pathways)
        if given.shape != wanted.shape:
            return float("inf")
        differences.append((given - wanted).abs().amax())
    # Python's max would drop a nan.
    return torch.stack(differences).amax().item()


# The file's probabilities may differ from the network's by no more.
TOLERANCE = 1e-4
# Neither is the batch that the network is traced with.
CHECKED_BATCHES = (1, 3)


def export(cfg, form, out):
    """
    Writes the network that a test of `cfg` would take.

    Args:
        form (str): of FORMATS.
        out (str): the file; it appears only where it agrees with the network.

    Returns:
        float: the largest difference between the file's probabilities and the network's.

    Raises:
        SlowFastExtError: the network needs more than clips, it was trained on clips of another
            length, what the format needs is not installed, `out` is the network's own checkpoint,
            or the file's probabilities are not the network's.
    """
    write, load = FORMATS[form]()
    require_clips_alone(cfg, "only networks of clips alone are exported")
    # The file is of clips of one length for good, where a test may try another.
    path, network, _, history = network_to_test(cfg, keys=["DATA.NUM_FRAMES"])
    if os.path.realpath(out) == os.path.realpath(path):
        raise SlowFastExtError(f"--out {out} is the checkpoint that is exported: name another file")
    network = clip_network(network)
    network.class_names = history.class_names
    content = write(network, example_pathways(cfg, 2))
    batches = [example_pathways(cfg, size) for size in CHECKED_BATCHES]
    difference = greatest_difference(network, load(content), batches)
    # Not a number is above nothing.
    if not difference <= TOLERANCE:
        raise SlowFastExtError(
            f"{out} is not written: the exported network's probabilities differ from the "
            f"network's by {difference:.1e}, more than {TOLERANCE:.0e}; try another --format or "
            "another version of torch"
        )
    with open_atomically(out, "wb") as stream:
        stream.write(content)
    return difference
