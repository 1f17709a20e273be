"""How sure a model is of what it writes, from the log-probabilities some endpoints send with each token.

After "Deep Think with Confidence" (Fu et al. 2025, arXiv 2508.15260), with windows for replies of a few
thousand tokens. The numbers depend on the model, its temperature and how many alternatives are sent: they
compare samples of one request and nothing else.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

__all__ = ["Confidence", "threshold"]

GROUP = 256  # tokens a group has
TAIL = 512  # tokens at the end that count once more
IMPOSSIBLE = -100.0  # a log-probability below it is the mask of a grammar, not an opinion
WARM_UP = 2  # samples that must be whole before another is measured against them
PERCENTILE = 0.1


class Confidence:
    """Gathers token after token; a token's confidence is minus the mean log-probability of its alternatives.

    Peaked alternatives give a high one. Tokens without a letter or a digit are left out: brackets and commas
    are always sure.
    """

    def __init__(self) -> None:
        self.tokens = 0
        self.lowest = math.inf  # of the groups so far; inf before the first is full
        self._sum = 0.0
        self._group: deque[float] = deque()
        self._tail: deque[float] = deque(maxlen=TAIL)

    @property
    def group(self) -> float:
        """Mean confidence of the last GROUP tokens, inf before there are as many."""
        return self._sum / GROUP if len(self._group) == GROUP else math.inf

    @property
    def tail(self) -> float:
        """Mean confidence of the last TAIL tokens, 0 before the first."""
        return sum(self._tail) / len(self._tail) if self._tail else 0.0

    @property
    def rank(self) -> tuple[float, float]:
        """What samples are compared by: the lowest group, then the tail."""
        lowest = self.lowest if self.lowest < math.inf else self.tail
        return lowest, self.tail

    def add(self, token: str, alternatives: Iterable[object]) -> None:
        """Take in a token and the log-probabilities of what might have stood there."""
        if not any(map(str.isalnum, token)):
            return
        known = [float(v) for v in alternatives if isinstance(v, int | float) and IMPOSSIBLE < v <= 0]
        if not known:
            return
        value = -sum(known) / len(known)
        self.tokens += 1
        self._sum += value
        self._group.append(value)
        self._tail.append(value)
        if len(self._group) > GROUP:
            self._sum -= self._group.popleft()
        self.lowest = min(self.lowest, self.group)


def threshold(finished: Iterable[Confidence]) -> float:
    """Return the group confidence below which a further sample is not worth hearing out; -inf for none yet.

    It is the 10th percentile of the lowest groups of the samples that are whole, at least WARM_UP of them.
    """
    lowest = sorted(c.lowest for c in finished if c.lowest < math.inf)
    if len(lowest) < WARM_UP:
        return -math.inf
    place = PERCENTILE * (len(lowest) - 1)
    at = int(place)
    return lowest[at] + (place - at) * (lowest[min(at + 1, len(lowest) - 1)] - lowest[at])
