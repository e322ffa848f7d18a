"""Charades' official files -> lists -> training, tuning, 30 views -> official scores -> tables."""

import contextlib
import csv
import importlib
import io
import json
import re
from collections import namedtuple
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from slowfast_ext.__main__ import build_parser
from slowfast_ext.commands.run_net import main as run_net
from slowfast_ext.engine.setup import checked_config
from tests.helpers import ROOT, shallow_networks
from tests.test_charades_configs import FEWER_BLOCKS, ROW_CONFIGS, SMALL

CONFIG = ROOT / "configs" / "Charades" / "SLOWFAST_101_ACTIVITY.yaml"
NUM_CLASSES, FPS, NUM_FRAMES = 157, 24, 48
HEADER = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length"
# Every video lasts 2 s; where no row says otherwise so do the annotations.
TRAIN = {
    "TR000": "c092 0.00 1.20;c147 0.50 9.90",
    "TR001": "c147 0.00 2.00",
    "TR002": "",
    "TR003": "c000 0.20 1.00;c000 1.20 1.80;c156 0.00 2.00",
    "BROKN": "c092 0.00 2.00",
}
TEST = {
    "TE000": "c092 0.00 1.20;c147 1.90 2.40",
    "TE001": "c147 0.00 2.00;c000 2.50 3.00",
    "TE002": "",
    "TE003": "c156 0.00 2.00;c092 0.30 0.90;c092 1.00 1.50",
    "TE004": "c000 0.00 2.00",
}
PAST_LENGTH = {"train": 1, "test": 2}

Run = namedtuple(
    "Run", "report test_list results predictions evaluated resubmitted submission lines text"
)


