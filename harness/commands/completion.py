"""``replicap completion``: a script that completes commands, options and files in a shell."""

from __future__ import annotations

from argparse import Namespace

from harness.messages import UsageMistake, tell

SHELLS = ("bash", "zsh", "tcsh")


def run(arguments: Namespace) -> int:
    """Prints the script. Raises UsageMistake."""
    shell: str = arguments.shell
    if shell not in SHELLS:
        raise UsageMistake(f"unknown shell {shell!r}, expected one of {', '.join(SHELLS)}")
    import shtab

    from harness.cli import whole_parser

    tell(shtab.complete(whole_parser(), shell=shell).rstrip("\n"))
    return 0
