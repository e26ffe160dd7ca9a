"""The HTML, CSS and JavaScript templates of the atlas page, into which its data are filled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: The page's scripts, in order.
SCRIPTS = ("data", "planes", "rows", "grid", "table", "detail", "curves", "main")


@dataclass(frozen=True)
class Templates:
    """HTML (Jinja), CSS and JavaScript."""

    html: str
    style: str
    script: str

    @staticmethod
    def files(folder: Path) -> list[Path]:
        """Return the files that the templates are read from."""
        parts = [folder / "atlas" / f"{name}.js" for name in SCRIPTS]
        return [folder / "atlas.html.j2", folder / "atlas" / "style.css", *parts]

    @classmethod
    def read(cls, folder: Path) -> Templates:
        """Read the templates of a folder."""
        html, style, *scripts = (path.read_text(encoding="utf-8") for path in cls.files(folder))
        return cls(html, style, "\n".join(scripts))
