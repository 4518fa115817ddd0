"""Class x tumour as a picture: every cell with its numbers, empty ones told apart, the same bytes each time."""

from __future__ import annotations

import math

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import igfmeta as im
from igfmeta.bayes.tau_priors import HalfCauchy
from igfmeta.errors import InputError
from igfmeta.plots.cells import half_eyes, shrinkage
from igfmeta.plots.hierarchy_files import save_figures
from igfmeta.plots.matrix import matrix, shade, shade_of_rate
from igfmeta.plots.prior import prior_figure
from igfmeta.synthesis.prior_meaning import prior_meaning


@pytest.fixture(scope="module")
def result():
    return im.hierarchy(im.load_evidence(), outcome="progression")


@pytest.fixture(scope="module")
def rates():
    return im.hierarchy(im.load_evidence(), outcome="orr")


def _texts(drawn):
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    renderer = canvas.get_renderer()
    return [(text.get_text(), text.get_window_extent(renderer)) for text in drawn.axes[0].texts if text.get_text()]


def test_every_cell_has_its_numbers(result):
    shown = [text for text, _ in _texts(matrix(result))]
    for cell in result.cells:
        assert f"{cell.median:.2f}" + (f"  (k = {cell.k})" if cell.k else "") in shown
        assert f"{cell.ci_lower:.2f}, {cell.ci_upper:.2f}" in shown


def test_cells_without_a_study_are_hatched(result):
    hatched = [patch for patch in matrix(result).axes[0].patches if patch.get_hatch()]
    assert len(hatched) == sum(cell.k == 0 for cell in result.cells)


@pytest.mark.parametrize("draw", [matrix, shrinkage, half_eyes])
@pytest.mark.parametrize("by", [("class", "tumor"), "class", "tumor"])
def test_texts_neither_overlap_nor_run_off(draw, by):
    _check_texts(draw(im.hierarchy(im.load_evidence(), outcome="os", by=by)))


@pytest.mark.parametrize("draw", [matrix, shrinkage])
def test_texts_of_rates_neither_overlap_nor_run_off(draw, rates):
    _check_texts(draw(rates))


@pytest.mark.parametrize("rates", [False, True])
def test_texts_of_priors_neither_overlap_nor_run_off(rates):
    _check_texts(prior_figure(prior_meaning({"class": HalfCauchy(2.0)}, rates=rates), rates=rates))


def _check_texts(drawn):
    width, height = drawn.get_size_inches() * drawn.dpi
    boxes = _texts(drawn)
    for i, (text, box) in enumerate(boxes):
        assert box.x0 >= 0, text
        assert box.x1 <= width, text
        assert box.y1 <= height, text
        for other, second in boxes[i + 1 :]:
            apart = box.x1 <= second.x0 or second.x1 <= box.x0 or box.y1 <= second.y0 + 1 or second.y1 <= box.y0 + 1
            assert apart, (text, other)


def test_shrinkage_draws_each_cell_that_has_studies(result):
    labels = [text for text, _ in _texts(shrinkage(result)) if "(k = " in text]
    assert len(labels) == sum(cell.k > 0 for cell in result.cells)


def test_rates_are_in_percent_and_an_arm_without_events_lies_on_the_edge(rates):
    shown = [text for text, _ in _texts(matrix(rates))]
    for cell in rates.cells:
        assert f"{100 * cell.median:.1f}" + (f"  (k = {cell.k})" if cell.k else "") in shown
    drawn = shrinkage(rates)
    circles = [line for line in drawn.axes[0].lines if line.get_marker() == "o"]
    edge = min(line.get_xdata()[0] for line in circles)
    none = sum(line.get_xdata()[0] == edge for line in circles)
    zero = 0
    for i, cell in enumerate(rates.cells):
        own = [s for s in rates.studies if (s.agent_class, s.tumor_type) == rates.keys[i]]
        zero += bool(cell.k) and sum(s.counts[0] for s in own) == 0
    assert none == zero > 0


def test_every_cell_and_average_has_its_density(rates):
    assert len(half_eyes(rates).axes[0].patches) == len(rates.cells) + len(rates.averages)


def test_colours_of_rates_fill_with_the_rate():
    assert sum(shade_of_rate(0.3, lower_is_better=False)) < sum(shade_of_rate(0.1, lower_is_better=False)) < 3


def test_colours_fill_away_from_1_and_turn_with_the_direction():
    near, far = shade(0.9, lower_is_better=True), shade(0.6, lower_is_better=True)
    assert sum(far) < sum(near) < 3
    assert shade(0.6, lower_is_better=True) == pytest.approx(shade(1 / 0.6, lower_is_better=False))
    assert shade(math.exp(5), lower_is_better=True) == shade(math.exp(9), lower_is_better=True)


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
def test_the_same_result_gives_the_same_bytes(result, tmp_path, suffix):
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        written = save_figures(result, tmp_path / name / f"m.{suffix}")
        assert [path.name for path in written] == [f"m{end}.{suffix}" for end in ("", "-shrinkage", "-densities")]
        contents.append([path.read_bytes() for path in written])
    assert contents[0] == contents[1]


def test_a_suffix_that_is_not_drawn(result, tmp_path):
    with pytest.raises(InputError, match=r"accepted are \.svg, \.pdf, \.png"):
        save_figures(result, tmp_path / "m.html")


def test_a_hierarchy_draws_itself_in_a_notebook(result):
    shown = result._repr_html_()
    assert shown.startswith("<svg")
    assert 'aria-label="Progression (HR) by class of agent and type of tumour"' in shown
    assert shown == result._repr_html_()
