"""run_net.py with DEMO.ENABLE, with a network of random weights."""

import json

import av
import cv2
import numpy as np
import pytest

from slowfast_ext import upstream
from slowfast_ext.commands import run_net as engine
from slowfast_ext.engine.checkpoint import checkpoint_path, save_checkpoint
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.weights import read_checkpoint
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.visualization import demo as demo_module
from tests.helpers import CONFIG, NAMES, pairs, write_noise


def decoded(path):
    """The frames of a video, N x H x W x 3, RGB, and its stream's facts."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        facts = {
            "codec": stream.codec_context.name,
            "pixels": stream.codec_context.pix_fmt,
            "fps": stream.average_rate,
            "seconds": float(stream.duration * stream.time_base),
            "audio": len(container.streams.audio),
        }
        images = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    return np.stack(images), facts


@pytest.fixture
def run(run_folder, tmp_path):
    """`run(KEY=VALUE, ...)`: the demo alone; the path of what it wrote."""

    def run(video, **options):
        out = tmp_path / "deep" / "shown.mp4"
        words = {"TRAIN.ENABLE": False, "TUNE.ENABLE": False, "TEST.ENABLE": False}
        words |= {"TEST.CHECKPOINT_FILE_PATH": run_folder / "output/checkpoints/random.pyth"}
        words |= {"DEMO.ENABLE": True, "DEMO.INPUT_VIDEO": video, "DEMO.OUTPUT_FILE": out}
        words |= {key.replace("__", "."): value for key, value in options.items()}
        pairs_of_words = [str(word) for pair in words.items() for word in pair]
        engine.main(
            ["--cfg", CONFIG, *pairs(run_folder), "OUTPUT_DIR", str(tmp_path), *pairs_of_words]
        )
        return out

    return run


def test_a_video_of_the_same_length(run, run_folder):
    out = run(run_folder / "videos" / "0.mp4")
    images, facts = decoded(out)
    assert len(images) == 60
    assert facts == {
        **{"codec": "h264", "pixels": "yuv420p", "fps": 30, "seconds": pytest.approx(2)},
        "audio": 0,
    }
    source, _ = decoded(run_folder / "videos" / "0.mp4")
    # The picture stands above the bars, each frame where it was.
    shown = images[:, : round(32 * 640 / 48) - 4].mean((1, 2))
    assert np.abs(shown - source.mean((1, 2))).max() < 6


def test_the_network_that_a_run_has_left_in_its_own_folder(run, run_folder, tmp_path):
    """DEMO.FPS, which takes the place of DATA.FRAME_FOLDER_FPS, is no other training."""
    cfg = checked_config(CONFIG, [*pairs(run_folder), "OUTPUT_DIR", str(tmp_path)])
    state = read_checkpoint(str(run_folder / "output/checkpoints/random.pyth"))
    save_checkpoint(checkpoint_path(tmp_path, "train", 1), {**state, "cfg": cfg.dump()})
    assert cfg.DEMO.FPS != cfg.DATA.FRAME_FOLDER_FPS
    assert run(run_folder / "videos" / "1.mp4", TEST__CHECKPOINT_FILE_PATH="").exists()
    with pytest.raises(SlowFastExtError, match=r"trained with DATA\.TARGET_FPS 30 \(now 15\)"):
        run(run_folder / "videos" / "1.mp4", TEST__CHECKPOINT_FILE_PATH="", DATA__TARGET_FPS=15)


def test_uneven_frame_times_and_odd_sizes_are_kept(run, tmp_path):
    write_noise(tmp_path / "odd.mp4", 45, seed=3, fps=25, width=50, height=38)
    images, facts = decoded(run(tmp_path / "odd.mp4", DEMO__DISPLAY_WIDTH=321))
    assert facts["fps"] == 25 and facts["seconds"] == pytest.approx(45 / 25)
    assert images.shape[2] == 320 and images.shape[1] % 2 == 0


def test_a_folder_of_frames_at_its_own_rate(run, tmp_path):
    (tmp_path / "frames").mkdir()
    for number in range(12):
        cv2.imwrite(str(tmp_path / "frames" / f"{number}.jpg"), np.full((40, 48, 3), 90, np.uint8))
    _, facts = decoded(run(tmp_path / "frames", DEMO__FPS=10, DEMO__OUTPUT_FPS=20))
    assert facts["fps"] == 20 and facts["seconds"] == pytest.approx(12 / 20)


def test_names_of_a_label_file(run, run_folder, tmp_path, monkeypatch):
    path = tmp_path / "names.json"
    path.write_text(json.dumps({"sing": 2, "sit": 0}))
    seen = []
    bars = demo_module.drawing.Bars

    class Seen(bars):
        def __init__(self, names, scores, spans, thresholds, *more):
            seen.append((sorted(names), set(thresholds)))
            super().__init__(names, scores, spans, thresholds, *more)

    monkeypatch.setattr(demo_module.drawing, "Bars", Seen)
    run(run_folder / "videos" / "1.mp4", DEMO__LABEL_FILE_PATH=path)
    # As upstream has it, what is not in its list of common names has the lower threshold.
    assert seen == [(["class 1", "sing", "sit"], {0.7, 0.3})]


@pytest.mark.parametrize(
    "options,sentence",
    [
        ({"DEMO__OUTPUT_FILE": "''"}, "DEMO.OUTPUT_FILE is ''"),
        ({"DEMO__OUTPUT_FILE": "x.avi"}, r"must be the name of an \.mp4"),
        ({"DEMO__INPUT_VIDEO": "''"}, "DEMO.INPUT_VIDEO is ''"),
        ({"DEMO__INPUT_VIDEO": "nothing.mp4"}, "nothing.mp4: no such video"),
        ({"DEMO__BUFFER_SIZE": 17}, "DEMO.BUFFER_SIZE is 17"),
        ({"DEMO__VIS_MODE": "all"}, "must be one of thres, top-k"),
        ({"DEMO__SLOWMO": 2}, "DEMO.SLOWMO is 2: it is not done"),
        ({"DEMO__COMMON_CLASS_THRES": 1.5}, "COMMON_CLASS_THRES is 1.5"),
        ({"DEMO__WEBCAM": 77}, "OpenCV finds no camera"),
        ({"DEMO__LABEL_FILE_PATH": "none.json"}, "none.json"),
        ({"DEMO__DISPLAY_WIDTH": 20}, "shown in 20 x 14: the width must be at least 160"),
        ({"DEMO__DISPLAY_HEIGHT": 90000}, "neither above 10240"),
    ],
)
def test_wrong_keys_end_with_a_sentence(run, tmp_path, run_folder, options, sentence):
    video = options.pop("DEMO__INPUT_VIDEO", run_folder / "videos" / "1.mp4")
    with pytest.raises(SlowFastExtError, match=sentence):
        run(video, **options)
    assert not list(tmp_path.glob("**/*.mp4*"))


def test_the_video_itself_is_not_overwritten(run, run_folder, tmp_path):
    source, link = run_folder / "videos" / "1.mp4", tmp_path / "link.mp4"
    link.symlink_to(source)
    before = source.read_bytes()
    with pytest.raises(SlowFastExtError, match="DEMO.OUTPUT_FILE .* must not be DEMO.INPUT_VIDEO"):
        run(source, DEMO__OUTPUT_FILE=link)
    assert source.read_bytes() == before


# --- Cameras --------------------------------------------------------------------------


class Camera:
    """Gives frames as OpenCV's VideoCapture does, then ends, by itself or by Ctrl-C."""

    def __init__(self, num_frames, interrupted=False):
        self.left, self.interrupted, self.is_free = num_frames, interrupted, False

    def isOpened(self):
        return True

    def get(self, _key):
        return 30.0

    def read(self):
        if not self.left and self.interrupted:
            raise KeyboardInterrupt
        self.left -= 1
        return (True, np.full((48, 64, 3), 80, np.uint8)) if self.left >= 0 else (False, None)

    def release(self):
        self.is_free = True


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_camera_is_recorded(run, monkeypatch, interrupted):
    camera = Camera(40, interrupted)
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: camera)
    images, facts = decoded(run("", DEMO__WEBCAM=0))
    assert len(images) == 40 and camera.is_free and facts["codec"] == "h264"


