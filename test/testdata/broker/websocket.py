"""Sends messages over a WebSocket and prints what comes back."""

import sys

from websockets.sync.client import connect

with connect(sys.argv[1], compression=None) as ws:
    for message in sys.argv[2:]:
        ws.send(message)
        print(ws.recv(timeout=60), flush=True)
