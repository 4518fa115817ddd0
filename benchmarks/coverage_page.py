"""The record of the coverage simulations as a page of tables."""

from __future__ import annotations

from typing import Any

from coverage_scenarios import signed
from coverage_themes import THEMES

#: Shares further than this from what they ought to be are marked, in percent points.
FAR = 2.0


def _marked(share: float, n: int, *, nominal: float, above_is_bad: bool) -> str:
    """Return a share in percent: bold where an interval is too short or a test rejects too often, italic where the
    opposite. Further than `FAR` points and two Monte Carlo errors."""
    percent, error = 100 * share, 100 * (nominal * (1 - nominal) / n) ** 0.5
    text, off = f"{percent:.1f}", percent - 100 * nominal
    if abs(off) <= max(FAR, 2 * error):
        return text
    return f"**{text}**" if (off > 0) == above_is_bad else f"*{text}*"


def _entry(count: dict[str, Any] | None, quantity: str, level: float, alpha: float) -> str:
    if count is None or "se" not in count:
        return ""
    if "bias" in count:
        text = signed(count["bias"], 3)
        return f"**{text}**" if abs(count["bias"]) > max(0.05, 3 * count["se"]) else text
    is_test = quantity.startswith("size")
    return _marked(count["share"], count["n"], nominal=alpha if is_test else level, above_is_bad=is_test)


def _table(cells: list[dict[str, Any]], quantity: str, level: float, alpha: float) -> list[str]:
    settings = list(cells[0]["settings"])
    methods = list(dict.fromkeys(name for cell in cells for name in cell["found"][quantity]))
    lines = [f"| {' | '.join([*settings, *methods])} |", "|" + "---|" * len(settings) + "---:|" * len(methods)]
    for cell in cells:
        values = [f"{cell['settings'][name]}" for name in settings]
        shown = [_entry(cell["found"][quantity].get(name), quantity, level, alpha) for name in methods]
        lines.append(f"| {' | '.join([*values, *shown])} |")
    return lines


def _numbers(cells: list[dict[str, Any]], quantity: str) -> str:
    """Say how many data sets there were, and the largest Monte Carlo error."""
    counts = [one for cell in cells for one in cell["found"][quantity].values() if "se" in one]
    error = max(one["se"] for one in counts)
    sizes = sorted({cell["replicates"] for cell in cells})
    said = " to ".join(f"{n:,}" for n in dict.fromkeys((sizes[0], sizes[-1])))
    largest = f"{error:.3f}" if "bias" in counts[0] else f"{100 * error:.1f} points"
    return f"{said} data sets for each line; largest Monte Carlo error {largest}."


def _silent(cells: list[dict[str, Any]], quantity: str) -> list[str]:
    """Say which methods had no answer for some data sets, and in how many at most."""
    most: dict[str, float] = {}
    for cell in cells:
        for name, count in cell["found"][quantity].items():
            most[name] = max(most.get(name, 0.0), 1 - count["n"] / count.get("of", count["n"]))
    lacking_any = [f"{name} {100 * share:.1f} %" for name, share in most.items() if share > 0]
    return [f"Without an answer, at most: {', '.join(lacking_any)}.", ""] if lacking_any else []


def page(record: dict[str, Any]) -> str:
    """Return the page."""
    level, alpha = record["level"], record["alpha"]
    lines = [
        "# Coverage",
        "",
        f"How often {100 * level:g} % intervals hold what they are of, and how often tests at {100 * alpha:g} % reject "
        "what is true, in percent of simulated data sets. **Bold**: an interval too short, or a test that rejects too "
        f"often, by more than {FAR:g} points and two Monte Carlo errors; *italic*: too wide, or too timid. Of "
        "estimates the bias is given, bold above 0.05. Every number and sentence here is written by "
        "`benchmarks/coverage.py` from [its record](../benchmarks/coverage.json), which also has the Monte Carlo error "
        "of each number and the median width of each interval; a test asserts on it and repeats a part of it to the "
        "bit.",
        "",
        "Contents: " + ", ".join(f"[{m.TITLE}](#{m.TITLE.lower().replace(' ', '-')})" for m in THEMES.values()) + ".",
    ]
    for theme, module in THEMES.items():
        cells = [cell for cell in record["cells"] if cell["theme"] == theme]
        if not cells:
            continue
        lines += ["", f"## {module.TITLE}", "", module.ABOUT, ""]
        lines += [f"- {sentence}" for sentence in module.remarks(cells)]
        for part in dict.fromkeys(cell["part"] for cell in cells):
            own = [cell for cell in cells if cell["part"] == part]
            for quantity in own[0]["found"]:
                lines += ["", f"### {part}: {quantity}", "", _numbers(own, quantity), "", *_silent(own, quantity)]
                lines += _table(own, quantity, level, alpha)
    return "\n".join(lines) + "\n"
