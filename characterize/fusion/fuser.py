"""Graph → KernelGraph: which operators share one pass over memory, under a software stack.

``eager`` runs every operator by itself. ``compiled`` and ``engine`` first grow an epilogue on every
convolution and matrix product (:mod:`characterize.fusion.epilogues`), then group all else into
loop kernels (:mod:`characterize.fusion.loops`); ``engine`` also folds inference batch normalisation
into the weights before it, and computes what depends on weights alone when the engine is built.

Shapes are compared, never evaluated, so a symbolic template is fused once for all its sizes.
"""

from __future__ import annotations

from characterize.fusion.assembly import Group, anchor_of, ordered, reads_of, writes_of
from characterize.fusion.epilogues import Region, regions
from characterize.fusion.facts import WEIGHTS, Facts, gather
from characterize.fusion.loops import loop_groups
from characterize.fusion.names import Namer, containers
from characterize.fusion.reasons import Reasons
from characterize.fusion.separable import join_separable
from characterize.fusion.stacks import EPILOGUES, stack_named
from characterize.fusion.tables import Loop
from characterize.records import Graph, Kernel, KernelGraph, Stack

_FOLDS_INTO = frozenset({Loop.CONVOLUTION, Loop.LINEAR})
_MULTIPLIES = frozenset(
    {Loop.CONVOLUTION, Loop.LINEAR, Loop.MATMUL, Loop.ATTENTION, Loop.RECURRENT}
)


def fuse(
    graph: Graph,
    stack: Stack | str = Stack.COMPILED,
    *,
    depthwise_separable: bool = False,
    epilogues: bool = True,
) -> KernelGraph:
    """Group the operators of a graph into the kernels that a software stack would run.

    Args:
        graph: a traced network, concrete or symbolic.
        stack: ``eager``, ``compiled`` (the default) or ``engine``.
        depthwise_separable: also join a depthwise convolution and the 1x1 convolution that alone
            reads its result, for hardware that can keep the rows between them on chip.
        epilogues: whether convolutions and matrix products take one. TorchInductor's default is
            not to: what follows a library call is then a loop kernel of its own.
    """
    stack = stack_named(stack)
    if stack is Stack.EAGER:
        return unfused(graph)
    facts = gather(graph)
    built = _built_once(facts) if stack is Stack.ENGINE else frozenset()
    takers = EPILOGUES[stack] if epilogues else frozenset()
    found = regions(facts, takers)
    groups = [Group(tuple(group.operators)) for group in loop_groups(facts, found, built)]
    calls = [_group(facts, region, stack) for i, region in found.items() if i not in built]
    groups += join_separable(facts, calls) if depthwise_separable else calls
    return _assembled(facts, stack, groups, built, takers)


def unfused(graph: Graph) -> KernelGraph:
    """Every operator a kernel of its own: what eager PyTorch runs, and what fusion improves on."""
    facts = gather(graph)
    groups = [Group((index,)) for index in range(len(graph.operators))]
    return _assembled(facts, Stack.EAGER, groups, frozenset(), frozenset())


def _built_once(facts: Facts) -> frozenset[int]:
    """Operators that an engine computes when it is built: they depend on weights alone.

    Matrix products among weights stay, so that folding never changes the macs that are reported.
    """
    found: set[int] = set()
    for index, weight in enumerate(facts.weight):
        if not weight or facts.loops[index] in _MULTIPLIES:
            continue
        makers = [facts.producer[source] for source in facts.reads[index]]
        escapes = any(v in facts.escapes for v in facts.graph.operators[index].outputs)
        if not escapes and all(maker < 0 or maker in found for maker in makers):
            found.add(index)
    return frozenset(found)


def _group(facts: Facts, region: Region, stack: Stack) -> Group:
    """A region as a group; an engine folds the batch norm right after the call into its weights."""
    if stack is Stack.ENGINE and len(region) > 1 and _folds(facts, region[0], region[1]):
        return Group((region[0], *region[2:]), (region[1],))
    return Group(region)


def _folds(facts: Facts, call: int, norm: int) -> bool:
    """Whether a batch norm is an affine map of this call's channels alone, fixed at build time."""
    if facts.loops[call] not in _FOLDS_INTO or facts.loops[norm] is not Loop.BATCH_NORM:
        return False
    values, operators = facts.graph.values, facts.graph.operators
    (result,) = operators[call].outputs
    fixed = (*operators[call].inputs[1:], *operators[norm].inputs[1:])
    return (
        facts.uses[result] == [norm]
        and operators[norm].inputs[0] == result
        and all(values[v].role in WEIGHTS for v in fixed)
    )


def _assembled(
    facts: Facts, stack: Stack, groups: list[Group], built: frozenset[int], takers: frozenset[Loop]
) -> KernelGraph:
    """Groups as kernels, in order, with names and reasons."""
    namer = Namer(facts, containers(facts.graph))
    sequence = ordered(facts, groups)
    reasons = Reasons.of(namer, stack, takers, sequence)
    kernels = tuple([_kernel(facts, stack, group, namer, reasons) for group in sequence])
    folded = sorted(built.union(*(group.folded for group in groups)))
    return KernelGraph(facts.graph, stack, kernels, tuple(folded))


def _kernel(facts: Facts, stack: Stack, group: Group, namer: Namer, reasons: Reasons) -> Kernel:
    """One group as a kernel."""
    inside = frozenset((*group.operators, *group.folded))
    anchor = anchor_of(facts, group.operators)
    writes = writes_of(facts, inside, every=stack is Stack.EAGER)
    return Kernel(
        name=namer.name(sorted(inside)),
        operators=group.operators,
        anchor=anchor,
        reads=reads_of(facts, group, inside),
        writes=writes,
        pattern=namer.pattern(group.operators, group.folded),
        reason=reasons.explain(group, writes),
        module=facts.graph.operators[anchor].module,
    )
