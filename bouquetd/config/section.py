"""What a section of the settings is: a frozen table of options, each read and judged as its annotation says.

Ours and not Pydantic's, whose import and set-up are longer than all else that ``bouquetd status`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, dataclass_transform, get_args, get_origin

from bouquetd.config.units import Quantity, closest, shown


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What paths are read against: the YAML file's folder, and the environment (HOME, RUNTIME_DIRECTORY)."""

    base: Path
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: the ``name`` of its option, what was read ``before`` in its section, and around."""

    name: str
    before: Mapping[str, Any]
    around: Surroundings | None


Check = Callable[[object, Place], object]
"""Makes of what was written what the program uses. Raises ``ValueError``: what is wrong, what to write."""


class Invalid(ValueError):
    """Some options of a section are wrong: ``faults`` says of each, by its dotted key, what and what to do."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("\n".join(f"{key}: {fault}" for key, fault in faults.items()))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Option:
    """An option, from its annotation: one of some ``choices``, a ``quantity``, a ``section``, or else."""

    check: Check
    default: object
    choices: tuple[str, ...] = ()
    quantity: Quantity | None = None
    section: type[Section] | None = None

    @classmethod
    def of(cls, hint: Any, default: object) -> Option:
        """Of an option that is annotated so: ``Annotated[type, how to read it]``, a ``Literal``, a section."""
        if get_origin(hint) is Literal:
            choices = get_args(hint)
            return cls(partial(_one_of, choices), default, choices=choices)
        if get_origin(hint) is not Annotated:
            return cls(hint.taken, default, section=hint)
        kind, how = get_args(hint)
        if isinstance(how, Quantity):
            read = _quantity_or_auto if isinstance(kind, UnionType) else _quantity
            return cls(partial(read, how), default, quantity=how)
        return cls(how, default)


def _one_of(choices: tuple[str, ...], value: object, _place: Place) -> object:
    if value in choices:
        return value
    meant = closest(value, choices) if isinstance(value, str) else None
    advice = f"did you mean {meant}?" if meant else "use one of these"
    raise ValueError(f"{shown(value)} is not one of {', '.join(choices)}; {advice}")


def _quantity(quantity: Quantity, value: object, _place: Place) -> float:
    return quantity.parse(value)


def _quantity_or_auto(quantity: Quantity, value: object, _place: Place) -> float | None:
    return None if value in (None, "auto") else quantity.parse(value)


def part() -> Any:
    """The default of an option that is a section: what that has where nothing is written."""
    return MappingProxyType({})


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Section:
    """A part of the settings; unknown keys are an error, and nothing changes after it was made.

    Defaults are read as what is written is, so that paths become absolute. Raises ``Invalid``.
    """

    options: ClassVar[Mapping[str, Option]] = MappingProxyType({})
    """Every option by its name, those of the class above first."""

    def __init_subclass__(cls) -> None:
        own = {name: Option.of(hint, getattr(cls, name)) for name, hint in cls.__annotations__.items()}
        cls.options = MappingProxyType({**cls.options, **own})

    def __init__(self, **given: object) -> None:
        self._take(given, None)

    @classmethod
    def read(cls, given: Mapping[str, object], around: Surroundings | None = None) -> Self:
        """The section of these values, paths read against ``around`` or else the cwd. Raises ``Invalid``."""
        made = cls.__new__(cls)
        made._take(given, around)
        return made

    @classmethod
    def taken(cls, value: object, place: Place) -> Self:
        """The section as an option of another: made already, or of what was written."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise ValueError(f"{shown(value)} is no section")  # noqa: TRY004 (as all that is wrong in it)
        return cls.read(value, place.around)

    def _take(self, given: Mapping[str, object], around: Surroundings | None) -> None:
        faults = {str(name): "unknown option; remove it" for name in given if name not in self.options}
        values: dict[str, object] = {}
        for name, option in self.options.items():
            try:
                values[name] = option.check(given.get(name, option.default), Place(name, values, around))
            except Invalid as error:
                faults |= {f"{name}.{key}": fault for key, fault in error.faults.items()}
            except ValueError as error:
                faults[name] = str(error)
        if faults:
            raise Invalid(faults)
        self.__dict__.update(values)

    def but(self, **changes: object) -> Self:
        """The same with other values, which are taken as they are."""
        if unknown := changes.keys() - self.options.keys():
            raise TypeError(f"no options: {', '.join(unknown)}")
        made = type(self).__new__(type(self))
        made.__dict__.update(vars(self) | changes)
        return made

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name}: settings are frozen")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name}: settings are frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in vars(self).items())})"
