"""The one module that knows which PySlowFast is installed."""

import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import slowfast_ext.datasets  # noqa: F401
from slowfast_ext import upstream
from slowfast_ext.config.defaults import add_slowfast_ext_config

PACKAGE = Path(upstream.__file__).parent


def test_nothing_else_imports_upstream():
    imports = re.compile(r"^\s*(?:from|import)\s+(?:slowfast|detectron2|pytorchvideo)\b", re.M)
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if imports.search(path.read_text(encoding="utf-8"))
    }
    assert users == {"upstream.py", "upstream_config.py"}


def test_without_pyslowfast_one_sentence(tmp_path):
    """Neither version can be imported: a sentence with the pip command and exit code 2."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['slowfast'] = None\n", encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, str(PACKAGE.parent / "run_net.py"), "--cfg", "x.yaml"],
        env={"PYTHONPATH": f"{tmp_path}:{PACKAGE.parent}", "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == "error: PySlowFast is not installed: pip install pyslowfast\n"


def test_the_stand_in_for_detectron2_is_taken_away():
    loaded = sys.modules.get("detectron2")
    assert loaded is None or loaded.__spec__ is not None


def test_registered_model_is_found():
    @upstream.register_model
    class OnlyForThisTest(torch.nn.Module):
        pass

    assert upstream.model_class("OnlyForThisTest") is OnlyForThisTest


@pytest.mark.parametrize("name", ["SlowFast", "ResNet"])
def test_mains_names_of_backbones_serve_over_both(name):
    assert issubclass(upstream.model_class(name), torch.nn.Module)


def test_unknown_model_is_named():
    with pytest.raises(upstream.SlowFastExtError, match="no model is named 'Nothing'"):
        upstream.model_class("Nothing")


def test_registered_dataset_is_found_under_upstreams_name():
    @upstream.register_dataset
    class TwoWords:
        pass

    assert upstream.DATASET_REGISTRY.get("twoWords".capitalize()) is TwoWords


@pytest.mark.parametrize("reverse", [False, True])
def test_pathways(reverse):
    cfg = add_slowfast_ext_config(upstream.base_config())
    cfg.MODEL.ARCH, cfg.SLOWFAST.ALPHA = "slowfast", 4
    cfg.DATA.REVERSE_INPUT_CHANNEL = reverse
    clip = torch.arange(3 * 8).view(3, 8, 1, 1)
    slow, fast = upstream.pack_pathways(cfg, clip)
    assert torch.equal(fast, clip)
    assert torch.equal(slow, fast[:, [0, 7]])


def test_bce_logit_over_both():
    loss = upstream.get_loss_func("bce_logit")(reduction="mean")
    assert loss(torch.zeros(2, 3), torch.ones(2, 3)).item() == pytest.approx(0.6931, abs=1e-4)


def test_soft_cross_entropy_over_both():
    logits, labels = torch.tensor([[1.0, 2.0, 0.5]]), torch.tensor([[1.0, 1.0, 0.0]])
    loss = upstream.get_loss_func("soft_cross_entropy")(reduction="mean")
    wanted = -(labels * logits.log_softmax(-1)).sum()
    assert loss(logits, labels).item() == pytest.approx(wanted.item())


def test_upstreams_data_set_of_the_same_name_stays_in_its_registry():
    theirs = upstream.DATASET_REGISTRY.get("Ava")
    assert theirs.__module__.startswith("slowfast.")
    assert upstream.OWN_DATASETS.get("Ava").__module__ == "slowfast_ext.datasets.ava"


def test_upstreams_draws_are_seeded_and_nothing_else_is(monkeypatch):
    def draws():
        return random.random(), np.random.random(), torch.rand(1).item()

    on_gpus = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", on_gpus.append)
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    undisturbed, within = draws(), []
    for restore, state in zip(
        (random.setstate, np.random.set_state, torch.set_rng_state), states, strict=True
    ):
        restore(state)
    for _ in range(2):
        with upstream.seeded(np.random.default_rng(5)):
            within.append(draws())
    assert within[0] == within[1] and draws() == undisturbed
    assert not on_gpus, "a dropout of the network's on a GPU would repeat itself"
