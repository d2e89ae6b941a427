"""What docs/FORMAT.md states, read from its tables."""

import re
from typing import NamedTuple

from command import REPO

TEXT = (REPO / "docs" / "FORMAT.md").read_text()
TABLES = ["events", "touch", "marks", "devices"]


class Column(NamedTuple):
    type: str
    nullable: bool
    unit: str


def section(heading: str) -> str:
    """The text below a heading, to the next one."""
    return re.split(r"^#+ ", TEXT.split(f"\n{heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def cells(heading: str) -> list[list[str]]:
    """The rows of the table below a heading whose first cell is code."""
    lines = [line for line in section(heading).splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def columns(table: str) -> dict[str, Column]:
    """The columns of a table, in order."""
    found = {
        row[0].strip("`"): Column(row[1], row[2] == "yes", row[3]) for row in cells(f"### `{table}`")
    }
    assert found, f"docs/FORMAT.md states no column of {table}"
    return found


def of_type(table: str, *types: str) -> list[str]:
    """The columns of these types."""
    return [name for name, column in columns(table).items() if column.type in types]


def metadata_keys() -> dict[str, str]:
    """Each metadata key, and when it is there: `yes` is always."""
    return {row[0].strip("`"): row[1] for row in cells("## Metadata of every file")}


def examples(language: str) -> list[str]:
    """The code that opens a dataset."""
    return blocks(section("## Opening it"), language)


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.S)
