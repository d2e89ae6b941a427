"""The snippets of docs/USING.md: in order, with what they print.

A fenced block of `python`, `sql` or `sh` is run; a block of `text` right behind
it is what it prints. A block of `python` that begins with `# name.py` is that
file, and those behind it may import it.
"""

import os
import re
import shutil
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import evscribe_kms
from command import EVSCRIBE, EVSCRIBE_DATA, REPO

PAGE = REPO / "docs" / "USING.md"
RUN = {"python", "sql", "sh"}
FENCE = re.compile(r"^```(.*)$")


class Snippet(NamedTuple):
    heading: str
    language: str
    code: str
    printed: str | None

    @property
    def file(self) -> str | None:
        """The name that it wants to be saved under."""
        named = re.match(r"# ([\w.]+\.py)\n", self.code)
        return named.group(1) if named else None

    @property
    def rows(self) -> list[list[str]]:
        """The cells of the table that it prints, its first line the names."""
        lines = [line for line in self.printed.splitlines() if line.startswith("|")]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def fenced(text: str):
    """Each fenced block: the heading above it, its language, its text."""
    heading, info, lines = "", None, []
    for line in text.splitlines():
        fence = FENCE.match(line)
        if info is None:
            if line.startswith("#"):
                heading = line.lstrip("# ")
            if fence:
                info, lines = fence.group(1), []
        elif fence:
            yield heading, info, "\n".join(lines) + "\n"
            info = None
        else:
            lines.append(line)


def parsed(text: str) -> list[Snippet]:
    found = []
    for heading, info, code in fenced(text):
        if info == "text":
            assert found and found[-1].printed is None, f"{heading}: who prints that?"
            found[-1] = found[-1]._replace(printed=code)
        else:
            assert info in RUN, f"{heading}: nobody runs {info!r}"
            found.append(Snippet(heading, info, code, None))
    return found


SNIPPETS = parsed(PAGE.read_text())
SQL = [snippet for snippet in SNIPPETS if snippet.language == "sql"]
# By heading, what is run one after the other.
SECTIONS = {
    heading: list(of)
    for heading, of in groupby(
        [snippet for snippet in SNIPPETS if snippet.language != "sql"], lambda snippet: snippet.heading
    )
}
# Whose SQL the page writes, and how the others say the same.
MOMENT = r"epoch_us\((\w+(?:\.\w+)?)\)"
DATAFUSION, SPARK = r"CAST(\1 AS BIGINT)", r"unix_micros(\1)"


def in_words_of(engine: str, sql: str) -> str:
    return re.sub(MOMENT, engine, sql)


def cells(rows) -> list[list[str]]:
    """The rows of a result, as a table shows them."""
    return [["" if value is None else str(value) for value in row] for row in rows]


def lay_out(folder: Path):
    """What the page takes for granted: its example datasets, and a module to copy."""
    (folder / "tests").symlink_to(REPO / "tests")
    shutil.copy(evscribe_kms.__file__, folder)
    for snippet in SECTIONS["The examples"]:
        run(snippet, folder)


def saved(folder: Path, *headings: str):
    """Saves the files of these sections, so that each test runs by itself."""
    for heading in headings:
        for snippet in SECTIONS[heading]:
            if snippet.file:
                (folder / snippet.file).write_text(snippet.code)


def run(snippet: Snippet, folder: Path, **more: str) -> str:
    """What the snippet prints, run as somebody would paste or save it; `more` is
    put into the environment."""
    paths = [str(EVSCRIBE.parent), str(EVSCRIBE_DATA.parent), os.environ["PATH"]]
    own = {"PATH": ":".join(paths), "HF_HOME": str(folder / "hugging-face"), "HF_HUB_OFFLINE": "1"}
    environment = os.environ | own | more
    command = [sys.executable, "-c", snippet.code] if snippet.language == "python" else ["bash", "-euc", snippet.code]
    if snippet.file:
        (folder / snippet.file).write_text(snippet.code)
        command = [sys.executable, snippet.file]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{snippet.code}\n{done.stdout}{done.stderr}"
    return done.stdout
