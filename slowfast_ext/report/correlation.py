"""The learned correlation map beside the labels' co-occurrence."""

import numpy as np

from slowfast_ext.datasets import clips
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.inference import inference
from slowfast_ext.utils import distributed


def correlation(run, num_videos):
    """
    Both maps, their activities in an order that puts together what occurs together.

    Args:
        num_videos (int): test videos that the network is run on for the learned map; 0: it is
            left out.

    Returns:
        dict: `names` [A], `cooccurrence` (Mask, A x A) and `learned` (the mean of Attn_C, A x A,
            or None), rows the activity that attends; `num_videos` of that mean; `agreement`,
            the correlation of their entries off the diagonal, or None; `why_not_learned`.

    Raises:
        SlowFastExtError: the checkpoint has no map.
    """
    mask = run.network.cooccurrence
    if mask is None:
        raise SlowFastExtError(
            "the network has no correlation map (ACTIVITY.CORRELATION False, or another head)"
        )
    mask = mask.double().numpy()
    names = run.class_names
    if len(names) != len(mask):
        raise SlowFastExtError(
            f"{run.checkpoint_path} correlates {len(mask)} activities, and the run names "
            f"{len(names)}: test again"
        )
    order = clustered_order(mask)

    def in_order(matrix):
        return matrix[np.ix_(order, order)].round(4).tolist()

    learned, why_not, video_maps = None, None, []
    try:
        video_maps = _video_maps(run, num_videos)
        # Corr = Mask + Attn_C.
        learned = np.mean(video_maps, 0) - mask
    except SlowFastExtError as error:
        why_not = str(error)
    return {
        "names": [names[place] for place in order],
        "cooccurrence": in_order(mask),
        "learned": learned if learned is None else in_order(learned),
        "agreement": learned if learned is None else agreement(learned, mask),
        "why_not_learned": why_not,
        "num_videos": len(video_maps),
    }


def _video_maps(run, num_videos):
    """[Corr, A x A] of one centre view each of some videos spread over the list."""
    if not num_videos:
        raise SlowFastExtError("it depends on the video: --videos 16 runs the network on some")
    dataset, network = run.test_set, run.network
    device = distributed.device(run.cfg)
    video_maps = []
    for index in spread(len(dataset), num_videos):
        batch = dataset[index].batch_of_views(slice(0, 1))
        inputs, given = clips.network_input(run.cfg, batch, device)
        with inference(run.cfg, network, device):
            _, attention = network(inputs, **given, return_attention=True)
        if len(attention["correlation"]):  # A keyframe may have no persons.
            video_maps.append(attention["correlation"].double().mean(0).numpy())
    if not video_maps:
        raise SlowFastExtError("none of the test videos that were looked at has a person")
    return video_maps


def spread(length, number):
    """`number` places, or fewer, evenly spread over range(length)."""
    return sorted({int(place) for place in np.linspace(0, length - 1, min(number, length))})


def agreement(first, second):
    """Pearson's correlation of two matrices' entries off the diagonal; None where it has none."""
    off = ~np.eye(len(first), dtype=bool)
    if first[off].size < 2 or not (first[off].std() and second[off].std()):
        return None
    return float(np.corrcoef(first[off], second[off])[0, 1])


def clustered_order(similarity):
    """
    An order of A activities that puts similar ones side by side.

    Clusters are joined by average linkage, the most similar two first, each turned such that
    the ends that meet are as similar as can be.

    Args:
        similarity (ndarray): A x A, need not be symmetric.

    Returns:
        list[int]: of length A.
    """
    between = (similarity + similarity.T) / 2
    linkage = between.astype(float).copy()
    np.fill_diagonal(linkage, -np.inf)
    clusters = {place: [place] for place in range(len(linkage))}
    while len(clusters) > 1:
        first, second = divmod(int(linkage.argmax()), len(linkage))
        if second not in clusters or first not in clusters or first == second:
            first, second = list(clusters)[:2]  # Nothing is similar any more.
        sizes = len(clusters[first]), len(clusters[second])
        merged = np.average(linkage[[first, second]], axis=0, weights=sizes)
        linkage[first], linkage[:, first] = merged, merged
        linkage[first, first] = linkage[second] = linkage[:, second] = -np.inf
        left, right = clusters[first], clusters.pop(second)
        turns = [(a, b) for a in (left, left[::-1]) for b in (right, right[::-1])]
        a, b = max(turns, key=lambda turn: between[turn[0][-1], turn[1][0]])
        clusters[first] = a + b
    return next(iter(clusters.values()), [])
