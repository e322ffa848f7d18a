"""
python -m slowfast_ext maps: where in a video a network sees each activity.

Writes, of both kinds of maps, a picture of one clip and the whole video with the maps laid over
it. KEY VALUE pairs may follow, as run_net.py takes them.
"""

import os

from slowfast_ext.commands.arguments import seconds_of, videos_and_options
from slowfast_ext.config.schema import require_clips_alone
from slowfast_ext.datasets.contract import class_names
from slowfast_ext.datasets.video import open_by_config
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.trained import trained_network
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.activity_maps import require_activity_head
from slowfast_ext.utils.paths import require_writable_in
from slowfast_ext.utils.text import nearest, shortened
from slowfast_ext.visualization.maps import KINDS, VideoMaps


def run(args):
    """
    Writes NAME_attention and NAME_evidence, .png and .mp4 each, into --out.

    Raises:
        SlowFastExtError: wrong arguments, a head without attention, or a video that cannot be
            read.
    """
    videos, options = videos_and_options(args)
    if len(videos) != 1:
        raise SlowFastExtError(f"{len(videos)} videos are given: name one")
    cfg = checked_config(args.cfg, [*options, "FEATURES.PATH", ""])
    require_clips_alone(cfg, "maps are of a video's frames and nothing else")
    require_activity_head(cfg)
    at = None if args.at is None else seconds_of(args.at, "--at", or_zero=True)
    stem = os.path.splitext(os.path.basename(os.path.normpath(videos[0])))[0]
    paths = {kind: os.path.join(args.out, f"{stem}_{kind}") for kind in KINDS}
    # Before a long video is scored.
    files = [f"{stem}_{kind}.{ending}" for kind in KINDS for ending in ("png", "mp4")]
    require_writable_in(args.out, files, "--out")
    network = trained_network(cfg)
    names = network.class_names or class_names(cfg)
    chosen = _chosen(args.activities, names) if args.activities else None
    with open_by_config(cfg, videos[0]) as reader:
        maps = VideoMaps(cfg, network, reader, names, chosen, at)
        maps.write_grids(paths)
        maps.write_videos(paths)
    for path in paths.values():
        print(f"wrote {path}.png and {path}.mp4")


def _chosen(text, names):
    """Ids of the activities that are named."""
    chosen = []
    for word in filter(None, map(str.strip, text.split(";"))):
        if word in names:
            chosen.append(names.index(word))
        elif word.isdecimal() and int(word) < len(names):
            chosen.append(int(word))
        else:
            raise SlowFastExtError(
                f"--activities: '{word}' is neither the name nor the id of a class"
                f"{nearest(word, names) or '; there are ' + shortened(', '.join(names))}"
            )
    if not chosen:
        raise SlowFastExtError("--activities names none: separate names or ids by ';'")
    return list(dict.fromkeys(chosen))
