"""What a contributor types: ``nox`` (lint and tests), ``nox -s verify``, ``nox -s published``."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import nox

PROJECT = nox.project.load_toml("pyproject.toml")

INTERNETS_NOISE = "expectations/internets-noise.yaml"
"""What is verified when nothing is named; it pins no capture, so its twin is."""

PAGE = "build/verdicts.html"
"""The page of the last run of the session ``verify``."""

nox.options.sessions = ["lint", "tests"]
nox.options.reuse_existing_virtualenvs = True


def install(session: nox.Session, *groups: str) -> None:
    """Installs the project and dependency groups of pyproject.toml, unless nothing has changed."""
    packages = (".", *nox.project.dependency_groups(PROJECT, *groups))
    if session.virtualenv.location is None:  # --no-venv
        session.install(*packages)
        return
    stamp = Path(session.virtualenv.location) / "replicap-installed"
    wanted = f"{_state()} {' '.join(groups)}"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    session.install(*packages)
    stamp.write_text(wanted)


def _state() -> str:
    """A digest of all that is installed: the packages, and what pyproject.toml says of them."""
    digest = hashlib.sha256()
    folders = sorted({name.split(".")[0] for name in PROJECT["tool"]["setuptools"]["packages"]})
    inside = [path for folder in folders for path in sorted(Path(folder).rglob("*"))]
    for path in [Path("pyproject.toml"), Path("README.md"), *inside]:
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@nox.session
def verify(session: nox.Session) -> None:
    """Verify every claim of Internet's Noise on its twin, or on yours: -- CAPTURE [-e FILE].

    Writes a page of the verdicts, and tells where it is.
    """
    install(session)
    given = list(session.posargs)
    named = any(one.startswith(("-e", "--expectations")) for one in given)
    options = [] if named else ["-e", INTERNETS_NOISE]
    if not any(one.startswith(("--html", "--help", "-h")) for one in given):
        Path(PAGE).parent.mkdir(exist_ok=True)
        options += ["--html", PAGE]
    session.run("replicap", "verify", *given, *options)
    if not given:
        session.log("the author's: nox -s verify -- Internets-Noise.zip --stage cleaned")
        session.log("by member:    nox -s verify -- 'Internets-Noise.zip!MEMBER' --stage scans")
        session.log("of others:    nox -s published")


@nox.session
def published(session: nox.Session) -> None:
    """Measure the figures that Zeek, nDPI and Suricata published of the captures they pin.

    A refuted claim does not fail the session: some figures are known to differ from what is
    measured, and the tests hold that each of them says why.
    """
    install(session)
    files = sorted(set(Path("expectations").glob("*.yaml")) - {Path(INTERNETS_NOISE)})
    every = [argument for path in files for argument in ("-e", str(path))]
    session.run("replicap", "verify", *every, *session.posargs, success_codes=[0, 1])


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; arguments go to pytest."""
    install(session, "test")
    session.run("python", "-m", "pytest", *session.posargs)


COMPILED = sorted(
    str(path)
    for pattern in ("test_columnar*.py", "test_merging.py", "test_pipeline.py")
    for path in Path("tests/decoders").glob(pattern)
)
"""The tests of what numba compiles: they are run once more without the compiler."""

COVERED = 95
"""Per cent of the lines, and of the branches, that the tests must reach."""


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Measure which lines and branches the tests reach; fails under 95 %.

    No tracer sees compiled code, so the tests of the kernels run a second time as plain Python.
    """
    install(session, "test")
    pytest = ("python", "-m", "pytest", "--cov", "--cov-report=", *session.posargs)
    session.run(*pytest)
    session.run(*pytest, "--cov-append", *COMPILED, env={"NUMBA_DISABLE_JIT": "1"})
    session.run("python", "-m", "coverage", "json", "-q", "-o", "build/coverage.json")
    session.run("python", "-m", "coverage", "report")
    totals = json.loads(Path("build/coverage.json").read_text("utf-8"))["totals"]
    figures = {
        "lines": (totals["covered_lines"], totals["num_statements"]),
        "branches": (totals["covered_branches"], totals["num_branches"]),
    }
    for what, (covered, every) in figures.items():
        session.log(f"{what}: {covered} of {every}, {100 * covered / every:.1f} %")
    if any(100 * covered < COVERED * every for covered, every in figures.values()):
        session.error(f"expected at least {COVERED} %")


@nox.session(default=False)
def mutation(session: nox.Session) -> None:
    """Change the code of verdicts and filters bit by bit: which changes does no test notice?

    Arguments are patterns of mutants: -- 'harness.verdicts*'; docs/mutation.md says more.
    """
    install(session, "test", "mutation")
    # A process that forks must not have the threads of a polars that runs.
    session.run(
        *("mutmut", "run", "--max-children", "2", *session.posargs),
        env={"POLARS_MAX_THREADS": "1"},
    )
    session.run("mutmut", "results")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure against tshark, tcpdump, dpkt and scapy; writes docs/benchmarks.md and .svg."""
    install(session, "bench")
    session.run("python", "benchmarks/bench.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types: ruff and mypy --strict."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "--strict")


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Look for failures of the properties: -- --minutes N [--only NAME] [--replay FILE]."""
    install(session, "test")
    session.run("python", "-m", "tests.properties.session", *session.posargs)
