"""Prints a compressed event stream as it comes: client.py LIBRARY URL [LAST_EVENT_ID].

The first line is the content coding, and the others are those of the event stream. It fails where the
body breaks off, or has no checksum.
"""

import sys
import urllib.request
import zlib

library, url, *last = sys.argv[1:]
headers = {"Accept": "text/event-stream"}
if last:
    headers["Last-Event-ID"] = last[0]


def show(part):
    sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


def with_urllib():
    """Decodes by itself."""
    request = urllib.request.Request(url, headers=headers | {"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request) as response:
        show(f"coding: {response.headers['Content-Encoding']}\n".encode())
        decoder = zlib.decompressobj(wbits=31)
        while part := response.read1(65536):
            show(decoder.decompress(part))
    assert decoder.eof and not decoder.unused_data, "the body has no end of its own"


def with_requests():
    """Has the library ask for the coding, and decode."""
    import requests

    with requests.get(url, headers=headers, stream=True) as response:
        show(f"coding: {response.headers['Content-Encoding']}\n".encode())
        for part in response.iter_content(chunk_size=None):
            show(part)


try:
    {"urllib": with_urllib, "requests": with_requests}[library]()
except Exception as error:
    sys.exit(repr(error))
