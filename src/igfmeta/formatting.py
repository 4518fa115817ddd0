"""How numbers are written: once, here, the same in the terminal, in tables, figures and reports."""

from __future__ import annotations

import math

#: Stands for what could not be estimated.
NOT_ESTIMABLE = "–"


def number(value: float | None, decimals: int = 2) -> str:
    """Return a number with fixed decimals, so that a right-aligned column is aligned on the decimal point.

    Numbers of 1,000 and more lose their decimals, very large ones keep three significant digits.

    Examples
    --------
    >>> number(1.0749), number(None), number(2589.04), number(123456.789), number(-0.001)
    ('1.07', '–', '2589', '1.23e+05', '0.00')
    """
    if value is None or not math.isfinite(value):
        return NOT_ESTIMABLE
    if abs(value) >= 10_000:
        return f"{value:.3g}"
    decimals = 0 if abs(value) >= 1_000 else decimals
    # A small negative number is rounded to 0, not to -0.
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def interval(lower: float | None, upper: float | None, decimals: int = 2) -> str:
    """Return `lower, upper`: short enough for a terminal, and clear with negative numbers.

    Examples
    --------
    >>> interval(0.97, 1.21)
    '0.97, 1.21'
    """
    if lower is None or upper is None or not (math.isfinite(lower) and math.isfinite(upper)):
        return NOT_ESTIMABLE
    return f"{number(lower, decimals)}, {number(upper, decimals)}"


def percent(value: float | None, decimals: int = 0) -> str:
    """Return a fraction as a percentage.

    Examples
    --------
    >>> percent(0.0834, 1)
    '8.3 %'
    """
    return NOT_ESTIMABLE if value is None or not math.isfinite(value) else f"{100 * value:.{decimals}f} %"


def probability(value: float | None, decimals: int = 3) -> str:
    """Return a probability; never 0 or 1 for one that is not.

    Examples
    --------
    >>> probability(0.04321), probability(1e-9), probability(0.99999)
    ('0.043', '<0.001', '>0.999')
    """
    if value is None or not math.isfinite(value):
        return NOT_ESTIMABLE
    edge = 10.0**-decimals
    if 0 < value < edge:
        return f"<{edge:.{decimals}f}"
    if 1 - edge < value < 1:
        return f">{1 - edge:.{decimals}f}"
    return f"{value:.{decimals}f}"


def p_value(value: float | None) -> str:
    """Return a p-value with its sign of equality or inequality.

    Examples
    --------
    >>> p_value(0.04321), p_value(1e-9), p_value(0.0)
    ('p = 0.043', 'p < 0.001', 'p < 0.001')
    """
    # A p-value of 0 is one too small for a float.
    shown = probability(math.ulp(0.0) if value == 0 else value)
    return f"p {shown[0]} {shown[1:]}" if shown[0] in "<>" else f"p = {shown}"


def small(value: float | None, decimals: int = 3) -> str:
    """Return a quantity that is at least 0, such as a variance; `<0.001` where it is not zero but prints so.

    Examples
    --------
    >>> small(0.0), small(0.0004), small(0.3132)
    ('0.000', '<0.001', '0.313')
    """
    if value is not None and 0 < value < 0.5 * 10.0**-decimals:
        return f"<{10.0**-decimals:.{decimals}f}"
    return number(value, decimals)


def significant(value: float | None, digits: int = 5) -> str:
    """Return a number with significant digits, for quantities of any size.

    Examples
    --------
    >>> significant(-24.944456), significant(1.2e-15), significant(None)
    ('-24.944', '1.2e-15', '–')
    """
    return NOT_ESTIMABLE if value is None or not math.isfinite(value) else f"{value:.{digits}g}"


def count(value: float | None) -> str:
    """Return an integer with thousands parted.

    Examples
    --------
    >>> count(12345.0)
    '12,345'
    """
    return NOT_ESTIMABLE if value is None or not math.isfinite(value) else f"{value:,.0f}"
