"""Tables of what was tried and what came of it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as Grid


class Table:
    """Rows that tests add as they go."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.rows: list[dict[str, str]] = []

    def add(self, **cells: object) -> None:
        """One row; its keys are the columns."""
        self.rows.append({name: _shown(value) for name, value in cells.items()})

    def show(self) -> None:
        if not self.rows:
            return
        grid = Grid(title=self.title, title_justify="left")
        for name in self.rows[0]:
            grid.add_column(name.replace("_", " "), overflow="fold")
        for row in self.rows:
            grid.add_row(*row.values())
        console = Console(width=120)
        console.print()
        console.print(grid)


def _shown(value: object) -> str:
    return f"{round(value, 1 if value >= 10 else 3):g}" if isinstance(value, float) else str(value)
