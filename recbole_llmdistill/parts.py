"""Parts that register themselves: encoders, LLMs, reducers, data set converters.

A part is one module in the package of its kind, with one class that derives from the kind's base and says its name, its
options, the pip extra that it needs and how it is made. It is found because it is there: nothing else is to be edited.
The modules are imported to show a help text, so what is slow to import belongs inside their functions.
"""

import difflib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Generic, TypeVar

from pydantic.fields import FieldInfo

from recbole_llmdistill.config.options import Options, checked
from recbole_llmdistill.errors import InputError


class Part:
    """What all parts declare.

    Attributes:
        name: by which it is chosen.
        title: one line for people.
        takes_model: it is written ``name:MODEL``.
        takes_other_names: whatever no other part takes is the name of a model of this one.
        example: of a model, for the message where it is missing.
        extra: the pip extra that it needs; None: none.
        Options: its options; a field that several parts of a kind have is one flag of the command line.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    takes_model: ClassVar[bool] = False
    takes_other_names: ClassVar[bool] = False
    example: ClassVar[str] = "MODEL"
    extra: ClassVar[str | None] = None
    Options: ClassVar[type[Options]] = Options

    @classmethod
    def written(cls) -> str:
        """How it is given, for people."""
        if cls.takes_other_names:
            return "MODEL_OR_FOLDER"
        return f"{cls.name}:MODEL" if cls.takes_model else cls.name


T = TypeVar("T")


def declared(package: str, base: type[T]) -> dict[str, type[T]]:
    """The classes in a package's modules that derive from ``base`` and say their ``name``, in the order of names."""
    found: dict[str, type[T]] = {}
    for module in pkgutil.iter_modules(import_module(package).__path__, f"{package}."):
        for value in vars(import_module(module.name)).values():
            is_part = isinstance(value, type) and issubclass(value, base) and "name" in vars(value)
            if is_part and value.__module__ == module.name:
                found[value.name] = value
    return dict(sorted(found.items()))


P = TypeVar("P", bound=Part)


@dataclass(frozen=True)
class Choice(Generic[P]):
    """A part, chosen.

    Attributes:
        given: as it was asked for, e.g. ``openai:gpt-4o-mini``.
        part: the part.
        model: of it; empty where it takes none.
        options: an instance of the part's ``Options``.
    """

    given: str
    part: type[P]
    model: str
    options: Any


@dataclass(frozen=True)
class Kind(Generic[P]):
    """A kind of parts.

    Attributes:
        package: where their modules are.
        base: class that they derive from.
        flag: by which one is chosen, e.g. ``--encoder``.
        noun: for messages, e.g. ``encoder``.
        strict: an option of another part is refused; else only a switch (an option that is on or off) is.
    """

    package: str
    base: type[P]
    flag: str
    noun: str
    strict: bool = True

    def parts(self) -> dict[str, type[P]]:
        """All parts by name, in the order of their names."""
        return declared(self.package, self.base)

    def fields(self) -> dict[str, list[tuple[type[P], FieldInfo]]]:
        """The options of all parts: name -> who has it."""
        found: dict[str, list[tuple[type[P], FieldInfo]]] = {}
        for part in self.parts().values():
            for name, field in part.Options.model_fields.items():
                found.setdefault(name, []).append((part, field))
        return found

    def find(self, given: str) -> tuple[type[P], str]:
        """The part that is asked for, and its model.

        Raises:
            InputError: there is none, or the model is missing.
        """
        parts = list(self.parts().values())
        for part in parts:
            kind, colon, model = given.partition(":")
            if part.takes_model and colon and kind == part.name:
                if not model:
                    raise InputError(f"{self.flag}={given} lacks the model's name, e.g. {part.name}:{part.example}")
                return part, model
            if not part.takes_model and given == part.name:
                return part, ""
        for part in parts:
            if part.takes_other_names and given:
                return part, given
        raise InputError(f"{self.flag}: {given!r} is none of {', '.join(part.written() for part in parts)}")

    def choose(self, given: str, values: Mapping[str, Any]) -> Choice[P]:
        """The part that is asked for with the options of these values; None is as if it were not given.

        Raises:
            InputError: there is none, or it does not take an option or its value.
        """
        part, model = self.find(given)
        known = self.fields()
        own: dict[str, Any] = {}
        for name, value in values.items():
            if name in part.Options.model_fields:
                if value is not None:
                    own[name] = value
            elif name not in known:
                nearest = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {nearest[0]}?" if nearest else ""
                raise InputError(f"{name}: no {self.noun} has such an option{hint}")
            elif value is not None and (self.strict or value is True):
                raise InputError(
                    f"--{name.replace('_', '-')} means nothing to {self.flag}={given}; leave it out (it is for "
                    f"{', '.join(other.written() for other, _ in known[name])})"
                )
        return Choice(given, part, model, checked(part.Options, own))
