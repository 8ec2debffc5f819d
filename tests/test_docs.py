"""Every command that a page tells is one the program takes, and every link within the repository leads on."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from huanjie_lib.cli import cli
from huanjie_lib.errors import HuanjieError

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").glob("*.md"))]
UNITS = sorted((ROOT / "docs" / "systemd").glob("*.service"))
NAMES = [str(path.relative_to(ROOT)) for path in (*PAGES, *UNITS)]


CALL = re.compile(
    r"^\s*(?:sudo (?:-u \S+ )?|Exec\w+=|/bin/sh -c '|exec |[A-Z_]+=\S+ )*"
    r"(?:\S*[/\\])?huanjie(?:\.exe)?\s+(?=[a-z-])"
)
"""What may stand before the words of a call at the beginning of a line."""


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each call of ``huanjie`` in blocks of code or in a systemd unit."""
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL) if "```" in text else [text]
    for block in blocks:
        joined = re.sub(r"\$\$?\([^)]*\)", "DATE", re.sub(r"\\\n\s*", " ", block))
        for line in joined.splitlines():
            if (start := CALL.match(line)) is not None:
                yield shlex.split(line[start.end() :].rstrip("'"), comments=True)


def mentions(text: str) -> Iterator[list[str]]:
    """Yield the words of each call of ``huanjie`` within a sentence, which may leave out what is needed."""
    for code in re.findall(r"(?<!`)`(huanjie [^`]+)`(?!`)", text.replace("\n", " ")):
        yield [word for word in shlex.split(code, posix=False)[1:] if "…" not in word and word != "|"]


def taken(words: list[str], *, whole: bool) -> str:
    """Return why the program would not take a call; nothing when it would."""
    command: click.Command = cli
    context = click.Context(cli, info_name="huanjie")
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(context, rest[0])
        if found is None:
            return f"no command {rest[0]}"
        command, rest = found, rest[1:]
    if rest in (["--help"], ["-h"], ["--version"]):
        return ""
    if not whole:
        known = {
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        unknown = [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known]
        return f"no options {unknown}" if unknown else ""
    try:
        command.make_context("huanjie", rest)
    except (click.ClickException, HuanjieError) as error:
        return f"{error}"
    return ""


@pytest.mark.parametrize("name", NAMES)
def test_every_command_that_a_page_tells_is_taken(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    calls = [(words, "…" not in words) for words in commands(text)]  # one that ends in … leaves out the rest
    calls += [(words, False) for words in mentions(text)]
    refused = [(" ".join(words), why) for words, whole in calls if (why := taken(words, whole=whole))]
    assert refused == []


def test_the_pages_tell_most_commands() -> None:
    told = {
        tuple(word for word in words[:2] if not word.startswith("-"))
        for name in NAMES
        for words in commands((ROOT / name).read_text(encoding="utf-8"))
    }
    for wanted in (
        ("backup",),
        ("restore",),
        ("store", "copy"),
        ("store", "upgrade"),
        ("register", "rotate"),
    ):
        assert any(words[: len(wanted)] == wanted for words in told), wanted


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("```\n.venv/bin/huanjie dance --out x\n```", "no command dance"),
        ("```\nhuanjie run --data x \\\n    --as-of 2026-10-31 --out y --colour red\n```", "--colour"),
        ("```\nhuanjie run --data x --out y  # no date\n```", "as_of"),
        ("ExecStart=/opt/huanjie/bin/huanjie serve --run x --port many", "many"),
        ("```\nhuanjie run --data x --as-of tomorrow --out y\n```", "tomorrow"),
    ],
)
def test_a_command_that_the_program_does_not_take_is_found(text: str, why: str) -> None:
    (words,) = commands(text)
    assert why in taken(words, whole=True)


def test_an_option_that_a_sentence_makes_up_is_found() -> None:
    (right,) = mentions("run `huanjie init --key FILE` once")
    assert taken(right, whole=False) == ""
    (wrong,) = mentions("run `huanjie init --keys FILE` once")
    assert "--keys" in taken(wrong, whole=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [target for target in targets if target and not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (page.parent / target).exists()] == []
