"""
1, 2 and 4 gloo processes beside each other: the same training and the same test.

    python -m tests.robustness.ranks [--only 2 4] [--synchronised]

Batch-norm frozen, no dropout, one thread each; 9 training and 7 test videos, which neither 2 nor 4
divides; upstream's --num_shards, --shard_id and --init_method, as two or four machines would use
them. --synchronised: one step in which batch-norm learns, with the statistics of all processes
(needs GitHub's main of PySlowFast on PYTHONPATH); on so few clips later steps blow up float32's
rounding. Synthetic videos, CPU.
"""

import argparse
import shutil
import socket

import numpy as np

from slowfast_ext.evaluation.predictions import read_predictions
from tests.robustness.jobs import Job, final_weights, finish, new_folder, words

SAME = {
    "MODEL__FROZEN_BN": True,
    "MODEL__DROPOUT_RATE": 0.0,
    "SOLVER__OPTIMIZING_METHOD": "sgd",
    # Larger steps would blow up float32's rounding, which differs between the sums.
    "SOLVER__BASE_LR": 0.002,
    "SOLVER__MAX_EPOCH": 2,
    "TUNE__ENABLE": False,
}
SYNCHRONISED = {
    **SAME,
    "MODEL__FROZEN_BN": False,
    "BN__NORM_TYPE": "sync_batchnorm",
    "BN__GLOBAL_SYNC": True,
    "BN__NUM_SYNC_DEVICES": None,
    "SOLVER__MAX_EPOCH": 1,
    "SYNTHETIC__NUM_TRAIN": 4,
}


def run(count, output, data, **changes):
    """One job of so many processes, to its end."""
    if count == 1:
        finish(words(output, data, TRAIN__BATCH_SIZE=4, **changes), output.with_suffix(".said"))
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shards = ["--num_shards", str(count), "--init_method", f"tcp://127.0.0.1:{port}"]
    jobs = [
        Job(
            words(
                output,
                data,
                *shards,
                *["--shard_id", str(rank)],
                TRAIN__BATCH_SIZE=4 // count,
                **changes,
            ),
            output.with_suffix(f".said_{rank}"),
        )
        for rank in range(count)
    ]
    for job in jobs:
        if job.wait(300):
            raise RuntimeError(f"exit code {job.code}: {job.text()[-2000:]}")


def scores(output):
    return read_predictions(str(output / "predictions.csv"))[2]


def difference(one, two):
    """
    The largest difference of two states' tensors.

    But for what upstream's synchronised batch-norm keeps otherwise than torch's, which one process
    runs: variances without Bessel's correction, and no count of batches.
    """
    names = [name for name in one if not name.endswith(("running_var", "num_batches_tracked"))]
    return max((two[name].double() - one[name].double()).abs().max().item() for name in names)


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--only", nargs="+", type=int, choices=(2, 4), default=(2, 4))
    parser.add_argument("--synchronised", action="store_true")
    args = parser.parse_args()
    changes, most = (SYNCHRONISED, 1e-3) if args.synchronised else (SAME, 1e-5)
    folder = new_folder("ranks")
    data, one = folder / "data", folder / "one"
    run(1, one, data, **changes)
    path = sorted((one / "checkpoints").glob("*_epoch_*.pyth"))[-1]
    for count in args.only:
        several, again = folder / f"{count}", folder / f"{count}_tested"
        run(count, several, data, **changes)
        of_test = {"TRAIN__ENABLE": False, "TEST__CHECKPOINT_FILE_PATH": path}
        run(count, again, data, **changes | of_test)
        trained = difference(final_weights(one), final_weights(several))
        tested = np.abs(scores(again) - scores(one)).max()
        print(f"{count} processes: weights {trained:.1e} (at most {most:.0e}), ", end="")
        print(f"scores of one checkpoint {tested:.1e} (at most 1e-06)", flush=True)
        if trained > most or tested > 1e-6:
            raise SystemExit("error: they differ by more")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
