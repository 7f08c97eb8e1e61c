"""A headless Chromium over its DevTools protocol, by a pair of pipes: no driver to install, no port to find free.

Source: https://chromedevtools.github.io/devtools-protocol (messages are JSON, each ended by a zero byte).
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LIGHT, DARK = "light", "dark"
DESK, PHONE = (1100, 900), (390, 844)  # CSS pixels


def find_chromium():
    """Its path, or None; CHROMIUM names one that stands elsewhere."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


AS_THREE_AND_FOUR = """import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])"""  # where the browser reads and writes


def _out_of_the_way(descriptor):
    """The same pipe under a number that is neither 3 nor 4."""
    other = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return other


class Chromium:
    """One tab of a browser. Use as a context manager; ``complaints`` gathers what the console and the network said."""

    def __init__(self, patience_s=30):
        self.patience_s = patience_s
        self.complaints, self._requests = [], {}
        self._last, self._buffer, self._answers, self._session = 0, b"", {}, None
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs_in, self._to = map(_out_of_the_way, os.pipe())
        self._from, theirs_out = map(_out_of_the_way, os.pipe())
        command = [
            find_chromium(),
            "--headless=new",
            "--no-sandbox",  # which a container does not allow, and root never
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--mute-audio",
            "--no-first-run",
            "--disable-background-networking",
            "--autoplay-policy=user-gesture-required",
            "--remote-debugging-pipe",
            f"--user-data-dir={self._profile.name}",
            "about:blank",
        ]
        start = [sys.executable, "-c", AS_THREE_AND_FOUR, str(theirs_in), str(theirs_out), *command]
        self._process = subprocess.Popen(start, pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)

    def __enter__(self):
        try:
            target = self._ask("Target.createTarget", url="about:blank")["targetId"]
            self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
                self._ask(f"{domain}.enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()

    @property
    def requests(self):
        """The addresses that the page has asked for; what stands inside it as data is asked of nobody."""
        return [address for address in self._requests.values() if not address.startswith("data:")]

    def open(self, path, size=DESK, theme=LIGHT, scale=1):
        """Load a file, with everything it draws at once."""
        self.complaints.clear()
        self._requests.clear()
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=size[0],
            height=size[1],
            deviceScaleFactor=scale,
            mobile=size[0] < 600,
        )
        self.prefer(theme)
        self._ask("Page.navigate", url=Path(path).resolve().as_uri())
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def prefer(self, theme):
        """Light or dark, as a system is set."""
        self._ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def run(self, script):
        """The value of a JavaScript expression, awaited; a click in it counts as the user's."""
        answer = self._ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, script):
        """Until an expression is true."""
        end = time.monotonic() + self.patience_s
        while not self.run(script):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.02)

    def press(self, key):
        """A key, by its name; Enter and Space with what they type."""
        text = {"Enter": "\r", " ": " "}.get(key)
        code = {"Enter": 13, " ": 32, "Tab": 9, "ArrowRight": 39, "ArrowLeft": 37, "Home": 36, "End": 35}[key]
        typed = {"text": text} if text else {}
        self._ask("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **typed)
        self._ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def click(self, x, y):
        """A press of the left button, in CSS pixels of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self._ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def hover(self, x, y):
        """The mouse goes there."""
        self._ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def accessible(self):
        """Role and name of everything that a screen reader meets."""
        nodes = self._ask("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node.get("ignored")
        ]

    def screenshot(self, selector=None, height=None):
        """PNG of the whole page, of its upper part, or of the first element that a selector finds."""
        clip = {}
        if height:
            clip = {"clip": {"x": 0, "y": 0, "width": self.run("innerWidth"), "height": height, "scale": 1}}
        if selector:
            box = f"(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            box = self.run(box + "return {x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height}})()")
            clip = {"clip": box | {"scale": 1}}
        shot = self._ask("Page.captureScreenshot", captureBeyondViewport=True, **clip)
        return base64.b64decode(shot["data"])

    def _ask(self, method, **parameters):
        self._last += 1
        number = self._last
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + self.patience_s
        while number not in self._answers:
            self._read(end, method)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def _read(self, end, method):
        ready, _, _ = select.select([self._from], [], [], max(0, end - time.monotonic()))
        data = os.read(self._from, 1 << 20) if ready else b""
        assert data, f"the browser did not answer {method} (exit code {self._process.poll()})"
        *messages, self._buffer = (self._buffer + data).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._hear(message["method"], message["params"])

    def _hear(self, event, facts):
        if event == "Runtime.exceptionThrown":
            self.complaints.append(facts["exceptionDetails"])
        elif event == "Runtime.consoleAPICalled" and facts["type"] in ("error", "warning", "assert"):
            self.complaints.append(facts["args"])
        elif event == "Log.entryAdded" and facts["entry"]["level"] in ("error", "warning"):
            self.complaints.append(facts["entry"])
        elif event == "Network.requestWillBeSent":
            self._requests[facts["requestId"]] = facts["request"]["url"]
        elif event == "Network.loadingFailed" and facts.get("blockedReason") == "csp":
            self._requests.pop(facts["requestId"], None)  # asked for, and not let out
