"""Whether LaTeX takes what we write, in tests."""

import shutil
import subprocess

import pytest

needs_latex = pytest.mark.skipif(
    shutil.which("pdflatex") is None or not shutil.which("kpsewhich")
    or subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True, check=False).returncode != 0,
    reason="no pdfLaTeX with booktabs here (on Debian: texlive-latex-recommended)",
)  # fmt: skip


def compiled(folder, *texts, columns=1):
    """Compile a paper with these tables or figures; return what LaTeX said. Every warning of a wide box is in it."""
    kind = "twocolumn" if columns == 2 else "onecolumn"
    body = "\n\\clearpage\n".join(texts)
    paper = folder / "paper.tex"
    paper.write_text(
        f"\\documentclass[{kind}]{{article}}\n\\usepackage{{booktabs,graphicx}}\n\\begin{{document}}\n{body}\n"
        "\\end{document}\n"
    )
    line = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", paper.name]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, "\n".join(x for x in done.stdout.splitlines() if x.startswith(("!", "l.")))
    return done.stdout
