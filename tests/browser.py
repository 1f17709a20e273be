"""A headless Chromium at the other end of a pipe: just enough of its DevTools protocol for tests."""

from __future__ import annotations

import base64
import fcntl
import io
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless", "--no-sandbox", "--remote-debugging-pipe", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--disable-gpu-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--no-first-run", "--mute-audio", "--proxy-server=127.0.0.1:9",
)  # fmt: skip


class Browser:
    """One page of a browser; https://chromedevtools.github.io/devtools-protocol says what it understands."""

    def __init__(self, profile: Path, size: tuple[int, int] = (640, 480), *flags: str) -> None:
        # the browser reads from 3 and writes to 4: keep our own numbers out of the shell's way
        ends = [*os.pipe(), *os.pipe()]
        theirs, self.outgoing, self.incoming, answers = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in ends)
        for end in ends:
            os.close(end)
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{answers}', "bash", str(PROGRAM), *_FLAGS,
             f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", *flags, "about:blank"],
            pass_fds=(theirs, answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs)
        os.close(answers)
        self.number, self.buffer, self.session = 0, b"", ""
        self.events: list[dict[str, Any]] = []
        try:
            self.attach()
        except BaseException:
            self.close()
            raise

    def attach(self) -> None:
        """Open the page."""
        target = self.call("Target.createTarget", url="about:blank")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result, keeping events that come before it."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.outgoing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self.events.append(answer)

    def receive(self, seconds: float = 120) -> dict[str, Any]:
        """Wait for the next message."""
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.incoming], [], [], seconds)
            piece = os.read(self.incoming, 1 << 16) if ready else b""
            assert piece, f"the browser says nothing (exit code {self.process.poll()})"
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        return dict(json.loads(message))

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def open(self, address: str) -> None:
        """Open a page and wait until its first frame is drawn or it says why not."""
        self.events.clear()
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=address)
        self.wait("document.documentElement?.dataset.frames || document.querySelector('.failed')")

    def wait(self, condition: str, seconds: float = 60) -> None:
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + seconds
        while not self.run(f"!!({condition})"):
            assert time.monotonic() < end, f"never true: {condition}"
            time.sleep(0.05)

    def settled(self) -> None:
        """Wait until nothing is drawn any more."""
        count, since, end = -1, time.monotonic(), time.monotonic() + 60
        while time.monotonic() - since < 0.6:
            now = int(self.run("+document.documentElement.dataset.frames"))
            if now != count:
                count, since = now, time.monotonic()
            assert time.monotonic() < end, "the page never rests"
            time.sleep(0.05)

    def picture(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return what the page shows, (H, W, 3)."""
        self.settled()
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Send a mouse event: mousePressed, mouseMoved, mouseReleased or mouseWheel."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def key(self, key: str) -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=key if len(key) == 1 else "")

    def complaints(self) -> list[str]:
        """Return everything on the console, every error, and every address asked for over a network."""
        self.run("0")
        found = []
        for event in self.events:
            method, params = event.get("method", ""), event.get("params", {})
            if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                found.append(json.dumps(params))
            address = (
                params.get("request", {}).get("url", "") if method == "Network.requestWillBeSent" else ""
            )
            if address.startswith(("http:", "https:", "ws:")):
                found.append(address)
        return found

    def close(self) -> None:
        """End the browser."""
        self.process.terminate()
        self.process.wait(20)
        os.close(self.outgoing)
        os.close(self.incoming)
