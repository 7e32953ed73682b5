# SPDX-License-Identifier: BSD-3-Clause
"""Tests that run while others do, for what only computes and has no deadlines."""

import threading


class Beside:
    """kind: with names(), run() and stop()."""

    def __init__(self, kind):
        self.kind = kind
        self._error = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def names(self):
        return self.kind.names()

    def _run(self):
        try:
            self.kind.run()
        except Exception as error:  # pylint: disable=broad-except
            self._error = error

    def start(self):
        self._thread.start()

    def run(self):
        """Waits for its end."""
        self._thread.join()
        if self._error:
            raise self._error

    def stop(self):
        self.kind.stop()
