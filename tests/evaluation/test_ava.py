"""AVA's evaluation against the two protocols in plain loops, and the command around it."""

import argparse
import collections
import csv
import heapq
import json

import numpy as np
import pytest

from slowfast_ext.commands import evaluate_ava
from slowfast_ext.commands.data_arguments import evaluate_ava_arguments
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation import ava

IDS = (1, 3, 4, 6, 7, 9)  # 2, 5 and 8 are not evaluated; 9 has no ground truth, 7 no detections.
LABEL_MAP = "".join(f'item {{\n  name: "class {i}"\n  id: {i}\n}}\n' for i in IDS)


def by_loops(folder, protocol, excluded=()):
    """The protocols in plain loops: ({class id: AP}, detections used)."""
    truth, named = collections.defaultdict(list), set()
    for row in read(folder / "truth.csv"):
        named.add(keyframe(row))
        if len(row) > 2 and int(row[6]) in IDS and keyframe(row) not in excluded:
            x1, y1, x2, y2 = map(float, row[2:6])
            entry = (int(row[6]), y1, x1, y2, x2)
            boxes = truth[keyframe(row)]
            heapq.heappush(boxes, entry) if protocol == "official" else boxes.append(entry)
    found = collections.defaultdict(list)
    for row in read(folder / "detections.csv"):
        if len(row) == 2 or int(row[6]) not in IDS:
            continue
        x1, y1, x2, y2, action, score = map(float, row[2:])
        entry = (score, int(action), y1, x1, y2, x2)
        heap = found[keyframe(row)]
        if protocol == "pyslowfast":
            heap.append(entry)
        elif len(heap) < 50:
            heapq.heappush(heap, entry)
        elif score > heap[0][0]:
            heapq.heapreplace(heap, entry)
    ranked, used = collections.defaultdict(list), 0
    for key, entries in found.items():
        if key in excluded or (protocol == "official" and key not in named):
            continue
        taken = set()
        for score, action, y1, x1, y2, x2 in sorted(entries, key=lambda entry: -entry[0]):
            if x1 >= x2 or y1 >= y2:
                continue
            used += 1
            boxes = [box for of_class, *box in truth[key] if of_class == action]
            overlaps = [overlap((y1, x1, y2, x2), box) for box in boxes]
            best = overlaps.index(max(overlaps)) if overlaps else None
            hit = best is not None and overlaps[best] >= 0.5 and (action, best) not in taken
            taken |= {(action, best)} if hit else set()
            ranked[action].append((score, hit))
    totals = collections.Counter(action for boxes in truth.values() for action, *_ in boxes)
    return {i: precision_of(ranked[i], totals[i]) for i in IDS}, used


def read(path):
    return list(csv.reader(path.read_text().splitlines()))


def keyframe(row):
    return row[0], int(row[1])


def overlap(box, other):
    width = max(0.0, min(box[2], other[2]) - max(box[0], other[0]))
    height = max(0.0, min(box[3], other[3]) - max(box[1], other[1]))
    area, other_area = ((b[2] - b[0]) * (b[3] - b[1]) for b in (box, other))
    return width * height / (area + other_area - width * height)


def precision_of(ranked, total):
    """The area under the curve as in the official script; None without ground truth."""
    if not total:
        return None
    order = np.argsort([score for score, _ in ranked])[::-1]
    hits = np.cumsum(np.array([hit for _, hit in ranked], int)[order])
    precision = [0.0, *(hits / np.arange(1, len(hits) + 1)), 0.0]
    recall = [0.0, *(hits / total), 1.0]
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    return sum(
        (recall[i] - recall[i - 1]) * precision[i]
        for i in range(1, len(recall))
        if recall[i] != recall[i - 1]
    )


def random_box(random):
    """Corners on a coarse grid: overlaps of exactly 0.5, equal overlaps and duplicates occur."""
    x1, y1 = random.integers(0, 4, 2) / 8
    width, height = random.integers(2, 5, 2) / 8
    return [x1, y1, x1 + width, y1 + height]


