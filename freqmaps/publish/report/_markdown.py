"""The few parts of Markdown that the workflow description uses, as HTML."""

from __future__ import annotations

import re
from html import escape

_INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"\*([^*]+)\*"), r"<em>\1</em>"),
    (re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)"), r'<a href="\2">\1</a>'),
)


def render(text: str, *, level: int = 3) -> str:
    """Return HTML for headings, paragraphs, bullet and numbered lists, and inline code, emphasis and links.

    Parameters
    ----------
    text
        Markdown; HTML in it is shown, not interpreted.
    level
        The HTML level of ``#``, so that the page keeps one outline.

    Examples
    --------
    >>> render("Maps are *sparse*.")
    '<p>Maps are <em>sparse</em>.</p>'
    """
    blocks = [block for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]
    return "\n".join(_block(block.strip("\n"), level) for block in blocks)


def _block(block: str, level: int) -> str:
    heading = re.match(r"(#+)\s+(.*)", block)
    if heading:
        depth = min(6, level + len(heading.group(1)) - 1)
        rest = block[heading.end() :].strip()
        return f"<h{depth}>{_inline(heading.group(2))}</h{depth}>" + (_block(rest, level) if rest else "")
    for tag, marker in (("ul", r"[-*]\s+"), ("ol", r"\d+\.\s+")):
        if re.match(marker, block):
            parts = re.split(rf"(?m)^{marker}", block)[1:]
            return f"<{tag}>" + "".join(f"<li>{_inline(' '.join(p.split()))}</li>" for p in parts) + f"</{tag}>"
    return f"<p>{_inline(' '.join(block.split()))}</p>"


def _inline(text: str) -> str:
    # Code spans are set aside first: an asterisk within them is no emphasis.
    spans = re.split(r"(`[^`]+`)", escape(text))
    return "".join(_INLINE[0][0].sub(_INLINE[0][1], s) if s.startswith("`") else _marked(s) for s in spans)


def _marked(text: str) -> str:
    for pattern, replacement in _INLINE[1:]:
        text = pattern.sub(replacement, text)
    return text
