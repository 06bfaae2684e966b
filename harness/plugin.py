"""pytest collects expectation files: one item a claim.

``pytest expectations/x.yaml --capture-file PATH [--capture-stage NAME]``; each file is measured on
the capture that it pins when no other is given, and on its twin when it pins none. A session that
only passes this plugin by gets two options and nothing else: what is heavy is imported when an
expectation file is collected.

A session in which claims were run, but none was verified or refuted, fails, and so does one whose
capture is damaged: neither may look like success.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.expectation import Claim, Expectation
    from harness.verdicts import Report, Verdict

CAPTURE_OPTION = "--capture-file"
STAGE_OPTION = "--capture-stage"
SUFFIXES = (".yaml", ".yml")
HEAD = 1 << 16
"""Octets of a YAML file in which its first-level key ``replicap`` is looked for."""
LONGEST_HEADED = 1 << 24
"""Octets of a YAML file in which its first-level key ``capture`` is looked for."""
ON_A_TWIN = (
    "is measured on its twin, made from its claims; that proves nothing about the author's trace"
)
STATUS = "status"
"""JUnit property with the verdict on a claim."""
TWIN = "twin"
"""JUnit property of a claim that was measured on a twin."""
DAMAGE = "damage"
"""JUnit property of a claim that was measured on a damaged capture."""

_KEY = re.compile(rb"^(?:\xef\xbb\xbf)?(?:replicap|'replicap'|\"replicap\")[ \t]*:", re.MULTILINE)
_PIN = re.compile(rb"^(?:capture|'capture'|\"capture\")[ \t]*:", re.MULTILINE)
_marks = pytest.StashKey[dict[str, str]]()


class CollectionError(Exception):
    """A file that cannot be collected; its text is shown as it is."""


class Refuted(Exception):
    """A claim that was measured, and not as published."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.claim.id)
        self.verdict = verdict


