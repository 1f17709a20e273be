"""What can go wrong, and the exit code that says so.

    VoxgenError
    ├── UsageError   2   the command line or an argument makes no sense
    ├── ModelError   3   key, network, rate limit, refusal: holds what the server said
    ├── ReplyError   4   nothing in the reply can be drawn (the reply is on disk)
    ├── RenderError  5   nothing to draw, or OpenGL was asked for and does not work
    └── FileError    6   a file cannot be read or written

0 is success, repairs included; 1 is a bug in voxgen; 130 is Ctrl-C.
"""

from __future__ import annotations

__all__ = ["FileError", "ModelError", "RenderError", "ReplyError", "UsageError", "VoxgenError"]


class VoxgenError(Exception):
    """A failure a person can act on: `message` says what and where, `hint` what to do next."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(VoxgenError):
    """The command line or an argument makes no sense."""

    exit_code = 2


class ModelError(VoxgenError):
    """The model could not be asked or did not answer; `status` is the HTTP status, if there was one."""

    exit_code = 3

    def __init__(self, message: str, hint: str = "", status: int | None = None) -> None:
        super().__init__(message, hint)
        self.status = status


class ReplyError(VoxgenError):
    """Nothing in the reply can be drawn."""

    exit_code = 4


class RenderError(VoxgenError):
    """Nothing to draw, or OpenGL was asked for and does not work on this machine."""

    exit_code = 5


class FileError(VoxgenError):
    """A file cannot be read or written."""

    exit_code = 6
