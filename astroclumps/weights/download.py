"""A file from a URL, with bounds: bytes, time without an answer, and time in all.

`astropy.utils.data.download_file` writes as long as a server sends. What comes from here is not trusted either: `store` hashes it.
"""

import contextlib
import http.client
import os
import re
import socket
import ssl
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

__all__ = ["fetch"]

_BLOCK = 2**16  # bytes
_SLOWEST = 1024  # bytes a second; a server that sends less for longer than the timeout is given up


def fetch(url: str, *, limit: int) -> Path:
    """Download a URL into a temporary file.

    The timeout is ``astropy.utils.data.conf.remote_timeout``: seconds without a byte, and seconds that a server may fall
    short of 1024 bytes a second; it has twice that for its headers.

    Parameters
    ----------
    url : str
        ``http``, ``https``, ``ftp`` or ``file``.
    limit : int
        Bytes; a file that is or claims to be larger is given up.

    Returns
    -------
    `~pathlib.Path`
        The caller removes it. Nothing is left behind where this fails.

    Raises
    ------
    OSError, ValueError, http.client.HTTPException
        If the file cannot be had.
    """
    from astropy.utils.data import conf

    if not conf.allow_internet:
        raise OSError("downloads are switched off: astropy.utils.data.conf.allow_internet is False")
    _check(url)
    begun = time.monotonic()
    request = urllib.request.Request(url, headers={"User-Agent": conf.default_http_user_agent, "Accept": "*/*"})
    with _open(request, conf.remote_timeout) as answer:
        text = str(answer.headers.get("Content-Length") or "").strip()
        claimed = int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None
        if claimed is not None and claimed > limit:
            raise OSError(f"the server announces {claimed} bytes, allowed are {limit}")
        handle, name = tempfile.mkstemp(prefix="astroclumps-weights-")
        try:
            with os.fdopen(handle, "wb") as file:
                n = 0
                while block := answer.read1(_BLOCK) if hasattr(answer, "read1") else answer.read(_BLOCK):
                    n += len(block)
                    if n > limit:
                        raise OSError(f"the server sends more than the {limit} bytes that are allowed; cut off")
                    if time.monotonic() - begun > conf.remote_timeout + n / _SLOWEST:
                        raise TimeoutError(f"the server sent {n} bytes in {time.monotonic() - begun:.0f} s; given up")
                    file.write(block)
            if claimed is not None and n < claimed:
                raise OSError(f"the server announced {claimed} bytes and sent {n}")
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    return Path(name)


def _check(url):
    """Refuse what urllib would open, but is no file on a server."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https", "ftp", "file"):
        raise ValueError(f"a URL begins with http, https, ftp or file, got {url!r}")
    if parts.scheme == "file":
        local = Path(urllib.request.url2pathname(parts.path))
        if local.exists() and not local.is_file():
            raise OSError(f"{local} is not an ordinary file")


def _open(request, timeout):
    """The answer of a server; one that sends headers for longer than twice the timeout is cut off."""
    sockets, late = [], threading.Event()

    class Plain(http.client.HTTPConnection):
        def connect(self):
            super().connect()
            sockets.append(self.sock)

    class Secure(http.client.HTTPSConnection):
        def connect(self):
            super().connect()
            sockets.append(self.sock)

    class PlainHandler(urllib.request.HTTPHandler):
        def http_open(self, request):
            return self.do_open(Plain, request)

    class SecureHandler(urllib.request.HTTPSHandler):
        def https_open(self, request):
            return self.do_open(Secure, request, context=_certificates())

    def cut_off():
        late.set()
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    # the timeout of a socket begins anew with each byte, and http.client takes as many interim answers as are sent
    timer = threading.Timer(2 * timeout, cut_off)
    timer.daemon = True
    timer.start()
    answer = None
    try:
        answer = urllib.request.build_opener(PlainHandler, SecureHandler).open(request, timeout=timeout)
    except (OSError, http.client.HTTPException):
        if not late.is_set():
            raise
    finally:
        timer.cancel()
    if late.is_set():
        if answer is not None:
            answer.close()
        raise TimeoutError(f"the server sent no end of its headers in {2 * timeout:g} s; given up")
    return answer


def _certificates():
    """Certificates of certifi where it is installed, as astropy does; else those of the system."""
    try:
        import certifi
    except ImportError:
        return ssl.create_default_context()
    return ssl.create_default_context(cafile=certifi.where())
