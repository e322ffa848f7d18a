"""What a network has gone through, carried from checkpoint to checkpoint."""

import logging
from dataclasses import dataclass, field

from slowfast_ext.errors import SlowFastExtError

logger = logging.getLogger(__name__)


@dataclass
class History:
    """
    Attributes:
        epochs (dict[str, tuple[int, int]]): stage -> epochs behind the network, of how many.
        skipped (dict[str, str]): video id -> reason of the broken videos.
    """

    epochs: dict = field(default_factory=dict)
    skipped: dict = field(default_factory=dict)

    def update(self, path, state):
        """
        Adds what the checkpoint `path` tells; files of other projects tell nothing.

        Raises:
            SlowFastExtError: it tells it in another form.
        """
        try:
            self.skipped.update(state.get("skipped", {}))
            for stage, (done, total) in state.get("epochs", {}).items():
                self.epochs[stage] = (int(done), int(total))
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise SlowFastExtError(
                f"{path}: its 'epochs' or 'skipped' is damaged ({error})"
            ) from error

    def state(self):
        """The entries of a checkpoint."""
        return {"epochs": dict(self.epochs), "skipped": dict(self.skipped)}

    def __str__(self):
        """As `train epoch 3 of 3, tune epoch 2 of 2`."""
        return ", ".join(
            f"{stage} epoch {done} of {total}" for stage, (done, total) in self.epochs.items()
        )

    def warn_of_unfinished(self, path):
        """Logs a warning where a stage of what `path` holds did not come to its end."""
        if any(done < total for done, total in self.epochs.values()):
            logger.warning(f"{path} is not of the last epoch: {self}")
