"""Parameters of families and zoo models: what a slider, a sweep axis and ``--set`` have in common.

A value arrives as Python gives it or as the command line does (``"16"``, ``"true"``, ``"relu"``) and
leaves as the type that its kind names, inside its range, or as an error that says why not.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from characterize.errors import InvalidValueError, unknown

Kind = Literal["int", "float", "bool", "choice"]
Scale = Literal["linear", "log"]

_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a model: its type, range and default, and the sentence that explains it.

    ``low`` and ``high`` bound what is accepted and what a slider shows; ``step`` is the slider's
    only. ``scale`` says how a slider or an axis spaces the values. ``symbolic`` is true where the
    parameter only scales sizes, so that one trace with a symbol in its place serves all its values,
    and false where it changes which operators there are. ``repeats`` is true where each one more
    adds one block more that is like those before it.
    """

    name: str
    kind: Kind
    default: Any
    sentence: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[Any, ...] = ()
    scale: Scale = "linear"
    symbolic: bool = False
    unit: str = ""
    repeats: bool = False

    def resolve(self, value: Any, owner: str) -> Any:
        """``value`` as this parameter's type, checked; ``owner`` names the model in errors.

        >>> integer("depth", 3, 1, 9, "Layers.").resolve("4", "mlp")
        4

        Raises:
            InvalidValueError: a value of another type or outside the range.
            UnknownNameError: a name that is none of the choices.
        """
        return _RESOLVERS[self.kind](self, value, owner)

    def describe_range(self) -> str:
        """The accepted values in words: ``1 to 128``, ``relu, gelu, none``."""
        if self.kind == "choice":
            return ", ".join(str(choice) for choice in self.choices)
        if self.kind == "bool":
            return "true or false"
        return (
            f"{self.low:g} to {self.high:g}"
            if self.kind == "float"
            else f"{self.low} to {self.high}"
        )

    def _refuse(self, value: Any, owner: str, expected: str) -> InvalidValueError:
        return InvalidValueError(f"{owner}: {self.name} must be {expected}; {value!r} was asked.")

    def _in_range(self, value: Any, asked: Any, owner: str, noun: str) -> Any:
        if (self.low is not None and value < self.low) or (
            self.high is not None and value > self.high
        ):
            near = self.low if self.low is not None and value < self.low else self.high
            expected = f"{noun} from {self.describe_range()}"
            msg = f"{owner}: {self.name} must be {expected}; {asked} was asked, the nearest is {near:g}."
            raise InvalidValueError(msg)
        return value


def _resolve_int(parameter: Parameter, value: Any, owner: str) -> int:
    noun = "a whole number"
    expected = f"{noun} from {parameter.describe_range()}"
    number: Any = value
    if isinstance(value, str):
        try:
            number = int(value.strip().replace("_", ""))
        except ValueError:
            raise parameter._refuse(value, owner, expected) from None
    is_number = isinstance(number, numbers.Real) and not isinstance(number, bool)
    if not is_number or number != number // 1:
        raise parameter._refuse(value, owner, expected)
    return int(parameter._in_range(int(number), value, owner, noun))


def _resolve_float(parameter: Parameter, value: Any, owner: str) -> float:
    noun = "a number"
    expected = f"{noun} from {parameter.describe_range()}"
    number: Any = value
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            raise parameter._refuse(value, owner, expected) from None
    if (
        isinstance(number, bool)
        or not isinstance(number, numbers.Real)
        or not math.isfinite(number)
    ):
        raise parameter._refuse(value, owner, expected)
    return float(parameter._in_range(float(number), value, owner, noun))


def _resolve_bool(parameter: Parameter, value: Any, owner: str) -> bool:
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise parameter._refuse(value, owner, "true or false")


def _resolve_choice(parameter: Parameter, value: Any, owner: str) -> Any:
    known = {str(choice): choice for choice in parameter.choices}
    text = str(value).strip()
    text = text if text in known else text.lower()
    if text in known:
        return known[text]
    if all(isinstance(choice, int) for choice in parameter.choices):
        raise parameter._refuse(value, owner, f"one of {parameter.describe_range()}")
    raise unknown(f"{parameter.name} of {owner}", str(value), known)


_RESOLVERS: Final[Mapping[str, Callable[[Parameter, Any, str], Any]]] = {
    "int": _resolve_int,
    "float": _resolve_float,
    "bool": _resolve_bool,
    "choice": _resolve_choice,
}


def integer(
    name: str,
    default: int,
    low: int,
    high: int,
    sentence: str,
    *,
    step: int = 1,
    scale: Scale = "linear",
    symbolic: bool = False,
    unit: str = "",
) -> Parameter:
    """A whole number within a range."""
    return Parameter(name, "int", default, sentence, low, high, step, (), scale, symbolic, unit)


def layers(default: int, high: int, sentence: str, *, name: str = "layers") -> Parameter:
    """How many equal layers follow each other, one at least."""
    return Parameter(name, "int", default, sentence, 1, high, 1, unit="layers", repeats=True)


def size(
    name: str, default: int, low: int, high: int, sentence: str, *, step: int = 1, unit: str = ""
) -> Parameter:
    """A whole number that only scales sizes: symbolic, on a log scale."""
    return integer(
        name, default, low, high, sentence, step=step, scale="log", symbolic=True, unit=unit
    )


def fraction(
    name: str, default: float, low: float, high: float, sentence: str, *, step: float
) -> Parameter:
    """A real number within a range."""
    return Parameter(name, "float", default, sentence, low, high, step)


def flag(name: str, default: bool, sentence: str) -> Parameter:
    """True or false."""
    return Parameter(name, "bool", default, sentence)


def choice(
    name: str, default: Any, choices: tuple[Any, ...], sentence: str, unit: str = ""
) -> Parameter:
    """One of a few names or numbers."""
    return Parameter(name, "choice", default, sentence, choices=choices, unit=unit)


ACTIVATIONS: Final = (
    "relu", "relu6", "leaky_relu", "gelu", "silu", "hardswish", "hardsigmoid", "sigmoid", "tanh", "none",
)  # fmt: skip
"""Names of the activation functions that families offer, ``none`` for no activation."""


def activation(default: str = "relu") -> Parameter:
    """The choice of an activation function."""
    return choice("activation", default, ACTIVATIONS, "Function applied after every layer.")


def image_size(
    default: int, low: int = 32, high: int = 2048, *, step: int = 16, symbolic: bool = True
) -> Parameter:
    """Height and width of a square image."""
    sentence = "Height and width of the input image."
    return integer(
        "input_size",
        default,
        low,
        high,
        sentence,
        step=step,
        scale="log",
        symbolic=symbolic,
        unit="px",
    )


def classes(default: int = 1000) -> Parameter:
    """How many classes the last layer tells apart."""
    return size("classes", default, 1, 100_000, "Classes that the last layer tells apart.")


def width_multiplier() -> Parameter:
    """A factor on every channel count."""
    sentence = "Factor on every channel count, rounded to multiples of 8."
    return fraction("width", 1.0, 0.125, 4.0, sentence, step=0.125)
