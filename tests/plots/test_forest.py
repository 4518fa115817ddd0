"""The forest plot: its layout as data, and what each renderer makes of it."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

import igfmeta as im
from igfmeta.errors import InputError
from igfmeta.plots import matplotlib_forest as mpl
from igfmeta.plots.files import save_forest
from igfmeta.plots.forest import Forest, ForestGroup, ForestRow, ForestSummary
from igfmeta.plots.html_forest import to_html, to_page
from igfmeta.plots.layout import lay_out
from igfmeta.plots.text_forest import small_forest, to_text
from igfmeta.plots.ticks import linear_ticks, ratio_ticks


def _row(label="Study 2014", estimate=0.1, half=0.3, weight=10.0, **more):
    low, high = (None, None) if estimate is None else (estimate - half, estimate + half)
    return ForestRow(label=label, estimate=estimate, ci_lower=low, ci_upper=high, weight=weight, **more)


def _total(label="All studies", **more):
    return ForestSummary(label=label, estimate=0.05, ci_lower=-0.1, ci_upper=0.2, pi_lower=-0.4, pi_upper=0.5, k=3,
                         tau2=0.01, i2=20.0, text="k = 3", **more)  # fmt: skip


def _forest(groups, total=None, **more):
    options = {"title": "Survival", "measure": "HR", "effect_label": "Hazard ratio (95 % CI)", "transform": "exp",
               "null": 0.0, "favours": ("Favours drug", "Favours control"), "left_columns": (("n", "n"),),
               "weight_label": "Weight (random effects)", "lines": ("Heterogeneity: Q = 1",),
               "footnotes": (("d", "Derived."),), **more}  # fmt: skip
    return Forest(groups=tuple(groups), total=total, **options)


@pytest.fixture
def forest():
    rows = (
        _row(weight=40.0, href="https://doi.org/10.1/x", source="A 2014. Title", cells={"n": "120"}, marks=("d",)),
        _row("Wide 2015", 0.4, 4.0, 2.5),
        _row("Nothing 2016", None, weight=None),
    )
    other = (_row("Alone 2017", -0.3, 0.2, 57.5),)
    return _forest(
        [ForestGroup("Lung", rows, _total("Pooled")), ForestGroup("Skin", other, None)],
        _total(second=(0.04, -0.2, 0.3), second_label="Posterior"),
    )


def test_every_study_has_its_line_also_one_that_is_not_estimable(forest):
    lines = [line for line in lay_out(forest).lines if line.kind == "study"]
    assert [line.cells["label"] for line in lines] == ["Study 2014", "Wide 2015", "Nothing 2016", "Alone 2017"]
    assert lines[2].cells["estimate"] == "–"
    assert lines[2].cells["weight"] == "–"
    assert lines[2].mark is None


def test_the_kinds_of_lines_and_marks(forest):
    kinds = [(line.kind, line.mark.kind if line.mark else None) for line in lay_out(forest).lines]
    assert kinds == [
        ("heading", None), ("study", "square"), ("study", "square"), ("study", None), ("summary", "diamond"),
        ("prediction", "bar"), ("note", None), ("heading", None), ("study", "square"), ("total", "diamond"),
        ("posterior", "hollow_diamond"), ("prediction", "bar"), ("note", None),
    ]  # fmt: skip


def test_a_cut_interval_has_an_arrow_and_its_true_limits_in_the_text(forest):
    wide = next(line for line in lay_out(forest).lines if line.cells.get("label") == "Wide 2015")
    assert (wide.mark.cut_lower, wide.mark.cut_upper) == (True, True)
    assert (wide.mark.lower, wide.mark.upper) == (0.0, 1.0)
    assert wide.cells["estimate"] == f"{math.exp(0.4):.2f} [{math.exp(-3.6):.2f}, {math.exp(4.4):.2f}]"


def test_the_area_of_a_square_is_proportional_to_the_weight(forest):
    sizes = {
        line.cells["label"]: line.mark.size for line in lay_out(forest).lines if line.kind == "study" and line.mark
    }
    assert sizes["Alone 2017"] == 1.0
    assert sizes["Study 2014"] ** 2 / sizes["Wide 2015"] ** 2 == pytest.approx(40 / 2.5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-4, 4), st.floats(0.01, 6), st.floats(0, 100)), min_size=1, max_size=12),
       st.sampled_from(["exp", "identity"]))  # fmt: skip
def test_every_estimate_is_on_the_axis_and_every_mark_inside_it(studies, transform):
    rows = tuple(_row(f"S{i}", y, half, w) for i, (y, half, w) in enumerate(studies))
    layout = lay_out(_forest([ForestGroup(None, rows, None)], _total(), transform=transform))
    for line in layout.lines:
        if line.kind == "study":
            assert line.mark.middle is not None
        if line.mark:
            assert 0 <= line.mark.lower <= line.mark.upper <= 1
            if line.mark.middle is not None:
                assert line.mark.lower <= line.mark.middle <= line.mark.upper
    places = [layout.axis.fraction(value) for value, _ in layout.axis.ticks]
    assert places == sorted(places)
    assert min(places) >= 0
    assert max(places) <= 1


@given(st.floats(0.001, 900), st.floats(1.05, 1000))
def test_ticks_of_ratios_are_round(low, factor):
    for tick in ratio_ticks(low, low * factor):
        assert low * 0.999 <= tick <= low * factor * 1.001
        assert len(f"{tick:.10g}".replace(".", "").strip("0")) <= 5


@given(st.floats(1e-6, 1.0), st.floats(1.0, 1e6))
def test_the_null_is_a_tick_of_an_axis_that_holds_it_on_both_sides(low, high):
    if low < 0.97 and high > 1.03:
        assert 1 in ratio_ticks(low, high)


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_ticks_of_differences_are_evenly_spaced(low, width):
    ticks = linear_ticks(low, low + width)
    gaps = [b - a for a, b in pairwise(ticks)]
    assert 2 <= len(ticks) <= 8
    assert gaps == pytest.approx([gaps[0]] * len(gaps), rel=1e-6)


def _texts(figure):
    """Return the texts of a figure with their boxes in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    return [(text.get_text(), text.get_window_extent(renderer)) for text in figure.axes[0].texts if text.get_text()]


