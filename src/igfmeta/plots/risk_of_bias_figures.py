"""Risk of bias drawn: a light for every study and domain, and how many studies have each judgement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from igfmeta.evidence.risk_of_bias import JUDGEMENTS, NOT_JUDGED, WORDS
from igfmeta.plots.canvas import GREY, INK, MARGIN, SIZE, SMALL, page, wide_enough
from igfmeta.plots.matplotlib_forest import STYLE, text_width
from igfmeta.synthesis.risk_of_bias import OVERALL, RiskOfBias
from igfmeta.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Lengths in points.
ROW, BAR, COLUMN = 15.0, 16.0, 62.0

#: Of a heading: its width before it goes on in the next line, and the height of a line.
WIDEST, LINE = 92.0, 10.0

#: Face, ink and sign of each judgement: the sign and the lightness carry the meaning without colour.
LOOKS = {
    "low": ("#d3e6f3", INK, "+"),
    "unclear": ("#ececec", INK, "?"),
    "some": ("#f0c46c", INK, "\N{MINUS SIGN}"),
    "high": ("#8c2d04", "white", "\N{MULTIPLICATION SIGN}"),
    NOT_JUDGED: ("white", GREY, ""),
}

DERIVED = "Every judgement follows from the evidence table by rule; this is no assessment by people."


def _heading(domain: str) -> str:
    return plain(domain.replace("_", " ").capitalize())


def _lines(heading: str) -> list[str]:
    """Return a heading in lines; a word that is wider than a line has one of its own."""
    lines: list[str] = []
    for word in heading.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, SIZE, True) <= WIDEST:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _notes(result: RiskOfBias) -> list[str]:
    left = f"{result.not_judged} selected studies were not judged." if result.not_judged else ""
    return [note for note in (result.rule, DERIVED if result.all_derived else "", left) if note]


def _key(axes: Any, y: float) -> None:
    x = MARGIN + 5
    for name in JUDGEMENTS:
        _light(axes, x, y, name)
        axes.text(x + 9, y, WORDS[name], size=SMALL, va="center", color=INK)
        x += 9 + text_width(WORDS[name], SMALL) + 18


def _light(axes: Any, x: float, y: float, judgement: str) -> None:
    from matplotlib.patches import Circle

    face, ink, sign = LOOKS[judgement]
    if judgement == NOT_JUDGED:
        return
    axes.add_patch(Circle((x, y), 5.2, facecolor=face, edgecolor=INK, lw=0.5))
    axes.text(x, y, sign, size=SIZE, weight="bold", ha="center", va="center_baseline", color=ink)


def traffic_lights(result: RiskOfBias) -> Figure:
    """Return a light for every study and domain, with the overall judgement apart."""
    import matplotlib as mpl

    title, notes = "Risk of bias by study", _notes(result)
    domains = (*result.domains, OVERALL)
    left = MARGIN + max(text_width(plain(study.label)) for study in result.studies) + 12
    headings = [_lines(_heading(name)) for name in domains]
    column = max(COLUMN, *(text_width(line, SIZE, True) + 12 for lines in headings for line in lines))
    width = wide_enough(left + column * len(domains) + MARGIN, title, notes)
    top = MARGIN + 38 + LINE * (max(map(len, headings)) - 1)
    height = top + ROW * len(result.studies) + 22 + 11 * len(notes) + MARGIN
    with mpl.rc_context(STYLE):
        drawn, axes = page(width, height)
        axes.text(MARGIN, MARGIN + 4, title, size=SIZE + 1, weight="bold", va="center", color=INK)
        for i, lines in enumerate(headings):
            x = left + column * (i + 0.5)
            for j, line in enumerate(reversed(lines)):
                axes.text(x, top - 14 - LINE * j, line, size=SIZE, weight="bold", ha="center", va="center", color=INK)
        axes.plot([MARGIN, left + column * len(domains)], [top - 6, top - 6], color=INK, lw=0.8)
        rule = left + column * len(result.domains)
        axes.plot([rule, rule], [top - 6, top + ROW * len(result.studies)], color="#bbbbbb", lw=0.6)
        for j, study in enumerate(result.studies):
            y = top + ROW * (j + 0.5)
            axes.text(MARGIN, y, plain(study.label), size=SIZE, va="center", color=INK)
            for i, name in enumerate(domains):
                _light(axes, left + column * (i + 0.5), y, result.judgement(study, name))
        below = top + ROW * len(result.studies) + 14
        _key(axes, below)
        for i, note in enumerate(notes):
            axes.text(MARGIN, below + 15 + 11 * i, note, size=SMALL, va="center", color=GREY)
    return drawn


def summary_bars(result: RiskOfBias) -> Figure:
    """Return how many studies have each judgement, one bar per domain."""
    import matplotlib as mpl
    from matplotlib.patches import Rectangle

    title, notes = "Risk of bias by domain: number of studies", _notes(result)
    domains = (*result.domains, OVERALL)
    left = MARGIN + max(text_width(_heading(name), SIZE, True) for name in domains) + 12
    width = wide_enough(left + 320 + MARGIN, title, notes)
    unit = (width - MARGIN - left) / len(result.studies)
    top = MARGIN + 22
    height = top + (BAR + 8) * len(domains) + 20 + 11 * (len(notes) + 1) + MARGIN
    with mpl.rc_context(STYLE):
        drawn, axes = page(width, height)
        axes.text(MARGIN, MARGIN + 4, title, size=SIZE + 1, weight="bold", va="center", color=INK)
        for j, domain in enumerate(domains):
            y, x = top + (BAR + 8) * j, left
            weight = "bold" if domain == OVERALL else "normal"
            axes.text(MARGIN, y + BAR / 2, _heading(domain), size=SIZE, weight=weight, va="center", color=INK)
            for name, count in result.counts(domain).items():
                face, ink, sign = LOOKS[name]
                axes.add_patch(Rectangle((x, y), unit * count, BAR, facecolor=face, edgecolor=INK, lw=0.5))
                fitting = [t for t in (f"{sign} {count}", f"{count}") if text_width(t, SMALL) + 2 < unit * count]
                if count and fitting:
                    text = fitting[0].strip()
                    axes.text(x + unit * count / 2, y + BAR / 2, text, size=SMALL, ha="center", va="center", color=ink)
                x += unit * count
        below = top + (BAR + 8) * len(domains) + 8
        _key(axes, below)
        notes = [*notes, "White: not judged in the domain."]
        for i, note in enumerate(notes):
            axes.text(MARGIN, below + 14 + 11 * i, note, size=SMALL, va="center", color=GREY)
    return drawn


def figures(result: RiskOfBias) -> list[tuple[str, Figure]]:
    """Return both figures by name."""
    return [("lights", traffic_lights(result)), ("summary", summary_bars(result))]
