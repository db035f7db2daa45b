"""Scaled dot-product attention as one operator."""

from __future__ import annotations

import math
from typing import Final

from characterize.costs.registry import Work, cost_of, smaller
from characterize.records import Cost, Count, Gemm, KernelKind

CAUSAL_BLOCK: Final = 128
"""Queries and keys in one block of scores that a flash-like kernel does or skips as a whole.

FlashAttention-2 (Dao, arXiv 2307.08691, section 3.3) uses block sizes of 64 and 128.
"""


@cost_of(
    "aten.scaled_dot_product_attention",
    "aten._scaled_dot_product_flash_attention",
    "aten._scaled_dot_product_flash_attention_for_cpu",
    "aten._scaled_dot_product_efficient_attention",
    "aten._scaled_dot_product_cudnn_attention",
    "aten._scaled_dot_product_fused_attention_overrideable",
)
def attention(work: Work) -> Cost:
    """Attention: ``softmax(scale * q @ k.T + mask) @ v``, without a score matrix in memory.

    Shapes: query ``[*B, h, s, d]``, key ``[*B, h_kv, t, d]``, value ``[*B, h_kv, t, e]``, output
        ``[*B, h, s, e]``; with grouped queries (enable_gqa) h is a multiple of h_kv.

    Formula: macs = B * h * s * t * (d + e), over all of the scores, causal or not, as
        torch.utils.flop_counter has it. vector_flops = 6 for each of the B * h * s * t scores (the
        scale, and softmax: maximum, difference, exp, sum, quotient), 7 with a mask, 9 with dropout;
        transcendentals = one a score. The matrix product is given as B * h times
        m = s, n = t, k = d.

    Causal: ``masked_macs`` counts the blocks of 128 queries x 128 keys that have an unmasked score
        (key j <= query i), for is_causal only; a mask tensor is not looked into. With F = s // 128
        whole blocks of queries, the first G = min(F, t // 128) of them meeting 128, 256, ... keys:
        scores = 128 * 128 * G * (G + 1) / 2 + 128 * (F - G) * t
        + (s - 128 * F) * min(128 * (F + 1), t);
        masked_macs = B * h * scores * (d + e). vector_flops is not reduced.

    Source: Dao et al., FlashAttention (arXiv 2205.14135) and FlashAttention-2 (arXiv 2307.08691).

    Example:
        >>> from characterize.costs import estimate
        >>> heads = (8, 12, 197, 64)
        >>> shapes = {"query": heads, "key": heads, "value": heads}
        >>> cost = estimate("aten.scaled_dot_product_attention", shapes, heads, is_causal=True)
        >>> cost.macs  # 96 * 197 * 197 * (64 + 64)
        476884992
        >>> cost.masked_macs  # 96 * (128*128 + 69*197) * (64 + 64)
        368357376
    """
    query, key, value = work.required("query"), work.required("key"), work.required("value")
    heads = math.prod(query[:-2])
    s, t, d, e = query[-2], key[-2], query[-1], value[-1]
    scores = heads * s * t
    causal = work.attributes.get("is_causal", False)
    masked = heads * causal_scores(s, t) * (d + e) if causal else None
    return Cost(
        kind=KernelKind.ATTENTION,
        macs=scores * (d + e),
        vector_flops=_operations_per_score(work) * scores,
        transcendentals=scores,
        gemm=Gemm(m=s, n=t, k=d, groups=heads),
        masked_macs=masked,
    )


def _operations_per_score(work: Work) -> int:
    has_mask = "attn_mask" in work.arguments or "attn_bias" in work.arguments
    dropout = work.attributes.get("dropout_p", 0.0) > 0
    return 6 + int(has_mask) + 2 * int(dropout)


def causal_scores(queries: Count, keys: Count) -> Count:
    """Scores in the blocks of one head that a causal mask leaves something of.

    >>> causal_scores(256, 256)  # 3 of the 4 blocks of 128 * 128
    49152
    >>> causal_scores(100, 100), causal_scores(1, 500)  # one block; the first 128 keys
    (10000, 128)
    """
    block = CAUSAL_BLOCK
    whole = queries // block
    growing = smaller(whole, keys // block)
    triangle = block * block * (growing * (growing + 1) // 2)
    rectangle = block * (whole - growing) * keys
    rest = (queries - block * whole) * smaller(block * (whole + 1), keys)
    return triangle + rectangle + rest
