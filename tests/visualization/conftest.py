"""What the tests of pictures share."""

from tests.predict.conftest import command, run_folder  # noqa: F401  (fixtures)