@pytest.fixture(scope="module")
def antibodies():
    return im.pool(im.load_evidence(), agent_class="antibody")


@pytest.mark.parametrize("which", ["made", "os", "orr"])
def test_no_two_texts_overlap_and_none_runs_off_the_canvas(forest, antibodies, which):
    from igfmeta.plots.pool_forest import answer_forest

    drawn = mpl.figure(forest if which == "made" else answer_forest(antibodies[which]))
    width, height = drawn.get_size_inches() * drawn.dpi
    boxes = _texts(drawn)
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.x1 <= width, text
        assert box.y0 >= 0, text
        assert box.y1 <= height, text
    for i, (text, box) in enumerate(boxes):
        for other, second in boxes[i + 1 :]:
            apart = box.x1 <= second.x0 or second.x1 <= box.x0 or box.y1 <= second.y0 + 1 or second.y1 <= box.y0 + 1
            assert apart, (text, other)


def test_no_text_covers_the_plot(forest):
    places = mpl.geometry(lay_out(forest))
    for start, end in places.columns.values():
        assert end <= places.plot[0] or start >= places.plot[1]


def test_a_figure_grows_with_its_studies():
    heights = [mpl.figure(_forest([ForestGroup(None, (_row(),) * k, None)])).get_size_inches()[1] for k in (3, 60)]
    assert heights[1] - heights[0] == pytest.approx(57 * mpl.ROW / 72)


def test_long_names_widen_the_figure():
    widths = [mpl.figure(_forest([ForestGroup(None, (_row("x" * n),), None)])).get_size_inches()[0] for n in (5, 80)]
    assert widths[1] > widths[0] + 4


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
def test_the_same_forest_gives_the_same_bytes(tmp_path, suffix):
    code = (
        "import igfmeta as im, sys\n"
        "r = im.pool(im.load_evidence(), agent_class='antibody', outcome='os')\n"
        "r.forest().save(sys.argv[1])\n"
    )
    contents = []
    for seed in ("1", "2"):
        path = tmp_path / f"{seed}.{suffix}"
        subprocess.run([sys.executable, "-c", code, str(path)], check=True, env={"PYTHONHASHSEED": seed})
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


def test_svg_has_real_text_a_title_and_a_description(forest):
    svg = mpl.render(forest, "svg").decode()
    root = ET.fromstring(svg[svg.index("<svg") :])
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert {"title", "desc", "text"} <= names
    assert root.get("role") == "img"
    texts = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]
    assert any("Wide 2015" in text for text in texts)
    assert "<dc:date>" not in svg
    assert 'xlink:href="https://doi.org/10.1/x"' in svg


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text, self.hrefs = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.hrefs += [value for name, value in attrs if name in ("href", "src") and tag != "use"]

    def handle_data(self, data):
        self.text.append(data)


def _parsed(markup):
    page = _Page()
    page.feed(markup)
    return page


def test_html_is_a_table_with_captions_headings_and_labelled_drawings(forest):
    page = _parsed(to_page([forest], title="Survival"))
    tags = [tag for tag, _ in page.tags]
    assert {"caption", "thead", "tbody", "th", "main", "h1"} <= set(tags)
    assert ("html", {"lang": "en"}) in page.tags
    drawings = [attrs for tag, attrs in page.tags if tag == "svg" and attrs.get("role") == "img"]
    assert len(drawings) == sum(line.kind not in ("heading", "note") for line in lay_out(forest).lines)
    assert all(attrs["aria-label"] for attrs in drawings)
    assert [attrs["scope"] for tag, attrs in page.tags if tag == "th" and "scope" not in attrs] == []


