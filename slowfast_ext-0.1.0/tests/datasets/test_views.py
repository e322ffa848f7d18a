import numpy as np
import pytest

from slowfast_ext.datasets import views
from slowfast_ext.datasets.views import View
from slowfast_ext.errors import SlowFastExtError


def test_the_papers_thirty_views():
    listed = views.list_views([[4, 4, 3], [8, 3, 3], [2, 3, 3]])
    assert [view.rate for view in listed] == [4] * 12 + [8] * 9 + [2] * 9
    assert listed[:4] == [
        View(4, 0, 4, 0, 3),
        View(4, 0, 4, 1, 3),
        View(4, 0, 4, 2, 3),
        View(4, 1, 4, 0, 3),
    ]
    assert listed[-1] == View(2, 2, 3, 2, 3)
    assert len(set(listed)) == 30


def test_clips_are_spread_from_start_to_end():
    fractions = [view.fraction for view in views.list_views([[4, 4, 1]])]
    assert fractions == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert View(4, 0, 1, 0, 1).fraction == 0.5


@pytest.mark.parametrize(
    ("rate", "fps", "target_fps", "step"),
    [(4, 30, 30, 4), (4, 60, 30, 8), (2, 15, 30, 1), (3, 25, 30, 2.5), (4, None, 30, 4)]
    + [(4, 60, 0, 4)],
)
def test_frame_step(rate, fps, target_fps, step):
    assert views.frame_step(rate, fps, target_fps) == step


def test_clip_frames_cover_the_video_exactly():
    # Span 9 in 20 frames: the room is 11.
    assert views.clip_frames(20, 3, 4, 0).tolist() == [0, 4, 8]
    assert views.clip_frames(20, 3, 4, 1).tolist() == [11, 15, 19]
    assert views.clip_frames(20, 3, 4, 3 / 11).tolist() == [3, 7, 11]
    assert views.clip_start(9, 20, 0.5) == 5.5


def test_clip_frames_keep_an_even_step_from_half_a_frame_on():
    for step in (1, 3, 4):
        span = 3 * step + 1
        frames = views.clip_frames(span + 5, 4, step, 0.5)
        assert np.diff(frames).tolist() == [step] * 3


def test_fractional_steps_are_rounded_to_the_nearest_frame():
    assert views.clip_frames(100, 5, 2.5, 0).tolist() == [0, 3, 5, 8, 10]
    assert views.clip_frames(100, 4, 0.5, 0).tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("fraction", [0, 0.3, 1])
def test_a_short_video_is_centred_and_its_ends_repeat(fraction):
    assert views.clip_start(13, 5, fraction) == -4
    assert views.clip_frames(5, 13, 1, fraction).tolist() == [0] * 4 + [0, 1, 2, 3, 4] + [4] * 4
    assert views.clip_frames(1, 3, 4, fraction).tolist() == [0, 0, 0]


def test_a_video_as_long_as_the_clip_has_one_clip():
    for fraction in (0, 0.5, 1):
        assert views.clip_frames(9, 3, 4, fraction).tolist() == [0, 4, 8]


def test_training_draws_are_not_those_of_the_synthetic_videos():
    """`default_rng([seed, split, index])` draws the videos: equal seeds must not tie the two."""
    for index in range(5):
        video = np.random.default_rng([1, 0, index]).random(4)
        assert not np.isclose(views.sample_random(1, 0, index).random(4), video).any()


def test_sample_random_depends_on_all_arguments_and_nothing_else():
    draw = {key: views.sample_random(*key).random() for key in np.ndindex(2, 2, 2)}
    assert len(set(draw.values())) == 8
    np.random.seed(0)
    assert views.sample_random(1, 0, 1).random() == draw[1, 0, 1]


def test_scaled_size():
    assert views.scaled_size(240, 320, 256) == (256, 341)
    assert views.scaled_size(320, 240, 256) == (341, 256)
    assert views.scaled_size(256, 341, 256) == (256, 341)
    assert views.scaled_size(100, 100, 7) == (7, 7)


def test_scaled_size_is_upstreams():
    torch = pytest.importorskip("torch")
    transform = pytest.importorskip("slowfast.datasets.transform")
    sizes = np.random.default_rng(0).integers(16, 90, (60, 3)).tolist()
    # One where floor(height * side / width) would be another number.
    for height, width, side in [*sizes, (28, 20, 45)]:
        image = torch.zeros(1, 1, height, width)
        scaled, _ = transform.random_short_side_scale_jitter(image, side, side)
        assert views.scaled_size(height, width, side) == tuple(scaled.shape[2:])


@pytest.mark.parametrize(("height", "width"), [(32, 43), (43, 32), (32, 32), (37, 42), (33, 32)])
def test_three_test_crops_are_upstreams(height, width):
    torch = pytest.importorskip("torch")
    transform = pytest.importorskip("slowfast.datasets.transform")
    image = torch.arange(height * width).view(1, 1, height, width)
    for size in (32, 29):
        for crop in range(3):
            expected, _ = transform.uniform_crop(image, size, crop)
            top, left = views.test_crop_offset(height, width, size, crop, 3)
            assert torch.equal(image[:, :, top : top + size, left : left + size], expected)


def test_other_numbers_of_test_crops():
    assert views.test_crop_offset(10, 15, 8, 0, 1) == (1, 4)
    assert [views.test_crop_offset(8, 20, 8, crop, 5) for crop in range(5)] == [
        (0, 0),
        (0, 3),
        (0, 6),
        (0, 9),
        (0, 12),
    ]
    assert [views.test_crop_offset(20, 8, 8, crop, 2) for crop in range(2)] == [(0, 0), (12, 0)]


@pytest.mark.parametrize("inverse_uniform", [False, True])
def test_random_scale_reaches_both_ends_only(inverse_uniform):
    random = np.random.default_rng(0)
    sides = [views.random_scale(random, [10, 13], inverse_uniform) for _ in range(300)]
    assert set(sides) == {10, 11, 12, 13}
    assert all(type(side) is int for side in sides)


def test_inverse_uniform_scales_are_uniform_in_one_over_the_side():
    random = np.random.default_rng(0)
    sides = np.array([views.random_scale(random, [256, 1024], True) for _ in range(4000)])
    assert np.mean(1 / sides) == pytest.approx((1 / 256 + 1 / 1024) / 2, rel=0.02)
    plain = np.array([views.random_scale(random, [256, 1024], False) for _ in range(4000)])
    assert np.mean(plain) == pytest.approx(640, rel=0.02)


def test_random_crops_reach_every_place():
    random = np.random.default_rng(0)
    places = {views.random_crop_offset(random, 10, 12, 9) for _ in range(300)}
    assert places == {(top, left) for top in range(2) for left in range(4)}
    assert views.random_crop_offset(random, 9, 9, 9) == (0, 0)


def test_crops_larger_than_the_frame_are_refused():
    with pytest.raises(SlowFastExtError, match="crop of 33 x 33 pixels.*frames of 40 x 32"):
        views.test_crop_offset(32, 40, 33, 1, 3)
    with pytest.raises(SlowFastExtError, match="TRAIN_CROP_SIZE"):
        views.random_crop_offset(np.random.default_rng(0), 40, 32, 33)
