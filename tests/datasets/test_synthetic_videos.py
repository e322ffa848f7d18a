import csv
import dataclasses
import json

import av
import numpy as np
import pytest

from slowfast_ext.datasets import synthetic_scenes, synthetic_videos
from slowfast_ext.datasets.lists import read_class_names, read_list
from slowfast_ext.datasets.synthetic_motion import (
    ACTIVITIES,
    BALLS,
    MOTIONS,
    PERIODS,
    TWINS,
    bounding_box,
    draw_frame,
    period_of,
    pose_at,
)
from slowfast_ext.datasets.synthetic_scenes import (
    APART,
    MAX_ACTIVITIES,
    MAX_DISTRACTORS,
    TOGETHER,
    draw_actors,
    draw_labels,
)
from slowfast_ext.datasets.synthetic_videos import (
    FPS,
    SyntheticSettings,
    ensure,
    generate,
    write_video,
)
from slowfast_ext.errors import SlowFastExtError

SETTINGS = SyntheticSettings(num_train=4, num_test=2)


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    directory = tmp_path_factory.mktemp("synthetic")
    generate(directory, SETTINGS)
    return directory


def decode(path):
    """T x S x S x 3."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def draw_many(count=300, **switches):
    """The actors of many videos that are not written."""
    settings = SyntheticSettings(**switches)
    return [draw_actors(np.random.default_rng(seed), settings) for seed in range(count)]


def label_statistics(correlated, count=6000):
    """Frequency of each activity, [12], and of each pair, [12, 12]."""
    random, settings = np.random.default_rng(1), SyntheticSettings(correlated=correlated)
    labels = np.zeros((count, len(ACTIVITIES)))
    for row in labels:
        row[draw_labels(random, settings)] = 1
    return labels.mean(axis=0), labels.T @ labels / count, labels.sum(axis=1)


# --- Files ---------------------------------------------------------------------------------


def test_a_set_holds_what_the_settings_say(data_set):
    names = sorted(path.name for path in (data_set / "videos").iterdir())
    stems = [f"test_{i:04d}" for i in range(2)] + [f"train_{i:04d}" for i in range(4)]
    assert names == [f"{stem}.{kind}" for stem in stems for kind in ("json", "mp4")]
    top = sorted(path.name for path in data_set.iterdir())
    assert top == ["classes.txt", "settings.json", "test.csv", "train.csv", "videos"]
    saved = json.loads((data_set / "settings.json").read_text())
    assert saved == {"format": synthetic_videos.FORMAT, **dataclasses.asdict(SETTINGS)}


def test_videos_are_h264_long_enough_for_a_clip_at_rate_8(data_set):
    for path in (data_set / "videos").glob("*.mp4"):
        with av.open(str(path)) as container:
            video = container.streams.video[0]
            assert (video.codec_context.name, video.pix_fmt) == ("h264", "yuv420p")
            assert (video.average_rate, video.width, video.height) == (FPS, 96, 96)
            times = [frame.time for frame in container.decode(video)]
        np.testing.assert_allclose(times, np.arange(72) / FPS, atol=1e-4)
        assert len(times) >= (8 - 1) * 8 + 1


def test_the_lists_agree_with_the_truth(data_set):
    names = read_class_names(str(data_set / "classes.txt"))
    assert names == list(SETTINGS.class_names)
    for split, count in (("train", 4), ("test", 2)):
        videos = read_list(str(data_set / f"{split}.csv"), names, str(data_set))
        assert [video.path for video in videos] == [
            f"{data_set}/videos/{split}_{index:04d}.mp4" for index in range(count)
        ]
        for video in videos:
            with open(video.path.replace(".mp4", ".json")) as stream:
                truth = json.load(stream)
            listed = [(part.labels, part.start, part.end) for part in video.segments]
            assert [([names[i] for i in labels], *span) for labels, *span in listed] == [
                (t["labels"], t["start"], t["end"]) for t in truth
            ]
            with av.open(video.path) as container:
                times = [frame.time for frame in container.decode(video=0)]
            for item, segment in zip(truth, video.segments, strict=True):
                active = [time for time in times if segment.contains_any([time])]
                assert len(item["boxes"]) == len(active)
                assert [active[0], active[-1]] == pytest.approx([item["start"], item["end"]])


def test_paths_in_the_lists_are_relative(data_set):
    with open(data_set / "train.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["path", "labels", "start", "end"]
    assert rows[0]["path"] == "videos/train_0000.mp4"


def test_the_same_seed_gives_the_same_frames_in_any_process(data_set, tmp_path):
    write_video(str(tmp_path), SETTINGS, "train", 2)
    for name in ("train_0002.mp4", "train_0002.json"):
        assert (tmp_path / "videos" / name).exists()
    again = decode(tmp_path / "videos/train_0002.mp4")
    np.testing.assert_array_equal(again, decode(data_set / "videos/train_0002.mp4"))
    truth = (tmp_path / "videos/train_0002.json").read_text()
    assert truth == (data_set / "videos/train_0002.json").read_text()


@pytest.mark.parametrize("change", [{"seed": 1}, {"split": "test"}, {"index": 3}])
def test_another_seed_split_or_index_gives_another_video(data_set, tmp_path, change):
    settings = dataclasses.replace(SETTINGS, seed=change.get("seed", 0))
    split, index = change.get("split", "train"), change.get("index", 2)
    write_video(str(tmp_path), settings, split, index)
    other = decode(tmp_path / f"videos/{split}_{index:04d}.mp4")
    assert np.abs(other[0].astype(int) - decode(data_set / "videos/train_0002.mp4")[0]).mean() > 5


# --- Complete, incomplete and other sets ---------------------------------------------------


def test_a_complete_set_is_left_alone(data_set):
    path = data_set / "videos/train_0000.mp4"
    before = path.stat().st_mtime_ns
    ensure(data_set, SETTINGS)
    assert path.stat().st_mtime_ns == before


def test_a_stopped_generation_is_begun_again(tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    settings = SyntheticSettings(num_train=1, num_test=1, num_frames=4)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(synthetic_videos, "_write_split", stop)
        ensure(tmp_path, SETTINGS)
    assert not (tmp_path / "settings.json").exists()
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/train_0000.mp4").write_bytes(b"half a file")
    ensure(tmp_path, settings)
    assert len(decode(tmp_path / "videos/train_0000.mp4")) == 4
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["classes.txt", "settings.json", "test.csv", "train.csv", "videos"]


@pytest.mark.parametrize("name", ["classes.txt", "train.csv", "videos/a.mp4"])
@pytest.mark.parametrize("given", ["the folder", ""])
def test_what_others_have_written_is_left_alone(tmp_path, monkeypatch, name, given):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(SlowFastExtError, match=f"holds {name.split('/')[0]}.*MultiLabelVideos"):
        ensure(given and tmp_path, SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == [name.split("/")[0]]
    assert (tmp_path / name).read_text() == "mine"


def test_other_settings_are_refused_by_name(data_set):
    other = dataclasses.replace(SETTINGS, num_train=5, correlated=False)
    with pytest.raises(SlowFastExtError) as caught:
        ensure(data_set, other)
    message = str(caught.value)
    assert str(data_set) in message
    assert "num_train is 4, not 5; correlated is True, not False" in message
    assert "another directory or delete" in message
    assert "seed" not in message


def test_settings_that_are_no_settings_are_refused(tmp_path):
    (tmp_path / "settings.json").write_text("[half")
    with pytest.raises(SlowFastExtError, match=r"settings\.json.*delete"):
        ensure(tmp_path, SETTINGS)


@pytest.mark.parametrize("wrong", [{"size": 95}, {"num_frames": 3}, {"num_train": 0}, {"seed": -1}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SlowFastExtError, match=next(iter(wrong))):
        SyntheticSettings(**wrong)


# --- What happens in a video ---------------------------------------------------------------


def test_every_video_has_one_to_four_activities_each_at_least_half_of_the_time():
    for actors in draw_many():
        acting = [actor for actor in actors if actor.labels]
        assert 1 <= len({actor.labels for actor in acting}) == len(acting) <= MAX_ACTIVITIES
        for actor in acting:
            assert 0 <= actor.start < actor.end <= 72
            assert actor.end - actor.start >= 36


def test_some_pairs_occur_together_and_some_never():
    frequency, pairs, _ = label_statistics(correlated=True)
    for first, second in TOGETHER:
        assert 0.75 < pairs[first, second] / frequency[first] < 0.9
    for first, second in APART:
        assert pairs[first, second] == 0


def test_uncorrelated_labels_are_independent_and_as_frequent():
    frequency, pairs, counts = label_statistics(correlated=False)
    assert counts.min() >= 1
    expected = np.outer(frequency, frequency)
    off_diagonal = ~np.eye(len(frequency), dtype=bool)
    assert np.abs(pairs - expected)[off_diagonal].max() < 0.025
    correlated, _, _ = label_statistics(correlated=True)
    np.testing.assert_allclose(frequency, correlated, atol=0.03)


def test_actors_share_a_place_only_without_several_places():
    for actors in draw_many():
        assert len({actor.center for actor in actors}) == len(actors)
    centers = {actor.center for actors in draw_many(several_places=False) for actor in actors}
    assert centers == {(0.5, 0.5)}


def test_boxes_without_several_places_surround_the_centre():
    for actors in draw_many(count=20, several_places=False, distractors=False):
        for actor in actors:
            boxes = np.array([bounding_box(actor, frame) for frame in range(actor.start, 72)])
            middle = (boxes[:, :2].min(axis=0) + boxes[:, 2:].max(axis=0)) / 2
            np.testing.assert_allclose(middle, 0.5, atol=0.08)


def test_activities_have_their_speed_unless_switched_off():
    for several, wanted in ((True, set(PERIODS.values())), (False, {PERIODS["normal"]})):
        found = set()
        for actor in sum(draw_many(several_speeds=several), []):
            if actor.motion is not None:
                speed = MOTIONS[actor.motion][0] if several else "normal"
                assert actor.period == pytest.approx(PERIODS[speed], rel=0.1)
                found.add(PERIODS[speed])
        assert found == wanted


def test_a_slow_activity_hardly_moves_in_a_clip_at_rate_2():
    travel = {}
    for actor in sum(draw_many(distractors=False), []):
        if actor.motion in ("walks", "trembles"):
            boxes = np.array([bounding_box(actor, frame) for frame in range(20, 36)])
            speed = np.abs(np.diff(boxes[:, 0] + boxes[:, 2])).mean() / 2
            travel.setdefault(MOTIONS[actor.motion][0], []).append(speed)
    assert np.mean(travel["fast"]) > 3 * np.mean(travel["slow"])


def test_distractors_do_what_is_no_activity_and_can_be_switched_off():
    counts = [sum(not actor.labels for actor in actors) for actors in draw_many()]
    assert set(counts) == set(range(MAX_DISTRACTORS + 1))
    for actors in draw_many(distractors=False):
        assert all(actor.labels for actor in actors)


def test_neither_the_motion_nor_the_ball_alone_tells_the_activity():
    by_motion, by_ball = {}, {}
    for actor in sum(draw_many(), []):
        by_motion.setdefault(actor.motion, set()).add(actor.labels)
        by_ball.setdefault(actor.ball_color, set()).add(actor.labels)
    for motion in MOTIONS:
        # Two activities, and actors that do the motion with another ball.
        assert len(by_motion[motion]) == 3 and () in by_motion[motion]
    assert len(by_ball) == len(BALLS)
    assert all(len(labels) >= 3 and () in labels for labels in by_ball.values())


def test_parts_are_one_actor_with_its_motion_and_its_ball():
    seen = set()
    for actors in draw_many(parts=True, count=400):
        (actor,) = actors
        assert actor.labels[0] == actor.motion
        seen.add(actor.labels)
    assert seen == {(motion, ball) for motion in MOTIONS for ball in BALLS}
    assert SyntheticSettings(parts=True).class_names == (*MOTIONS, *BALLS)


# --- Twins ------------------------------------------------------------------------------


def _twins(motion):
    """Actors of one motion of TWINS, of many videos."""
    return [
        actor
        for actor in sum(draw_many(twins=True, distractors=False), [])
        if actor.motion == motion
    ]


def test_twins_have_activities_of_their_own():
    settings = SyntheticSettings(twins=True)
    labels = {label for actors in draw_many(twins=True) for a in actors for label in a.labels}
    assert labels == set(settings.class_names) and len(labels) == 12
    assert {label.split()[0] for label in labels} == set(TWINS)
    balls_of = {motion: set() for motion in TWINS}
    for motion, ball in settings.activities:
        balls_of[motion].add(ball)
    for one, other in (("proceeds", "returns"), ("hops", "circles"), ("winks", "flickers")):
        assert balls_of[one] == balls_of[other] and len(balls_of[one]) == 2
    assert SyntheticSettings(twins=True, several_speeds=False).motions == MOTIONS
    assert SyntheticSettings(twins=True, parts=True).class_names == (*TWINS, *BALLS)


@pytest.mark.parametrize("rate, same", [(2, False), (4, True), (8, True)])
def test_a_wink_and_a_flicker_differ_at_rate_2_alone(rate, same):
    """The angles of both, added, do not change from sample to sample: one is the other reversed."""
    for stretch in (0.9, 1.0, 1.07):
        times = rate * np.arange(8)
        both = sum(1 / period_of(motion, stretch) for motion in ("winks", "flickers"))
        turns = times * both % 1
        distance = np.minimum(turns, 1 - turns).max()
        assert (distance < 1e-9) if same else (distance > 0.4)


def _ways(actor, start, num_frames):
    """Where it goes within a clip: each frame's place from the clip's first, along its way."""
    poses = [pose_at(actor, start + time) for time in range(num_frames)]
    places = np.array([[pose.x, pose.y] for pose in poses]) - (poses[0].x, poses[0].y)
    return places @ (np.cos(actor.phase), np.sin(actor.phase))


def test_steps_on_and_back_differ_at_rate_8_alone():
    on, back = _twins("proceeds"), _twins("returns")
    assert len(on) > 50 and len(back) > 50
    for start in range(0, 72 - 29):
        for actor in on + back:
            # At rate 4 a clip never shows two whole steps: at most one reaches its end.
            way = np.abs(_ways(actor, start, 29))
            assert way.max() < 1.2 * 0.1
    for actor in on:
        assert _ways(actor, 14, 57)[-1] == pytest.approx(0.2, abs=1e-6)
    for actor in back:
        assert _ways(actor, 14, 57)[-1] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_box_holds_all_that_its_actor_covers(motion):
    settings = SyntheticSettings(distractors=False, several_places=False)
    random = np.random.default_rng(list(MOTIONS).index(motion))
    actor = synthetic_scenes.draw_actor(random, settings, (motion,), motion, "red", 4)
    background, moved = np.zeros((96, 96, 3), np.uint8), []
    for frame in range(actor.start, actor.end):
        image = draw_frame(background, [actor], frame).max(axis=2)
        moved.append(image)
        rows, columns = np.nonzero(image > 40)
        if len(rows):
            x1, y1, x2, y2 = np.array(bounding_box(actor, frame)) * 96
            # Smooth edges add about a pixel at each side.
            assert x1 - 2 < columns.min() and columns.max() + 1 < x2 + 2
            assert y1 - 2 < rows.min() and rows.max() + 1 < y2 + 2
            assert (x2 - x1) * (y2 - y1) < 2.2 * (np.ptp(columns) + 1) * (np.ptp(rows) + 1)
    assert np.std(moved, axis=0).max() > 20
    outside = draw_frame(background, [actor], actor.end)
    assert outside.max() == 0


def test_the_change_between_decoded_frames_is_inside_the_boxes(tmp_path):
    settings = SyntheticSettings(distractors=False, num_train=1, num_test=1)
    write_video(str(tmp_path), settings, "train", 0)
    frames = decode(tmp_path / "videos/train_0000.mp4").astype(float)
    truth = json.loads((tmp_path / "videos/train_0000.json").read_text())
    change = np.abs(frames[30] - frames[36]).mean(axis=2)
    inside = np.zeros((96, 96), bool)
    for item in truth:
        for number in (30, 36):
            box = item["boxes"][number - round(item["start"] * FPS)]
            x1, y1, x2, y2 = np.rint(np.array(box) * 96).astype(int)
            inside[y1:y2, x1:x2] = True
    assert change[inside].mean() > 3 * change[~inside].mean()
