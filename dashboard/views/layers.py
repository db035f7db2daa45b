"""Layers: where does the time and energy go, kernel by kernel?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

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
from dashboard.module_tree import Group
from dashboard.queries import AUTO, Network
from dashboard.readable import Columns, Pinned

RESULTS, WHERE, DETAIL = "layers", "layers.where", "layers.detail"  # fragments
SHARE, DEPTH, SHOW = "layers.of", "layers.depth", "layers.show"  # in the URL
SEARCH, KERNEL, OPENED = "layers.search", "layers.kernel", "layers.open"
GRAPH, TABLE = "_layers_graph", "_layers_table"

SHARES = {
    "time": ("latency_s", "Time", "s"),
    "energy": ("energy_dynamic_j", "Dynamic energy", "J"),
}
SHOWN = ("Graph", "Table")
FACTS = ("model", "batch", "precision", "stack", "hardware")


@st.fragment(key=RESULTS)
def results() -> None:
    shared.sizes()
    network = controls.chosen_network()
    if network is None:
        st.info("Choose a zoo model on the left to see inside it.", icon=":material/search:")
        return
    try:
        device = looked_at(network)
        curve_panel.look_ahead(*anatomy.questions(network, device))
        found = anatomy.anatomy(network, device)
        stacks = anatomy.stacks(network, device)
    except CharacterizeError as error:
        st.error(str(error), icon=":material/error:")
        return
    title = queries.devices()[device].title if device in queries.devices() else device
    pinned = layer_pins.pinned(device)
    panels.standing(found.whole, title, network.model)
    saving.describe_charts(f"{pins.summary(network)} on {title}")
    layer_panels.kpis(found, stacks[0], pinned[0] if pinned else None)
    if pinned:
        layer_panels.beside(layer_pins.totals(network, found, pinned))
    layer_panels.gaps(found)
    theirs = [pin.kernels for pin in pinned]
    kernels = layer_beside.beside(layer_rows.numbered(found.kernels), theirs)
    where(network, device, kernels, pinned)
    detail(network, device, found, kernels, theirs)
    st.subheader("What fusion saves", anchor="fusion")
    layer_panels.stacks(stacks, network.stack)


def looked_at(network: Network) -> str:
    """The device asked for, else the fastest of those that are compared."""
    focus = st.session_state[links.FOCUS]
    if focus != AUTO:
        return str(focus)
    compared = controls.chosen_comparison()
    if not compared.devices:
        return links.PREFERRED[0]
    request = queries.Request(network, compared.devices, compared.baseline)
    curve_panel.look_ahead(request)
    rows = queries.answer(request).rows
    latencies = list(rows["latency_s"])
    return str(rows["hardware"][latencies.index(min(latencies))])


# Where it goes


@st.fragment(key=WHERE)
def where(network: Network, device: str, kernels: Columns, pinned: Sequence[PinnedLayers]) -> None:
    profile = queries.profile(device)
    st.subheader("Where it goes", anchor="where")
    paths = kernels["module"]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        share = st.segmented_control(
            "Share of", list(SHARES), default="time", required=True, key=SHARE, bind=controls.BOUND
        )
        depth_control(paths)
    with st.grid(2, min_column_width=420, gap="small"):
        with st.container(border=True, gap="xsmall"):
            st.markdown(
                f"**{SHARES[str(share)][1]} by module**",
                help="Summed over the kernels of each module, in the order they run; colours say "
                "what the kernels are bound by. A line across a bar marks what a pinned "
                "configuration takes there.",
            )
            groups = module_tree.groups(paths, depth_of(paths), most=len(paths))
            layer_panels.modules(
                kernels, groups, SHARES[str(share)], alike(pinned, depth_of(paths))
            )
        with st.container(border=True, gap="xsmall"):
            st.markdown(
                "**Roofline**",
                help="Each mark is a kind of kernel, as large as its share of the time. Below the "
                "slope, moving data is the limit; below the flat line, arithmetic. Ceilings are "
                "the device's own figures. Hollow marks are pinned.",
            )
            bounds = roofline_rows.ceilings(profile, anatomy.precision_of(network, profile))
            ghosts = [point for pin in pinned for point in pin.points]
            layer_panels.roofline(*roofline_rows.frame(kernels, bounds, ghosts), profile.title)


def alike(pinned: Sequence[PinnedLayers], depth: int) -> list[tuple[Pinned, Sequence[Group]]]:
    """The pins, each with its modules told apart as deep as those of the network."""
    paths = [pin.kernels.rows["module"] for pin in pinned]
    return [
        (pin.kernels, module_tree.groups(theirs, depth, most=len(theirs)))
        for pin, theirs in zip(pinned, paths, strict=True)
    ]


def depth_control(paths: Sequence[str]) -> None:
    deepest = module_tree.deepest(paths)
    options = [AUTO, *map(str, range(1, deepest + 1))]
    if st.session_state.get(DEPTH, AUTO) not in options:
        del st.session_state[DEPTH]
    st.segmented_control(
        "Module depth",
        options,
        default=AUTO,
        required=True,
        key=DEPTH,
        bind=controls.BOUND,
        on_change=again,
        args=([WHERE, DETAIL],),
        help="How many steps of the module path are told apart, here and in the graph; auto goes "
        "as deep as stays legible.",
    )


def depth_of(paths: Sequence[str]) -> int:
    chosen = st.session_state.get(DEPTH) or AUTO
    return module_tree.comfortable_depth(paths) if chosen == AUTO else int(chosen)


def again(fragments: Any) -> None:
    st.rerun(fragments)


# Kernel by kernel


@st.fragment(key=DETAIL)
def detail(
    network: Network, device: str, found: Anatomy, kernels: Columns, pinned: Sequence[Pinned]
) -> None:
    st.subheader("Kernel by kernel", anchor="kernels")
    halves = st.grid(2, min_column_width=420, gap="medium")
    with halves.cell():
        show = st.segmented_control(
            "Show as",
            SHOWN,
            default=SHOWN[0],
            required=True,
            key=SHOW,
            bind=controls.BOUND,
        )
        if show == SHOWN[0]:
            drawn(found, kernels, pinned[0].letter if pinned else "")
        else:
            listed(found, kernels, pinned)
    with halves.cell():
        explanation(network, device, kernels, pinned)


def drawn(found: Anatomy, kernels: Columns, pin: str) -> None:
    paths = kernels["module"]
    opened = opened_control(paths)
    groups = module_tree.groups(paths, depth_of(paths), opened)
    frame, ranks = layer_rows.graph(kernels, groups, found.edges, pin)
    layer_panels.graph(frame, ranks, len(groups), GRAPH, lambda: picked_box(kernels), pin)
    st.caption(
        "Data flows down; the strip in a box is its share of the time, its colour what binds most of "
        "that. Click a box with ▸ to open it, a kernel to have it explained."
    )


def opened_control(paths: Sequence[str]) -> list[str]:
    """The modules that are open in the graph, which can be closed here."""
    held = st.session_state.get(OPENED)
    known = sorted({p for path in paths for p in prefixes(path)})
    folded = [each for each in held or () if each.startswith("#")]
    return st.multiselect(
        "Opened modules",
        [*known, *folded],
        key=OPENED,
        bind=controls.BOUND,
        placeholder="none: click a box in the graph, or choose here",
    )


def prefixes(path: str) -> list[str]:
    steps = module_tree.parts(path)
    return [".".join(steps[:length]) for length in range(1, len(steps) + 1)]


def picked_box(kernels: Columns) -> None:
    boxes = st.session_state[GRAPH]["selection"].get("pick") or [{}]
    kind, _, name = str(boxes[0].get("id", "")).partition(":")
    if kind == "k":
        st.session_state[KERNEL] = kernels["label"][int(name)]
    elif kind == "m" and name not in (st.session_state.get(OPENED) or ()):
        st.session_state[OPENED] = [*(st.session_state.get(OPENED) or ()), name]


def listed(found: Anatomy, kernels: Columns, pinned: Sequence[Pinned]) -> None:
    words = st.text_input(
        "Search",
        key=SEARCH,
        type="search",
        live="300ms",
        placeholder="conv, decoder, memory …",
        bind=controls.BOUND,
    )
    chosen = layer_rows.matching(kernels, words or "")
    count, total = len(chosen["kernel"]), len(kernels["kernel"])
    st.caption(f"{count} of {total} kernels. Select a row to have it explained.")
    layer_panels.table(chosen, pinned, TABLE, lambda: picked_row(chosen))
    facts = {name: found.whole[name] for name in FACTS}
    saving.downloads(layer_rows.for_file(chosen, facts), "layers")


def picked_row(chosen: Columns) -> None:
    rows = st.session_state[TABLE]["selection"]["rows"]
    if rows and rows[0] < len(chosen["label"]):
        st.session_state[KERNEL] = chosen["label"][rows[0]]


def explanation(network: Network, device: str, kernels: Columns, pinned: Sequence[Pinned]) -> None:
    labels = list(kernels["label"])
    if st.session_state.get(KERNEL) not in labels:
        st.session_state.pop(KERNEL, None)
    dearest = max(range(len(labels)), key=lambda i: kernels["latency_s"][i])
    label = st.selectbox(
        "Explain",
        labels,
        index=dearest,
        key=KERNEL,
        bind=controls.BOUND,
        help="The kernel that takes longest is shown first.",
    )
    index = labels.index(label)
    kernel = {name: values[index] for name, values in kernels.items()}
    operators = anatomy.operators(network, index)
    layer_panels.explained(kernel, operators, queries.profile(device), network, pinned)


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
results()
