"""A table as LaTeX: needs the packages booktabs and graphicx, compiles with pdfLaTeX whatever the names hold."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from itertools import groupby, pairwise
from typing import Any

from freqmaps.publish.api import Column, Table

_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # Where they begin a row, LaTeX would take these as belonging to the line break before them.
    "[": "{[}", "]": "{]}", "*": "{*}",
    # pdfLaTeX reads UTF-8, but its text fonts hold no Greek and no mathematical signs.
    "±": r"$\pm$", "–": "--", "—": "---", "−": "$-$", "ε": r"$\varepsilon$", "λ": r"$\lambda$", "α": r"$\alpha$",
    "β": r"$\beta$", "δ": r"$\delta$", "Δ": r"$\Delta$", "μ": r"$\mu$", "µ": r"$\mu$", "π": r"$\pi$", "ρ": r"$\rho$",
    "σ": r"$\sigma$", "Σ": r"$\Sigma$", "τ": r"$\tau$", "θ": r"$\theta$", "Φ": r"$\Phi$",
    "ζ": r"$\zeta$", "η": r"$\eta$", "κ": r"$\kappa$", "ν": r"$\nu$", "ξ": r"$\xi$", "φ": r"$\varphi$",
    "∂": r"$\partial$", "∇": r"$\nabla$", "∈": r"$\in$",
    "ℓ": r"$\ell$", "∞": r"$\infty$", "×": r"$\times$", "·": r"$\cdot$", "≤": r"$\leq$", "≥": r"$\geq$", "≠": r"$\neq$",
    "≈": r"$\approx$", "⊙": r"$\odot$", "√": r"$\surd$", "‖": r"$\|$", "°": r"$^\circ$", "→": r"$\rightarrow$",
    "₀": "$_0$", "₁": "$_1$", "₂": "$_2$", "⁻": "$^-$", "¹": "$^1$", "²": "$^2$", "³": "$^3$", "½": r"$\frac12$",
    "…": r"\ldots{}", "‘": "`", "’": "'", "“": "``", "”": "''", "\u00a0": "~",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "ø": r"\o{}", "Ø": r"\O{}", "œ": r"\oe{}", "Œ": r"\OE{}",
    "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}",
}  # fmt: skip
#: Unicode's combining marks, and LaTeX's commands for them.
_MARKS = "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327"
_ACCENTS = dict(zip(_MARKS, "`'^~=u.\"rHvc", strict=True))


def escape(text: str) -> str:
    r"""Return text that LaTeX prints as it stands, in ASCII; a sign that no font of pdfLaTeX has, by its number.

    >>> escape("pgd_8/255 & 95 %, é, 犬")
    "pgd\\_8/255 \\& 95 \\%, \\'{e}, {[}U+72AC{]}"
    """
    # Of two hyphens LaTeX would make a dash.
    return "".join("{}-" if pair == "--" else _sign(pair[1]) for pair in map("".join, pairwise(f" {text}")))


def _sign(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isascii():
        return character if character.isprintable() else " "
    apart = unicodedata.normalize("NFKD", character)
    base, marks = apart[0], apart[1:]
    if (base.isascii() or base in _ESCAPES) and all(mark in _ACCENTS for mark in marks):
        text = _sign(base)
        for mark in marks:
            text = f"\\{_ACCENTS[mark]}{{{text}}}"
        return text
    return f"{{[}}U+{ord(character):04X}{{]}}"


def latex(table: Table, *, title: str = "", label: str = "") -> str:
    """Return a ``table*`` environment: caption, booktabs rules, the columns meant for paper, notes below.

    A table that is wider than the text is scaled down to it.

    Parameters
    ----------
    table
        What to write.
    title
        The caption.
    label
        The label is ``tab:<label>``.
    """
    columns = [column for column in table.shown() if column.paper]
    rows = [_row(columns, record) for record in table.frame.to_dict("records")]
    head = ["% needs \\usepackage{booktabs,graphicx}", "\\begin{table*}", "\\centering"]
    if title:
        head.append(f"\\caption{{{escape(title)}}}")
    if label:
        head.append(f"\\label{{tab:{label}}}")
    head += ["\\footnotesize", "\\setlength{\\tabcolsep}{3pt}"]
    head += ["\\resizebox{\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi}{!}{%"]
    head += [f"\\begin{{tabular}}{{{_alignment(columns)}}}"]
    foot = ["\\bottomrule", "\\end{tabular}}"]
    if table.notes:
        foot += ["\\par\\smallskip", f"{{\\raggedright {' '.join(escape(note) for note in table.notes)}\\par}}"]
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
