"""What other people's repositories use: annotations, Markdown, action, hooks, completion."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.cli import COMMANDS, main
from harness.reference import pages
from harness.report.github import command
from harness.report.markdown import plain
from tests.harness.command_cases import HEAD, THREE

ROOT = Path(__file__).parents[2]
CLAIMS = """\
  - {id: all, says: Three packets., at: {section: Stats}, measure: packets, equals: 3}
  - {id: seven, says: "Three go to 7,\\n::error::x", at: {section: Stats}, equals: 3,
    where: udp.dstport == 7, measure: packets}
  - {id: who, says: "A | B <b>", at: {section: Stats}, not_testable: needs the operator's word}
"""


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "a.pcap").write_bytes(THREE)
    (tmp_path / "a.yaml").write_text(HEAD + CLAIMS, "utf-8")
    return [str(tmp_path / "a.pcap"), "-e", str(tmp_path / "a.yaml")]


def test_annotations_stand_at_the_line_of_the_claim(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", *files, "--annotate", "--quiet"]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::")]
    path = files[2].replace(":", "%3A").replace(",", "%2C")
    assert lines == [
        f"::error file={path},line=6,col=5,title=refuted%3A seven::"
        "Three go to 7,%0A::error::x%0Apublished 3, measured 2",
        f"::notice file={path},line=8,col=5,title=not testable%3A who::"
        "A | B <b>%0Aneeds the operator's word",
    ]


def test_a_wrong_file_is_annotated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(HEAD + CLAIMS.replace("equals: 3}", "equal: 3}", 1), "utf-8")
    for arguments in (
        ["check", str(path), "--annotate"],
        ["verify", "-e", str(path), "--annotate"],
    ):
        assert main(arguments) == 2
        out = capsys.readouterr().out
        assert re.search(r"^::error file=\S+,line=5,col=\d+,title=wrong file::.*equal", out, re.M)


def test_nothing_ends_a_workflow_command_early() -> None:
    line = command("error", "a,b:c.yaml", 0, 0, "t::u\n", "100%\n::set-output name=x::y\x1b[0m")
    assert "\n" not in line
    assert line.startswith(
        "::error file=a%2Cb%3Ac.yaml,line=1,col=1,title=t%3A%3Au\\n::100%25%0A::"
    )
    assert "\x1b" not in line


def test_markdown_shows_refuted_claims_first_and_no_markup_of_others(
    files: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out.md"
    assert main(["verify", *files, "--markdown", str(out)]) == 1
    text = out.read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert [row.split(" | ")[1] for row in rows] == ["seven", "who", "all"]
    assert r"A \| B \<b\>" in text
    assert "1 refuted" in text


def test_markdown_of_a_hostile_text() -> None:
    assert plain("[a](javascript:x) `b` @c\x00") == r"\[a\]\(javascript:x\) \`b\` \@c\\x00"
    assert len(plain("a" * 10_000)) < 400


def test_quiet_prints_a_line_for_each_file(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", *files, "--quiet"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("a.yaml: 1 verified, 1 refuted, 1 not testable, 0 errors; a.pcap")


def test_check_tells_what_a_file_holds(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", files[2]]) == 0
    assert capsys.readouterr().out == f"{files[2]}: 3 claims, 1 stages\n"


def test_the_action_calls_options_that_exist() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    script = action["runs"]["steps"][-1]["run"]
    help_text = pages()["command.md"]
    options = set(re.findall(r"(?<![\w-])(--[a-z-]+)", script))
    assert options >= {"--annotate", "--markdown", "--html", "--decoder", "--stage"}
    assert {option for option in options if f"{option} " not in help_text} == set()
    assert "${{" not in script  # inputs are variables, never part of the script
    assert set(action["inputs"]) >= {"expectations", "capture", "stage"}


def test_the_script_of_the_action_runs(files: list[str], tmp_path: Path) -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    script = action["runs"]["steps"][-1]["run"].replace(
        "replicap verify", f"{sys.executable} -m harness verify"
    )
    summary = tmp_path / "summary.md"
    done = subprocess.run(
        ["bash", "-c", script],
        env={
            **{"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "EXPECTATIONS": files[2]},
            **{"CAPTURE": files[0], "STAGE": "", "DECODER": "reference", "PAGE": ""},
            **{"RUNNER_TEMP": str(tmp_path), "GITHUB_STEP_SUMMARY": str(summary)},
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    assert "::error file=" in done.stdout
    assert "1 refuted" in summary.read_text("utf-8")


def test_the_hooks_call_commands_that_exist() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    called = {name for hook in hooks for name in re.findall(r"replicap ([a-z]+)", hook["entry"])}
    assert called == {"check", "verify"}
    assert called <= COMMANDS.keys()


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_commands_and_options(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert {name for name in COMMANDS if name not in script} == set()
    assert "write-measured" in script


def test_completion_of_an_unknown_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "cmd.exe"]) == 2
    assert "expected one of bash, zsh, tcsh" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["command.md", "comparisons.md", "fields.md", "measures.md"])
def test_the_reference_pages_are_those_of_the_code(name: str) -> None:
    """Written by ``python -m harness.reference docs/reference``."""
    if name == "command.md" and sys.version_info >= (3, 13):
        pytest.skip("newer versions of Python lay out help in another way")
    assert (ROOT / "docs" / "reference" / name).read_text("utf-8") == pages()[name]
