"""PLUGINS: modules of one's own, imported before a config is checked."""

import functools
import importlib
import pickle
import signal
import sys

import pytest

from slowfast_ext.config.load import load_config
from slowfast_ext.engine.launch import run_spawned
from slowfast_ext.engine.loaders import evaluation_loader
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.build import HEAD_REGISTRY
from slowfast_ext.utils.paths import CONFIGS

HEAD = """
from slowfast_ext.models import HEAD_REGISTRY, ActivityHead


@HEAD_REGISTRY.register()
class {0}(ActivityHead):
    "The paper's head by another name."
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """`plugin(name, text)` writes a module into the current folder, forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        return name

    yield write
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_a_head_of_ones_own_is_known_before_the_network_is_built(plugin, tmp_path):
    plugin("own_head", HEAD.format("OwnHead"))
    (tmp_path / "own.yaml").write_text(
        f"_BASE_: {CONFIGS}/Synthetic/ACTIVITY_SLOWFAST.yaml\n"
        "PLUGINS: [own_head]\nACTIVITY:\n  HEAD: OwnHead\n"
    )
    cfg = checked_config(str(tmp_path / "own.yaml"))
    assert cfg.PLUGINS == ["own_head"] and "OwnHead" in HEAD_REGISTRY


def test_a_head_that_cannot_be_built_is_named_with_its_line(plugin):
    text = HEAD.format("FailingHead") + "    def __init__(self, cfg, channels):\n        1 / 0\n"
    plugin("failing_head", text)
    options = ["PLUGINS", ["failing_head"], "ACTIVITY.HEAD", "FailingHead"]
    with pytest.raises(SlowFastExtError, match=r"built from .*by zero \(.*failing_head\.py:9\)$"):
        checked_config(str(CONFIGS / "Synthetic" / "ACTIVITY_SLOWFAST.yaml"), options)


def test_the_command_line_names_them_too(plugin):
    plugin("other_head", HEAD.format("OtherHead"))
    load_config(None, ["PLUGINS", "['other_head']"])
    assert "OtherHead" in HEAD_REGISTRY


def test_a_plugin_may_add_keys(plugin, tmp_path):
    plugin("with_keys", "def add_config(cfg):\n    cfg.ACTIVITY.USERS_NUMBER = 1.0\n")
    text = "ACTIVITY:\n  USERS_NUMBER: 2\n"
    (tmp_path / "own.yaml").write_text(text + "PLUGINS: [with_keys]\n")
    (tmp_path / "without.yaml").write_text(text)
    # Each config anew, though the module is imported once.
    for _ in range(2):
        assert load_config(str(tmp_path / "own.yaml")).ACTIVITY.USERS_NUMBER == 2.0
    with pytest.raises(SlowFastExtError, match=r"unknown key ACTIVITY\.USERS_NUMBER"):
        load_config(str(tmp_path / "without.yaml"))


@pytest.mark.parametrize(
    "text,reason",
    [
        ("import nothing_of_this_name\n", r"ModuleNotFoundError: .*nothing_of_this_name.*\.py:1\)"),
        ("x = 1\nx = 1 / 0\n", r"cannot be imported: ZeroDivisionError: .*broken\.py:2\)"),
        ("def f(:\n", "cannot be imported: SyntaxError: "),
        ("import sys\nsys.exit(3)\n", r"cannot be imported: SystemExit: 3"),
        ("def add_config(cfg):\n    cfg.NO.KEY = 1\n", r"AttributeError: NO \(.*broken\.py:2\)"),
    ],
)
def test_a_module_that_fails_is_one_sentence(plugin, text, reason):
    plugin("broken", text)
    with pytest.raises(SlowFastExtError, match=rf"^PLUGINS: broken .*{reason}") as error:
        load_config(None, ["PLUGINS", ["broken"]])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["nowhere_at_all", "nowhere_at_all.heads"])
def test_a_module_that_is_missing_is_named(plugin, name):
    with pytest.raises(SlowFastExtError, match=rf"^PLUGINS: {name} is no module of "):
        load_config(None, ["PLUGINS", [name]])


@pytest.mark.parametrize("value", ["my_head", ["my_head.py/"], [3], None])
def test_what_names_no_modules_is_refused(value):
    with pytest.raises(SlowFastExtError, match="PLUGINS is "):
        load_config(None, ["PLUGINS", value])


def test_a_spawned_process_imports_them_itself(plugin):
    """It gets the config by pickle, and nothing that its parent has imported."""
    plugin("spawned_head", HEAD.format("SpawnedHead"))
    sent = pickle.dumps((functools.partial(run_spawned, names_of_heads), load_config(None)))
    function, cfg = pickle.loads(sent)
    cfg.PLUGINS = ["spawned_head"]
    sys.path.append(".")
    function(cfg)
    assert "SpawnedHead" in cfg.HEADS


def names_of_heads(cfg):
    cfg.HEADS = [name for name, _ in HEAD_REGISTRY]


def test_a_worker_that_was_not_forked_imports_them_itself(plugin, monkeypatch):
    plugin("worker_mark", "")
    cfg = load_config(None, ["PLUGINS", ["worker_mark"], "NUM_GPUS", 0])
    items = type("Items", (list,), {"maps": None})([0])
    loader = evaluation_loader(cfg, items).loader
    del sys.modules["worker_mark"]
    # What a worker also does, a test must not.
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    pickle.loads(pickle.dumps(loader.worker_init_fn))(0)
    assert "worker_mark" in sys.modules
