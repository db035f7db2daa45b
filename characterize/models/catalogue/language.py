"""``transformer_encoder``, ``transformer_decoder`` and ``lstm``: networks over sequences."""

from __future__ import annotations

from typing import Any, Final

from characterize.models.definition import Family, Rule, TensorSpec, multiple_of, tokens
from characterize.models.parameters import choice, flag, integer, layers, size


def _tokens(batch: Any, sequence: Any, **_: Any) -> tuple[TensorSpec, ...]:
    return (tokens(batch, sequence),)


def _tokens_and_cache(
    batch: Any, sequence: Any, cached_tokens: Any, layers: int, hidden: Any, heads: Any,
    kv_heads: Any, **_: Any,
) -> tuple[TensorSpec, ...]:  # fmt: skip
    """Tokens; with cached tokens also each layer's keys and values, with room for the new ones."""
    if cached_tokens == 0:
        return (tokens(batch, sequence),)
    shape = (batch, kv_heads, cached_tokens + sequence, hidden // heads)
    cache = [TensorSpec(f"{kind}_{i}", shape) for i in range(layers) for kind in ("keys", "values")]
    return (tokens(batch, sequence), *cache)


def _features(batch: Any, sequence: Any, in_features: Any, **_: Any) -> tuple[TensorSpec, ...]:
    return (TensorSpec("features", (batch, sequence, in_features)),)


_LAYERS: Final = "Layers of attention and perceptron."
_HIDDEN: Final = "Channels of a token."
_HEADS: Final = "Attention heads; hidden is split among them."

TRANSFORMER_ENCODER: Final = Family(
    name="transformer_encoder",
    title="Transformer encoder",
    summary="BERT-like: every token attends to every other; learnt positions, 512 or as many as the "
    "sequence is long; by default BERT base.",
    parameters=(
        layers(12, 96, _LAYERS),
        size("hidden", 768, 8, 16_384, _HIDDEN, step=64, unit="channels"),
        size("heads", 12, 1, 128, _HEADS, unit="heads"),
        size("intermediate", 3072, 8, 65_536, "Hidden features of the perceptrons.", step=64),
        size("sequence", 128, 1, 32_768, "Tokens of the input.", unit="tokens"),
        size("vocab", 30_522, 2, 1_000_000, "Entries of the token table."),
    ),
    network="transformer_encoder:TransformerEncoder",
    input_specs=_tokens,
    rules=(multiple_of("hidden", "heads"),),
)


def _even(hidden: Any, heads: Any) -> Any:
    return hidden // heads % 2 == 0


def _explain_even(hidden: int, heads: int) -> str:
    unit = 2 * heads
    below = hidden // unit * unit
    return (
        f"rotary positions turn pairs of channels, so hidden/heads must be even; hidden={hidden} with "
        f"heads={heads} was asked, near are {below or unit} and {below + unit}."
    )


TRANSFORMER_DECODER: Final = Family(
    name="transformer_decoder",
    title="Transformer decoder",
    summary="Llama-like language model with a key-value cache: prefill reads `sequence` tokens at "
    "once, decode is `sequence=1` with `cached_tokens` before it; by default TinyLlama 1.1B.",
    parameters=(
        layers(22, 160, _LAYERS),
        size("hidden", 2048, 8, 32_768, _HIDDEN, step=64, unit="channels"),
        size("heads", 32, 1, 256, _HEADS, unit="heads"),
        size("kv_heads", 4, 1, 256, "Heads of keys and values, each shared by heads/kv_heads.", unit="heads"),
        size("intermediate", 5632, 8, 131_072, "Hidden features of the gated perceptrons.", step=64),
        size("sequence", 128, 1, 131_072, "Tokens that are read at once.", unit="tokens"),
        size(
            "cached_tokens", 0, 0, 1_048_576, "Tokens before them, whose keys and values are cached.",
            unit="tokens",
        ),
        size("vocab", 32_000, 2, 1_000_000, "Entries of the token table and of the output."),
        choice(
            "logits", "last", ("last", "all"), "Scores for the last token only, or for every token."
        ),
    ),
    network="transformer_decoder:TransformerDecoder",
    input_specs=_tokens_and_cache,
    rules=(
        multiple_of("hidden", "heads"),
        multiple_of("heads", "kv_heads"),
        Rule(("hidden", "heads"), _even, _explain_even),
    ),
)  # fmt: skip

LSTM: Final = Family(
    name="lstm",
    title="LSTM",
    summary="Recurrent network of long short-term memory cells.",
    parameters=(
        integer("layers", 2, 1, 32, "Recurrent layers.", unit="layers"),
        size("hidden", 512, 1, 16_384, "Features of a cell's state.", step=16, unit="features"),
        size(
            "in_features", 128, 1, 65_536, "Features of every step of the input.", unit="features"
        ),
        size("sequence", 64, 1, 4096, "Steps of the input.", unit="steps"),
        flag("bidirectional", False, "Whether a second pass reads the sequence backwards."),
    ),
    network="lstm:LSTM",
    input_specs=_features,
)

FAMILIES: Final = (TRANSFORMER_ENCODER, TRANSFORMER_DECODER, LSTM)
