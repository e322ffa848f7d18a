"""What the tests of pictures share."""

from tests.predict.conftest import run_folder  # noqa: F401  (a fixture)
