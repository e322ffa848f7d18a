"""
The same command twice, with other numbers of threads and workers, with the list in another order.

    python -m tests.robustness.repeat [--threads 1]

Trains, tunes and tests; weights and predictions are compared to the bit. The list's order is
changed for a test alone: training draws from it. Synthetic videos, CPU.
"""

import argparse
import shutil

from slowfast_ext.evaluation.predictions import read_predictions
from tests.robustness.jobs import final_weights, finish, new_folder, require_same_end, words


def reverse_list(path):
    """Turns a list's rows round."""
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(rows)]) + "\n")


def by_video(output):
    ids, _, scores = read_predictions(str(output / "predictions.csv"))
    return dict(zip(ids, scores.tolist(), strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--threads", nargs="+", type=int, default=[1])
    args = parser.parse_args()
    folder = new_folder("repeat")
    data = folder / "data"
    for threads in args.threads:
        first, again, workers = (folder / f"{threads}_{n}" for n in ("first", "again", "workers"))
        finish(words(first, data), folder / "said", threads=threads)
        finish(words(again, data), folder / "said", threads=threads)
        require_same_end(again, first)
        print(f"{threads} threads, the same command again: same to the bit", flush=True)
        options = {"DATA_LOADER__NUM_WORKERS": 2}
        finish(words(workers, data, **options), folder / "said", threads=threads)
        require_same_end(workers, first)
        print(f"{threads} threads, 2 data workers for none: same to the bit", flush=True)
    reverse_list(data / "test.csv")
    options = {
        "TRAIN__ENABLE": False,
        "TUNE__ENABLE": False,
        "TEST__CHECKPOINT_FILE_PATH": max((first / "checkpoints").glob("*tune_epoch*")),
        "TEST__DATASET": "MultiLabelVideos",
    }
    finish(words(folder / "turned", data, **options), folder / "said", threads=threads)
    if by_video(folder / "turned") != by_video(first) or not final_weights(first):
        raise SystemExit("error: the order of the list changes the scores")
    print("the test list turned round: same scores to the bit")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
