"""Where work runs: in this process, in processes of this machine, or on a Dask cluster; the answer is the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from igfmeta.errors import InputError, check_choice

BACKENDS = ("loky", "threading", "dask")


@contextmanager
def workers(backend: str = "loky", *, scheduler: str | None = None) -> Iterator[None]:
    """Set the backend of `joblib.Parallel` for a block.

    Parameters
    ----------
    backend : {"loky", "threading", "dask"}
        Processes of this machine, threads of this process, or a cluster.
    scheduler : str, optional
        Address of the Dask scheduler, such as tcp://host:8786; without it a cluster of this machine is started.

    Raises
    ------
    InputError
        A backend that does not exist, a scheduler without Dask, or one that does not answer.
    """
    backend = check_choice("backend", backend, BACKENDS)
    if scheduler is not None and backend != "dask":
        raise InputError(f"scheduler was {scheduler!r} with backend {backend}; only backend dask has a scheduler.")
    from joblib import parallel_config

    if backend != "dask":
        with parallel_config(backend=backend):
            yield
        return
    try:
        from distributed import Client
    except ImportError:
        raise InputError("backend dask needs the extra packages of igfmeta[dask]; install them.") from None
    try:
        client = Client(scheduler, timeout=10) if scheduler else Client(threads_per_worker=1)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        where = "The scheduler of Dask" if scheduler is None else f"The scheduler {scheduler}"
        raise InputError(f"{where} does not answer ({error}).") from None
    with client, parallel_config(backend="dask"):
        yield
