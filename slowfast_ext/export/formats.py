"""The formats of an exported network: how each is written to bytes and loaded from them."""

import contextlib
import io
import logging
import warnings

import torch

from slowfast_ext.errors import SlowFastExtError, require_packages

# What the ONNX format needs beyond torch; setup.py's extra "onnx".
ONNX_MODULES = ("onnx", "onnxscript", "onnxruntime")


def torch_export():
    """(write, load) of torch.export's format; `torch.export.load` reads it."""
    return _write_torch, _load_torch


def _dynamic_batch(pathways):
    batch = torch.export.Dim("batch", min=1)
    return (tuple({0: batch} for _ in pathways),)


def _write_torch(network, pathways):
    """ClipNetwork and example pathways -> the file's content."""
    program = torch.export.export(network, pathways, dynamic_shapes=_dynamic_batch(pathways))
    content = io.BytesIO()
    torch.export.save(program, content)
    return content.getvalue()


def _load_torch(content):
    return torch.export.load(io.BytesIO(content)).module()


def onnx():
    """
    (write, load) of ONNX; the inputs are named `slow`, `fast` or `clip`, the output
    `probabilities`.

    Raises:
        SlowFastExtError: onnx, onnxscript or onnxruntime is missing.
    """
    require_packages("--format onnx", ONNX_MODULES)
    return _write_onnx, _load_onnx


def _write_onnx(network, pathways):
    """ClipNetwork and example pathways -> the file's content."""
    names = ["clip"] if len(pathways) == 1 else ["slow", "fast"]
    with _quiet_exporter():
        exported = torch.export.export(
            network, pathways, dynamic_shapes=_dynamic_batch(pathways)
        ).run_decompositions({torch.ops.aten.adaptive_avg_pool3d.default: _plain_pool})
        program = torch.onnx.export(
            exported,
            dynamo=True,
            input_names=names,
            output_names=["probabilities"],
            verbose=False,
        )
    # Serialised whole, weights within: one file is what the user asked for.
    return program.model_proto.SerializeToString()


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


@contextlib.contextmanager
def _quiet_exporter():
    """Without the exporter's remarks on its own workings."""
    logs = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for log, level in zip(logs, levels, strict=True):
                log.setLevel(level)


def _load_onnx(content):
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]

    def exported(*pathways):
        arrays = [pathway.numpy() for pathway in pathways]
        return torch.from_numpy(session.run(None, dict(zip(names, arrays, strict=True)))[0])

    return exported


# --format -> the function that gives the format's write and load.
FORMATS = {"torch.export": torch_export, "onnx": onnx}
