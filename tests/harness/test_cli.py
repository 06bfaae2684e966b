"""The command: what it prints where, and its exit status."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import main
from tests.harness import command_cases as cases

ROOT = Path(__file__).parents[2]


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-m", "harness", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def fields(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["fields", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "replicap 0.1.0\n"


def test_verify_without_a_refuted_claim_is_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture, file = cases.capture(tmp_path), cases.expectations(tmp_path, cases.RIGHT)
    assert main(["verify", str(capture), "-e", str(file)]) == 0
    out, err = capsys.readouterr()
    assert "verified  packets  3          3\n" in out
    assert "3 packets, 0 malformed, 0 short, 0 undecoded" in out
    last = out.splitlines()[-1]
    assert last.startswith(
        "three.yaml: 1 verified, 0 refuted, 0 not testable, 0 errors; three.pcap"
    )
    assert err == ""


def test_a_refuted_claim_is_1_and_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = cases.capture(tmp_path)
    file = cases.expectations(tmp_path, cases.RIGHT, cases.WRONG, cases.UNTESTABLE)
    assert main(["verify", str(capture), "-e", str(file)]) == 1
    out = capsys.readouterr().out
    assert f"refuted: to-port-7 ({file}:11)" in out
    assert "  published       3\n  measured        2\n" in out
    assert "  filter          udp.dstport == 7\n" in out
    assert "  interpretation  Only UDP was looked at.\n" in out
    assert "  note            The page counts port 9 as well.\n" in out
    assert "needs the operator's word" in out
    assert out.splitlines()[-1].startswith("three.yaml: 1 verified, 1 refuted, 1 not testable, 0")


def test_nothing_testable_is_no_success(tmp_path: Path) -> None:
    capture, file = cases.capture(tmp_path), cases.expectations(tmp_path, cases.UNTESTABLE)
    assert main(["verify", str(capture), "-e", str(file)]) == 2


def test_a_damaged_capture_is_3_and_still_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = cases.capture(tmp_path, cases.THREE[:-5])
    file = cases.expectations(tmp_path, cases.WRONG)
    assert main(["verify", str(capture), "-e", str(file)]) == 3
    out, err = capsys.readouterr()
    assert "refuted  to-port-7  3          2" in out
    assert "damaged    " in out
    assert err.startswith(f"replicap: error: {capture}: offset ")


def test_several_files_have_one_summary_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = cases.capture(tmp_path)
    first = cases.expectations(tmp_path, cases.RIGHT, name="first.yaml")
    second = cases.expectations(tmp_path, cases.WRONG, name="second.yaml")
    assert main(["verify", "-e", str(first), str(capture), "-e", str(second)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("first.yaml: 1 verified, 0 refuted")
    assert lines[-1].startswith("second.yaml: 0 verified, 1 refuted")


def test_a_pinned_capture_that_is_missing_is_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLICAP_CAPTURES", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pin = "capture: {name: a.pcap, url: 'https://example.org/a', bytes: 9, sha256: '" + "0" * 64
    head = cases.HEAD.replace("claims:", pin + "'}\nclaims:")
    file = cases.expectations(tmp_path, cases.RIGHT, head=head)
    out_file = tmp_path / "out.json"
    assert main(["verify", "-e", str(file), "--json", str(out_file)]) == 3
    out, err = capsys.readouterr()
    assert out.splitlines()[-1].startswith(
        "three.yaml: not run, 1 claims: not in REPLICAP_CAPTURES"
    )
    assert err.count("\n") == 1
    assert "REPLICAP_OFFLINE is set" in err
    assert json.loads(out_file.read_text())["summary"]["verified"] == 0


def test_json_on_standard_output_is_alone_there(tmp_path: Path) -> None:
    capture, file = cases.capture(tmp_path), cases.expectations(tmp_path, cases.WRONG)
    done = run("verify", capture, "-e", file, "--json", "-")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["summary"] == {"verified": 0, "refuted": 1, "not_testable": 0, "error": 0}
    assert found["capture"]["packets"] == 3
    assert found["claims"][0]["published"] == 3
    assert found["claims"][0]["measured"] == 2
    assert "three.yaml: 0 verified, 1 refuted" in done.stderr


def test_output_never_overwrites_an_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture, file = cases.capture(tmp_path), cases.expectations(tmp_path, cases.RIGHT)
    assert main(["verify", str(capture), "-e", str(file), "--json", str(file)]) == 2
    assert "it is one of the files that are read" in capsys.readouterr().err
    assert file.read_text().startswith("replicap: 1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no command; expected one of verify, fields, decode"),
        (["sniff", "x"], "unknown command 'sniff'; this version has verify, fields, decode"),
        (["verfy"], "unknown command 'verfy'; did you mean 'verify'?"),
        (["verify"], "required: -e"),
        (["verify", "-e", "x", "--html", "y", "--junit", "y"], "both 'y', expected two files"),
        (["verify", "-e", "x", "--decoder", "best"], "unknown decoder 'best'"),
        (["verify", "-e", "x", "--json", "-", "--junit", "-"], "both '-', expected two files"),
        (["verify", "-e", "x", "--json", "none/there"], "none/there: cannot be written"),
        (["fields", "x", "-e", "ip.sorce"], "unknown field 'ip.sorce'; did you mean 'ip.src'?"),
        (["fields", "x", "-e", "ip.src", "--aggregator", ";;"], "expected one character"),
        (["decode", "x", "--to", "x.csv"], "expected a name that ends in .parquet"),
        (["fields", "x", "-e", "ip.src", "--decoder", "best"], "unknown decoder 'best'"),
        (["decode", "x", "--to", "x.parquet", "--decoder", "best"], "unknown decoder 'best'"),
        (["fields", "x", "-e", "ip.src", "--what"], "unrecognized arguments: --what"),
    ],
)
def test_wrong_usage_is_one_line_and_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("replicap: error: ")
    assert said in err
    assert err.count("\n") == 1


def test_stage_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture, file = cases.capture(tmp_path), cases.expectations(tmp_path, cases.RIGHT)
    assert main(["verify", str(capture), "-e", str(file), "--stage", "captur"]) == 2
    assert "did you mean 'capture'?" in capsys.readouterr().err


@pytest.mark.parametrize("compiled", [True, False])
def test_compiling_is_said_before(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    compiled: bool,
) -> None:
    monkeypatch.setattr("decoders.choice.kernels_are_compiled", lambda: compiled)
    capture = cases.capture(tmp_path, cases.THREE)
    for decoder in ("reference", "columnar"):
        assert main(["fields", str(capture), "-e", "ip.src", "--decoder", decoder]) == 0
        said = "compiling the columnar decoder" in capsys.readouterr().err
        assert said == (decoder == "columnar" and not compiled)


def test_cache_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    capture = cases.capture(tmp_path, cases.THREE)
    expectations = cases.expectations(tmp_path, cases.RIGHT, cases.WRONG)
    given = ["verify", str(capture), "-e", str(expectations)]
    plain = main(given), capsys.readouterr().err
    assert not (tmp_path / "home").exists()
    assert (main([*given, "--cache"]), capsys.readouterr().err) == plain
    status = main([*given, "--cache"])
    assert status == plain[0]
    said = capsys.readouterr().err
    assert "3 packets as decoded before" in said
    assert str(tmp_path / "home" / "replicap" / "tables") in said


def test_fields_one_line_a_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = cases.capture(tmp_path)
    found = fields(capsys, capture, "-e", "frame.number", "-e", "udp.port", "-e", "tcp.port")
    assert found == "1\t1000,7\t\n2\t1001,7\t\n3\t1002,9\t\n"


def test_fields_of_matching_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = cases.capture(tmp_path)
    arguments = [capture, "-Y", "udp.port == 9", "-e", "frame.number", "-e", "udp.port"]
    assert fields(capsys, *arguments, "--aggregator", ";") == "3\t1002;9\n"


def test_empty_filter_is_all_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = cases.capture(tmp_path)
    assert fields(capsys, capture, "-Y", "", "-e", "frame.number") == "1\n2\n3\n"


GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize("name", ["tcp_scan.pcap", "icmp_embedded.pcap", "dialup_noise.pcapng"])
@pytest.mark.parametrize("condition", ["", "ip && frame.len > 60"])
def test_fields_are_the_same_from_both_decoders(
    name: str, condition: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["-Y", condition, "-e", "frame.time_epoch", "-e", "ip.addr", "-e", "ip.id"]
    asked += ["-e", "vlan.id", "-e", "tcp.port", "-e", "tcp.flags", "-e", "icmp", "-e", "eth.src"]
    by_row = fields(capsys, GOLDEN / name, *asked, "--decoder", "reference")
    by_column = fields(capsys, GOLDEN / name, *asked, "--decoder", "columnar")
    assert by_row == by_column
    assert len(by_row.splitlines()) > 3


def test_fields_escape_what_would_break_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packet = cases.packet_block(cases.udp(1, 2), b"a\tb\nc\rd\\e")
    capture = cases.capture(tmp_path, cases.SECTION + cases.INTERFACE + packet)
    assert fields(capsys, capture, "-e", "frame.comment") == "a\\tb\\nc\\rd\\e\n"


def test_fields_of_a_damaged_capture_is_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = cases.capture(tmp_path, cases.THREE[:-5])
    assert main(["fields", str(capture), "-e", "frame.number"]) == 3
    out, err = capsys.readouterr()
    assert out == "1\n2\n"
    assert "only the frames before it were read" in err


def test_a_reader_that_leaves_is_silent(tmp_path: Path) -> None:
    many = cases.pcap(*[cases.udp(1, 2)] * 20_000)
    capture = cases.capture(tmp_path, gzip.compress(many), "many.pcap.gz")
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "fields", str(capture), "-e", "ip.src"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"192.0.2.1\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141


def test_decode_writes_every_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import polars

    target = tmp_path / "out.parquet"
    assert main(["decode", str(cases.capture(tmp_path)), "--to", str(target)]) == 0
    table = polars.read_parquet(target)
    assert table["udp_dstport"].to_list() == [7, 7, 9]
    assert table["tcp_dstport"].to_list() == [None, None, None]
    assert not [name for name in table.columns if "octets" in name]
    assert f"{target}: 3 packets, {table.width} columns" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "three.pcap"]


def test_decode_of_a_damaged_capture_is_3_and_written(tmp_path: Path) -> None:
    import polars

    capture = cases.capture(tmp_path, cases.THREE[:-5])
    target = tmp_path / "out.parquet"
    assert main(["decode", str(capture), "--to", str(target)]) == 3
    assert polars.read_parquet(target).height == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    capture, file = cases.capture(tmp_path), cases.expectations(tmp_path, cases.RIGHT)
    done = run("verify", capture, "-e", file, "--json", "/dev/full")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "replicap: error: /dev/full: cannot be written: no space left on device"
    ]


def test_interruption_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.cli._run", interrupted)
    assert main(["verify"]) == 130
    assert capsys.readouterr().err == "replicap: interrupted\n"


def test_help_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    for command in ("verify", "fields", "decode"):
        assert main([command, "--help"]) == 0
        assert f"usage: replicap {command}" in capsys.readouterr().out


def test_start_up_imports_nothing_heavy() -> None:
    code = (
        "import sys; from harness.cli import main; main(['--version']); "
        "print(sorted({'polars', 'narwhals', 'pydantic', 'lark', 'rich', 'yaml', 'pooch'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "replicap 0.1.0\n[]\n"
