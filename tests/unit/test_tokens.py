"""Cutting texts into tokens ahead of whoever embeds them."""

from concurrent.futures import Future

from bouquetd.embed import PART, Cut


class Pool:
    """Does at once what it is given, and notes how much that was."""

    def __init__(self):
        self.cut = 0

    def submit(self, function, texts):
        self.cut += len(texts)
        done = Future()
        done.set_result(function(texts))
        return done


def test_only_a_part_is_cut_ahead_of_what_was_taken():
    pool = Pool()
    texts = [f"text {n}" for n in range(4 * PART)]
    tokens = Cut(pool, lambda part: [text.split() for text in part], texts)
    assert pool.cut == PART
    taken = []
    while found := tokens.take(7):
        taken += found
        assert pool.cut <= len(taken) + 2 * PART
    assert taken == [text.split() for text in texts]


def test_of_no_texts_there_are_no_tokens():
    assert Cut(Pool(), list, []).take(3) == []
