"""arch/events.py."""

from dovetail.arch.events import STALLS, Event


def test_stalls_are_all_stalls_in_the_order_of_the_vocabulary() -> None:
    assert list(STALLS) == [event for event in Event if event.startswith("stall_")]


def test_names_are_columns_and_ports() -> None:
    # They become `count_<event>` in RTL and column names in a store.
    for event in Event:
        assert event.value.isidentifier()
        assert event.value == event.name.lower()


def test_the_vocabulary_begins_with_the_cycle() -> None:
    assert next(iter(Event)) is Event.CYCLE
