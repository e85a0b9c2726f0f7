"""The server with every logger at its most talkative: `python canary_server.py ARGUMENTS`, those of the server."""

from __future__ import annotations

import logging
import sys

from gateway.server import main

if __name__ == "__main__":
    handler = logging.StreamHandler(sys.stderr)
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.DEBUG)
    logging.Logger.setLevel = lambda *_: None  # type: ignore[assignment,method-assign]  # nobody makes one quieter
    logging.basicConfig = lambda *_, **__: None
    main()
