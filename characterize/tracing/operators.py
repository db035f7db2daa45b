"""ATen operators that are no work of their own: what rearranges, and what only asks or reserves."""

from __future__ import annotations

from typing import Final

_LAYOUT: Final = (
    "reshape reshape_as view view_as flatten unflatten contiguous to type_as expand expand_as "
    "squeeze unsqueeze transpose t permute movedim swapaxes swapdims chunk split "
    "split_with_sizes tensor_split hsplit vsplit unbind select narrow slice numpy_T T mT mH H "
    "adjoint matrix_H detach alias lift_fresh lift_fresh_copy dropout feature_dropout "
    "alpha_dropout as_strided unfold diagonal view_as_real view_as_complex real imag "
    "_unsafe_view _reshape_alias moveaxis positive broadcast_to atleast_1d atleast_2d "
    "atleast_3d unsafe_split unsafe_chunk unsafe_split_with_sizes float half bfloat16 double "
    "int long resolve_conj resolve_neg _conj conj ravel _to_copy squeeze_ unsqueeze_ transpose_ "
    "t_ set_ requires_grad_ detach_ _fw_primal rename swapaxes_ _make_dep_token "
)
_IGNORED: Final = (
    "empty empty_like new_empty empty_strided new_empty_strided empty_permuted sym_size "
    "sym_numel sym_stride size is_same_size _assert_async _assert_tensor_metadata "
    "_assert_scalar sym_storage_offset is_nonzero_ sym_constrain_range "
    "sym_constrain_range_for_size resize_ _has_compatible_shallow_copy_type is_pinned "
)

LAYOUT: Final = frozenset(f"aten.{name}" for name in _LAYOUT.split())
"""Hand on or rearrange elements without arithmetic: a view or a copy, the tracer looks which."""

IGNORED: Final = frozenset(f"aten.{name}" for name in _IGNORED.split())
"""Reserve memory or ask for a size: nothing moves and nothing is computed."""

DROPOUTS: Final = frozenset(
    f"aten.{kind}dropout{suffix}"
    for kind in ("", "feature_", "alpha_", "feature_alpha_")
    for suffix in ("", "_")
)
"""``(input, p, train)``: nothing at all when not training."""
