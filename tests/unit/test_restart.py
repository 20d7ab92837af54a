"""A Chroma server that hangs is started again by who may, asked once in a while."""

from pathlib import Path

from bouquetd.store.restart import AGAIN, Restart


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_is_asked_for_by_making_a_file(tmp_path: Path) -> None:
    assert Restart(tmp_path / "restart", Clock())()
    assert (tmp_path / "restart").exists()


def test_it_is_not_asked_for_again_before_the_answer_had_its_time(tmp_path: Path) -> None:
    ask, clock = tmp_path / "restart", Clock()
    restart = Restart(ask, clock)
    assert restart()
    ask.unlink()
    clock.now = AGAIN
    assert restart()
    assert not ask.exists()
    clock.now = AGAIN + 1
    assert restart()
    assert ask.exists()


def test_nobody_is_asked_where_nobody_answers(tmp_path: Path) -> None:
    assert not Restart(None)()
    assert not Restart(tmp_path / "no such folder" / "restart")()
