"""Layers: where does the time and energy go, kernel by kernel?

As in Tune, what stays the same when a slider moves is made once, by the script; one fragment writes
what changes into the places left for it, and what is looked at now and then waits in tabs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from characterize.errors import CharacterizeError
from dashboard import (
    anatomy,
    controls,
    curve_panel,
    layer_beside,
    layer_panels,
    layer_pins,
    layer_rows,
    links,
    module_tree,
    panels,
    pin_menu,
    pins,
    queries,
    roofline_rows,
    saving,
    state,
)
from dashboard.anatomy import Anatomy
from dashboard.layer_pins import PinnedLayers
from dashboard.queries import AUTO, Network
from dashboard.readable import Columns, Pinned

RESULTS, DETAIL = "layers", "layers.detail"  # fragments
SHARE, DEPTH, SHOW = "layers.of", "layers.depth", "layers.show"  # in the URL
SEARCH, KERNEL, OPENED = "layers.search", "layers.kernel", "layers.open"
DEAREST, DRAWN, LISTED, FUSION = "Dearest kernels", "Graph", "Table", "What fusion saves"
GRAPH, TABLE = "_layers_graph", "_layers_table"
LAST = "_layers_last"  # the last network that could be taken apart, kept when one cannot

SHARES = {
    "time": ("latency_s", "Time", "s"),
    "energy": ("energy_dynamic_j", "Dynamic energy", "J"),
}
ALL = "all"
DEPTHS = (AUTO, "1", "2", "3", "4", ALL)
FACTS = ("model", "batch", "precision", "stack", "hardware")


@dataclass(frozen=True)
class Found:
    """What the page shows: a network on one device, kernel by kernel, and the pins there."""

    network: Network
    device: str
    whole: Anatomy
    kernels: Columns
    pinned: list[PinnedLayers]

    @property
    def theirs(self) -> list[Pinned]:
        """The kernels of the pins."""
        return [pin.kernels for pin in self.pinned]


def ask(network: Network) -> Found | None:
    """The network on its device; after an error, what could be computed the last time."""
    try:
        compared = controls.chosen_comparison().devices
        device = looked_at(network, compared)
        whole = anatomy.anatomy(network, device, compared)
    except CharacterizeError as error:
        last: Found | None = panels.kept_after(error, LAST)
        return last
    pinned = layer_pins.pinned(device)
    kernels = layer_beside.beside(
        layer_rows.numbered(whole.kernels), [pin.kernels for pin in pinned]
    )
    found = Found(network, device, whole, kernels, pinned)
    st.session_state[LAST] = found
    return found


def looked_at(network: Network, compared: tuple[str, ...]) -> str:
    """The device asked for, else the fastest of those that are compared."""
    focus = str(st.session_state[links.FOCUS])
    if focus == AUTO and not compared:
        focus = links.PREFERRED[0]
    hardware = compared if focus in (AUTO, *compared) else (focus,)
    request = queries.Request(network, hardware)
    curve_panel.look_ahead(request)
    if focus != AUTO:
        return focus
    rows = queries.answer(request).rows
    latencies = list(rows["latency_s"])
    return str(rows["hardware"][latencies.index(min(latencies))])


# The page


@dataclass(frozen=True)
class Places:
    """Where the fragments write: made once, filled again at every step."""

    messages: DeltaGenerator
    figures: DeltaGenerator
    pins: DeltaGenerator
    modules: DeltaGenerator
    roofline: DeltaGenerator
    tabs: Mapping[str, DeltaGenerator]  # the open one


def places() -> Places:
    messages = st.container()
    figures = panels.kpi_grid(len(layer_panels.KPIS))
    beside = st.container()
    st.subheader("Where it goes", anchor="where")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        choose("Share of", SHARES, SHARE, "What the bars and the dearest kernels are measured by.")
        choose(
            "Module depth", DEPTHS, DEPTH,
            "How many steps of the module path are told apart, in the bars and in the graph; auto "
            "goes as deep as stays legible.",
        )  # fmt: skip
    with st.grid(2, min_column_width=420, gap="small"):
        modules = panels.card(
            "By module",
            "Summed over the kernels of each module, in the order they run; colours say what the "
            "kernels are bound by. A line across a bar marks what a pinned configuration takes there.",
            "layers.modules",
        )
        roofline = panels.card(
            "Roofline",
            "Each mark is a kind of kernel, as large as its share of the time. Below the slope, "
            "moving data is the limit; below the flat line, arithmetic. Ceilings are the device's "
            "own figures. Hollow marks are pinned.",
            "layers.roofline",
        )
    st.subheader("Kernel by kernel", anchor="kernels")
    follow_older_links()
    titles = (DEAREST, DRAWN, LISTED, FUSION)
    tabs = st.tabs(titles, key=SHOW, on_change="rerun", bind=controls.BOUND)
    shown = {title: tab for title, tab in zip(titles, tabs, strict=True) if tab.open}
    return Places(messages, figures, beside, modules, roofline, shown)


def follow_older_links() -> None:
    """A link to a kernel, or to opened modules, that names no tab is from when the graph came first."""
    asked, tab = {KERNEL, OPENED} & set(st.query_params), SHOW in st.query_params
    if asked and not tab and SHOW not in st.session_state:
        links.bind(SHOW, DRAWN)


def choose(label: str, options: Sequence[str] | dict[str, Any], key: str, meaning: str) -> None:
    """One of a few ways to look at it; only the results run again."""
    known = list(options)
    st.segmented_control(
        label,
        known,
        default=known[0],
        required=True,
        key=key,
        bind=controls.BOUND,
        on_change=controls.run_again,
        args=(RESULTS,),
        help=meaning,
    )


@st.fragment(key=RESULTS)
def results(at: Places) -> None:
    shared.sizes()
    network = controls.chosen_network()
    with at.messages:
        if network is None:
            choose_model()
            return
        found = ask(network)
        if found is None:
            return
    with at.modules:
        modules(found)
    with at.roofline:
        roofline(found)
    with at.figures:
        first = found.pinned[0] if found.pinned else None
        panels.metrics(
            found.whole.whole,
            first.whole if first else None,
            first.kernels.name if first else "",
            layer_panels.KPIS,
        )
    with at.messages:
        panels.standing(found.whole.whole, titled(found.device), found.network.model)
        layer_panels.counted(found.whole)
    saving.describe_charts(f"{pins.summary(found.network)} on {titled(found.device)}")
    if found.pinned:
        with at.pins:
            layer_panels.beside(layer_pins.totals(found.network, found.whole, found.pinned))
    for title, tab in at.tabs.items():
        with tab:
            SECTIONS[title](found)


def choose_model() -> None:
    st.info("Choose a zoo model on the left to see inside it.", icon=":material/search:")


def titled(device: str) -> str:
    known = queries.devices()
    return known[device].title if device in known else device


# Where it goes


def share() -> tuple[str, str, str]:
    """The column, title and unit of what is looked at."""
    return SHARES.get(st.session_state.get(SHARE) or "", SHARES["time"])


def modules(found: Found) -> None:
    paths = found.kernels["module"]
    depth = depth_of(paths)
    groups = module_tree.groups(paths, depth, most=len(paths))
    layer_panels.modules(found.kernels, groups, share(), layer_pins.alike(found.pinned, depth))


def roofline(found: Found) -> None:
    profile = queries.profile(found.device)
    bounds = roofline_rows.ceilings(profile, anatomy.precision_of(found.network, profile))
    ghosts = [point for pin in found.pinned for point in pin.points]
    layer_panels.roofline(*roofline_rows.frame(found.kernels, bounds, ghosts), profile.title)


def depth_of(paths: Sequence[str]) -> int:
    chosen = st.session_state.get(DEPTH) or AUTO
    if chosen == AUTO:
        return module_tree.comfortable_depth(paths)
    return module_tree.deepest(paths) if chosen == ALL else int(chosen)


# Kernel by kernel


def dearest(found: Found) -> None:
    layer_panels.dearest(found.kernels, share())


def fusion(found: Found) -> None:
    curve_panel.look_ahead(*anatomy.questions(found.network, found.device))
    layer_panels.stacks(anatomy.stacks(found.network, found.device), found.network.stack)


@st.fragment(key=DETAIL)
def detail(found: Found) -> None:
    halves = st.grid(2, min_column_width=420, gap="medium")
    with halves.cell():
        if st.session_state.get(SHOW) == DRAWN:
            drawn(found)
        else:
            listed(found)
    with halves.cell():
        explanation(found)


SECTIONS: dict[str, Callable[[Found], None]] = {
    DEAREST: dearest,
    DRAWN: detail,
    LISTED: detail,
    FUSION: fusion,
}


def drawn(found: Found) -> None:
    kernels, pin = found.kernels, found.pinned[0].kernels.letter if found.pinned else ""
    paths = kernels["module"]
    opened = opened_control(paths)
    groups = module_tree.groups(paths, depth_of(paths), opened)
    frame, ranks = layer_rows.graph(kernels, groups, found.whole.edges, pin)
    layer_panels.graph(frame, ranks, len(groups), GRAPH, lambda: picked_box(kernels), pin)
    st.caption(
        "Data flows down; the strip in a box is its share of the time, its colour what binds most of "
        "that. Click a box with ▸ to open it, a kernel to have it explained."
    )


def opened_control(paths: Sequence[str]) -> list[str]:
    """The modules that are open in the graph, which can be closed here."""
    held = st.session_state.get(OPENED)
    known = sorted({p for path in paths for p in module_tree.prefixes(path)})
    folded = [each for each in held or () if each.startswith("#")]
    return st.multiselect(
        "Opened modules",
        [*known, *folded],
        key=OPENED,
        bind=controls.BOUND,
        placeholder="none: click a box in the graph, or choose here",
    )


def picked_box(kernels: Columns) -> None:
    boxes = st.session_state[GRAPH]["selection"].get("pick") or [{}]
    kind, _, name = str(boxes[0].get("id", "")).partition(":")
    if kind == "k":
        st.session_state[KERNEL] = kernels["label"][int(name)]
    elif kind == "m" and name not in (st.session_state.get(OPENED) or ()):
        st.session_state[OPENED] = [*(st.session_state.get(OPENED) or ()), name]


def listed(found: Found) -> None:
    words = st.text_input(
        "Search",
        key=SEARCH,
        type="search",
        live="300ms",
        placeholder="conv, decoder, memory …",
        bind=controls.BOUND,
    )
    kernels = anatomy.with_shapes(found.network, found.kernels)
    chosen = layer_rows.matching(kernels, words or "")
    count, total = len(chosen["kernel"]), len(kernels["kernel"])
    st.caption(f"{count} of {total} kernels. Select a row to have it explained.")
    layer_panels.table(chosen, found.theirs, TABLE, lambda: picked_row(chosen))
    facts = {name: found.whole.whole[name] for name in FACTS}
    saving.downloads(layer_rows.for_file(chosen, facts), "layers")


def picked_row(chosen: Columns) -> None:
    rows = st.session_state[TABLE]["selection"]["rows"]
    if rows and rows[0] < len(chosen["label"]):
        st.session_state[KERNEL] = chosen["label"][rows[0]]


def explanation(found: Found) -> None:
    kernels = found.kernels
    labels = list(kernels["label"])
    if st.session_state.get(KERNEL) not in labels:
        st.session_state.pop(KERNEL, None)
    first = max(range(len(labels)), key=lambda i: kernels["latency_s"][i])
    label = st.selectbox(
        "Explain",
        labels,
        index=first,
        key=KERNEL,
        bind=controls.BOUND,
        help="The kernel that takes longest is shown first.",
    )
    index = labels.index(label)
    kernel = {name: values[index] for name, values in kernels.items()}
    operators = anatomy.operators(found.network, index)
    profile = queries.profile(found.device)
    layer_panels.explained(kernel, operators, profile, found.network, found.theirs)


st.title("Where does the time and energy go, kernel by kernel?", anchor=False)
shared = controls.Controls(RESULTS, moved=curve_panel.remember)
notes = state.begin("layers", controls.LINKED)
with st.sidebar:
    shared.network()
for note in notes:
    st.warning(note, icon=":material/link_off:")
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    shared.device()
    pin_menu.pinning()
    saving.menu()
    panels.glossary()
if shared.model:
    results(places())
else:
    shared.sizes()
    choose_model()
