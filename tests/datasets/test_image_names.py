"""Which images of a folder are the video."""

import cv2
import numpy as np
import pytest

from slowfast_ext.datasets.image_names import frames_of, split_pattern
from slowfast_ext.datasets.lists import read_list
from slowfast_ext.datasets.video import open_video
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.own_media import OwnMedia


def numbered(form, numbers=range(1, 6), **words):
    return [form.format(number, **words) for number in numbers]


RGB, FLOW = numbered("img_{:05d}.jpg"), numbered("flow_x_{:05d}.jpg", range(4))
SEVERAL = {
    "flow": (RGB + FLOW, "img_*.jpg", RGB, "flow_x_*.jpg (4), img_*.jpg (5)"),
    "left and right": (
        numbered("left_{:03d}.png") + numbered("right_{:03d}.png"),
        "right_*",
        numbered("right_{:03d}.png"),
        "left_*.png (5), right_*.png (5)",
    ),
    "side behind": (
        numbered("{:03d}_l.png") + numbered("{:03d}_r.png"),
        "*_l.png",
        numbered("{:03d}_l.png"),
        "*_l.png (5), *_r.png (5)",
    ),
    "masks by ending": (
        numbered("{:03d}.jpg") + numbered("{:03d}.png"),
        "*.jpg",
        numbered("{:03d}.jpg"),
        "*.jpg (5), *.png (5)",
    ),
    "masks by name": (
        numbered("{:03d}.jpg") + numbered("{:03d}_mask.jpg"),
        "*.jpg",
        numbered("{:03d}.jpg"),
        "*.jpg (5), *_mask.jpg (5)",
    ),
    "cover": (
        [*numbered("{:03d}.jpg"), "cover.jpg"],
        "*.jpg",
        numbered("{:03d}.jpg"),
        "*.jpg (5), cover.jpg (1)",
    ),
    "cameras": (
        numbered("cam1_{:03d}.jpg") + numbered("cam2_{:03d}.jpg"),
        "cam2_*.jpg",
        numbered("cam2_{:03d}.jpg"),
        "cam1_*.jpg (5), cam2_*.jpg (5)",
    ),
    "cameras behind": (
        numbered("{:03d}_cam1.jpg") + numbered("{:03d}_cam2.jpg"),
        "*_cam1.jpg",
        numbered("{:03d}_cam1.jpg"),
        "*_cam1.jpg (5), *_cam2.jpg (5)",
    ),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_one_of_several_series_is_named(kind):
    names, pattern, expected, found = SEVERAL[kind]
    with pytest.raises(SlowFastExtError, match="clip: holds 2 series of images") as caught:
        frames_of("clip", names)
    assert found in str(caught.value) and "--frames" in str(caught.value)
    assert frames_of("clip", names, pattern) == expected


def test_a_pattern_for_several_series_is_refused():
    names = RGB + FLOW + numbered("flow_y_{:05d}.jpg", range(4))
    with pytest.raises(SlowFastExtError, match=r"flow_x_\*.jpg \(4\), flow_y_\*.jpg \(4\)"):
        frames_of("clip", names, "flow_*")
    assert frames_of("clip", names, "nothing_*") == []


ONE = {
    "two endings, each number once": numbered("{:03d}.jpg") + numbered("{:03d}.png", range(6, 9)),
    "spellings of an ending": ["1.jpg", "2.jpeg", "3.JPG", "4.JPEG"],
    "no numbers": ["a.jpg", "b.jpg", "c.jpg"],
    "all different": ["a1x.jpg", "b2y.jpg", "c3z.jpg"],
    "an id": numbered("0A8CF-{:06d}.jpg"),
    "dates": [f"2020-01-01_12-{m:02d}-{s:02d}.jpg" for m in range(3) for s in range(60)],
    "scenes": [f"s{s}_{n:03d}.jpg" for s in range(3) for n in range(5 + s)],
    "one image": ["1.jpg"],
}


@pytest.mark.parametrize("kind", ONE)
def test_one_series_is_taken_whole(kind):
    assert frames_of("clip", [*ONE[kind], ".hidden.jpg", "notes.txt"]) == ONE[kind]


def test_scenes_that_look_like_cameras_can_be_taken_together():
    names = [f"s{scene}_{number:03d}.jpg" for scene in range(3) for number in range(5)]
    with pytest.raises(SlowFastExtError, match="3 series"):
        frames_of("clip", names)
    assert frames_of("clip", names, "s*_*.jpg") == names


def test_holes_are_named_in_the_chosen_series():
    with pytest.raises(SlowFastExtError, match="missing between img_00002.jpg and img_00004.jpg"):
        frames_of("clip", FLOW + [name for name in RGB if "3" not in name], "img_*.jpg")


def test_split_pattern():
    assert split_pattern("a/b/img_*.jpg") == ("a/b", "img_*.jpg")
    assert split_pattern("img_?.jpg") == (".", "img_?.jpg")
    assert split_pattern("a/*/b.mp4") == ("a/*/b.mp4", None)


@pytest.fixture
def clip(tmp_path):
    """A folder of five grey frames with optical flow beside them, black."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for name in RGB + FLOW:
        grey = 200 if name in RGB else 0
        cv2.imwrite(str(folder / name), np.full((8, 8, 3), grey, np.uint8))
    return folder


def test_a_path_names_the_series(clip, tmp_path):
    with open_video(f"{clip}/img_*.jpg") as video:
        assert video.info.length == 5
        assert video.read(range(5)).min() > 190
    with pytest.raises(SlowFastExtError, match="holds 2 series"):
        open_video(clip)
    with pytest.raises(SlowFastExtError, match="no frames"):
        open_video(f"{clip}/none_*.jpg")
    (tmp_path / "list.csv").write_text("path,labels\nclip/img_*.jpg,run\n")
    videos = read_list(str(tmp_path / "list.csv"), ["run"], str(tmp_path))
    assert [video.path for video in videos] == [f"{tmp_path}/clip/img_*.jpg"]


def test_own_media_take_the_series_that_is_named(clip, tmp_path):
    media = OwnMedia(str(tmp_path), "img_*.jpg")
    assert media.num_frames == {"clip": 5}
    assert media.path("clip") == f"{clip}/img_*.jpg"
    assert OwnMedia(str(tmp_path)).num_frames == {"clip": 9}


def test_a_real_name_with_a_star_is_that_file(tmp_path):
    (tmp_path / "a*.mp4").write_bytes(b"")
    with pytest.raises(SlowFastExtError, match="0 bytes"):
        open_video(tmp_path / "a*.mp4")
