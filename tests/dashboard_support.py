"""For tests of the dashboard: the app as a browser opens it, made-up rows, channels of charts."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parent.parent
APP = str(ROOT / "dashboard" / "app.py")
TABLE = {"tune.show": "All figures"}  # the tab of Tune that shows its table
ROWS: dict[str, list[Any]] = {
    "model": ["conv2d_stack"] * 3,
    "hardware": ["a_cpu", "a_gpu", "a_kpu"],
    "architecture": ["cpu", "gpu", "kpu"],
    "precision": ["fp32", "fp16", "int8"],
    "confidence": ["datasheet", "calibrated", "design"],
    "bottleneck": ["compute", "launch", "memory"],
    "uncounted": [0, 0, 0],
    "cautions": ["", "", ""],
    "latency_s": [1e-2, 1e-4, 2e-3],
    "latency_low_s": [5e-3, 5e-5, 1e-3],
    "latency_high_s": [2e-2, 2e-4, 4e-3],
    "energy_j": [1.0, 0.5, 0.1],
    "speedup": [1.0, 100.0, 5.0],
}
KERNELS: dict[str, list[Any]] = {
    "kernel": ["conv1+relu1", "conv2+relu2", "fc"],
    "module": ["conv1", "conv2", "fc"],
    "pattern": ["conv+relu", "conv+relu", "linear"],
    "kind": ["convolution", "convolution", "linear"],
    "bottleneck": ["compute", "compute", "memory"],
    "flops": [100, 100, 10],
    "memory_bytes": [20, 20, 40],
    "tiles": [2, 2, 1],
    "latency_s": [3e-3, 3e-3, 2e-3],
    "energy_dynamic_j": [1.0, 1.0, 0.5],
}


def opened(**link: Any) -> AppTest:
    """The dashboard as a browser opens it with these parameters in the URL, Tune with its table."""
    app = AppTest.from_file(APP, default_timeout=120)
    for name, value in (TABLE | link).items():
        app.query_params[name] = value
    return healthy(app.run())


def layers(**link: Any) -> AppTest:
    """The same, gone on to Layers."""
    return healthy(opened(**link).switch_page("views/layers.py").run())


def healthy(app: AppTest) -> AppTest:
    """The app, which ran without an exception."""
    assert not app.exception, app.exception
    return app


def figures(app: AppTest) -> dict[str, Any]:
    """The large figures by their names."""
    return {metric.label: metric.value for metric in app.metric}


def changes(app: AppTest) -> dict[str, Any]:
    """What the large figures say of the first pin."""
    return {metric.label: metric.delta for metric in app.metric}


def words(app: AppTest) -> str:
    """Everything that is said in sentences."""
    kinds = (app.markdown, app.caption, app.warning, app.info, app.error)
    return " ".join(str(each.value) for kind in kinds for each in kind)


def encodings(specification: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every channel of every layer of a chart as (name, definition)."""
    for layer in specification["layer"]:
        for name, definition in layer.get("encoding", {}).items():
            for each in definition if isinstance(definition, list) else [definition]:
                yield name, each
