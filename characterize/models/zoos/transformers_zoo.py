"""Well-known configurations of transformers, built from their config classes: no hub, no network.

Where a library's default config is the published model, the table gives no arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from characterize.models.definition import TensorSpec, tokens
from characterize.models.parameters import Parameter, integer
from characterize.models.zoos.zoo_model import ZooModel, imported, installed_version

if TYPE_CHECKING:
    from torch import nn

_LIBRARY: Final = "transformers"

Specs = Callable[..., tuple[TensorSpec, ...]]


@dataclass(frozen=True)
class Entry:
    """One configuration: its classes by name, its arguments, what it takes and how much of it.

    ``sized`` turns the sequence or image size into further arguments of the config, where positions
    are built for one size.
    """

    summary: str
    config: str
    model: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "text"
    default: int = 128
    longest: int = 512
    sized: Callable[[int], dict[str, Any]] = lambda _: {}


def _tokens(batch: Any, sequence: Any) -> tuple[TensorSpec, ...]:
    return (tokens(batch, sequence, "input_ids"),)


def _text_to_text(batch: Any, sequence: Any) -> tuple[TensorSpec, ...]:
    return (tokens(batch, sequence, "input_ids"), tokens(batch, sequence, "decoder_input_ids"))


def _pixels(batch: Any, input_size: Any) -> tuple[TensorSpec, ...]:
    return (TensorSpec("pixel_values", (batch, 3, input_size, input_size)),)


def _bert(layers: int, hidden: int, heads: int) -> dict[str, int]:
    return {
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "intermediate_size": 4 * hidden,
    }


def _gpt2(layers: int, hidden: int, heads: int) -> dict[str, int]:
    return {"n_layer": layers, "n_embd": hidden, "n_head": heads}


def _llama(
    layers: int, hidden: int, heads: int, kv_heads: int, intermediate: int, **more: Any
) -> dict[str, Any]:
    return {
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": intermediate,
        **more,
    }


def _t5(layers: int, hidden: int, heads: int, intermediate: int) -> dict[str, int]:
    return {
        "num_layers": layers,
        "num_decoder_layers": layers,
        "d_model": hidden,
        "num_heads": heads,
        "d_ff": intermediate,
    }


def _whisper(name: str, layers: int, hidden: int, heads: int, mel_bands: int = 80) -> Entry:
    return Entry(
        f"Encoder of Whisper {name}; two mel frames a position.",
        "WhisperConfig",
        "models.whisper.modeling_whisper.WhisperEncoder",
        {
            "encoder_layers": layers,
            "d_model": hidden,
            "encoder_attention_heads": heads,
            "encoder_ffn_dim": 4 * hidden,
            "num_mel_bins": mel_bands,
        },
        "audio",
        1500,
        3000,
        lambda sequence: {"max_source_positions": sequence},
    )


def _vit(name: str, patch: int, arguments: Mapping[str, Any]) -> Entry:
    return Entry(
        f"Vision transformer {name} with patches of {patch} px, 1000 classes.",
        "ViTConfig",
        "ViTForImageClassification",
        {"patch_size": patch, "num_labels": 1000, **arguments},
        "image",
        224,
        2048,
        lambda size: {"image_size": size},
    )


_GPT = ("GPT2Config", "GPT2LMHeadModel")
_BERT = ("BertConfig", "BertModel")
_LLAMA = ("LlamaConfig", "LlamaForCausalLM")
_T5 = ("T5Config", "T5ForConditionalGeneration")

ENTRIES: Final[Mapping[str, Entry]] = {
    "bert-base": Entry("BERT base.", *_BERT),
    "bert-large": Entry("BERT large.", *_BERT, _bert(24, 1024, 16)),
    "distilbert": Entry("DistilBERT base.", "DistilBertConfig", "DistilBertModel"),
    "roberta-base": Entry(
        "RoBERTa base.", "RobertaConfig", "RobertaModel",
        {"vocab_size": 50_265, "max_position_embeddings": 514, "type_vocab_size": 1},
    ),
    "gpt2": Entry("GPT-2, 124 M parameters.", *_GPT, longest=1024),
    "gpt2-medium": Entry("GPT-2, 355 M parameters.", *_GPT, _gpt2(24, 1024, 16), longest=1024),
    "gpt2-large": Entry("GPT-2, 774 M parameters.", *_GPT, _gpt2(36, 1280, 20), longest=1024),
    "gpt2-xl": Entry("GPT-2, 1.6 G parameters.", *_GPT, _gpt2(48, 1600, 25), longest=1024),
    "llama-7b": Entry("Llama 7B, prefill.", *_LLAMA, longest=2048),
    "llama-2-7b": Entry(
        "Llama 2 7B, prefill.", *_LLAMA,
        {"max_position_embeddings": 4096, "rms_norm_eps": 1e-5}, longest=4096,
    ),
    "llama-2-13b": Entry(
        "Llama 2 13B, prefill.", *_LLAMA,
        _llama(40, 5120, 40, 40, 13_824, max_position_embeddings=4096), longest=4096,
    ),
    "llama-3-8b": Entry(
        "Llama 3 8B, prefill.", *_LLAMA,
        _llama(32, 4096, 32, 8, 14_336, vocab_size=128_256, max_position_embeddings=8192),
        longest=8192,
    ),
    "tinyllama-1.1b": Entry(
        "TinyLlama 1.1B, prefill.", *_LLAMA, _llama(22, 2048, 32, 4, 5632), longest=2048
    ),
    "llama-small": Entry(
        "Llama with 0.25 G parameters, prefill: no published model, but one that we measured.",
        *_LLAMA, _llama(16, 1024, 16, 8, 2816), longest=2048,
    ),
    "mistral-7b": Entry("Mistral 7B, prefill.", "MistralConfig", "MistralForCausalLM", longest=32_768),
    "t5-small": Entry("T5 small, encoder and decoder.", *_T5, kind="text to text"),
    "t5-base": Entry(
        "T5 base, encoder and decoder.", *_T5, _t5(12, 768, 12, 3072), "text to text"
    ),
    "t5-large": Entry(
        "T5 large, encoder and decoder.", *_T5, _t5(24, 1024, 16, 4096), "text to text"
    ),
    "vit-base": _vit("base", 16, {}),
    "vit-large": _vit("large", 16, _bert(24, 1024, 16)),
    "whisper-tiny-encoder": _whisper("tiny", 4, 384, 6),
    "whisper-base-encoder": _whisper("base", 6, 512, 8),
    "whisper-small-encoder": _whisper("small", 12, 768, 12),
    "whisper-medium-encoder": _whisper("medium", 24, 1024, 16),
    "whisper-large-v3-encoder": _whisper("large v3", 32, 1280, 20, mel_bands=128),
}  # fmt: skip
"""Configurations by name. The figures are those of the models' published config files, save for
``llama-small``: that is what `benchmarks/gpu_models.py` measures."""


def names() -> list[str]:
    """The names of the table; transformers itself is not imported for them."""
    return list(ENTRIES)


def describe(name: str) -> ZooModel:
    """One configuration by name."""
    entry = ENTRIES[name]
    mel_bands = entry.arguments.get("num_mel_bins", 0)

    def make(**values: int) -> nn.Module:
        (size,) = values.values()
        config = getattr(imported(_LIBRARY), entry.config)(**entry.arguments, **entry.sized(size))
        home, _, kind = f"{_LIBRARY}.{entry.model}".rpartition(".")
        module: nn.Module = getattr(imported(_LIBRARY, home), kind)(config)
        return module

    def mel_frames(batch: Any, sequence: Any) -> tuple[TensorSpec, ...]:
        return (TensorSpec("input_features", (batch, mel_bands, 2 * sequence)),)

    specs: dict[str, Specs] = {
        "text": _tokens, "text to text": _text_to_text, "image": _pixels, "audio": mel_frames,
    }  # fmt: skip
    return ZooModel(
        name=f"{_LIBRARY}/{name}",
        title=name,
        summary=entry.summary,
        parameters=(_parameter(entry),),
        version=f"{_LIBRARY} {installed_version(_LIBRARY)}",
        make=make,
        input_specs=specs[entry.kind],
        keywords=True,
    )


def without_cache(module: nn.Module) -> nn.Module:
    """A text generator whose cache keeps nothing: what runs under ``use_cache=False``.

    By default keys and values are copied into a cache, layer by layer. That setting itself cannot be
    traced, because it has the library look at the values of positions, for packed sequences.
    """
    cache = imported(_LIBRARY, f"{_LIBRARY}.cache_utils").DynamicCache

    class Unkept(cache):  # type: ignore[misc, valid-type]
        def update(self, keys: Any, values: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
            return keys, values

    forward = module.forward
    module.forward = lambda **inputs: forward(past_key_values=Unkept(), **inputs)
    return module


def _parameter(entry: Entry) -> Parameter:
    if entry.kind == "image":
        what = "Height and width of the input image."
        return integer(
            "input_size", entry.default, 16, entry.longest, what, step=16, scale="log", unit="px"
        )
    what = "Positions of the encoder." if entry.kind == "audio" else "Tokens of the input."
    return integer("sequence", entry.default, 1, entry.longest, what, scale="log", unit="tokens")
