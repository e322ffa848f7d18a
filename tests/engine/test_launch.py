"""Which process has ended, told to the others."""

import pytest
import torch
import torch.distributed as dist

from slowfast_ext.engine import launch
from slowfast_ext.engine.launch import ended_together
from slowfast_ext.engine.loaders import worker_deaths_named
from slowfast_ext.errors import SlowFastExtError

LOST = "[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:9999"


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setattr(launch, "SECONDS_TO_ASK", 0.3)
    monkeypatch.setattr(dist, "destroy_process_group", lambda: None)
    store = dist.HashStore()
    store.set("process/1", "rank 1 (process 77 on node7)")
    return store


def lose(store, rank=2, size=3):
    with ended_together(store, rank, size):
        raise RuntimeError(LOST)


def test_a_process_that_says_nothing_is_named(store):
    store.set("ended/0", "")  # It has lost another, too.
    wanted = r"rank 1 \(process 77 on node7\) has ended without a word \(killed"
    with pytest.raises(ConnectionError, match=wanted):
        lose(store)


def test_the_reason_that_another_gives_is_told(store):
    with pytest.raises(SlowFastExtError), ended_together(store, 0, 3):
        raise SlowFastExtError("a.mp4: truncated")
    with pytest.raises(ConnectionError, match=r"rank 0 \(process .*\) has ended: a.mp4: truncated"):
        lose(store)


def test_the_stores_own_end_is_its_keepers(store):
    class Gone:
        def set(self, key, value):
            pass

        def check(self, keys):
            raise RuntimeError("Broken pipe")

    with pytest.raises(ConnectionError, match="rank 0, which keeps the job's store, has ended"):
        lose(Gone(), rank=1)


def test_other_errors_stay_what_they_are(store):
    with pytest.raises(RuntimeError, match="^shapes"), ended_together(store, 0, 2):
        raise RuntimeError("shapes do not fit")
    assert store.get("ended/0") == b"shapes do not fit"


def test_a_restart_takes_nothing_of_the_attempt_before(monkeypatch):
    class Config:
        NUM_GPUS = 0

    store, numbers = dist.HashStore(), []
    monkeypatch.setattr(dist, "rendezvous", lambda *_args, **_options: iter([(store, 0, 1)]))
    for attempt in "01":
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", attempt)
        with pytest.raises(ValueError), launch.process_group(Config, "env://"):
            raise ValueError
        numbers.append(store.num_keys())
    assert numbers[1] == 2 * numbers[0]


def test_a_killed_data_worker_is_a_sentence():
    with (
        pytest.raises(ChildProcessError, match=r"ended \(DataLoader worker .*Killed\): out of mem"),
        worker_deaths_named(),
    ):
        raise RuntimeError("DataLoader worker (pid 5) is killed by signal: Killed. \nmore")
    # As threading's, where the signal comes while a thread starts.
    with pytest.raises(ChildProcessError, match=r"DataLoader worker"), worker_deaths_named():
        try:
            raise RuntimeError("DataLoader worker (pid 5) is killed by signal: Killed. ")
        except RuntimeError:
            {}.pop("thread")
    with pytest.raises(RuntimeError, match="^other"), worker_deaths_named():
        raise RuntimeError("other")


def test_a_killed_process_of_a_gpu_is_a_sentence(monkeypatch):
    def spawn(*_args, **_options):
        raise torch.multiprocessing.ProcessExitedException(
            "x", error_index=3, error_pid=5, exit_code=-9, signal_name="SIGKILL"
        )

    class Config:
        NUM_GPUS = 4

    monkeypatch.setattr(torch.multiprocessing, "spawn", spawn)
    with pytest.raises(ChildProcessError, match=r"process 3 of this machine was killed \(SIGKILL"):
        launch._spawn(Config, "tcp://localhost:1", print)