def test_a_camera_without_frames(run, monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: Camera(0))
    with pytest.raises(SlowFastExtError, match="gives no frame"):
        run("", DEMO__WEBCAM=0)


# --- Persons --------------------------------------------------------------------------


@pytest.fixture
def persons(run, run_folder, tmp_path):
    """`run` with a network for persons."""
    options = {"DETECTION__ENABLE": True, "AVA__DETECTION_SCORE_THRESH": 0.5}
    options |= {"DETECTION__SPATIAL_SCALE_FACTOR": 16, "TRAIN__DATASET": "Ava"}
    options |= {"TEST__DATASET": "Ava", "DETECTION__ROI_XFORM_RESOLUTION": 3}
    words = [str(w) for k, v in options.items() for w in (k.replace("__", "."), v)]
    cfg = checked_config(CONFIG, [*pairs(run_folder), *words])
    path = str(tmp_path / "persons.pyth")
    network = upstream.model_class("ActivityNetwork")(cfg)
    save_checkpoint(path, {"model_state": network.state_dict()})
    names = tmp_path / "names.json"
    names.write_text(json.dumps({name: i for i, name in enumerate(NAMES)}))
    options |= {"TEST__CHECKPOINT_FILE_PATH": path, "DEMO__LABEL_FILE_PATH": names}
    return lambda video, **more: run(video, **(options | more))


