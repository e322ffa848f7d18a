"""
Time and memory of AVA's evaluation, beside the official script's.

    python -m benchmarks.ava_evaluation [--official DIR] [--data DIR]

The ground truth is a fifth of the keyframes of AVA v2.1's validation boxes (pose labels); each box,
jittered, is scored in all 60 classes: about 1.1 million detections. DIR of --official is the folder
`Evaluation` of github.com/activitynet/ActivityNet, with get_ava_performance.py; with it both run,
and the ratio of times is printed. Without it ours and the same protocol in plain loops take turns
on a tenth of these keyframes. The end is an error where mAP differs by more than 1e-9.
"""

import contextlib
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from benchmarks.ports import plain_port
from benchmarks.timing import (
    DATA,
    alternate,
    benchmark_parser,
    milliseconds,
    ratio_row,
    report,
    require_equal,
    row,
)
from slowfast_ext.datasets import ava_annotations
from slowfast_ext.errors import SlowFastExtError, exit_with_sentence
from slowfast_ext.evaluation.ava import ava_metrics

LABEL_MAP = "ava_action_list_v2.1_for_activitynet_2018.pbtxt"
BOX = ava_annotations.BOX


def write_files(data, folder, share=1 / 5):
    """
    Writes ground_truth.csv and detections.csv of a share of the keyframes.

    Returns:
        tuple[int, int]: how many keyframes and detections.
    """
    random = np.random.default_rng(0)
    truth = ava_annotations.read_ground_truth(data / "ava_val_v2.1_pose.csv")
    keyframes = truth.groupby(["video", "second"], observed=True, sort=False).ngroup()
    chosen = random.random(keyframes.max() + 1) < share
    truth = truth[chosen[keyframes]]
    truth.to_csv(folder / "ground_truth.csv", header=False, index=False)
    class_ids = np.array(list(ava_annotations.read_label_map(data / LABEL_MAP)))
    found = truth.loc[truth.index.repeat(len(class_ids))]
    jitter = random.normal(0, 0.05, (len(truth), 4)).repeat(len(class_ids), axis=0)
    found[BOX] = np.clip(found[BOX] + jitter, 0, 1)
    is_true = found["action"] == np.tile(class_ids, len(truth))
    found["action"] = np.tile(class_ids, len(truth))
    found["score"] = (random.random(len(found)) + 0.3 * is_true) / 1.3
    found.to_csv(folder / "detections.csv", header=False, index=False, float_format="%.9f")
    return chosen.sum(), len(found)


def ours(data, folder):
    """mAP by this project."""
    metrics = ava_metrics(
        ava_annotations.read_ground_truth(folder / "ground_truth.csv"),
        ava_annotations.read_detections(folder / "detections.csv"),
        ava_annotations.read_label_map(data / LABEL_MAP),
    )
    return metrics.mean


def officials(data, folder, evaluator):
    """mAP by the official script in the folder `evaluator`."""
    # Names that the script uses and numpy has dropped.
    for name, value in {"bool": bool, "float": float, "int": int, "NAN": np.nan}.items():
        if name not in np.__dict__:
            setattr(np, name, value)
    sys.path[:0] = [str(evaluator), str(evaluator / "ava")]
    import get_ava_performance as script

    printed = []
    script.pprint = SimpleNamespace(
        pformat=lambda *_, **__: "", pprint=lambda metrics, **_: printed.append(metrics)
    )
    with contextlib.ExitStack() as files:
        paths = [data / LABEL_MAP, folder / "ground_truth.csv", folder / "detections.csv"]
        script.run_evaluation(*(files.enter_context(open(path)) for path in paths))
    return float(printed[0]["PascalBoxes_Precision/mAP@0.5IOU"])


def by_loops(data, folder, port):
    """mAP by the tests' plain loops, the module `port`."""
    port.IDS = tuple(ava_annotations.read_label_map(data / LABEL_MAP))
    found = port.by_loops(folder, "official")[0].values()
    return float(np.mean([precision for precision in found if precision is not None]))


def port_row(data, folder, repeats):
    """The row beside the plain loops, on fewer keyframes, the sides taking turns."""
    detections = write_files(data, folder, share=1 / 50)[1]
    # The name that the port reads.
    (folder / "truth.csv").write_text((folder / "ground_truth.csv").read_text())
    port = plain_port("test_ava")
    difference = abs(ours(data, folder) - by_loops(data, folder, port))
    note = require_equal("mAP", difference, 1e-9)
    sides = {
        "ours": lambda: ours(data, folder),
        "loops": lambda: by_loops(data, folder, port),
        "reading": lambda: ava_annotations.read_detections(folder / "detections.csv"),
    }
    seconds = alternate(sides, repeats)
    limit = f"reading the detections alone takes {milliseconds(seconds['reading'])}"
    what, against = f"AVA's evaluation, {detections} detections", "the protocol in plain loops"
    return ratio_row(what, against, seconds, "ours", "loops", note, least=30, limit=lambda: limit)


def measured(function, *args):
    """The function's result, its seconds, and this process's peak memory before and after."""
    before, start = peak_memory(), time.perf_counter()
    return function(*args), time.perf_counter() - start, before, peak_memory()


def peak_memory():
    """Of this process so far, in MB (Linux; getrusage would count the process it came from)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def in_fresh_process(function, *args):
    """Prints and returns mAP and seconds, where nothing before adds to the peak memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        mean, seconds, before, peak = pool.submit(measured, function, *args).result()
    print(
        f"{function.__name__:<10} mAP {mean:.12f}  {seconds:6.2f} s  peak {peak:.0f} MB, of which "
        f"{peak - before:.0f} beyond the imports",
        flush=True,
    )
    return mean, seconds


def main():
    parser = benchmark_parser(__doc__)
    parser.add_argument("--official", type=Path, metavar="DIR", help="ActivityNet's Evaluation")
    parser.add_argument("--data", type=Path, default=DATA / "ava", metavar="DIR")
    args = parser.parse_args()
    if args.official and not (args.official / "get_ava_performance.py").is_file():
        raise SlowFastExtError(f"--official {args.official}: no get_ava_performance.py there")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        keyframes, detections = write_files(args.data, folder)
        print(f"{keyframes} keyframes, {detections} detections")
        mean, seconds = in_fresh_process(ours, args.data, folder)
        what, itself = f"AVA's evaluation, {detections} detections", "itself"
        rows = [row(f"{what}, seconds", itself, [seconds])]
        if args.official:
            slow, slow_seconds = in_fresh_process(officials, args.data, folder, args.official)
            note = require_equal("mAP", abs(mean - slow), 1e-9) + "; one round"
            ratio = [slow_seconds / seconds]
            rows.append(row(what, "the official script", ratio, least=30, note=note))
        else:
            rows.append(port_row(args.data, folder, args.repeats))
        report("ava_evaluation", rows)


if __name__ == "__main__":
    with exit_with_sentence():
        main()