def write_random_files(folder, seed):
    """Everything that the protocols treat in a way of their own; keyframes are interleaved."""
    random = np.random.default_rng(seed)
    truth, found = [], []
    for index in range(40):
        video, second = f"video{index % 3}", 902 + index
        if index % 10 == 3:
            truth.append([video, second])
        elif index % 10 != 4:
            for _ in range(random.integers(1, 7)):
                box = random_box(random)
                for action in random.choice([1, 2, 3, 4, 6, 7, 8], random.integers(1, 4)):
                    truth.append([video, f"{second:04d}", *box, action, 0])
        # Some keyframes have fewer than 50 rows, some more, some none.
        for _ in range(0 if index % 10 == 5 else random.integers(20, 120)):
            box = random_box(random)
            if random.random() < 0.02:
                box[2] = box[0]
            action = random.choice([1, 3, 4, 5, 6, 9])
            score = round(random.random(), 1 + seed % 2)
            row = [video, random.choice([f"{second}", f"{second:04d}"]), *box, action, score]
            found += [row] * (2 if random.random() < 0.05 else 1)
    found.append(["video0", 902])
    for rows, name in ((truth, "truth.csv"), (found, "detections.csv")):
        rows = [rows[i] for i in random.permutation(len(rows))]
        with open(folder / name, "w", newline="") as stream:
            csv.writer(stream).writerows(rows)
    (folder / "map.pbtxt").write_text(LABEL_MAP)
    (folder / "excluded.csv").write_text("video0,0902\nvideo1,903\nvideo1,906\nvideo2,5\n")


def evaluate(folder, *words):
    parser = argparse.ArgumentParser()
    evaluate_ava_arguments(parser)
    files = {"ground-truth": "truth.csv", "detections": "detections.csv", "labelmap": "map.pbtxt"}
    paths = [word for key, name in files.items() for word in (f"--{key}", str(folder / name))]
    evaluate_ava.run(parser.parse_args([*paths, *words]))


@pytest.fixture
def evaluated(tmp_path, capsys):
    def evaluated(*words):
        evaluate(tmp_path, "--json", *words)
        return json.loads(capsys.readouterr().out)

    return evaluated


@pytest.mark.parametrize("exclude", [False, True])
@pytest.mark.parametrize("protocol", ava.PROTOCOLS)
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_protocol_in_plain_loops(tmp_path, evaluated, seed, protocol, exclude):
    write_random_files(tmp_path, seed)
    words = ["--exclusions", str(tmp_path / "excluded.csv")] if exclude else []
    results = evaluated("--protocol", protocol, *words)
    excluded = {keyframe(row) for row in read(tmp_path / "excluded.csv")} if exclude else set()
    precisions, used = by_loops(tmp_path, protocol, excluded)
    assert [row["id"] for row in results["per_class"]] == list(IDS)
    # None, of a class without ground truth, becomes NaN, which equals NaN here.
    ours = np.array([row["ap"] for row in results["per_class"]], float)
    loops = np.array(list(precisions.values()), float)
    np.testing.assert_allclose(ours, loops, atol=1e-12, rtol=0)
    known = [p for p in precisions.values() if p is not None]
    assert 0.0 in known and len(known) == len(IDS) - 1
    assert results["mAP"] == pytest.approx(np.mean(known), abs=1e-12, rel=0)
    counts = results["counts"]
    assert counts["detections"]["used"] == used
    for rows in (counts["ground_truth"], counts["detections"]):
        assert rows["read"] == rows["used"] + sum(rows["dropped"].values())
    assert counts["keyframes"]["excluded"] == 2 * exclude


def test_the_random_files_tell_the_protocols_and_exclusions_apart(tmp_path, evaluated):
    write_random_files(tmp_path, 0)
    values = {
        evaluated("--protocol", protocol, *words)["mAP"]
        for protocol in ava.PROTOCOLS
        for words in ([], ["--exclusions", str(tmp_path / "excluded.csv")])
    }
    assert len(values) == 4
    assert min(evaluated()["counts"]["detections"]["dropped"].values()) == 0
    dropped = evaluated()["counts"]["detections"]["dropped"]
    assert all(n > 0 for reason, n in dropped.items() if reason != "keyframe_excluded")


def write(folder, truth, found, label_map=LABEL_MAP):
    (folder / "truth.csv").write_text("\n".join(truth))
    (folder / "detections.csv").write_text("\n".join(found))
    (folder / "map.pbtxt").write_text(label_map)


