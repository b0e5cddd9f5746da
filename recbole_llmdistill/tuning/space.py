"""What a search may choose from: one distribution a setting.

The searchers of Ray Tune know numbers best, and each its own subset of Ray's distributions. So what is drawn is always
a number: the index of a choice, a number of a range. :meth:`Space.decode` turns what was drawn into settings.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator
from ray import tune


class Distribution(BaseModel, ABC):
    """Values that one setting may take, and how likely each is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ClassVar[str]
    """How the distribution is called in a file."""

    @abstractmethod
    def domain(self) -> Any:
        """Ray's domain that is drawn from."""

    def real_interval(self) -> tuple[float, float] | None:
        """Ends of an interval whose points :meth:`from_real` maps to values; ``None`` if there is no such order."""
        return None

    def decode(self, drawn: Any) -> Any:
        """The value of the setting, given what was drawn from :meth:`domain`; a searcher draws NumPy's numbers."""
        return float(drawn)

    def from_real(self, point: float) -> Any:
        """The value of the setting at a point of :meth:`real_interval`."""
        raise NotImplementedError

    @abstractmethod
    def extremes(self) -> list[Any]:
        """All values of a choice, the ends of a range: what must be allowed for all else to be."""

    @abstractmethod
    def describe(self) -> dict[str, list[Any]]:
        """As it is written in a yaml file."""


class Choice(Distribution):
    """One of the values, each as likely as any other."""

    name = "choice"
    values: list[Any] = Field(min_length=1)

    @field_validator("values")
    @classmethod
    def _all_different(cls, values: list[Any]) -> list[Any]:
        for index, value in enumerate(values):
            if any(type(value) is type(other) and value == other for other in values[:index]):
                raise ValueError(f"{value!r} stands there twice")
        return values

    def domain(self) -> Any:
        return tune.choice(list(range(len(self.values))))

    def decode(self, drawn: int) -> Any:
        return self.values[int(drawn)]

    def extremes(self) -> list[Any]:
        return self.values

    def describe(self) -> dict[str, list[Any]]:
        return {self.name: self.values}


class _Range(Distribution):
    low: FiniteFloat
    high: FiniteFloat

    @model_validator(mode="after")
    def _low_is_below_high(self) -> "_Range":
        if not self.low < self.high:
            raise ValueError(f"its lower end {self.low:g} is not below its upper end {self.high:g}")
        return self

    def extremes(self) -> list[Any]:
        return [self.low, self.high]

    def describe(self) -> dict[str, list[Any]]:
        return {self.name: self.extremes()}


class Uniform(_Range):
    """Any number between two."""

    name = "uniform"

    def domain(self) -> Any:
        return tune.uniform(self.low, self.high)

    def real_interval(self) -> tuple[float, float]:
        return self.low, self.high

    def from_real(self, point: float) -> float:
        return float(point)


class QuantizedUniform(_Range):
    """Multiples of ``step`` between two of them; whole numbers where all three are whole, as layers and sizes need."""

    name = "quniform"
    step: FiniteFloat = Field(gt=0)

    @model_validator(mode="after")
    def _ends_are_multiples(self) -> "QuantizedUniform":
        for end in (self.low, self.high):
            if not math.isclose(end / self.step, round(end / self.step), abs_tol=1e-9):
                raise ValueError(f"{end:g} is not a multiple of the step {self.step:g}")
        return self

    def domain(self) -> Any:
        return tune.quniform(self.low, self.high, self.step)

    def real_interval(self) -> tuple[float, float]:
        return self.low, self.high

    def decode(self, drawn: float) -> float | int:
        multiple = round(min(max(drawn, self.low), self.high) / self.step)
        if all(float(number).is_integer() for number in (self.low, self.high, self.step)):
            return multiple * int(self.step)
        return float(f"{multiple * self.step:.12g}")  # 0.3, not 0.30000000000000004

    def from_real(self, point: float) -> float | int:
        return self.decode(point)

    def extremes(self) -> list[Any]:
        return [self.decode(self.low), self.decode(self.high)]

    def describe(self) -> dict[str, list[Any]]:
        return {self.name: [*self.extremes(), self.step]}


class LogUniform(_Range):
    """A number between two whose logarithm is uniform: orders of magnitude are equally likely."""

    name = "loguniform"
    low: FiniteFloat = Field(gt=0)

    def domain(self) -> Any:
        return tune.loguniform(self.low, self.high)

    def real_interval(self) -> tuple[float, float]:
        return math.log(self.low), math.log(self.high)

    def from_real(self, point: float) -> float:
        return min(max(math.exp(point), self.low), self.high)


DISTRIBUTIONS: dict[str, type[Distribution]] = {
    kind.name: kind for kind in (Choice, Uniform, QuantizedUniform, LogUniform)
}


class Space(BaseModel):
    """Distributions by setting."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    distributions: dict[str, Any]

    def domains(self) -> dict[str, Any]:
        """Ray's ``param_space``."""
        return {key: distribution.domain() for key, distribution in self.distributions.items()}

    def real_domains(self) -> dict[str, Any]:
        """Ray's ``param_space`` for a searcher that knows nothing but real intervals; of settings that have one."""
        return {
            key: tune.uniform(*interval)
            for key, distribution in self.distributions.items()
            if (interval := distribution.real_interval()) is not None
        }

    def decode(self, drawn: Mapping[str, Any], real: bool = False) -> dict[str, Any]:
        """Settings of a trial.

        Args:
            drawn: from :meth:`domains`, or with ``real`` from :meth:`real_domains`.
            real: which of the two.
        """
        return {
            key: distribution.from_real(drawn[key]) if real else distribution.decode(drawn[key])
            for key, distribution in self.distributions.items()
        }

    def describe(self) -> dict[str, dict[str, list[Any]]]:
        """As it is written in a yaml file."""
        return {key: distribution.describe() for key, distribution in self.distributions.items()}
