"""Headless Chromium, driven by its DevTools protocol through pipes: no package is needed."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time

EXECUTABLE = shutil.which("chromium") or shutil.which("chromium-browser")
_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
]
# Chromium reads commands from descriptor 3 and answers on 4.
_SHELL = 'commands=$1; answers=$2; shift 2; eval "exec \\"\\$@\\" 3<&$commands 4>&$answers"'


class Browser:
    """
    One page of a headless Chromium.

    Attributes:
        complaints (list[str]): errors of the console and of scripts since a page was opened.
        requests (list[str]): every address that was asked for since.
    """

    def __init__(self):
        self.complaints, self.requests, self._number = [], [], 0
        self._profile = tempfile.mkdtemp()
        from_us, self._commands = os.pipe()
        self._answers, to_us = os.pipe()
        self._process = subprocess.Popen(
            ["bash", "-c", _SHELL, "bash", str(from_us), str(to_us), EXECUTABLE, *_OPTIONS]
            + [f"--user-data-dir={self._profile}", "about:blank"],
            pass_fds=(from_us, to_us),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(from_us)
        os.close(to_us)
        self._rest = b""
        self._session = None
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self):
        self._process.terminate()
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)
        shutil.rmtree(self._profile, ignore_errors=True)

    def call(self, method, **parameters):
        """A method of the protocol; returns its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self):
        while b"\0" not in self._rest:
            part = os.read(self._answers, 1 << 16)
            assert part, "Chromium has ended"
            self._rest += part
        text, self._rest = self._rest.split(b"\0", 1)
        message = json.loads(text)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, event, what):
        if event == "Network.requestWillBeSent":
            self.requests.append(what["request"]["url"])
        elif (
            event == "Runtime.exceptionThrown"
            or (event == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"))
            or event == "Runtime.consoleAPICalled"
            and what["type"] in ("error", "warning")
        ):
            self.complaints.append(json.dumps(what))

    def open(self, path, width=1280, height=900, theme="light"):
        """Opens a file in a window of this size, for somebody who likes this theme."""
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.complaints, self.requests = [], []
        self.call("Page.navigate", url=f"file://{path}")
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self.run(
                f"document.readyState === 'complete' && location.pathname === {str(path)!r}"
            ):
                # One frame on, what observes sizes has drawn.
                self.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
                return
        raise AssertionError(f"{path} was not loaded")

    def run(self, script):
        """The value of a JavaScript expression."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key):
        """Presses a key where the focus is."""
        codes = {"Enter": 13, "Tab": 9, "ArrowDown": 40, "ArrowRight": 39}
        options = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **options, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **options)

    def screenshot(self, whole=False):
        """A PNG of what is seen, or of the whole page."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])
