"""Decisions in time, made steadier at the cost of delay: majority vote and hysteresis.

Both take one decision after the other, so that what they do online and offline is the same. A rejected decision
does not vote.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_count

__all__ = ["Hysteresis", "MajorityVote"]


class _Steadier:
    """Takes decisions one by one, or all those of several trials."""

    def __init__(self, rejected: Any = None) -> None:
        self.rejected = rejected
        self.reset()

    def reset(self) -> None:
        """Forget the decisions so far."""
        raise NotImplementedError

    def update(self, label: Any) -> Any:
        """The steadier decision after one more; `rejected` until there is one."""
        raise NotImplementedError

    def smooth(self, labels: npt.ArrayLike, groups: npt.ArrayLike | None = None) -> np.ndarray:
        """All decisions, in order of time; each trial begins afresh.

        Parameters
        ----------
        labels : array_like, shape (n_windows,)
            Decisions.
        groups : array_like, shape (n_windows,), optional
            Trials.

        Returns
        -------
        ndarray, shape (n_windows,)

        Raises
        ------
        InvalidArgumentError
            If the lengths differ.
        """
        given = np.asarray(labels)
        trials = np.zeros(len(given)) if groups is None else np.asarray(groups)
        if len(trials) != len(given):
            raise InvalidArgumentError(
                f"groups must have one entry for each of the {len(given)} decisions, got {len(trials)}"
            )
        steadier: list[Any] = []
        for i, label in enumerate(given.tolist()):
            if i == 0 or trials[i] != trials[i - 1]:
                self.reset()
            steadier.append(self.update(label))
        self.reset()
        return np.array(steadier, dtype=given.dtype if not steadier else None)


class MajorityVote(_Steadier):
    """The most frequent of the last decisions; of several, the one given last (Englehart & Hudgins 2003).

    Parameters
    ----------
    n_votes : int
        How many decisions vote. A change shows after half of them.
    rejected : object
        The label of rejected decisions.
    """

    def __init__(self, n_votes: int = 5, rejected: Any = None) -> None:
        self.n_votes = check_count("n_votes", n_votes)
        super().__init__(rejected)

    @property
    def delay_steps(self) -> float:
        """By how many decisions a change shows late."""
        return (self.n_votes - 1) / 2

    def reset(self) -> None:
        """Forget the decisions so far."""
        self._votes: deque[Any] = deque(maxlen=self.n_votes)

    def update(self, label: Any) -> Any:
        """The majority after one more decision."""
        self._votes.append(label)
        counts: dict[Any, int] = {}
        for vote in self._votes:
            if vote != self.rejected:
                counts[vote] = counts.pop(vote, 0) + 1  # in order of the last vote for each
        if not counts:
            return self.rejected
        most = max(counts.values())
        return [vote for vote, n in counts.items() if n == most][-1]


class Hysteresis(_Steadier):
    """Changes only after the same new decision several times in a row.

    Parameters
    ----------
    n_agree : int
        How many decisions must agree. A change shows n − 1 decisions late.
    rejected : object
        The label of rejected decisions, which neither confirm nor break a row.
    """

    def __init__(self, n_agree: int = 3, rejected: Any = None) -> None:
        self.n_agree = check_count("n_agree", n_agree)
        super().__init__(rejected)

    @property
    def delay_steps(self) -> float:
        """By how many decisions a change shows late."""
        return float(self.n_agree - 1)

    def reset(self) -> None:
        """Forget the decisions so far."""
        self._held: Any = self.rejected
        self._new: Any = self.rejected
        self._n = 0

    def update(self, label: Any) -> Any:
        """What holds after one more decision; the first holds at once."""
        if label == self.rejected:
            return self._held
        if self._held == self.rejected:
            self._held = label
        self._n = self._n + 1 if label == self._new else 1
        self._new = label
        if self._n >= self.n_agree:
            self._held = label
        return self._held
