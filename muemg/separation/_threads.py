"""Two levels of threads that never meet: pieces of the signal on our own threads, or one factorisation on BLAS's.

A BLAS that runs on several threads keeps them spinning for some milliseconds after each product, in the way of
whatever compiled loop comes next. So products are cut into pieces of the signal that stay in the cache, one piece a
thread with BLAS on a single one, and only factorisations, which cannot be cut, are left to BLAS's threads. Pieces
are the same whatever the number of threads, and so is the result.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["factorising", "in_pieces", "threads"]

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class _Team:
    size: int
    executor: ThreadPoolExecutor
    libraries: Any  # a threadpoolctl controller: finding the libraries takes longer than a product


_team: ContextVar[_Team | None] = ContextVar("team", default=None)


@contextmanager
def threads(n_threads: int | None = None) -> Iterator[None]:
    """Use this many threads inside; by default as many as cores, or as OMP_NUM_THREADS says."""
    from threadpoolctl import ThreadpoolController

    size = n_threads or _available()
    libraries = ThreadpoolController()
    with ThreadPoolExecutor(size) as executor, libraries.limit(limits=1, user_api="blas"):
        token = _team.set(_Team(size, executor, libraries))
        try:
            yield
        finally:
            _team.reset(token)


def _available() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(wanted)) if wanted.isdigit() and int(wanted) else cores


def in_pieces(function: Callable[[_Piece], _Result], pieces: Iterable[_Piece]) -> list[_Result]:
    """Results of a function on every piece, in order; on the threads of `threads`, if inside."""
    team = _team.get()
    if team is None or team.size == 1:
        return [function(piece) for piece in pieces]
    return list(team.executor.map(function, pieces))


@contextmanager
def factorising() -> Iterator[None]:
    """All threads for one call of LAPACK."""
    team = _team.get()
    if team is None or team.size == 1:
        yield
        return
    with team.libraries.limit(limits=team.size, user_api="blas"):
        yield
