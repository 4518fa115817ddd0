"""Class x tumour as a picture: every cell with its numbers, empty ones told apart, the same bytes each time."""

from __future__ import annotations

import math

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import igfmeta as im
from igfmeta.errors import InputError
from igfmeta.plots.matrix import matrix, save_figures, shade, shrinkage


@pytest.fixture(scope="module")
def result():
    return im.hierarchy(im.load_evidence(), outcome="progression")


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


@pytest.mark.parametrize("draw", [matrix, shrinkage])
@pytest.mark.parametrize("by", [("class", "tumor"), "class", "tumor"])
def test_texts_neither_overlap_nor_run_off(draw, by):
    drawn = draw(im.hierarchy(im.load_evidence(), outcome="os", by=by))
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
        assert [path.name for path in written] == [f"m.{suffix}", f"m-shrinkage.{suffix}"]
        contents.append([path.read_bytes() for path in written])
    assert contents[0] == contents[1]


def test_a_suffix_that_is_not_drawn(result, tmp_path):
    with pytest.raises(InputError, match=r"accepted are \.svg, \.pdf, \.png"):
        save_figures(result, tmp_path / "m.html")