def write_annotations(folder):
    folder.mkdir()
    for split, videos in (("train", TRAIN), ("test", TEST)):
        with open(folder / f"Charades_v1_{split}.csv", "w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(HEADER.split(","))
            for video_id, actions in videos.items():
                row = [video_id, "S1", "Kitchen", 6, 7, "Yes", "Someone, at home.", "cup;towel"]
                writer.writerow([*row, 'Says "no".', actions, "2.00"])
    names = [f"c{index:03d} Doing thing {index}, slowly" for index in range(NUM_CLASSES)]
    (folder / "Charades_v1_classes.txt").write_text("\n".join(names) + "\n")


def frames(video_id):
    """48 x 64 x 3 images of a coarse pattern of the video's own that moves."""
    random = np.random.default_rng([ord(letter) for letter in video_id])
    pattern = cv2.resize(random.integers(0, 256, (6, 8, 3), dtype=np.uint8), (64, 48))
    return [np.roll(pattern, number, axis=1) for number in range(NUM_FRAMES)]


def write_videos(folder):
    """Charades_v1_480/ID.mp4, one of them cut short as by a failed download."""
    folder.mkdir()
    for video_id in (*TRAIN, *TEST):
        with av.open(str(folder / f"{video_id}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=FPS)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for image in frames(video_id):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
            container.mux(stream.encode())
    broken = folder / "BROKN.mp4"
    broken.write_bytes(broken.read_bytes()[:700])


def write_frames(folder):
    """Charades_v1_rgb/ID/ID-000001.jpg, the first frame of one video cut short."""
    for video_id in (*TRAIN, *TEST):
        (folder / video_id).mkdir(parents=True)
        for number, image in enumerate(frames(video_id), start=1):
            path = folder / video_id / f"{video_id}-{number:06d}.jpg"
            cv2.imwrite(str(path), image[..., ::-1])
    broken = folder / "BROKN" / "BROKN-000001.jpg"
    broken.write_bytes(broken.read_bytes()[:100])


MEDIA = {
    "--videos": ("Charades_v1_480", write_videos),
    "--frames": ("Charades_v1_rgb", write_frames),
}


def options(folder):
    """The config's keys at reduced size; the 30 views stay."""
    small = {**SMALL, **FEWER_BLOCKS["SLOWFAST"], "RESNET.WIDTH_PER_GROUP": "16"}
    del small["TEST.VIEWS"]
    small["DATA.PATH_TO_DATA_DIR"] = str(folder / "lists")
    small["DATA.SKIP_BROKEN_VIDEOS"] = "True"
    small["OUTPUT_DIR"] = str(folder / "output" / "ours")
    return [word for pair in small.items() for word in pair]


def command(*words):
    """What `python -m slowfast_ext ...` prints."""
    args = build_parser().parse_args([str(word) for word in words])
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        importlib.import_module(args.module).run(args)
    return printed.getvalue()


def evaluate(annotations, predictions, *words):
    truth = ["--ground-truth", annotations / "Charades_v1_test.csv"]
    names = ["--classes", annotations / "Charades_v1_classes.txt"]
    scores = ["--predictions", predictions]
    return json.loads(command("evaluate", "charades", *truth, *names, *scores, "--json", *words))


@pytest.fixture(scope="module", params=MEDIA)
def run(request, tmp_path_factory):
    """What the whole chain of commands leaves, from videos and from frames."""
    folder = tmp_path_factory.mktemp("charades")
    annotations, output = folder / "annotations", folder / "output" / "ours"
    name, write_media = MEDIA[request.param]
    write_annotations(annotations)
    write_media(folder / name)
    media = [request.param, folder / name, "--out", folder / "lists", "--json"]
    report = json.loads(command("prepare", "charades", "--annotations", annotations, *media))
    with shallow_networks():
        run_net(["--cfg", str(CONFIG), *options(folder)])
    submission = folder / "submission.txt"
    predictions = output / "predictions.csv"
    tables = ["tables", "--results", folder / "output", "--only", "1"]
    return Run(
        report=report,
        results=json.loads((output / "results.json").read_text()),
        evaluated=evaluate(annotations, predictions, "--write-submission", submission),
        resubmitted=evaluate(annotations, submission),
        submission=submission.read_text(),
        predictions=predictions.read_text(),
        test_list=(folder / "lists" / "test.csv").read_text(),
        lines=json.loads(command(*tables, "--json")),
        text=command(*tables),
    )


def reference_map(submission):
    """Charades_v1_classify.m in a loop: mean over the classes of TEST."""
    scores = {}
    for line in submission.splitlines():
        video_id, *values = line.split()
        scores[video_id] = [float(value) for value in values]
    truth = {v: {action[:4] for action in actions.split(";")} for v, actions in TEST.items()}
    precisions = []
    for class_id in range(NUM_CLASSES):
        ranked = sorted(filter(TEST.get, TEST), key=lambda v: -scores[v][class_id])
        hits = [f"c{class_id:03d}" in truth[video_id] for video_id in ranked]
        at_hits = [sum(hits[:rank]) / rank for rank, hit in enumerate(hits, start=1) if hit]
        if at_hits:
            precisions.append(sum(at_hits) / len(at_hits))
    return sum(precisions) / len(precisions)


def test_prepare_says_what_is_wrong_with_the_media(run):
    for split, videos in (("train", TRAIN), ("test", TEST)):
        report = run.report["splits"][split]
        assert report["videos"] == len(videos)
        assert report["videos_without_actions"] == 1
        assert report["segments_past_length"] == PAST_LENGTH[split]
        assert report["missing"] == []
    assert list(run.report["splits"]["train"]["unreadable"]) == ["BROKN"]
    ends = [row["end"] for row in csv.DictReader(run.test_list.splitlines())]
    assert max(float(end) for end in ends if end) == 2.0


def test_the_network_is_trained_tuned_and_tested_in_30_views(run):
    protocol, counts = run.results["protocol"], run.results["counts"]
    assert protocol["num_views"] == 30
    assert protocol["views"] == [[4, 4, 3], [8, 3, 3], [2, 3, 3]]
    assert "tune" in Path(protocol["checkpoint"]).name
    assert (counts["videos"], counts["videos_without_activity"]) == (len(TEST), 1)
    assert counts["skipped"] == {}
    assert list(counts["skipped_in_training"]) == ["BROKN"]
    positives = {row["id"]: row["positives"] for row in run.results["per_class"]}
    assert {k: v for k, v in positives.items() if v} == {0: 2, 92: 2, 147: 2, 156: 1}


def test_the_official_form_gives_the_same_scores(run):
    _, *rows = csv.reader(run.predictions.splitlines())
    official = [line.split() for line in run.submission.splitlines()]
    assert [row[0] for row in rows] == [fields[0] for fields in official] == list(TEST)
    assert [[*map(float, row[1:])] for row in rows] == [[*map(float, f[1:])] for f in official]
    assert run.results["mAP"] == pytest.approx(reference_map(run.submission), abs=1e-12)
    for evaluated in (run.evaluated, run.resubmitted):
        for key in ("mAP", "weighted_mAP", "per_class"):
            assert evaluated[key] == run.results[key]
        assert evaluated["counts"]["videos_without_scores"] == 0


def test_the_tables_show_the_row(run):
    row = checked_config(str(CONFIG), ["NUM_GPUS", "0"]).ACTIVITY.TABLE_ROW
    shown = {f"{line['table']}/{line['row']}": line for line in run.lines if line["ours"]}
    assert {key: line["ours"] for key, line in shown.items()} == {row: run.results["mAP"]}
    assert shown[row]["form"] == "default"
    assert shown[row]["date"] == run.results["date"][:16].replace("T", " ") + "Z"
    line = next(line for line in run.text.splitlines() if f" {shown[row]['date']} " in line)
    assert line.startswith("SlowFast-101 ours") and line.endswith("  ours")
    assert f"  {100 * run.results['mAP']:.1f}*  " in line


def test_the_page_about_charades_names_every_rows_config():
    text = (ROOT / "docs" / "CHARADES.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\b([A-Z0-9_]+)\.yaml", text)) == {path.stem for path in ROW_CONFIGS}
