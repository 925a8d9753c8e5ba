"""What a process and its readers say to each other: JSON, and files to write into."""

from __future__ import annotations

import array
import json
import socket
import struct
from typing import Any

Message = dict[str, Any]  # JSON between two halves of one program

_HEAD = struct.Struct("!I")


def send(peer: socket.socket, message: Message, descriptors: tuple[int, ...] = ()) -> None:
    """Send a message, with a file to write into if it asks for rows."""
    text = json.dumps(message).encode()
    socket.send_fds(peer, [_HEAD.pack(len(text))], descriptors)
    peer.sendall(text)


def receive(peer: socket.socket) -> tuple[Message, int | None]:
    """Return the next message and the file that came with it.

    Raises:
        EOFError: if the other end is gone.
    """
    room = socket.CMSG_SPACE(array.array("i").itemsize)
    first, sent, _, _ = peer.recvmsg(_HEAD.size, room)
    descriptors = array.array("i")
    for _, kind, data in sent:
        if kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: descriptors.itemsize])
    (size,) = _HEAD.unpack(_exactly(peer, _HEAD.size, first))
    message: Message = json.loads(_exactly(peer, size))
    return message, next(iter(descriptors), None)


def _exactly(peer: socket.socket, size: int, begun: bytes = b"") -> bytes:
    parts, missing = [begun], size - len(begun)
    while missing:
        part = peer.recv(missing)
        if not part:
            raise EOFError
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
