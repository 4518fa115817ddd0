"""The command line, and the rule for every error: a sentence and an exit status, never a traceback.

Exit status: 0 done, 1 a fault of ours, 2 input or options that cannot be used, 3 valid input without an answer.
`audit` returns 1 where an error stands in the evidence.
"""

from __future__ import annotations

import gc
import os
import sys

from igfmeta.cli.commands import asked_for
from igfmeta.errors import IgfmetaError, NothingToPool
from igfmeta.text import plain


def _prepare_libraries() -> None:
    """Set, before they load, what libraries read from the environment.

    BLAS keeps to one thread, because on arrays of this size threads cost more than they give; pydantic does not search
    every installed package for plugins.
    """
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Loading libraries makes many objects and hardly any garbage.
    gc.set_threshold(100_000, 20, 20)


def _say(message: str) -> None:
    print(plain(message), file=sys.stderr)


def _cause(error: BaseException) -> BaseException:
    """Return the first of the errors of which one led to the next."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def _run() -> int:
    try:
        asked_for(sys.argv[1:])()
    except SystemExit as stop:
        # Typer ends on these two in its own way.
        for reason in (BrokenPipeError, KeyboardInterrupt):
            if isinstance(_cause(stop), reason):
                raise reason from None
        return stop.code if isinstance(stop.code, int) else 0
    except IgfmetaError as error:
        what = "igfmeta found nothing to pool" if isinstance(error, NothingToPool) else "igfmeta found these problems"
        _say(f"igfmeta: {error}" if "\n" not in str(error) else f"{what}:\n{error}")
        return error.exit_status
    except OSError as error:
        if error.filename is None:
            raise  # of standard output
        _say(f"igfmeta: {error.filename} cannot be used: {error.strerror}.")
        return 2
    return 0


def main() -> None:
    """Run the command line and exit."""
    _prepare_libraries()
    if "--debug" in sys.argv[1:]:
        sys.argv.remove("--debug")
        asked_for(sys.argv[1:])()
        return
    try:
        status = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of a pipe has gone (`| head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except OSError as error:
        # What reads and writes files says so itself: this is standard output, full or closed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _say(f"igfmeta: standard output cannot be written: {error.strerror}.")
        status = 2
    except KeyboardInterrupt:
        _say("igfmeta: interrupted; nothing was written.")
        status = 130
    except Exception as error:
        _say(
            f"igfmeta: a fault of igfmeta, not of the input ({type(error).__name__}: {error}). "
            "Run again with --debug to see where, and report it."
        )
        status = 1
    sys.exit(status)
