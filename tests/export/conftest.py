"""The run of random weights that the predictions' tests use."""

from tests.predict.conftest import run_folder  # noqa: F401
