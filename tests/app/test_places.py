"""Who is handed to an engine, and whom an engine's death is blamed on."""

from engines import say
from vibevoice.engine import Stream
from vibevoice.engine.places import Place, Places


def places(count: int) -> tuple[Places, list[Place]]:
    """So many streams that an engine has been handed, and has begun with."""
    line = Places()
    for _ in range(count):
        line.add(Stream(say(), lambda *_: None))
    begun = list(line.due())
    for place in begun:
        place.tried = True
    return line, begun


def test_streams_are_handed_over_once_in_their_order() -> None:
    line, begun = places(3)
    assert [place.number for place in begun] == [1, 2, 3]
    assert list(line.due()) == []


def test_the_next_engine_knows_them_by_other_numbers() -> None:
    line, begun = places(2)
    begun[0].move()
    begun[1].move()
    line.died()
    assert line.numbered(1) is None
    assert [place.number for place in line.due()] == [3, 4]
    assert line.numbered(3) is begun[0]


def test_who_has_moved_is_above_suspicion() -> None:
    line, begun = places(2)
    begun[0].move()
    line.died()
    assert [place.deaths for place in begun] == [0, 1]


def test_a_suspect_waits_until_those_before_have_moved_and_those_behind_wait_with_it() -> None:
    line, [first, suspect, last] = places(3)
    first.move()
    line.died()
    assert list(line.due()) == [first]
    first.move()
    assert list(line.due()) == [suspect]
    # It is suspected, too, and so never the other's company.
    assert list(line.due()) == []
    suspect.move()
    assert list(line.due()) == [last]


def test_three_deaths_are_enough_and_a_frame_makes_good() -> None:
    line, [poison, other] = places(2)
    for deaths in range(1, 4):
        other.move()
        line.died()
        assert (poison.deaths, poison.poisonous) == (deaths, deaths == 3)
        for place in line.due():
            place.tried = True
    poison.move()
    assert not poison.poisonous
    assert not other.poisonous


def test_who_was_never_begun_with_is_not_to_blame() -> None:
    line, begun = places(1)
    line.add(Stream(say(), lambda *_: None))
    [late] = line.due()
    line.died()
    assert (begun[0].deaths, late.deaths) == (1, 0)


def test_who_has_ended_is_gone() -> None:
    line, [place] = places(1)
    assert line.remove(place)
    assert not line.remove(place)
    assert line.numbered(1) is None
    assert line.of(place.stream) is None
    assert len(line) == 0
