"""The command ``replicap``: its arguments, and how every failure becomes one line.

Exit status: 0 nothing refuted; 1 a claim refuted; 2 wrong usage or a wrong expectation file;
3 a capture that cannot be read or is damaged; 130 interrupted; 141 the reader of our output left.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from io import TextIOWrapper
from typing import NoReturn

from harness.memory import give_back_large_buffers
from harness.messages import UsageMistake, drop, say, say_error
from harness.version import VERSION

USAGE = 2
INTERRUPTED = 130
BROKEN_PIPE = 141

SUMMARY = "Turns the published figures of a packet capture into executable claims."

COMMANDS = {
    "verify": "measure every claim of an expectation file on a capture",
    "fields": "print fields of every frame, as tshark -T fields prints them",
    "decode": "write the table of packets to a Parquet file",
    "check": "check expectation files, without any capture",
    "draft": "write a first expectation file, measured from a capture, to be edited",
    "twin": "make a capture that satisfies every claim of an expectation file",
    "audit": "look for claims that contradict one another, without any capture",
    "mutants": "change a capture so that each claim must fail, and see whether it does",
    "completion": "print a script that completes commands and options in a shell",
}

_EXIT = "exit status: 0 nothing refuted, 1 refuted, 2 wrong usage or file, 3 capture unreadable"
_EPILOGS = {
    "verify": """examples:
  replicap verify -e expectations/zeek-pppoe.yaml           the capture that the file pins
  replicap verify my.pcapng.zst -e my.yaml --stage cleaned  your own, which is stage 'cleaned'
  replicap verify my.pcapng.zst -e my.yaml --html page.html  verdicts and plots, to look at
  replicap verify -e a.yaml -e b.yaml --junit results.xml""",
    "fields": """examples:
  replicap fields my.pcap -e frame.number -e ip.src
  replicap fields my.pcap -Y 'tcp.flags.syn == 1' -e tcp.dstport --aggregator ';'""",
    "decode": """example:
  replicap decode my.pcap --to packets.parquet""",
    "check": """examples:
  replicap check expectations/*.yaml
  replicap check --annotate my.yaml        problems as annotations of GitHub Actions""",
    "completion": """examples:
  replicap completion bash > ~/.local/share/bash-completion/completions/replicap
  replicap completion zsh > ~/.zfunc/_replicap""",
    "draft": """example:
  replicap draft my.pcapng -o my.yaml      then edit my.yaml, and remove 'draft: true'""",
    "twin": """A twin is made from the claims: it proves nothing about the published capture.

examples:
  replicap twin -e expectations/internets-noise.yaml -o twin.pcapng
  replicap twin -e my.yaml -o cleaned.pcapng --stage cleaned --seed 7""",
    "audit": """examples:
  replicap audit -e expectations/internets-noise.yaml
  replicap audit -e my.yaml --without one-trade""",
    "mutants": """examples:
  replicap mutants -e expectations/zeek-pppoe.yaml          the capture that the file pins
  replicap mutants -e my.yaml my.pcapng --claim telnet --keep mutants""",
}


GARBAGE_THRESHOLD = 200_000
"""Objects made before the garbage collector looks for cycles."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageMistake(f"{message} (see: {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status; messages go to standard error."""
    # Rows are many and hold no cycles: with the usual thresholds collecting takes a third of a run.
    gc.set_threshold(GARBAGE_THRESHOLD, 50, 100)
    give_back_large_buffers()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        drop(sys.stdout)
        return BROKEN_PIPE
    except MemoryError:
        say("error: out of memory")
        return 3
    except UsageMistake as error:
        say_error(error)
        return USAGE
    except OSError as error:
        say_error(_reason(error))
        return USAGE


def _reason(error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    return f"{error.filename}: {reason}" if error.filename else reason


def _run(argv: list[str]) -> int:
    command = argv[0] if argv and not argv[0].startswith("-") else None
    if command is None:
        return _without_command(argv)
    if command not in COMMANDS:
        raise UsageMistake(_unknown(command))
    parser = _PARSERS[command]()
    try:
        arguments = parser.parse_intermixed_args(argv[1:])
    except SystemExit as finished:  # --help
        return int(finished.code or 0)
    return _perform(command, arguments)


def _perform(command: str, arguments: argparse.Namespace) -> int:
    """Runs one command; the errors of its inputs are imported only when it is run."""
    from decoders.frames import CaptureError
    from harness.report.output import OutputError

    try:
        status: int = import_module(f"harness.commands.{command}").run(arguments)
        return status
    except CaptureError as error:
        say_error(error)
        return 3
    except OutputError as error:
        raise UsageMistake(str(error)) from None


def _without_command(argv: list[str]) -> int:
    if argv and argv[0] in ("-V", "--version"):
        sys.stdout.write(f"replicap {VERSION}\n")
        return 0
    if argv and argv[0] in ("-h", "--help"):
        sys.stdout.write(_help())
        return 0
    what = f"unknown option {argv[0]}" if argv else "no command"
    raise UsageMistake(f"{what}; expected one of {', '.join(COMMANDS)}, or --help, --version")


def _help() -> str:
    lines = [f"  {name:<12}{text}" for name, text in COMMANDS.items()]
    return "\n".join(
        (
            "usage: replicap COMMAND ...",
            "",
            SUMMARY,
            "",
            "commands:",
            *lines,
            "",
            "replicap COMMAND --help shows the arguments of a command; replicap --version.",
            _EXIT,
            "",
        )
    )


def _unknown(command: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(command, COMMANDS, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown command {command!r}; {hint}this version has {', '.join(COMMANDS)}"


def _parser(command: str) -> _Parser:
    return _Parser(
        prog=f"replicap {command}",
        description=f"{COMMANDS[command]}.".capitalize(),
        epilog=f"{_EPILOGS[command]}\n\n{_EXIT}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


_ANNOTATE = "also print workflow commands of GitHub Actions, at the lines of FILE"


def _add_decoder(parser: _Parser) -> None:
    parser.add_argument(
        "--decoder",
        default="auto",
        metavar="NAME",
        help="auto (the default: by the size of the capture), reference, columnar or tshark",
    )


def _verify_parser() -> _Parser:
    parser = _parser("verify")
    add = parser.add_argument
    add("captures", nargs="*", metavar="CAPTURE", help="several are read as one, by time")
    add(
        "-e",
        "--expectations",
        action="append",
        required=True,
        metavar="FILE",
        help="expectation file; give -e again for more files",
    )
    add("--stage", metavar="NAME", help="the stage that CAPTURE is (default: the first)")
    _add_decoder(parser)
    add(
        "--confirm",
        action="store_true",
        help="measure every claim with each decoder there is; an error where they differ",
    )
    add("--cache", action="store_true", help="keep decoded tables, and use those that are kept")
    add("--json", metavar="OUT", help="verdicts as JSON (- for standard output)")
    add("--html", metavar="OUT", help="verdicts and plots as one HTML page (- for standard output)")
    add(
        "--evidence",
        metavar="DIR",
        help="for each refuted claim the packets concerned, as DIR/CLAIM.pcapng",
    )
    add(
        "--write-measured",
        action="store_true",
        help="put what was measured beside what was published, as 'measured:' in FILE",
    )
    add("--junit", metavar="OUT", help="verdicts as JUnit XML (- for standard output)")
    add("--markdown", metavar="OUT", help="verdicts as Markdown (- for standard output)")
    add("--annotate", action="store_true", help=_ANNOTATE)
    add("--quiet", "-q", action="store_true", help="print one line for each file, and its errors")
    return parser


def _fields_parser() -> _Parser:
    parser = _parser("fields")
    add = parser.add_argument
    add("captures", nargs="+", metavar="CAPTURE", help="several are read as one, by time")
    add("-Y", dest="filter", default="", metavar="FILTER", help="display filter of the frames")
    add(
        "-e",
        dest="fields",
        action="append",
        required=True,
        metavar="FIELD",
        help="field to print, one column each; give -e again for more fields",
    )
    add("--aggregator", default=",", metavar="CHAR", help="between occurrences (default: ,)")
    _add_decoder(parser)
    return parser


def _decode_parser() -> _Parser:
    parser = _parser("decode")
    add = parser.add_argument
    add("captures", nargs="+", metavar="CAPTURE", help="several are read as one, by time")
    add("--to", required=True, metavar="OUT.parquet", help="the file to write")
    _add_decoder(parser)
    return parser


def _check_parser() -> _Parser:
    parser = _parser("check")
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="expectation file")
    add("--annotate", action="store_true", help=_ANNOTATE)
    return parser


def _completion_parser() -> _Parser:
    parser = _parser("completion")
    parser.add_argument("shell", metavar="SHELL", help="bash, zsh or tcsh")
    return parser


def _draft_parser() -> _Parser:
    parser = _parser("draft")
    add = parser.add_argument
    add("captures", nargs="+", metavar="CAPTURE", help="several are read as one, by time")
    add("-o", "--output", metavar="FILE", help="the file to write (default: standard output)")
    return parser


def _twin_parser() -> _Parser:
    parser = _parser("twin")
    add = parser.add_argument
    add("-e", "--expectations", required=True, metavar="FILE", help="expectation file")
    add("-o", "--output", required=True, metavar="OUT.pcapng", help="the file to write")
    add("--stage", metavar="NAME", help="the stage to make (default: the first)")
    add("--seed", type=int, default=0, metavar="N", help="other addresses, ports and times")
    add(
        "--partial",
        action="store_true",
        help="set claims aside that the known kinds of packet cannot satisfy, and name them",
    )
    return parser


def _audit_parser() -> _Parser:
    parser = _parser("audit")
    add = parser.add_argument
    add("-e", "--expectations", required=True, metavar="FILE", help="expectation file")
    add(
        "--without",
        action="append",
        default=[],
        metavar="NAME",
        help="an assumption not to make; give it again for more",
    )
    return parser


def _mutants_parser() -> _Parser:
    parser = _parser("mutants")
    add = parser.add_argument
    add("captures", nargs="*", metavar="CAPTURE", help="default: the pinned one, else the twin")
    add("-e", "--expectations", required=True, metavar="FILE", help="expectation file")
    add("--stage", metavar="NAME", help="the stage that CAPTURE is (default: the first)")
    add("--claim", dest="claims", action="append", metavar="ID", help="this claim only; repeatable")
    add("--decoder", default="auto", metavar="NAME", help="as of verify (default: auto)")
    add("--json", metavar="OUT", help="outcomes as JSON (- for standard output)")
    add("--keep", metavar="DIR", help="write each claim's mutant to DIR/ID.pcapng")
    return parser


_PARSERS = {
    "verify": _verify_parser,
    "fields": _fields_parser,
    "decode": _decode_parser,
    "check": _check_parser,
    "draft": _draft_parser,
    "twin": _twin_parser,
    "audit": _audit_parser,
    "mutants": _mutants_parser,
    "completion": _completion_parser,
}


def help_of(command: str, width: int) -> str:
    """The help of a command, in lines of that width."""
    parser = _PARSERS[command]()
    parser.formatter_class = partial(
        argparse.RawDescriptionHelpFormatter, width=width, max_help_position=30
    )
    return parser.format_help()


def whole_parser() -> argparse.ArgumentParser:
    """One parser with all commands, for those who ask what there is: completion and help pages."""
    whole = argparse.ArgumentParser(prog="replicap", description=SUMMARY)
    whole.add_argument("--version", "-V", action="version", version=VERSION)
    commands = whole.add_subparsers(metavar="COMMAND")
    for name, made in _PARSERS.items():
        commands.add_parser(name, parents=[made()], add_help=False, help=COMMANDS[name])
    return whole
