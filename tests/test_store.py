"""The store: what goes in comes out, whoever else has the file, whatever was killed."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from characterize.errors import InvalidValueError, StoreError, UnknownNameError
from characterize.store import Store, access, default_path, key, schema
from characterize.store.schema import HEAD, SCHEMA_VERSION, TAIL
from tests.store_support import row

# keys


def test_a_key_does_not_depend_on_the_order_of_its_mapping():
    assert key({"a": 1, "b": {"c": [1, 2], "d": None}}) == key(
        {"b": {"d": None, "c": (1, 2)}, "a": 1}
    )


def test_a_key_takes_numpy_numbers_for_the_numbers_they_are():
    assert key({"a": np.int64(3), "b": np.array([1.5])}) == key({"a": 3, "b": [1.5]})


@pytest.mark.parametrize(
    "other", [{"a": 2}, {"a": 1.0}, {"a": "1"}, {"a": True}, {"b": 1}, {"a": 1, "b": None}, {}]
)
def test_whatever_differs_has_another_key(other):
    assert key({"a": 1}) != key(other)


def test_what_has_no_canonical_text_cannot_be_in_a_key():
    with pytest.raises(InvalidValueError, match=r"cannot depend on .* of type set"):
        key({"a": {1, 2}})


# where the file is


def test_the_environment_names_the_file(monkeypatch, tmp_path):
    monkeypatch.setenv("CHARACTERIZE_STORE", str(tmp_path / "here.duckdb"))
    assert Store().path == default_path() == tmp_path / "here.duckdb"


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_DATA_HOME", "characterize/store.duckdb"),
        ("win32", "LOCALAPPDATA", "characterize/store.duckdb"),
        ("darwin", "HOME", "Library/Application Support/characterize/store.duckdb"),
    ],
)
def test_each_platform_has_its_own_place(monkeypatch, tmp_path, platform, variable, expected):
    monkeypatch.delenv("CHARACTERIZE_STORE", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert default_path() == tmp_path / expected


def test_reading_a_store_that_is_not_there_finds_nothing_and_makes_nothing(tmp_path):
    store = Store(tmp_path / "deep" / "store.duckdb")
    assert store.rows(["a"]) == {}
    assert store.template("a") is None
    assert store.clear() == 0
    assert store.info()["rows"] == 0
    assert list(store.frame("SELECT * FROM results").columns) == [*HEAD, *TAIL]
    assert list(tmp_path.iterdir()) == []


def test_writing_makes_the_file_and_its_folder(tmp_path):
    store = Store(tmp_path / "deep" / "store.duckdb")
    store.put([("a", row())])
    assert [path.name for path in store.path.parent.iterdir()] == ["store.duckdb"]


def test_a_file_of_no_bytes_becomes_a_store(tmp_path):
    path = tmp_path / "made-by-mktemp"
    path.touch()
    store = Store(path)
    assert store.rows(["a"]) == {}
    store.put([("a", row())])
    assert list(store.rows(["a"])) == ["a"]


# rows


def test_a_row_comes_back_with_its_columns_in_their_order(store):
    given = row()
    store.put([("a", given)])
    found = store.rows(["a", "b"])
    assert found == {"a": given}
    assert list(found["a"]) == list(given)


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
)
names = st.text("abcXYZ_ \"'é1", min_size=1, max_size=6)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.dictionaries(names, values, max_size=4), min_size=1, max_size=3))
def test_parameters_come_back_exactly_whatever_other_rows_made_of_their_columns(several):
    # Families disagree about names' types and even their case, which SQL does not tell apart.
    rows = {
        str(index): {"model": "m", "family": "f", **parameters, "batch": 1}
        for index, parameters in enumerate(several)
    }
    with access.in_memory() as connection:
        for index, given_row in rows.items():  # one by one, so that the columns grow and widen
            schema.insert(connection, {index: given_row}, "")
        records = connection.execute("SELECT * FROM entries").df().to_dict("records")
    found = dict(schema.restored(record) for record in records)
    for index, given_row in rows.items():
        got = found[index]
        assert {name: got[name] for name in given_row} == given_row, records
        assert {name: type(got[name]) for name in given_row} == {
            name: type(value) for name, value in given_row.items()
        }


def test_numpy_values_come_back_as_pythons(store):
    store.put(
        [
            (
                "a",
                row(
                    layers=np.int64(3),
                    latency_s=np.float32(0.5),
                    fits=np.bool_(True),
                    speedup=pd.NA,
                ),
            )
        ]
    )
    found = store.rows(["a"])["a"]
    assert found["layers"] == 3
    assert type(found["layers"]) is int
    assert found["latency_s"] == 0.5
    assert found["fits"] is True
    assert found["speedup"] is None


def test_a_speedup_that_is_not_a_number_is_kept_and_a_missing_count_is_none(store):
    store.put([("a", row(speedup=math.nan, tiles=math.nan, latency_high_s=math.inf, fits=None))])
    found = store.rows(["a"])["a"]
    assert math.isnan(found["speedup"])
    assert found["latency_high_s"] == math.inf
    assert found["tiles"] is None
    assert found["fits"] is None


def test_a_key_put_twice_has_the_newer_row(store):
    store.put([("a", row(latency_s=1.0)), ("a", row(latency_s=2.0))])
    assert store.rows(["a"])["a"]["latency_s"] == 2.0
    store.put([("a", row(latency_s=3.0))])
    assert store.rows(["a"])["a"]["latency_s"] == 3.0
    assert store.info()["rows"] == 1


def test_a_put_that_fails_leaves_nothing_of_itself(store):
    store.put([("a", row())])
    # Half a surrogate pair is no text; it is found out after the table got its new column.
    with pytest.raises(StoreError, match=r"surrogate .* is not allowed"):
        store.put([("b", row()), ("c", row(width=1.0, hardware="\ud800"))])
    assert list(store.rows(["a", "b", "c"])) == ["a"]
    assert "width" not in store.frame("SELECT * FROM results").columns


def test_thousands_of_rows_go_in_at_once(store):
    store.put([(str(index), row(layers=index)) for index in range(3000)])
    assert store.rows(["2999"])["2999"]["layers"] == 2999
    # 0 + 1 + ... + 2999 = 2999 * 3000 / 2
    assert store.frame("SELECT sum(layers) AS total FROM results").total[0] == 4_498_500


# what people see


def test_results_show_one_column_per_family_parameter_where_the_contract_has_them(store):
    store.put([("a", row(layers=3)), ("b", {**row(), "note": "x"})])
    mlp = {name: value for name, value in row(depth=4).items() if name not in {"layers", "bias"}}
    moved = {"model": "mlp", "family": "mlp", "depth": mlp.pop("depth")} | {n: mlp[n] for n in TAIL}
    store.put([("c", moved)])
    shown = store.frame("SELECT * FROM results ORDER BY model, note")
    assert list(shown.columns) == [*HEAD, "layers", "bias", "depth", *TAIL, "note"]
    assert shown.depth.tolist()[2] == 4
    assert shown.layers.isna().tolist() == [False, False, True]


def test_a_column_that_two_families_type_differently_is_widened(store):
    store.put([("a", row(width=8))])
    store.put([("b", row(width=0.5))])
    assert store.frame("SELECT width FROM results ORDER BY width").width.tolist() == [0.5, 8.0]
    store.put([("c", row(width="auto"))])
    assert set(store.frame("SELECT width FROM results").width) == {"0.5", "8.0", "auto"}
    assert [store.rows([k])[k]["width"] for k in "abc"] == [8, 0.5, "auto"]


def test_a_parameter_may_be_called_like_a_column_of_the_store(store):
    given = {"model": "m", "family": "f", "entry_key": 7, "Batch": 9, "batch": 1}
    store.put([("a", given)])
    found = store.rows(["a"])["a"]
    assert (found["entry_key"], found["Batch"], found["batch"]) == (7, 9, 1)


def test_a_query_takes_parameters(store):
    store.put([("a", row(layers=1)), ("b", row(layers=2))])
    assert store.frame("SELECT layers FROM results WHERE layers > ?", [1]).layers.tolist() == [2]


@pytest.mark.parametrize("filled", [True, False], ids=["filled", "not there yet"])
@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM entries",
        "SELECT 1; SELECT 2",
        "COPY (SELECT 1) TO 'x.csv'",
        "ATTACH 'other.duckdb'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/hostname'",
        "SELECT nothing FROM results",
        "SELEC 1",
        "",
    ],
)
def test_a_query_that_writes_or_reaches_elsewhere_is_refused(store, sql, filled):
    if filled:
        store.put([("a", row())])
    with pytest.raises(InvalidValueError) as refusal:
        store.frame(sql)
    assert "\n" not in str(refusal.value)
    assert list(store.rows(["a"])) == (["a"] if filled else [])


def test_a_refused_query_says_what_is_near(store):
    with pytest.raises(InvalidValueError, match=r"latencys.*latency_s"):
        store.frame("SELECT latencys FROM results")


@pytest.mark.parametrize(
    ("format", "read"), [("csv", pd.read_csv), ("json", pd.read_json), ("parquet", pd.read_parquet)]
)
def test_an_export_has_the_columns_of_results_and_the_rows_asked_for(store, tmp_path, format, read):
    store.put([("a", row(layers=1)), ("b", row(layers=2)), ("c", row(layers=3))])
    target = tmp_path / f"it's.{format}"
    assert store.export(target, where="layers >= 2") == 2
    written = read(target)
    assert list(written.columns) == list(store.frame("SELECT * FROM results").columns)
    assert sorted(written.layers) == [2, 3]
    assert written.flops.tolist() == [1_818_230_784] * 2


def test_an_export_to_json_has_null_for_what_is_not_finite(store, tmp_path):
    store.put([("a", row(speedup=math.nan, latency_high_s=math.inf))])
    store.export(tmp_path / "rows.json")
    (written,) = json.loads((tmp_path / "rows.json").read_text(), parse_constant=pytest.fail)
    assert written["speedup"] is None
    assert written["latency_high_s"] is None


def test_an_export_to_csv_is_written_as_pandas_writes_it(store, tmp_path):
    store.put([("a", row(speedup=math.nan, fits=None)), ("b", row(fits=False, layers=None))])
    store.export(tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_text() == store.frame("FROM results").to_csv(index=False)


def test_an_export_of_a_store_that_is_not_there_has_no_rows(store, tmp_path):
    assert store.export(tmp_path / "rows.csv") == 0
    assert (tmp_path / "rows.csv").read_text().startswith("model,family,batch")
    assert not store.path.exists()


@pytest.mark.parametrize("where", ["layers = ", "1) TO 'x'; SELECT (1", "nothing = 1"])
def test_an_export_with_a_condition_that_is_none_is_refused(store, tmp_path, where):
    with pytest.raises(InvalidValueError):
        store.export(tmp_path / "rows.csv", where=where)


def test_an_export_in_an_unknown_format_says_which_there_are(store, tmp_path):
    with pytest.raises(UnknownNameError, match=r"parqet.*Did you mean 'parquet'"):
        store.export(tmp_path / "rows.parqet")


def test_info_counts_what_there_is(store):
    store.put([("a", row()), ("b", row())], model_version="0.1.0/1")
    store.put([("b", row())], model_version="0.1.0/2")
    store.put_template("t", b"x")
    facts = store.info()
    assert facts["path"] == str(store.path)
    assert facts["size_bytes"] == store.path.stat().st_size
    assert (facts["rows"], facts["templates"], facts["schema_version"]) == (2, 1, SCHEMA_VERSION)
    assert facts["model_versions"] == {"0.1.0/1": 1, "0.1.0/2": 1}


def test_a_cleared_store_is_as_new(store):
    store.put([("a", row())])
    store.put_template("t", b"x")
    assert store.clear() == 1
    assert store.rows(["a"]) == {}
    assert store.template("t") is None
    assert list(store.frame("SELECT * FROM results").columns) == [*HEAD, *TAIL]
    store.put([("a", row())])
    assert store.info()["rows"] == 1


def test_a_template_comes_back_byte_for_byte(store):
    content = bytes(range(256)) * 10
    store.put_template("t", b"older")
    store.put_template("t", content)
    assert store.template("t") == content
    assert store.template("u") is None
