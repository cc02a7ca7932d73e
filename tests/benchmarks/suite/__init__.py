"""The benchmark suite: the same work on every side, interleaved in one run (see `../suite.py`)."""
