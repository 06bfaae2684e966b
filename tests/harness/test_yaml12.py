"""The YAML 1.2 reader: scalars, places, and what is refused."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness import yaml12


def read(text: str) -> object:
    document = yaml12.parse(text.encode())
    assert document.flaws == []
    assert document.root is not None
    return document.root.data


def flaws(raw: bytes) -> list[tuple[int, int, str]]:
    return [(flaw.line, flaw.column, flaw.message) for flaw in yaml12.parse(raw).flaws]


@pytest.fixture(params=["libyaml", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test that asks for it runs on both of PyYAML's parsers."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("True", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("0", 0),
        ("-12", -12),
        ("+5", 5),
        ("0777", "0777"),
        ("-012", "-012"),
        ("007.5", "007.5"),
        ("0x1F", 31),
        ("0o17", 15),
        ("0b11", "0b11"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2017-10-13", "2017-10-13"),
        ("2017-10-13T07:00:00Z", "2017-10-13T07:00:00Z"),
        ("00:0c:29:3e:5a:01", "00:0c:29:3e:5a:01"),
        ("192.0.2.1", "192.0.2.1"),
        (".5", Decimal("0.5")),
        ("1e3", Decimal("1E+3")),
        ("'5'", "5"),
        ('"\\u00e9"', "é"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("!!int '5'", 5),
        ("=", "="),
    ],
)
def test_scalar(parser: None, text: str, value: object) -> None:
    found = read(f"key: {text}")
    assert isinstance(found, dict)
    assert (type(found["key"]), found["key"]) == (type(value), value)


def test_a_decimal_keeps_its_digits() -> None:
    assert str(read("2.0")) == "2.0"
    assert str(read("1.50")) == "1.50"


def test_keys_may_be_numbers_and_lists_of_scalars() -> None:
    assert read("{23: 1, [192.0.2.1, 80]: 2}") == {23: 1, ("192.0.2.1", 80): 2}


def test_an_alias_stands_for_what_it_names() -> None:
    assert read("a: &x [1, 2]\nb: *x") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("raw", "line", "column", "message"),
    [
        (b"a:\n\tb: 1", 2, 1, "a tab"),
        (b"a: 1\n  \tb: [", 2, 3, "a tab"),
        (b"a: \xff", 1, 4, "not UTF-8: byte 0xff at offset 3"),
        (b"a: 1\nb: \x00", 2, 4, "U+0000"),
        (b"a: \x1b[31m", 1, 4, "U+001B"),
        ("a: \u2028".encode(), 1, 4, "U+2028"),
        (b'a: "\\e"', 1, 4, "U+001B"),
        (b"a: 1\na: 2", 2, 1, "stands here twice; first on line 1"),
        (b"1: a\ntrue: b", 2, 1, "stands here twice"),
        (b"a: {x: 1}\n<<: {y: 2}", 2, 1, "merge keys"),
        (b"a: !!python/object/apply:os.system [x]", 1, 4, "'!!python/object/apply:os.system'"),
        (b"a: !(lcp)", 1, 4, "begins with ! must stand in quotes"),
        (b"a: !!int x", 1, 4, "!!int does not fit the text 'x'"),
        (b"a: .inf", 1, 4, ".inf is not a number"),
        (b"a: -.Inf", 1, 4, "-.Inf is not a number"),
        (b"a: .NaN", 1, 4, ".NaN is not a number"),
        (b"a: 1e999999999", 1, 4, "out of range"),
        (b"a: " + b"1" * 5000, 1, 4, "more than 100 characters"),
        (b"? {a: b}\n: c", 1, 3, "a key must be a text"),
        (b"~: c", 1, 1, "a key is empty"),
        (b"a: &x [*x]", 1, 8, "inside what it names"),
        (b"a: *x", 1, 4, "names nothing before it"),
        (b"a\n---\nb", 2, 1, "a second document"),
        (b"a: b: c", 1, 5, "must stand in quotes"),
        (b"a: [1", 1, 4, "not YAML"),
        (b"a: 1\nb: 'x\n\n", 2, 4, "not YAML"),
        (b"[" * 900, 1, 65, "nested deeper than 64 levels"),
        (b"- " * 100_000, 1, 129, "nested deeper than 64 levels"),
        (b"x" * (4 * 1024 * 1024 + 1), 1, 1, "larger than"),
    ],
)
def test_refused_with_its_place(raw: bytes, line: int, column: int, message: str) -> None:
    ((found_line, found_column, found),) = flaws(raw)
    assert (found_line, found_column) == (line, column)
    assert message in found
    assert "\n" not in found


def test_nesting_beyond_what_the_parser_itself_bears_is_refused_alike(parser: None) -> None:
    # Some versions of libyaml read ahead, find 1,000 levels and say so before we see the 65th.
    ((line, _, found),) = flaws(b"[" * 100_000)
    assert (line, found) == (1, "nested deeper than 64 levels")


def test_flaws_do_not_hide_one_another() -> None:
    assert [line for line, _, _ in flaws(b"a: .inf\nb: !x y\nb: 1\nc: [")] == [1, 2, 3, 4]


def test_an_alias_bomb_ends_soon() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    started = time.monotonic()
    assert "more than 100,000 values" in flaws("\n".join(lines).encode())[0][2]
    assert time.monotonic() - started < 1


def test_aliases_count_for_depth() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 80)]
    assert "nested deeper than 64" in flaws("\n".join(lines).encode())[0][2]


def test_an_empty_text_has_no_root() -> None:
    for raw in (b"", b"# a comment\n", b"\xef\xbb\xbf"):
        assert yaml12.parse(raw).root is None


def test_places_count_from_one() -> None:
    root = yaml12.parse("é: 1\nb:\n  - {c: 😀, d: x}\n".encode()).root
    assert root is not None
    item = root.members["b"].members[0]
    assert (item.line, item.column) == (3, 5)
    assert (item.keys["d"].line, item.keys["d"].column) == (3, 12)
    assert (item.members["d"].line, item.members["d"].column) == (3, 15)


@pytest.mark.parametrize(
    ("text", "offset", "column"),
    [
        ("k: abc", 1, 5),
        ("k: 'abc'", 1, 6),
        ("k: 'a''bc'", 2, 8),
        ('k: "a\\"bc"', 2, 8),
        ('k: "a\\u0020bc"', 2, 12),
        ('k: "abc"', 3, 8),
        ("k: |\n  abc", 1, 4),
        ("k: abc\n  def", 5, 4),
        ("k: &anchor abc", 1, 4),
    ],
)
def test_column_of_a_character(parser: None, text: str, offset: int, column: int) -> None:
    document = yaml12.parse(text.encode())
    assert document.root is not None
    assert document.column_of(document.root.members["k"], offset) == column


_YAML_CHARACTERS = st.sampled_from(list("ab01:-?[]{},&*!|>'\"%@`# \n\t.~<\\xu\u2028é\x00"))


@given(st.text(_YAML_CHARACTERS, max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    document = yaml12.parse(text.encode())
    assert all(flaw.line >= 1 and flaw.column >= 1 for flaw in document.flaws)


@given(st.binary(max_size=60))
def test_any_octets_are_read_or_refused(raw: bytes) -> None:
    yaml12.parse(raw)


@given(
    st.recursive(
        st.text(max_size=8) | st.integers() | st.booleans(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
        max_leaves=12,
    )
)
def test_json_reads_as_itself(value: object) -> None:
    """JSON is YAML 1.2; control characters are refused, so they are left out."""
    import json

    text = json.dumps(value, ensure_ascii=True)
    document = yaml12.parse(text.encode())
    if any("U+" in flaw.message or "escape" in flaw.message for flaw in document.flaws):
        return
    assert document.flaws == []
    assert document.root is not None
    assert document.root.data == value