def test_a_detection_has_no_second_choice(tmp_path, evaluated):
    truth = ["v,1,0,0,1,1,1", "v,1,0,0,1,.8,1"]
    # Both overlap the first box most; by the second one alone the lower score would be right.
    write(tmp_path, truth, ["v,1,0,0,1,1,1,.9", "v,1,0,0,1,.95,1,.8"])
    results = evaluated()
    assert results["per_class"][0]["ap"] == 0.5
    assert results["counts"]["ground_truth"]["boxes"] == 2


def test_an_overlap_of_exactly_a_half_counts(tmp_path, evaluated):
    write(tmp_path, ["v,1,0,0,1,1,1"], ["v,1,0,0,.5,1,1,.9"])
    assert evaluated()["mAP"] == 1
    write(tmp_path, ["v,1,0,0,1,1,1"], ["v,1,0,0,.499,1,1,.9"])
    assert evaluated()["mAP"] == 0


def test_the_official_sample(real_data, tmp_path, evaluated):
    for name, source in {
        "truth.csv": "eval_detection_gt.csv",
        "detections.csv": "eval_detection_pred.csv",
        "map.pbtxt": "eval_detection_action_list.txt",
    }.items():
        (tmp_path / name).write_text((real_data / "ava" / source).read_text())
    results = evaluated()
    assert results["mAP"] == pytest.approx(0.093855219, abs=1e-9)
    assert results["counts"]["ground_truth"]["boxes"] == 12
    precisions = [row["ap"] for row in results["per_class"]]
    assert precisions == pytest.approx([0.170454545, 0, 0.111111111], abs=1e-9)
    assert results["protocol"]["average_precision"] == "official"


def test_the_text_names_protocol_counts_and_reasons(tmp_path, capsys):
    write_random_files(tmp_path, 1)
    evaluate(tmp_path)
    out = capsys.readouterr().out
    assert "over the 5 of 6 classes that have ground truth" in out
    assert "protocol official" in out
    assert "class 9    none          0" in out
    for words in ("not among the 50 highest of the keyframe", "class not in label map"):
        assert words in out


@pytest.mark.parametrize(
    "truth,found,sentence",
    [
        ("v,1,0,0,1,1,1", "v,1,0,0,1,1,0,.9", "class ids (0); AVA's ids count from 1"),
        ("v,1,0,0,1,1,2", "v,1,0,0,1,1,1,.9", "ground truth: 1 of 1 rows are not evaluated"),
        ("v,1,0,0,1,1,1", "v,1,0,0,320,240,1,.9", "1 of 1 boxes have corners up to 320, as if in"),
        ("v,1,0,0,1,1,1", "v.mp4,1,0,0,1,1,1,.9", "videos differ ('v' there, 'v.mp4' here)"),
        ("v,902,0,0,1,1,1", "v,60,0,0,1,1,1,.9", "seconds go from 902 to 902 there and from 60 to"),
        ("v,1,0,0,1,1,1", "", "were all person boxes scored below AVA.DETECTION_SCORE_THRESH?"),
        ("v,1,0,0,1,1,1", "v,1,0,0,1,1,1,0\nv,1,0,0,1,1,3,0", "all scores are 0"),
        ("v,1,.5,.5,1,1,1", "v,1,.5,.5,.5,.5,1,.9", "x1,y1,x2,y2, not x,y,width,height"),
        ("v,1,0,0,.2,.2,1", "v,1,.5,.5,1,1,1,.9", "by an IoU of 0.5"),
        ("v,1\nv,2\nv,3,0,0,1,1,1", "v,3,0,0,1,1,1,.9", "2 of 3 keyframes have no used detections"),
    ],
)
def test_what_makes_the_result_0_is_named(tmp_path, capsys, truth, found, sentence):
    write(tmp_path, truth.split("\n"), found.split("\n"))
    evaluate(tmp_path, "--json")
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert json.loads(captured.out)["mAP"] in (0, 1, None)


def test_files_in_order_have_no_notes(tmp_path, capsys):
    write(tmp_path, ["v,1,0,0,1,1,1"], ["v,1,0,0,1,1,1,.9"])
    evaluate(tmp_path)
    assert capsys.readouterr().err == ""


def test_an_empty_name_of_exclusions_is_refused(tmp_path):
    write_random_files(tmp_path, 0)
    with pytest.raises(SlowFastExtError, match="cannot be read"):
        evaluate(tmp_path, "--exclusions", "")
