"""Hostile and damaged files: the short form of what tests/robustness measures at length."""

import pickle

import pytest
from hypothesis import given, settings, strategies

from tests.robustness import hostile, hostile_files
from tests.robustness.fuzz import outcome
from tests.robustness.mutation import mutated
from tests.robustness.readers import all_readers


@pytest.mark.parametrize("what", hostile_files.VIDEOS)
def test_files_that_would_take_all_memory_are_refused_by_name(tmp_path, what):
    write, ending = hostile_files.VIDEOS[what]
    path = tmp_path / f"hostile{'.' if ending else ''}{ending}"
    write(path)
    said, memory = hostile.attempt(lambda _: hostile.read_video(path), {}, tmp_path)
    assert said.startswith("refused") and path.name in said
    assert memory < hostile.MOST_MEMORY


def test_other_files_that_would_take_all_memory(tmp_path):
    tries = hostile.with_memory(tmp_path)
    call, keys, name = tries["YAML, anchors in anchors"]
    said, memory = hostile.attempt(call, keys, tmp_path)
    assert said.startswith("refused") and name in said and memory < hostile.MOST_MEMORY
    call, keys, _ = tries["pickle, object 2^31 - 1"]
    said, memory = hostile.attempt(call, keys, tmp_path)
    assert said == "read" and memory < hostile.MOST_MEMORY


# The others differ from these in the stage alone, and take a network each.
CODE = (
    "TEST.CHECKPOINT_FILE_PATH, pytorch",
    "TEST.CHECKPOINT_FILE_PATH, caffe2",
    "planted in OUTPUT_DIR, train, tests",
    "--weights",
    "Action Genome, object_bbox_and_relationship.pkl",
    "Action Genome, person_bbox.pkl",
    "a config with a python tag",
    "a config based on one",
)


@pytest.mark.parametrize("what", CODE)
def test_nothing_is_executed(tmp_path, what):
    marker = tmp_path / "executed"
    call, keys, name = hostile.with_code(tmp_path, marker)[what]
    said, _ = hostile.attempt(call, keys, tmp_path)
    assert said.startswith("refused") and name in said
    assert not marker.exists()


def test_the_marker_is_made_where_a_file_is_trusted(tmp_path):
    """Else the tests above would show nothing."""
    hostile_files.plain_pickle(tmp_path / "x.pkl", tmp_path / "executed")
    pickle.loads((tmp_path / "x.pkl").read_bytes())
    assert (tmp_path / "executed").exists()


# The same examples every time; an error names the smallest file that shows it.
FEW = settings(max_examples=20, derandomize=True, deadline=None, database=None)


def test_damaged_files_are_refused_or_read(tmp_path):
    def hold(reader, folder):
        @FEW
        @given(strategies.sampled_from(reader.seeds), strategies.randoms(use_true_random=True))
        def holds(seed, draws):
            found = outcome(reader, mutated(seed, draws), folder)
            assert found in ("read", "refused"), (reader.name, found)

        holds()

    for index, reader in enumerate(all_readers(tmp_path)):
        hold(reader, tmp_path / str(index))


def test_seeds_are_read(tmp_path):
    """A reader that refuses the whole file would be fuzzed in vain."""
    for index, reader in enumerate(all_readers(tmp_path)):
        if reader.name == "detector's weights":  # A whole detector's would be 160 MB.
            continue
        path = tmp_path / str(index) / reader.file
        path.parent.mkdir()
        for seed in reader.seeds:
            path.write_bytes(seed)
            reader.read(str(path))
