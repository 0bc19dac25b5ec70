"""Workers that share a job: processes of this machine that end with it, or those of a Dask scheduler."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from muemg.errors import MuemgError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["ATTEMPTS", "dask_client", "dask_setup", "require_distributed", "with_threads"]

ATTEMPTS = 4
"""A worker that dies is replaced and its task tried again, so many times in all."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC")
_XLA = "--xla_cpu_multi_thread_eigen=false"


def with_threads(environment: Mapping[str, str], n_threads: int) -> dict[str, str]:
    """What to set in the environment of a process so that its libraries use so many threads each.

    Parameters
    ----------
    environment : mapping of str to str
        The environment that this is added to.
    n_threads : int
        With 1 the results depend on no other count.
    """
    flags = [flag for flag in environment.get("XLA_FLAGS", "").split() if flag != _XLA]
    if n_threads == 1:
        flags.append(_XLA)
    return {**dict.fromkeys(_THREADS, str(n_threads)), "XLA_FLAGS": " ".join(flags)}


def require_distributed(what: str) -> None:
    """Raise `MuemgError`, saying what needs it, unless Dask distributed is installed."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise MuemgError(f'{what} Dask: install it with pip install "muemg[distributed]"') from None


@contextmanager
def dask_client(
    scheduler: str | None, n_workers: int, memory: int | None, *, patience: float, error: type[MuemgError]
) -> Iterator[Client]:
    """A client of the scheduler, or of workers of this machine, of one thread each, that end with the block.

    Parameters
    ----------
    scheduler : str, optional
        Address, such as ``"tcp://10.0.0.1:8786"``.
    n_workers : int
        How many on this machine; of no meaning with a scheduler.
    memory : int, optional
        Bytes above which a worker of this machine is stopped and its task tried again; none by default.
    patience : float
        Seconds after which a scheduler that does not answer counts as gone.
    error : type
        What is raised if the scheduler cannot be reached.
    """
    import dask
    from distributed import Client, LocalCluster

    settings = {
        "distributed.scheduler.allowed-failures": ATTEMPTS - 1,
        "distributed.comm.timeouts.connect": f"{patience}s",
        # Results are small and nothing may stand still: above its limit a worker is stopped, not paused.
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.nanny.pre-spawn-environ": with_threads(os.environ, 1),
    }
    with dask.config.set(settings), _silenced("distributed"):
        if scheduler is not None:
            try:
                client = Client(scheduler, timeout=patience, set_as_default=False)
            except (OSError, ValueError) as refusal:
                reason = str(refusal).splitlines()[0]
                raise error(f"cannot reach the scheduler {scheduler!r}: {reason}") from refusal
            with client:
                yield client
            return
        with (
            LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=memory or 0,
                preload=[__name__],
                dashboard_address=":0",  # any free port: the usual one may be another cluster's
                silence_logs=logging.CRITICAL,
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield client


def dask_setup(worker: Any) -> None:
    """Called by Dask in a worker that has loaded this module.

    Ctrl-C in a terminal reaches the workers too; the process that started them ends them, and they need not complain.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _silenced(name: str) -> Iterator[None]:
    """What matters is said by our own errors; Dask's log of lost connections is for its developers."""
    log = logging.getLogger(name)
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
