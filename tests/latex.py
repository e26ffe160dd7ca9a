"""Whether LaTeX takes what we write, in tests."""

import os
import shutil
import subprocess

import pytest


def missing():
    """Return what LaTeX lacks here, None if nothing."""
    if shutil.which("pdflatex") is None or shutil.which("kpsewhich") is None:
        return "pdflatex"
    found = subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True, check=False)
    return "booktabs.sty" if found.returncode else None


#: Skips a test where there is no LaTeX; with FREQMAPS_REQUIRE_LATEX=1, as in CI, it runs and fails.
needs_latex = pytest.mark.skipif(
    os.environ.get("FREQMAPS_REQUIRE_LATEX") != "1" and missing() is not None,
    reason=f"no {missing()} here (on Debian: texlive-latex-recommended)",
)


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
