"""The streams of an engine in the order in which they came, and what the present process knows of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from .generation import EngineError
from .stream import Stream

# As often may an engine die while it speaks a stream without getting on with it: one that dies of a stream
# would die of it for ever, and take the others along each time.
MOST_DEATHS = 3


@dataclass(eq=False)
class Place:
    """A stream's place."""

    stream: Stream
    number: int | None = None
    """Under which the present process knows it; None: not yet handed to that."""
    tried: bool = False
    """The present process has begun with it …"""
    moved: bool = False
    """… and has spoken some of it."""
    deaths: int = 0
    """Processes that died after they had begun with it and before it moved, since it last moved."""
    leaving: EngineError | None = None
    """It is to end with this as soon as the process lets go."""

    def move(self) -> None:
        """Some of it has been spoken."""
        self.moved, self.deaths = True, 0

    @property
    def poisonous(self) -> bool:
        """It has cost enough."""
        return self.deaths >= MOST_DEATHS


class Places:
    """Whose turn it is. For one thread at a time."""

    def __init__(self) -> None:
        self._places: dict[Stream, Place] = {}
        self._by_number: dict[int, Place] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Place]:
        return iter(list(self._places.values()))

    def add(self, stream: Stream) -> None:
        """At the end."""
        self._places[stream] = Place(stream)

    def of(self, stream: Stream) -> Place | None:
        """The stream's place, until it has ended."""
        return self._places.get(stream)

    def numbered(self, number: int) -> Place | None:
        """Whom the present process means; None if that has ended."""
        return self._by_number.get(number)

    def remove(self, place: Place) -> bool:
        """The stream has ended; whether that is new."""
        if place.number is not None:
            self._by_number.pop(place.number, None)
        return self._places.pop(place.stream, None) is not None

    def due(self) -> Iterator[Place]:
        """Those that the process is to be handed now, with their new numbers.

        One of which a process may have died waits until all before it have moved: if it kills this one too,
        they are above suspicion.
        """
        still = False
        for place in self:
            if place.number is None and not place.leaving:
                if place.deaths and still:
                    return
                self._last += 1
                place.number = self._last
                self._by_number[self._last] = place
                yield place
            still = still or not place.moved

    def died(self) -> None:
        """The process knows nothing any more."""
        for place in self:
            if place.tried and not place.moved:
                place.deaths += 1
            place.number, place.tried, place.moved = None, False, False
        self._by_number.clear()
