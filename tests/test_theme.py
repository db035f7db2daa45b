"""The theme: colours in .streamlit/config.toml, with every contrast that the pages need computed."""

import itertools
import tomllib

import numpy as np
import pytest

from dashboard import encodings, palette
from tests.dashboard_support import ROOT

THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
MODES = ("light", "dark")
TEXT, MARK = 4.5, 3.0  # WCAG 2.2, criteria 1.4.3 and 1.4.11

# Linear RGB as people with each kind of vision see it (Machado, Oliveira, Fernandes 2009, severity 1).
VISION = {
    "normal": np.eye(3),
    "protan": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deutan": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "tritan": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
WHITE = np.array([0.95047, 1.0, 1.08883])


def linear(colour):
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    darker, lighter = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def lab(colour, vision):
    xyz = TO_XYZ @ np.clip(VISION[vision] @ linear(colour), 0, 1) / WHITE
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def closest(colours):
    pairs = itertools.combinations(colours, 2)
    return min(np.linalg.norm(lab(a, v) - lab(b, v)) for a, b in pairs for v in VISION)


def test_black_on_white_is_the_largest_contrast_there_is():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
    assert contrast("#0059A8", "#0059A8") == pytest.approx(1.0)


@pytest.mark.parametrize("mode", MODES)
def test_text_is_legible_on_every_surface(mode):
    theme = THEME[mode]
    for surface in (theme["backgroundColor"], theme["secondaryBackgroundColor"]):
        assert contrast(theme["textColor"], surface) >= TEXT
        assert contrast(theme["linkColor"], surface) >= TEXT


@pytest.mark.parametrize("mode", MODES)
def test_primary_buttons_carry_white_text_and_stand_out(mode):
    theme = THEME[mode]
    assert contrast(theme["primaryColor"], "#FFFFFF") >= TEXT
    assert contrast(theme["primaryColor"], theme["backgroundColor"]) >= MARK


@pytest.mark.parametrize("mode", MODES)
def test_every_chart_colour_stands_out_from_the_page(mode):
    theme = THEME[mode]
    for colour in theme["chartCategoricalColors"]:
        assert contrast(colour, theme["backgroundColor"]) >= MARK, colour


@pytest.mark.parametrize("mode", MODES)
def test_the_reference_colour_can_be_text(mode):
    colour = THEME[mode]["chartCategoricalColors"][palette.DOMAIN.index(palette.REFERENCE)]
    assert contrast(colour, THEME[mode]["backgroundColor"]) >= TEXT


@pytest.mark.parametrize("mode", MODES)
def test_text_at_axes_and_legends_is_legible_and_known_for_each_background(mode):
    # a chart takes the first above a luminance of 0.179, the second below
    background = THEME[mode]["backgroundColor"]
    luminance = float(linear(background) @ [0.2126, 0.7152, 0.0722])
    text = encodings.ON_PAGE[0 if luminance > 0.179 else 1]
    assert contrast(text, background) >= TEXT


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("group", [palette.ARCHITECTURES, palette.BOTTLENECKS])
def test_colours_shown_together_are_told_apart_by_all_kinds_of_vision(mode, group):
    colours = THEME[mode]["chartCategoricalColors"]
    # CIE76 distance; 2.3 is just noticeable, 10 is seen at a glance
    assert closest([colours[palette.DOMAIN.index(name)] for name in group]) > 15


@pytest.mark.parametrize("mode", MODES)
def test_each_category_has_its_colour_and_a_shape(mode):
    assert len(THEME[mode]["chartCategoricalColors"]) == len(palette.DOMAIN) == len(palette.SHAPES)
    assert len(set(palette.SHAPES)) == len(palette.SHAPES)
    # Streamlit takes sequential palettes of ten colours only
    assert len(THEME[mode]["chartSequentialColors"]) == 10


def test_colours_are_set_for_each_mode_so_that_the_switch_stays():
    # a colour on [theme] itself would take the light/dark switch away
    assert not [key for key in THEME if key.endswith(("Color", "Colors"))]
    assert set(THEME["light"]) == set(THEME["dark"])