def test_a_page_asks_for_nothing_outside_itself(forest):
    page = _parsed(to_page([forest], title="Survival"))
    assert page.hrefs == ["#content", "https://doi.org/10.1/x"]
    assert not any(tag in ("script", "link", "img", "iframe") for tag, _ in page.tags)
    assert "url(" not in to_page([forest], title="x")
    assert "@import" not in to_page([forest], title="x")


EVIL = "<script>alert(1)</script>"


def test_markup_in_the_data_stays_text():
    row = _row(EVIL, href="javascript:alert(1)", source='"><img src=x>', cells={"n": EVIL})
    forest = _forest([ForestGroup(EVIL, (row,), None)], title=EVIL)
    for markup in (to_html(forest), to_page([forest], title=EVIL)):
        page = _parsed(markup)
        assert not any(tag in ("script", "img") for tag, _ in page.tags)
        assert "javascript:" not in markup
    svg = mpl.render(forest, "svg").decode()
    assert "<script>" not in svg
    ET.fromstring(svg[svg.index("<svg") :])


def test_control_characters_and_direction_overrides_are_taken_out():
    forest = _forest([ForestGroup(None, (_row("a\x1b[31mb\u202ec\u2066d"),), None)])
    for text in (to_text(forest), to_html(forest)):
        assert not re.search(r"[\x1b\u202e\u2066]", text)
        assert "a[31mbcd" in text


def test_text_forest_fits_its_width_and_knows_ascii(forest):
    text = to_text(forest, width=100)
    assert max(map(len, text.splitlines())) <= 100
    assert {"■", "◆", "◇", "━", "▸"} <= set(text)
    assert to_text(forest, width=100, unicode=False).isascii()


def test_estimates_line_up_in_a_text_forest(forest):
    ends = {
        len(line.rstrip())
        for line in to_text(forest).splitlines()
        if "]" in line and "%" not in line and line[0] != "["
    }
    assert len(ends) <= 2  # with and without a weight


def test_the_small_forest_shares_one_axis():
    lines = small_forest([(0.0, -1.0, 1.0), (0.5, 0.0, 1.0), (None, None, None)], null=0.0, width=21)
    assert [len(line) for line in lines] == [21, 21, 21]
    assert lines[0].index("◆") < lines[1].index("◆")
    assert "│" in lines[2]


def test_results_draw_themselves(antibodies, tmp_path):
    assert antibodies["os"].overall.fit.k == 8
    markup = antibodies._repr_html_()
    assert markup.count("<table") == 3
    assert markup.count("<style>") == 1
    written = antibodies.forest().save(tmp_path / "f.svg")
    assert [path.name for path in written] == ["f-os.svg", "f-progression.svg", "f-orr.svg"]


def test_columns_are_selectable_on_either_side(antibodies):
    drawn = antibodies.forest(bayes=False, left=("agent", "phase"), right=("estimate", "rule")).named[0][1]
    layout = lay_out(drawn)
    assert [column.heading for column in layout.left] == ["Study", "Agent", "Phase"]
    assert [column.key for column in layout.right] == ["estimate", "rule"]
    study = next(line for line in layout.lines if line.cells["label"].startswith("Fuchs"))
    assert (study.cells["agent"], study.cells["phase"]) == ("ganitumab", "3")
    assert not any(line.kind == "posterior" for line in layout.lines)
    with pytest.raises(InputError, match="column on the left was 'colour'"):
        antibodies.forest(left=("colour",))


def test_a_study_whose_numbers_give_no_effect_keeps_its_line(antibodies):
    layout = lay_out(dict(antibodies.forest().named)["progression"])
    heading = next(i for i, line in enumerate(layout.lines) if line.cells["label"] == "Not estimable")
    assert "robertson2013-01" in layout.lines[heading + 1].cells["label"]
    assert layout.lines[heading + 1].cells["estimate"] == "–"
    assert "one- or two-sided" in layout.lines[heading + 1].hover


def test_files_by_suffix(forest, tmp_path):
    for suffix in (".svg", ".pdf", ".png", ".html", ".txt"):
        assert save_forest(forest, tmp_path / f"f{suffix}").stat().st_size > 500
    with pytest.raises(InputError, match=r"ends in \.jpg; accepted are \.svg"):
        save_forest(forest, tmp_path / "f.jpg")
    with pytest.raises(InputError, match="cannot be written"):
        save_forest(forest, tmp_path / "nowhere" / "f.svg")
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".html", ".pdf", ".png", ".svg", ".txt"]
