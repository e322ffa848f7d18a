"""Exported networks beside the network they come from."""

import importlib.util
import json
import subprocess
import sys

import pytest
import torch

from slowfast_ext import __main__ as commands
from slowfast_ext import export, upstream
from slowfast_ext.engine.checkpoint import save_checkpoint
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from tests.helpers import CONFIG, NAMES, pairs

ONE_PATHWAY = [
    *("MODEL.ARCH", "i3d", "DATA.INPUT_CHANNEL_NUM", "[3]"),
    *("RESNET.SPATIAL_STRIDES", "[[1], [2], [2], [1]]"),
    *("RESNET.SPATIAL_DILATIONS", "[[1], [1], [1], [1]]"),
    *("RESNET.NUM_BLOCK_TEMP_KERNEL", "[[1], [1], [1], [1]]"),
    *("NONLOCAL.LOCATION", "[[[]], [[]], [[]], [[]]]"),
    *("NONLOCAL.GROUP", "[[1], [1], [1], [1]]"),
    *("NONLOCAL.POOL", "[[[1, 2, 2]], [[1, 2, 2]], [[1, 2, 2]], [[1, 2, 2]]]"),
]
VARIANTS = {
    "default": [],
    "one pathway": ONE_PATHWAY,
    # Of the head alone: the smaller network shows it in half the time.
    "as printed": [*ONE_PATHWAY, "ACTIVITY.FORM", "as_printed"],
    "pool": [*ONE_PATHWAY, "ACTIVITY.HEAD", "PoolHead"],
}


def absent(name):
    return importlib.util.find_spec(name) is None


needs_onnx = pytest.mark.skipif(
    any(map(absent, export.ONNX_MODULES)), reason="onnx, onnxscript or onnxruntime is missing"
)


@pytest.fixture
def config(run_folder, tmp_path):
    """options -> the config of a small run with a checkpoint of random weights."""

    def make(options=()):
        path = str(tmp_path / "weights.pyth")
        words = [*pairs(run_folder), *options, "DATA.NUM_FRAMES", "8"]
        cfg = checked_config(CONFIG, [*words, "TEST.CHECKPOINT_FILE_PATH", path])
        torch.manual_seed(0)
        network = upstream.model_class(cfg.MODEL.MODEL_NAME)(cfg)
        save_checkpoint(path, {"model_state": network.state_dict(), "class_names": NAMES})
        return cfg, network.eval()

    return make


def clips(cfg, batch_size):
    clips = torch.randn(batch_size, 3, cfg.DATA.NUM_FRAMES, 32, 32)
    packed = [upstream.pack_pathways(cfg, clip) for clip in clips]
    return [torch.stack(of_pathway) for of_pathway in zip(*packed, strict=True)]


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_torch_export_agrees_at_any_batch(config, tmp_path, options):
    cfg, network = config(options)
    out = str(tmp_path / "network.pt2")
    assert export.export(cfg, "torch.export", out) <= 1e-4
    found = {export.NAMES: ""}
    exported = torch.export.load(out, extra_files=found).module()
    assert json.loads(found[export.NAMES]) == NAMES
    for size in (1, 5):
        pathways = clips(cfg, size)
        with torch.no_grad():
            wanted = network(pathways)
        torch.testing.assert_close(exported(*pathways), wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "name, form",
    [
        ("transformers", "torch.export"),
        pytest.param("transformers", "onnx", marks=needs_onnx),
        pytest.param("torchvision", "onnx", marks=needs_onnx),  # By way of torch.export.
    ],
)
def test_networks_of_other_libraries_agree_too(config, tmp_path, name, form):
    options = ["ACTIVITY.BACKBONE", "torchvision:swin3d_t", "ACTIVITY.STAGE", "1"]
    if name == "transformers":
        transformers = pytest.importorskip("transformers")
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
        layers = {"num_hidden_layers": 2, "image_size": 32, "num_frames": 8}
        transformers.VideoMAEConfig(**sizes, **layers).save_pretrained(tmp_path / "videomae")
        options = ["ACTIVITY.BACKBONE", f"transformers:{tmp_path / 'videomae'}"]
    cfg, _ = config([*ONE_PATHWAY, *options])
    assert export.export(cfg, form, str(tmp_path / "network")) <= 1e-4


@needs_onnx
@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_onnx_agrees_at_any_batch(config, tmp_path, options):
    import onnxruntime

    cfg, network = config(options)
    out = str(tmp_path / "network.onnx")
    assert export.export(cfg, "onnx", out) <= 1e-4
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata[export.NAMES]) == NAMES
    for size in (1, 5):
        pathways = clips(cfg, size)
        names = ["clip"] if len(pathways) == 1 else ["slow", "fast"]
        given = dict(zip(names, [p.numpy() for p in pathways], strict=True))
        found = torch.from_numpy(session.run(["probabilities"], given)[0])
        with torch.no_grad():
            wanted = network(pathways)
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("wrong", [0.01, float("nan")])
def test_what_differs_gets_no_file(config, tmp_path, monkeypatch, wrong):
    cfg, network = config()
    off = lambda *pathways: network(list(pathways)) + wrong  # noqa: E731
    of_format = lambda: (lambda network, pathways: b"x", lambda content: off)  # noqa: E731
    monkeypatch.setitem(export.FORMATS, "torch.export", of_format)
    out = tmp_path / "network.pt2"
    with pytest.raises(SlowFastExtError, match="is not written"):
        export.export(cfg, "torch.export", str(out))
    assert not out.exists()


def test_the_checkpoint_is_not_written_over(config, tmp_path):
    cfg, _ = config()
    before = (tmp_path / "weights.pyth").read_bytes()
    with pytest.raises(SlowFastExtError, match="is the checkpoint that is exported"):
        export.export(cfg, "torch.export", str(tmp_path / "." / "weights.pyth"))
    assert (tmp_path / "weights.pyth").read_bytes() == before


def test_clips_of_another_length_than_in_training_are_refused(config, tmp_path):
    cfg, _ = config(ONE_PATHWAY)
    path = tmp_path / "weights.pyth"
    save_checkpoint(str(path), {**torch.load(path, weights_only=True), "cfg": cfg.dump()})
    cfg.DATA.NUM_FRAMES = 16
    with pytest.raises(SlowFastExtError, match=r"trained with DATA.NUM_FRAMES 8 \(now 16\): set"):
        export.export(cfg, "torch.export", str(tmp_path / "network.pt2"))


def test_persons_are_refused_by_name(config):
    cfg, _ = config()
    cfg.DETECTION.ENABLE = True
    with pytest.raises(SlowFastExtError, match="DETECTION.ENABLE is True: it must be False"):
        export.export(cfg, "torch.export", "x.pt2")


def test_absent_onnx_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SlowFastExtError, match="pip install onnx onnxscript onnxruntime$"):
        export.onnx()


def test_the_command_line(run_folder, tmp_path, monkeypatch, capsys):
    checkpoint = str(run_folder / "output" / "checkpoints" / "random.pyth")
    out = tmp_path / "network.pt2"
    words = ["export", "--cfg", CONFIG, "--checkpoint", checkpoint, "--format", "torch.export"]
    words += ["--out", str(out), *pairs(run_folder)]
    monkeypatch.setattr(sys, "argv", ["slowfast_ext", *words])
    commands.main()
    assert out.exists()
    assert "B x 3 x 2 x 32 x 32, B x 3 x 8 x 32 x 32 -> B x 3" in capsys.readouterr().out


def test_importing_the_package_stays_cheap():
    code = "import slowfast_ext, sys; print('torch' in sys.modules, 'slowfast' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False False\n"
