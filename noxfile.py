"""What a contributor types: ``nox`` (lint and tests), ``nox -s verify``."""

from __future__ import annotations

from pathlib import Path

import nox

PROJECT = nox.project.load_toml("pyproject.toml")

WITHOUT_CAPTURE = Path("expectations/internets-noise.yaml")
"""Pins no capture: the one it is about is not ours to name."""

nox.options.sessions = ["lint", "tests"]
nox.options.reuse_existing_virtualenvs = True


def install(session: nox.Session, *groups: str) -> None:
    """Installs the project and dependency groups of pyproject.toml."""
    session.install(".", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session
def verify(session: nox.Session) -> None:
    """Measure the published figures of expectations/, or yours: -- CAPTURE -e FILE.

    A refuted claim fails the session only for yours: in expectations/ some figures are known to
    differ from what is measured, and the tests hold that each of them says why.
    """
    install(session)
    if session.posargs:
        session.run("replicap", "verify", *session.posargs)
        return
    files = sorted(set(Path("expectations").glob("*.yaml")) - {WITHOUT_CAPTURE})
    every = [argument for path in files for argument in ("-e", str(path))]
    session.run("replicap", "verify", *every, success_codes=[0, 1])


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; arguments go to pytest."""
    install(session, "test")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types: ruff and mypy --strict."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "--strict")