@pytest.fixture
def drawn(monkeypatch):
    """The Scored that were drawn, one a frame."""
    found = []
    monkeypatch.setattr(
        demo_module.Shown, "draw_persons", lambda self, image, scored: found.append(scored)
    )
    return found


def test_given_boxes(persons, run_folder, tmp_path, drawn):
    """The boxes of the nearest second, once each, from the detector's least score on."""
    boxes = tmp_path / "boxes.csv"
    rows = ["0,101,0.1,0.1,0.5,0.9,12,0.9", "0,101,0.1,0.1,0.5,0.9,14,0.9"]
    rows += ["0,101,0.5,0,1,1,12,0.9", "0,101,0,0,1,1,12,0.4", "0,102,0,0,0.3,0.3,12,0.9"]
    boxes.write_text("\n".join([*rows, "other,101,0,0,1,1,12,0.9"]) + "\n")
    options = {"DEMO__PREDS_BOXES": boxes, "DEMO__STARTING_SECOND": 100, "DEMO__BUFFER_SIZE": 16}
    persons(run_folder / "videos" / "0.mp4", **options)
    assert len(drawn) == 60
    np.testing.assert_allclose(drawn[0].boxes, [[0.1, 0.1, 0.5, 0.9], [0.5, 0, 1, 1]])
    np.testing.assert_allclose(drawn[-1].boxes, [[0, 0, 0.3, 0.3]])
    assert drawn[0].scores.shape == (2, 3) and not np.array_equal(*drawn[0].scores)


def test_boxes_of_another_video(persons, run_folder, tmp_path):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("film,902,0,0,1,1,12,0.9\n")
    with pytest.raises(SlowFastExtError, match="no boxes of '0'.*those of film"):
        persons(run_folder / "videos" / "0.mp4", DEMO__PREDS_BOXES=boxes)


def test_detected_persons(persons, run_folder, monkeypatch, drawn):
    """Looked for in the middle frame of each window, as stored; none is a score of 0."""
    asked = []

    def detect(images):
        asked.extend(images)
        boxes = [[12, 8, 36, 32]] if len(asked) == 1 else np.zeros((0, 4))
        return [(np.array(boxes, float), np.ones(len(boxes)))]

    def load(weights, min_score):
        assert (weights, min_score) == (None, 0.9)
        return detect

    monkeypatch.setattr(demo_module, "load_detector", load)
    persons(run_folder / "videos" / "0.mp4")
    source, _ = decoded(run_folder / "videos" / "0.mp4")
    assert len(asked) == 2
    assert np.abs(asked[0].astype(int) - source[18]).max() <= 2
    np.testing.assert_allclose(drawn[0].boxes, [[0.25, 0.25, 0.75, 1]])
    assert drawn[-1].scores.shape == (0, 3) and not drawn[-1].clip_scores().any()
