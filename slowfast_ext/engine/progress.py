"""How far a run is: a bar with the time left on a terminal, lines in a log elsewhere."""

import logging
import time
from datetime import timedelta

from tqdm import tqdm

from slowfast_ext.utils import distributed

logger = logging.getLogger(__name__)


class Progress:
    """
    Reports the steps of one loop, of `total` steps, in the main process: a bar or, without a
    terminal, a line after every `log_period` steps.
    """

    def __init__(self, name, total, log_period):
        self.name, self.total, self.log_period = name, total, log_period
        # disable=None: a bar on terminals only.
        hidden = None if distributed.is_main_process() else True
        self.bar = tqdm(total=total, desc=name, disable=hidden, leave=False)
        self.done, self.started = 0, time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.bar.close()

    def step(self, **values):
        """One step is done; `values` are shown beside it, None ones are not."""
        self.done += 1
        values = {name: value for name, value in values.items() if value is not None}
        text = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in values.items())
        self.bar.set_postfix_str(text, refresh=False)  # update() draws, at most ten times a second.
        self.bar.update()
        is_due = self.done % self.log_period == 0 or self.done == self.total
        if self.bar.disable and is_due and distributed.is_main_process():
            per_step = (time.monotonic() - self.started) / self.done
            left = timedelta(seconds=round(per_step * (self.total - self.done)))
            line = f"{self.name}: {self.done}/{self.total}, {left} left"
            logger.info(f"{line}, {text}" if text else line)
