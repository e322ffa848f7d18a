"""Red frames on every way to a network, which gets what training gives, and in every picture."""

import base64
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from slowfast_ext import __main__ as commands
from slowfast_ext import export, recognition, upstream
from slowfast_ext.commands import prepare_volleyball
from slowfast_ext.config.defaults import add_slowfast_ext_config
from slowfast_ext.datasets import clips
from slowfast_ext.datasets.contract import dataset_class
from slowfast_ext.datasets.video import open_video
from slowfast_ext.datasets.windows import list_windows
from slowfast_ext.engine import tensorboard
from slowfast_ext.engine.scoring import video_scores
from slowfast_ext.engine.trained import scores_of
from slowfast_ext.models import ActivityHead
from slowfast_ext.predict.predictor import window_scores
from slowfast_ext.report import hardest
from slowfast_ext.visualization import demo, maps
from tests import ava_tree, volleyball_tree
from tests.helpers import write_video

CPU = torch.device("cpu")
RED = np.zeros((36, 48, 3), np.uint8)
RED[..., 0] = 255
NAMES = ["run", "jump", "wave"]


def write_red(path):
    cv2.imwrite(str(path), np.ascontiguousarray(RED[..., ::-1]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Each data set's files: red.mp4, frames/red, lists, frame_lists, ava and volleyball."""
    folder = tmp_path_factory.mktemp("red")
    write_video(folder / "red.mp4", [RED] * 12, 30)
    for name in ("frames/red", "lists", "frame_lists"):
        (folder / name).mkdir(parents=True)
    rows = ["original_vido_id video_id frame_id path labels"]
    for number in range(1, 13):
        write_red(folder / "frames" / "red" / f"{number:06d}.png")
        rows.append(f'red 0 {number} red/{number:06d}.png "1"')
    for split in ("train", "val", "test"):
        (folder / "frame_lists" / f"{split}.csv").write_text("\n".join(rows) + "\n")
        (folder / "lists" / f"{split}.csv").write_text(f"path,labels\n{folder}/red.mp4,run\n")
    (folder / "lists" / "classes.txt").write_text("\n".join(NAMES) + "\n")
    ava_tree.write_tree(folder / "ava")
    volleyball_tree.write_tree(folder / "volleyball")
    for path in [*folder.glob("ava/**/*.png"), *folder.glob("volleyball/**/*.jpg")]:
        write_red(path)
    words = ["prepare", "volleyball", "--root", folder / "volleyball", "--out", folder / "moments"]
    prepare_volleyball.run(commands.build_parser().parse_args([*map(str, words)]))
    return folder


def of_lists(folder, name, lists="lists"):
    return {
        "TRAIN.DATASET": name,
        "TEST.DATASET": name,
        "DATA.PATH_TO_DATA_DIR": str(folder / lists),
        "DATA.PATH_PREFIX": str(folder / "frames"),
    }


DATASETS = {
    "Charades' frames": lambda folder: of_lists(folder, "charades", "frame_lists"),
    "Charades' videos": lambda folder: of_lists(folder, "charades"),
    "MultiLabelVideos": lambda folder: of_lists(folder, "MultiLabelVideos"),
    "Synthetic": lambda folder: of_lists(folder, "Synthetic"),
    "Ava": lambda folder: ava_tree.options(folder / "ava") | {"ACTIVITY.CORRELATION": False},
    "Volleyball": lambda folder: {
        **of_lists(folder, "Volleyball", "moments"),
        **{"DATA.PATH_PREFIX": "", "VOLLEYBALL.TASK": "clip", "MODEL.NUM_CLASSES": 9},
    },
}
KEYS = {(False, False): 0, (True, False): 1, (False, True): 2, (True, True): 3}
# Of DATA.REVERSE_INPUT_CHANNEL and AVA.BGR as in KEYS.
EXPECTED = {
    **{name: ["RGB", "BGR", "RGB", "BGR"] for name in DATASETS},
    # Upstream's Charades reads BGR; its stock files reverse it, and here it is RGB anyway.
    **{"Charades' frames": ["RGB"] * 4, "Charades' videos": ["RGB"] * 4},
    # Upstream's AVA reads BGR, turns it to RGB unless AVA.BGR, and reverses it by the other key.
    "Ava": ["RGB", "BGR", "BGR", "RGB"],
}


def config(folder, name, reverse, bgr):
    cfg = add_slowfast_ext_config(upstream.base_config())
    keys = {
        **{"MODEL.NUM_CLASSES": 3, "MODEL.HEAD_ACT": "sigmoid", "MODEL.ARCH": "slowfast"},
        **{"ACTIVITY.NUM_OBSERVATIONS": 2, "ACTIVITY.DIM": 8, "ACTIVITY.GROUPS": 2},
        **{"DATA.NUM_FRAMES": 4, "DATA.SAMPLING_RATE": 2, "SLOWFAST.ALPHA": 2, "NUM_GPUS": 0},
        **{"DATA.TRAIN_CROP_SIZE": 32, "DATA.TEST_CROP_SIZE": 32, "TEST.BATCH_SIZE": 2},
        **{"DATA.TRAIN_JITTER_SCALES": [32, 36], "TEST.VIEWS": [[2, 1, 1]]},
        **{"DATA.REVERSE_INPUT_CHANNEL": reverse, "AVA.BGR": bgr, "DEMO.INPUT_VIDEO": ""},
        **{"TENSORBOARD.ENABLE": True, "OUTPUT_DIR": str(folder / "output")},
        **DATASETS[name](folder),
    }
    cfg.merge_from_list([word for pair in keys.items() for word in pair])
    return cfg


class Recorder(torch.nn.Module):
    """Instead of a network: writes down in which order the red of its input comes."""

    def __init__(self, cfg):
        super().__init__()
        self.head, self.orders = ActivityHead(cfg, 8).requires_grad_(False).eval(), []

    def features(self, inputs):
        for pathway in inputs:
            red, other = pathway.mean((0, 2, 3, 4)).topk(2)[0]
            assert red > other + 1
            self.orders.append("RGB" if pathway.mean((0, 2, 3, 4)).argmax() == 0 else "BGR")
        return torch.rand(len(inputs[0]), 8, 2, 2, 2)

    def forward(self, inputs, boxes=None, **options):
        features = self.features(inputs)
        return self.head(features if boxes is None else features[boxes[:, 0].long()], **options)


class RedCamera:
    """OpenCV's, which gives BGR."""

    def __init__(self, index):
        self.left = 8

    isOpened = staticmethod(lambda: True)
    get = staticmethod(lambda key: 30.0)
    release = staticmethod(lambda: None)

    def read(self):
        self.left -= 1
        return self.left >= 0, np.ascontiguousarray(RED[..., ::-1])


def is_red(images):
    red, green, blue = np.asarray(images, float).reshape(-1, 3).mean(0)
    return red > 200 and green < 30 and blue < 30


@pytest.fixture
def routes(folder, monkeypatch):
    """name, cfg -> {route: the orders that a network was given on it}."""
    monkeypatch.setattr(cv2, "VideoCapture", RedCamera)

    def train(cfg, network):
        dataset = dataset_class(cfg, "TRAIN.DATASET")(cfg, "train")
        scores_of(cfg, network, clips.collate([dataset[0, 0], dataset[1, 0]][: len(dataset)]))

    def test(cfg, network):
        dataset = dataset_class(cfg, "TEST.DATASET")(cfg, "test")
        video_scores(cfg, network, dataset[0], lambda scores: scores.mean(0))

    def source(of):
        def run(cfg, network):
            source = of(cfg)
            for clip in [*source.clips(), *(clip for *_, clip in source.frames() if clip)]:
                assert is_red(clip.keyframe())
                scores_of(cfg, network, clip.batch)
            assert all(is_red(image) for _, image, _ in of(cfg).frames())

        return run

    def stored(path):
        def of(cfg):
            cfg = cfg.clone()
            cfg.DEMO.INPUT_VIDEO = str(path)
            return demo.Stored(cfg)

        return source(of)

    return {
        "train": train,
        "test": test,
        "demo of a file": stored(folder / "red.mp4"),
        "demo of a folder": stored(folder / "frames" / "red"),
        "demo of a camera": source(demo.Camera),
    }


@pytest.fixture
def routes_of_clips(routes, folder, monkeypatch):
    """Beside `routes` those of networks that take nothing but clips."""

    def predict(cfg, network):
        with open_video(folder / "red.mp4") as reader:
            window_scores(cfg, network, reader, list_windows(cfg, reader.info, 0.2))

    def maps_of_video(cfg, network):
        with open_video(folder / "red.mp4") as reader:
            maps.VideoMaps(cfg, network, reader, NAMES)

    def load(cfg, network):
        network.class_names = NAMES[: cfg.MODEL.NUM_CLASSES]
        monkeypatch.setattr(recognition, "trained_network", lambda *_: network)
        recognition.Recognizer(cfg, network.class_names).predict(folder / "red.mp4")

    return routes | {"predict": predict, "maps": maps_of_video, "load": load}


@pytest.mark.parametrize("name", DATASETS)
def test_every_way_has_the_order_of_training(name, folder, request):
    with_boxes = name in ("Ava", "Volleyball")
    routes = request.getfixturevalue("routes" if with_boxes else "routes_of_clips")
    for (reverse, bgr), place in KEYS.items():
        cfg = config(folder, name, reverse, bgr)
        found = {}
        for route, run in routes.items():
            network = Recorder(cfg)
            run(cfg, network)
            found[route] = set(network.orders)
        assert found == dict.fromkeys(routes, {EXPECTED[name][place]}), (reverse, bgr)


@pytest.mark.parametrize("name", ["Charades' frames", "MultiLabelVideos"])
@pytest.mark.parametrize("reverse", [False, True])
def test_pictures_are_red(name, folder, reverse, monkeypatch):
    """The report's and TensorBoard's, with maps."""
    cfg = config(folder, name, reverse, False)
    dataset, network = dataset_class(cfg, "TEST.DATASET")(cfg, "test"), Recorder(cfg)
    assert is_red(maps.first_view(cfg, dataset[0]))

    run = SimpleNamespace(cfg=cfg, test_set=dataset, network=network)
    found = hardest._pictures_or_why(run, 0, with_maps=True)
    assert len(found["pictures"]) == 3 and found["why_no_picture"] is None
    content = base64.b64decode(found["pictures"][0]["source"].partition(",")[2])
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert is_red(picture[4:28, 4:28])

    shown = []
    board = tensorboard.TensorBoard(cfg, "train", maps.draw_view)
    writer = SimpleNamespace(add_image=lambda tag, picture, *_, **__: shown.append(picture))
    monkeypatch.setattr(board, "writer", lambda step: writer)
    board.add_maps(0, network, dataset)
    (picture,) = shown
    assert is_red(picture[80:180, 240:340])  # In the row of frames, the first one.


@pytest.mark.parametrize("name", ["Charades' frames", "MultiLabelVideos"])
def test_exports_example_takes_the_same_way(name, folder):
    """Its frames are noise: by the key their channels change places where training's do."""
    plain, reverse = (
        export.example_pathways(config(folder, name, key, False), 2) for key in (False, True)
    )
    is_kept = EXPECTED[name][1] == "RGB"
    for pathway, other in zip(plain, reverse, strict=True):
        assert torch.equal(other, pathway if is_kept else pathway[:, [2, 1, 0]])
        assert not torch.equal(other, pathway[:, [2, 1, 0]] if is_kept else pathway)


def test_a_test_of_another_data_set_has_the_order_of_training(folder):
    """A network that learned on Charades from RGB is not given BGR of another list."""
    cfg = config(folder, "MultiLabelVideos", True, False)
    cfg.TRAIN.DATASET = "charades"
    network = Recorder(cfg)
    dataset = dataset_class(cfg, "TEST.DATASET")(cfg, "test")
    video_scores(cfg, network, dataset[0], lambda scores: scores.mean(0))
    assert set(network.orders) == {"RGB"}
