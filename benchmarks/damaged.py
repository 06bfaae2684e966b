"""Runs a command and takes 3, the exit status of a capture that is damaged, for success.

python benchmarks/damaged.py COMMAND ...
"""

from __future__ import annotations

import subprocess
import sys

DAMAGED = 3


def main() -> int:
    status = subprocess.run(sys.argv[1:], check=False).returncode
    return 0 if status == DAMAGED else 4


if __name__ == "__main__":
    sys.exit(main())
