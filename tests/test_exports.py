"""Files: exactly the rows given, units in the headings, provenance inside; pictures; the report page."""

import csv
import doctest
import io
import json
import re
import xml.etree.ElementTree as ElementTree

import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest

from dashboard import charts, exports, images, readable, report_page
from dashboard.exports import Provenance
from dashboard.report_page import Listing, Report
from tests.dashboard_support import ROWS

ABOUT = Provenance(
    "2026-01-02T03:04:05+00:00",
    {"model": "conv2d_stack", "batch": 8},
    {"a_cpu": "digest-1", "a_gpu": "digest-2"},
    version="1.2.3",
    model_version="4",
)
THEME = images.Theme("#FFFFFF", "#1B2733", "#D5DCE3", ("#0072B2", "#D55E00", "#009E73", "#CC79A7"))


def test_every_format_holds_the_same_rows():
    rows = len(ROWS["hardware"])
    text = list(csv.DictReader(exports.as_csv(ROWS, ABOUT).decode().splitlines()))
    parquet = pq.read_table(io.BytesIO(exports.as_parquet(ROWS, ABOUT))).to_pylist()
    listed = json.loads(exports.as_json(ROWS, ABOUT))["rows"]
    book = openpyxl.load_workbook(io.BytesIO(exports.as_excel(ROWS, ABOUT)))
    sheet = list(book["Rows"].values)[1:]
    assert len(text) == len(parquet) == len(listed) == len(sheet) == rows
    for index in range(rows):
        expected = {name: values[index] for name, values in ROWS.items()}
        assert parquet[index] == listed[index] == expected
        # a workbook has no empty texts, only empty cells
        assert ["" if v is None else v for v in sheet[index]] == list(expected.values())
        assert float(text[index]["latency_s"]) == expected["latency_s"]


def test_what_programs_read_keeps_the_names_of_the_design_and_what_people_read_says_units():
    header = exports.as_csv(ROWS, ABOUT).decode().splitlines()[0].split(",")
    assert header[: len(ROWS)] == list(ROWS)
    assert pq.read_table(io.BytesIO(exports.as_parquet(ROWS, ABOUT))).column_names == list(ROWS)
    book = openpyxl.load_workbook(io.BytesIO(exports.as_excel(ROWS, ABOUT)))
    headings = next(iter(book["Rows"].values))
    assert {"Latency (s)", "Energy (J)", "Speedup (×)", "Model"} <= set(headings)


def test_every_format_says_where_its_numbers_come_from():
    text = list(csv.DictReader(exports.as_csv(ROWS, ABOUT).decode().splitlines()))
    assert text[0]["provenance_version"] == "1.2.3/4"
    assert [row["provenance_profile"] for row in text] == ["digest-1", "digest-2", ""]
    schema = pq.read_schema(io.BytesIO(exports.as_parquet(ROWS, ABOUT)))
    facts = json.loads(schema.metadata[b"characterize"])
    assert facts == json.loads(exports.as_json(ROWS, ABOUT))["provenance"] == ABOUT.facts()
    assert facts["request"] == {"model": "conv2d_stack", "batch": 8}
    book = openpyxl.load_workbook(io.BytesIO(exports.as_excel(ROWS, ABOUT)))
    said = {(row[0], row[1]): row[2] for row in book["Provenance"].values}
    assert said["profiles", "a_gpu"] == "digest-2"
    assert said["made_at", None] == "2026-01-02T03:04:05+00:00"


def test_a_name_that_looks_like_a_formula_stays_a_name():
    content = exports.as_excel({"device": ["=1+1"], "latency_s": [float("nan")]}, ABOUT)
    cell = openpyxl.load_workbook(io.BytesIO(content))["Rows"]["A2"]
    assert (cell.value, cell.data_type) == ("=1+1", "s")
    assert list(openpyxl.load_workbook(io.BytesIO(content))["Rows"].values)[1][1] is None


def test_a_frame_that_holds_gaps_and_whole_numbers_can_be_saved():
    frame = pd.DataFrame({"layers": [3, None], "model": ["a", "b"]}).convert_dtypes()
    for kind in exports.FORMATS:
        assert kind.write(frame, ABOUT), kind.name
    assert json.loads(exports.as_json(frame, ABOUT))["rows"][1]["layers"] is None


def test_the_examples_of_the_module_hold():
    assert doctest.testmod(exports).failed == 0


# pictures


@pytest.fixture(scope="module")
def drawn():
    pytest.importorskip("vl_convert", reason="pictures need the extra 'images'")
    frame = readable.by_device(ROWS, readable.LATENCY, {})
    specification = charts.devices(
        pd.DataFrame(), "Latency", "s", spread="log", names=tuple(frame["device"]), ranged=True
    ).to_dict()
    specification.pop("data", None)
    for layer in specification["layer"]:
        layer.pop("data", None)
    return lambda kind, **more: images.draw(kind, specification, frame, THEME, **more)


def test_a_chart_is_saved_as_svg_with_title_theme_and_every_device(drawn):
    svg = drawn("svg", title="Latency by device", subtitle=["conv2d_stack, batch 1"]).decode()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    for text in ("Latency by device", "conv2d_stack, batch 1", *ROWS["hardware"]):
        assert text in svg
    assert "#0072b2" in svg.lower()  # the first architecture's colour


def test_a_chart_is_saved_as_png_at_twice_the_size(drawn):
    png = drawn("png")
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width = int.from_bytes(png[16:20], "big")
    assert width >= images.SCALE * images.WIDTH


def test_a_specification_on_its_own_holds_its_rows_and_a_size():
    whole = images.complete({"mark": "point"}, {"a": [1.0, None]}, THEME, "T", ["s"])
    assert whole["data"] == {"values": [{"a": 1.0}, {"a": None}]}
    assert whole["width"] == images.WIDTH
    assert whole["config"]["range"]["category"][0] == "#0072B2"
    assert "width" not in images.complete({"hconcat": []}, {"a": []}, THEME, "", [])


# the report page

REPORT = Report(
    title="What <this> costs",
    lines=["A & B"],
    figures=[("Latency", "1 ms")],
    charts=["c"],
    listings=[Listing("All figures", {"Device": ["a<b"], "Latency (ms)": [1.23456], "Fits": [None]})],
    about=ABOUT,
)  # fmt: skip


def test_the_report_is_one_page_that_needs_nothing_else():
    page = report_page.page(REPORT, {"Latency by device": "<svg width='1'></svg>"})
    assert page.startswith("<!doctype html>")
    assert not re.search(r"<script|<link|<img|src=|href=|url\(|@import", page)
    assert page.count("<svg") == 1
    assert "<h1>What &lt;this&gt; costs</h1>" in page
    assert "A &amp; B" in page
    assert '<td class="number">1.235</td>' in page
    assert "<td>–</td>" in page
    for said in ("1.2.3", "2026-01-02T03:04:05+00:00", "digest-1", "conv2d_stack"):
        assert said in page