class NotMeasured(Exception):
    """A claim that could not be evaluated; its text says why."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the contract."""
    group = parser.getgroup("replicap", "published figures of packet captures")
    group.addoption(
        CAPTURE_OPTION, metavar="PATH", help="capture to measure (default: the pinned one)"
    )
    group.addoption(
        STAGE_OPTION, metavar="NAME", help="the stage that the capture is (default: the first)"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Watches the session, so that one without a single verdict is no success."""
    config.pluginmanager.register(_Watch(), "replicap-watch")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Says which of the expectation files that were named are measured on their twins."""
    if config.getoption(CAPTURE_OPTION) is not None:
        return []
    return [f"replicap: {path.name} {ON_A_TWIN}" for path in _named(config) if _pins_nothing(path)]


def pytest_report_collectionfinish(
    config: pytest.Config, items: Sequence[pytest.Item]
) -> list[str]:
    """The same of expectation files that were found in folders."""
    if config.getoption(CAPTURE_OPTION) is not None:
        return []
    files = {item.expectation_file() for item in items if isinstance(item, ClaimItem)}
    found = {file.path for file in files if file.expectation.capture is None} - set(_named(config))
    return [f"replicap: {path.name} {ON_A_TWIN}" for path in sorted(found)]


def _named(config: pytest.Config) -> list[Path]:
    """The paths of the command line, without the names of single claims."""
    folder = config.invocation_params.dir
    return list(dict.fromkeys(folder / argument.split("::")[0] for argument in config.args))


def _pins_nothing(path: Path) -> bool:
    """Whether a file is an expectation file that pins no capture."""
    if path.suffix not in SUFFIXES or not path.is_file() or not _is_expectation_file(path):
        return False
    with path.open("rb") as file:
        return _PIN.search(file.read(LONGEST_HEADED)) is None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """An expectation file; other YAML files are left alone unless they were named."""
    if file_path.suffix not in SUFFIXES:
        return None
    if _is_expectation_file(file_path):
        return ExpectationFile.from_parent(parent, path=file_path)
    if parent.session.isinitpath(file_path):
        return ForeignFile.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """A skipped claim is reported at its line of the YAML, not at a line of this plugin.

    Claims without a capture all stand at the first line, so that pytest's summary folds them.
    """
    report = yield
    if isinstance(item, ClaimItem) and report.skipped and isinstance(report.longrepr, tuple):
        line = 1 if item.expectation_file().missing else item.claim.line
        report.longrepr = (str(item.path), line, report.longrepr[2])
    return report


def _is_expectation_file(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _KEY.search(file.read(HEAD)) is not None
    except OSError:
        return False


class _Watch:
    """What became of the claims of a session; it sees the reports of xdist's workers too."""

    def __init__(self) -> None:
        self.claims = 0
        self.measured = 0
        self.damage: dict[str, None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        properties = dict(report.user_properties)
        if "claim" not in properties or STATUS not in properties:
            return
        if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
            self.claims += 1
            self.measured += properties[STATUS] in ("verified", "refuted")
            if DAMAGE in properties:
                self.damage[str(properties[DAMAGE])] = None

    @property
    def trouble(self) -> str:
        """Why the session is no success although no item failed; empty when it may be one."""
        if self.damage:
            return f"damaged: {'; '.join(self.damage)}; verdicts are on the part before it"
        if self.claims and not self.measured:
            return f"none of {self.claims} claims could be measured, so nothing was verified"
        return ""

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.trouble and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.trouble:
            terminalreporter.ensure_newline()
            terminalreporter.write_line(f"replicap: error: {self.trouble}", red=True)


class ForeignFile(pytest.File):
    """A YAML file that was named on the command line and is no expectation file."""

    def collect(self) -> Iterator[pytest.Item]:
        raise CollectionError(
            f"{self.path}: not an expectation file: no first-level key 'replicap' was found, "
            "expected 'replicap: 1'"
        )

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return _own_text(excinfo) or super().repr_failure(excinfo)


class ExpectationFile(pytest.File):
    """An expectation file; its claims are all measured when the first of them is run."""

    _report: Report | None = None
    missing: str = ""
    """Why the pinned capture cannot be had."""
    _broken: str = ""

    def collect(self) -> Iterator[pytest.Item]:
        from harness.expectation import ExpectationError, load

        try:
            self.expectation: Expectation = load(self.path)
        except ExpectationError as error:
            raise CollectionError(str(error)) from None
        for claim in self.expectation.claims:
            item: ClaimItem = ClaimItem.from_parent(self, name=claim.id, claim=claim)
            yield item

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return _own_text(excinfo) or super().repr_failure(excinfo)

    def report(self) -> Report:
        """The verdicts on all claims of the file, measured once.

        Skips when the pinned capture cannot be had; raises NotMeasured when the capture that was
        given cannot be read.
        """
        if self._report is None and not self.missing and not self._broken:
            self._measure()
        if self.missing:
            pytest.skip(self.missing)
        if self._report is None:
            raise NotMeasured(self._broken)
        return self._report

    def _measure(self) -> None:
        from decoders.containers import open_captures
        from decoders.frames import CaptureError
        from harness.commands.twins import TwinNotMade, default_capture, marked
        from harness.engine import UsageError, verify
        from harness.pinned import CaptureNotFound
        from harness.problems import escaped

        try:
            given = self.config.getoption(CAPTURE_OPTION)
            stage = self.config.getoption(STAGE_OPTION)
            if given is None and stage is not None:
                raise UsageError(f"{STAGE_OPTION} {stage} needs {CAPTURE_OPTION}")
            path = default_capture(self.expectation) if given is None else given
            capture = open_captures([path])
            self._report = marked(verify(self.expectation, capture, stage=stage), capture)
        except CaptureNotFound as error:
            self.missing = escaped(f"not run: {error}")
        except (CaptureError, UsageError, TwinNotMade) as error:
            self._broken = escaped(str(error))


class ClaimItem(pytest.Item):
    """One claim; its node id ends in the claim's id."""

    def __init__(self, *, claim: Claim, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.claim = claim
        for tag in claim.tags:
            self.extra_keyword_matches.add(tag)
            self.add_marker(_mark_name(self.config, tag))
        if claim.not_testable:
            from harness.problems import escaped

            self.add_marker(pytest.mark.skip(reason=f"not testable: {escaped(claim.not_testable)}"))
        self.user_properties += [("claim", claim.id), (STATUS, "not_testable")]

    def runtest(self) -> None:
        """Raises Refuted or NotMeasured; skips what is not testable."""
        from harness.report.details import properties_of

        report = self.expectation_file().report()
        verdict = next(each for each in report.verdicts if each.claim.id == self.claim.id)
        self.user_properties[:] = properties_of(verdict)
        if report.twin:
            self.user_properties.append((TWIN, "made from the claims"))
        if report.capture is not None and report.capture.damage is not None:
            self.user_properties.append((DAMAGE, report.capture.damage))
        if verdict.status.value == "not_testable":
            pytest.skip(f"not testable: {verdict.reason}")
        if verdict.status.value == "error":
            raise NotMeasured(verdict.reason)
        if verdict.status.value != "verified":
            raise Refuted(verdict)

    def expectation_file(self) -> ExpectationFile:
        if not isinstance(self.parent, ExpectationFile):
            raise TypeError(f"{self.nodeid}: a claim outside an expectation file")
        return self.parent

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """First line: published and measured, or why there is no figure; then what explains it."""
        from harness.report.details import details, headline, place

        error = excinfo.value
        if isinstance(error, NotMeasured):
            where = f"{self.expectation_file().expectation.path}:{self.claim.line}"
            return f"not measured: {error}\n  claim {self.claim.id} ({where})"
        if isinstance(error, Refuted):
            where = place(error.verdict, self.expectation_file().expectation.path)
            lines = [headline(error.verdict), f"  claim {self.claim.id} ({where})"]
            return "\n".join(lines + details(error.verdict))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The YAML file, the claim's line (from 0) and its name."""
        return self.path, self.claim.line - 1, f"claim {self.claim.id}"


def _own_text(excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    return str(excinfo.value) if isinstance(excinfo.value, CollectionError) else ""


def _mark_name(config: pytest.Config, tag: str) -> str:
    """The registered mark of a tag: an identifier that means nothing else to pytest.

    A tag such as ``xfail`` must not turn a refuted claim into a success: names that are marks
    already, or no identifiers, get ``tag_`` before them.
    """
    names = config.stash.setdefault(_marks, {})
    if tag not in names:
        taken = {re.split(r"[(:]", line)[0].strip() for line in config.getini("markers")}
        name = re.sub(r"\W", "_", tag)
        if name in taken - set(names.values()) or not name.isidentifier() or name[0] == "_":
            name = f"tag_{name}"
        if keyword.iskeyword(name):
            name = f"tag_{name}"
        if name not in names.values():
            config.addinivalue_line("markers", f"{name}: claims of expectation files with this tag")
        names[tag] = name
    return names[tag]
