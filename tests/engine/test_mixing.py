"""MixUp and CutMix of several labels a clip, against upstream's own class."""

import numpy as np
import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.commands.run_net import main
from slowfast_ext.config.load import load_config
from slowfast_ext.engine.mixing import Mixing, check_mixing
from slowfast_ext.errors import SlowFastExtError
from tests.helpers import CONFIG, TINY, assert_equal, weights

if not upstream.IS_MAIN:
    pytest.skip("needs GitHub's main of PySlowFast", allow_module_level=True)

ON = {"MIXUP.ENABLE": True}


def words(**changes):
    return [str(word) for pair in {**TINY, **ON, **changes}.items() for word in pair]


def mixing(**changes):
    mix = Mixing(load_config(CONFIG, words(**changes)))
    mix.start_epoch(0)
    return mix


@pytest.mark.parametrize("switch", [0.0, 1.0], ids=["mixup", "cutmix"])
def test_one_label_a_clip_is_mixed_as_upstream_does(switch):
    mix = mixing(**{"MIXUP.SWITCH_PROB": switch})
    slow, fast = torch.rand(5, 3, 2, 8, 8), torch.rand(5, 3, 4, 8, 8)
    numbers = torch.tensor([2, 0, 1, 1, 3])
    labels = torch.nn.functional.one_hot(numbers, 4).float()
    theirs = upstream.MixUp(0.8, 1.0, 1.0, switch, label_smoothing=0.1, num_classes=4)
    seed = np.random.default_rng([mix.seed, 0, 0, 0x313]).integers(2**32)
    wanted = []
    for clips in (slow, fast):
        with upstream.seeded(np.random.default_rng(seed)):
            wanted.append(theirs(clips.clone(), numbers))
    before = fast.clone()
    mixed = mix([slow, fast], labels)
    assert torch.allclose(mixed, wanted[0][1]) and torch.allclose(mixed, wanted[1][1])
    assert torch.equal(slow, wanted[0][0]) and torch.equal(fast, wanted[1][0])
    # The middle one of five has itself for a partner.
    assert torch.allclose(fast[2], before[2]) and not torch.equal(fast[0], before[0])


def test_several_labels_are_mixed_by_their_clips_shares():
    """What a binary cross-entropy makes of them are both clips' losses, by their shares."""
    mix = mixing(**{"MIXUP.LABEL_SMOOTH_VALUE": 0.0})
    labels = torch.tensor([[1.0, 1, 0], [0, 1, 1]])
    clips = torch.stack([torch.ones(3, 1, 2, 2), torch.zeros(3, 1, 2, 2)])
    mixed = mix([clips], labels)
    share = clips[0].mean()  # Of the first clip's pixels, mixed or pasted.
    assert 0 < share < 1
    assert torch.allclose(
        mixed,
        torch.stack(
            [
                share * labels[0] + (1 - share) * labels[1],
                share * labels[1] + (1 - share) * labels[0],
            ]
        ),
    )
    logits, loss = torch.randn(2, 3), torch.nn.BCEWithLogitsLoss()
    by_clip = share * loss(logits, labels) + (1 - share) * loss(logits, labels.flip(0))
    assert loss(logits, mixed).item() == pytest.approx(by_clip.item())


def test_what_is_unknown_of_either_clip_is_unknown():
    mix = mixing()
    labels = torch.tensor([[1.0, -1], [0, 0], [-1, 1]])
    mixed = mix([torch.rand(3, 3, 1, 2, 2)], labels)
    assert (mixed < 0).tolist() == [[True, True], [False, False], [True, True]]
    assert torch.allclose(mixed[1], torch.tensor([0.05, 0.05]))


def test_a_clip_alone_stays_as_it_is_and_probability_0_smooths_alone():
    labels, clips = torch.tensor([[1.0, 0.0]]), torch.rand(1, 3, 1, 2, 2)
    before = clips.clone()
    assert torch.allclose(mixing()([clips], labels), torch.tensor([[0.95, 0.05]]))
    mixed = mixing(**{"MIXUP.PROB": 0.0})([clips], labels)
    assert torch.allclose(mixed, torch.tensor([[0.95, 0.05]])) and torch.equal(clips, before)


def test_a_run_that_was_stopped_ends_with_the_same_weights(arguments, tmp_path):
    options = {
        "TUNE__ENABLE": False,
        "TEST__ENABLE": False,
        "MIXUP__ENABLE": True,
        "AUG__ENABLE": True,
        "AUG__NUM_SAMPLE": 2,
        "DATA__TRAIN_JITTER_SCALES_RELATIVE": "[0.08, 1.0]",
        "DATA__TRAIN_JITTER_ASPECT_RELATIVE": "[0.75, 1.3333]",
        "SOLVER__MAX_EPOCH": 2,
    }
    last = "checkpoint_epoch_00002.pyth"
    main(arguments(tmp_path, **options))
    whole = weights(tmp_path, last)
    (tmp_path / "checkpoints" / last).unlink()
    main(arguments(tmp_path, **options))
    assert_equal(whole, weights(tmp_path, last))


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"MODEL.LOSS_FUNC": "equalization"}, "must not be equalization with MIXUP.ENABLE"),
        ({"LOSS.LABEL_SMOOTHING": 0.1}, "LOSS.LABEL_SMOOTHING is 0.1: it must be 0.0 with MIXUP"),
        ({"TRAIN.BATCH_SIZE": 1}, "leaves each process one clip"),
        ({"OBJECTS.NUM_CLASSES": 2}, "MIXUP.ENABLE has no boxes of both clips"),
        ({"MIXUP.ALPHA": 0.0, "MIXUP.CUTMIX_ALPHA": 0.0}, "MIXUP.ALPHA is 0.0: it must be above"),
        ({"MIXUP.PROB": 1.5}, "MIXUP.PROB is 1.5: it must lie in [0, 1]"),
    ],
)
def test_what_is_not_defined_is_refused(changes, sentence):
    with pytest.raises(SlowFastExtError) as error:
        check_mixing(load_config(CONFIG, words(**changes)))
    assert sentence in str(error.value)


def test_what_is_kept_of_a_loss_that_is_not_finite_is_mixed_as_its_labels(arguments, tmp_path):
    blows_up = {"SOLVER__BASE_LR": 1e30, "SOLVER__OPTIMIZING_METHOD": "sgd"}
    options = {"MIXUP__ENABLE": True, "SOLVER__WARMUP_EPOCHS": 0.0, "MIXUP__SWITCH_PROB": 0.0}
    with pytest.raises(SlowFastExtError, match="the loss is (nan|inf)"):
        main(arguments(tmp_path, TEST__ENABLE=False, **blows_up, **options))
    batch = torch.load(tmp_path / "not_finite_rank_0.pyth", weights_only=True)["batch"]
    assert ((batch["labels"] > 0) & (batch["labels"] < 1)).all()
    assert all(clips.dtype == torch.float32 for clips in batch["pathways"])
