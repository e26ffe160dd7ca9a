"""A table as LaTeX: needs the package booktabs only, compiles with pdfLaTeX whatever the names hold."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from freqmaps.items._api import Column, Table

_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "\n": " ",
    # pdfLaTeX reads UTF-8, but its text fonts hold no Greek and no mathematical signs.
    "±": r"$\pm$", "–": "--", "—": "---", "ε": r"$\varepsilon$", "λ": r"$\lambda$", "α": r"$\alpha$",
    "ℓ": r"$\ell$", "∞": r"$\infty$", "×": r"$\times$", "·": r"$\cdot$", "≤": r"$\leq$", "≥": r"$\geq$",
    "→": r"$\rightarrow$", "₀": "$_0$", "₁": "$_1$", "₂": "$_2$", "²": "$^2$", "…": r"\ldots{}",
}  # fmt: skip


def escape(text: str) -> str:
    r"""Return text that LaTeX prints as it stands.

    >>> escape("pgd_8/255 & 95 %")
    'pgd\\_8/255 \\& 95 \\%'
    """
    return "".join(_ESCAPES.get(character, character) for character in text)


def latex(table: Table, *, title: str = "", label: str = "") -> str:
    """Return a ``table`` environment: caption, booktabs rules, the columns shown, notes below.

    Parameters
    ----------
    table
        What to write.
    title
        The caption.
    label
        The label is ``tab:<label>``.
    """
    columns = table.shown()
    rows = [_row(columns, record) for record in table.frame.to_dict("records")]
    head = ["% needs \\usepackage{booktabs}", "\\begin{table*}", "\\centering"]
    if title:
        head.append(f"\\caption{{{escape(title)}}}")
    if label:
        head.append(f"\\label{{tab:{label}}}")
    head += ["\\footnotesize", "\\setlength{\\tabcolsep}{3pt}", f"\\begin{{tabular}}{{{_alignment(columns)}}}"]
    foot = ["\\bottomrule", "\\end{tabular}"]
    if table.notes:
        foot += ["", "\\smallskip", " ".join(escape(note) for note in table.notes)]
    return "\n".join([*head, "\\toprule", *_header(columns), "\\midrule", *rows, *foot, "\\end{table*}"]) + "\n"


def _alignment(columns: list[Column]) -> str:
    return "".join("l" if not c.form else "r" for c in columns)


def _header(columns: list[Column]) -> list[str]:
    labels = " & ".join(escape(c.label) for c in columns) + r" \\"
    if not any(c.group for c in columns):
        return [labels]
    cells, rules, start = [], [], 1
    for group, members in groupby(columns, key=lambda c: c.group):
        count = len(list(members))
        cells.append(f"\\multicolumn{{{count}}}{{c}}{{{escape(group)}}}")
        if group:
            rules.append(f"\\cmidrule(lr){{{start}-{start + count - 1}}}")
        start += count
    return [" & ".join(cells) + r" \\", " ".join(rules), labels]


def _row(columns: list[Column], record: Mapping[Any, Any]) -> str:
    cells = []
    for column in columns:
        value, error = column.text(record)
        cells.append(escape(f"{value} ± {error}" if error else value))
    return " & ".join(cells) + r" \\"
