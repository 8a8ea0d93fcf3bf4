"""The parts of a report: page, section, table, figure; everything in one file, for light and for dark paper."""

from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["figure", "figures", "page", "paragraph", "section", "table"]

_STYLE = """
:root { color-scheme: light dark; --paper: #fdfdfb; --ink: #1d2329; --soft: #5d6873; --line: #d5d9dd; --best: #e4f2e7; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15191d; --ink: #e4e8ec; --soft: #98a4b0; --line: #353d45; --best: #1d3a27; }
}
body { background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", "Noto Sans", sans-serif;
  margin: 0 auto; max-width: 1240px; padding: 2.5rem 1.5rem 5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .6rem; }
h2 { font-size: 1.35rem; margin: 3rem 0 .6rem; border-top: 1px solid var(--line); padding-top: 1.4rem; }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
p { max-width: 76ch; margin: .5rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .84rem; margin: .8rem 0; }
th, td { padding: .3rem .5rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child { text-align: left; font-weight: 600; }
td.words { text-align: left; white-space: normal; min-width: 9rem; color: var(--soft); }
tr.best td { background: var(--best); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; font-size: .9rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(270px, 1fr)); gap: 1rem; margin: .8rem 0; }
.charts { grid-template-columns: repeat(auto-fill, minmax(440px, 1fr)); }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .84rem; }
img { width: 100%; height: auto; display: block; image-rendering: pixelated; }
img.wheel { width: 97px; }
svg.chart { width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .frame { fill: none; stroke: var(--line); }
svg .grid, svg .tick { stroke: var(--line); } svg .mark { stroke: var(--soft); stroke-dasharray: 2 4; }
"""


def page(title: str, facts: Mapping[str, str], body: Sequence[str]) -> str:
    """Return the whole file: a title, what it was made of and with, and its sections."""
    told = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body><h1>{escape(title)}</h1><dl>{told}</dl>\n{chr(10).join(body)}\n</body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    """Return a heading and what stands under it."""
    return f"<h2>{escape(title)}</h2>\n" + "\n".join(parts)


def paragraph(words: str, heading: str = "") -> str:
    """Return a paragraph, under a small heading if one is given."""
    return (f"<h3>{escape(heading)}</h3>" if heading else "") + f"<p>{escape(words)}</p>"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, best: int | None = None, words: int = -1) -> str:
    """Return a table; the row `best` is marked, and the column `words` holds sentences (−1: none)."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = []
    for number, row in enumerate(rows):
        cells = [
            f'<td class="words">{escape(cell)}</td>' if at == words else f"<td>{escape(cell)}</td>"
            for at, cell in enumerate(row)
        ]
        body.append(f"<tr{' class=best' if number == best else ''}>{''.join(cells)}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def figure(picture: str, caption: str) -> str:
    """Return a picture or chart with its caption."""
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def figures(heading: str, sentence: str, parts: Sequence[str], kind: str = "") -> str:
    """Return several figures side by side under a heading and the sentence that explains them."""
    return paragraph(sentence, heading) + f'<div class="figures {kind}">{"".join(parts)}</div>'
