"""The state that the spool writes with every commit."""

import pytest

from stathouse.delivery.records import Mark, State


def test_a_state_comes_back_as_it_was() -> None:
    state = State(
        writer="a" * 32,
        epoch=3,
        commits=9,
        end=Mark(position=7, rows=70),
        trimmed=Mark(position=2, rows=20),
        cursors={'strange "name" é': Mark(position=4, rows=40)},
        losses={("door", "queue_full"): 5, ("spool", "queue_full"): 6},
    )
    assert State.from_text(state.to_text()) == state


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"writer": "a"}'])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        State.from_text(text)
