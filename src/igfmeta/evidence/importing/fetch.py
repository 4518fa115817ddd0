"""One study from ClinicalTrials.gov by its number: bounded in time and size, tried again where the server is busy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from igfmeta.errors import InputError
from igfmeta.evidence.importing.registry_study import check_nct
from igfmeta.evidence.importing.uploads import LARGEST, Upload

ADDRESS = "https://clinicaltrials.gov/api/v2/studies"

#: Answers after which asking again may help.
BUSY = (429, 500, 502, 503, 504)
ATTEMPTS, TIMEOUT, FIRST_WAIT = 3, 20.0, 1.0
#: Seconds that a server may ask to wait, and that one answer may take however steadily it comes.
LONGEST_WAIT, LONGEST_ANSWER = 60.0, 120.0


def fetch_study(
    nct_id: str, *, address: str = ADDRESS, timeout: float = TIMEOUT, wait: Callable[[float], None] = time.sleep
) -> Upload:
    """Return the record of a study as the registry's API gives it.

    Parameters
    ----------
    nct_id : str
        NCT and eight digits.
    address : str
        Of the API, without the number.
    timeout : float
        Seconds that one attempt may take to connect, and between two pieces of the answer.
    wait : callable
        Sleeps between attempts, for twice as long each time, or for as long as the server asks.

    Raises
    ------
    InputError
        Another number, no such study, no answer, an answer that is no record; the message says what the server said.
    """
    check_nct("--fetch", nct_id)
    try:
        import httpx
    except ImportError:
        raise InputError("--fetch needs the extra packages of igfmeta[fetch]; install them, or give a file.") from None
    said, asked = "", 0.0
    with httpx.Client(timeout=timeout, follow_redirects=False) as client:
        for attempt in range(ATTEMPTS):
            if attempt:
                wait(max(FIRST_WAIT * 2 ** (attempt - 1), asked))
            try:
                with client.stream("GET", f"{address.rstrip('/')}/{nct_id}", params={"format": "json"}) as answer:
                    if answer.status_code == 200:
                        kind = answer.headers.get("Content-Type", "no type said").split(";")[0]
                        return _record(_body(answer.iter_bytes(), nct_id), kind, nct_id, address)
                    said = f"the server answered {answer.status_code}"
                    asked = _seconds(answer.headers.get("Retry-After", ""))
                    if answer.status_code not in BUSY:
                        break
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                said = f"{type(error).__name__}: {error}".rstrip(": ")
    hint = "there is no such study" if said.endswith(" 404") else "download its JSON and import the file"
    raise InputError(f"{nct_id} could not be fetched from {address} ({said}); {hint}.")


def _seconds(text: str) -> float:
    """Return how long a server asks to wait, within bounds; a date is not heeded."""
    return min(float(text), LONGEST_WAIT) if text.strip().isdecimal() else 0.0


def _record(data: bytes, kind: str, nct_id: str, address: str) -> Upload:
    """Return what was fetched if it is JSON; a page of a firewall or of an error is not."""
    if data.lstrip()[:1] != b"{":
        found = f"something that is no record of a study ({kind})" if data.strip() else "nothing"
        raise InputError(f"{address} answered with {found}; is it the address of the API? {nct_id} was not imported.")
    return Upload(f"{nct_id}.json", data)


def _body(pieces: Iterable[bytes], nct_id: str) -> bytes:
    data, start = b"", time.monotonic()
    for piece in pieces:
        data += piece
        if time.monotonic() - start > LONGEST_ANSWER:
            raise InputError(f"The record of {nct_id} took longer than {LONGEST_ANSWER:g} seconds; it was not read.")
        if len(data) > LARGEST:
            raise InputError(f"The record of {nct_id} is larger than {LARGEST // 10**6} MB; it was not read.")
    return data
