#!/usr/bin/env python3
"""Opens the page of `migr8sync analyze --html` in a headless Chromium and uses it as a person would.

    page_check.py BROWSER PAGE [SCREENSHOT]

It fails on anything in the console, on any request that leaves the page, when the map does not answer a
click, and when a table does not sort. It speaks to the browser over a pair of pipes (DevTools protocol).
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time

SECONDS_MAX = 60


class Browser:
    """A headless browser with one page."""

    def __init__(self, program, folder):
        (self.to_child, to_us) = os.pipe(), os.pipe()
        read_end, self.write_end = self.to_child
        self.read_end, write_end = to_us
        def child():
            # Chromium reads from 3 and writes to 4; they may be taken by the pipes themselves.
            kept = (os.dup2(read_end, 100), os.dup2(write_end, 101))
            os.dup2(kept[0], 3)
            os.dup2(kept[1], 4)
        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             "--disable-dev-shm-usage", "--window-size=1200,900", f"--user-data-dir={folder}",
             "about:blank"],
            preexec_fn=child, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read_end)
        os.close(write_end)
        self.buffer = b""
        self.number = 0
        self.events = []
        self.session = None

    def receive(self):
        while b"\0" not in self.buffer:
            part = os.read(self.read_end, 1 << 16)
            if not part:
                raise SystemExit("the browser has gone")
            self.buffer += part
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def ask(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def value(self, expression):
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise SystemExit(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def click(self, selector):
        place = self.value(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left",
                     clickCount=1)


def check(browser, page, screenshot):
    target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
    browser.session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Log", "Network"):
        browser.ask(f"{domain}.enable")
    url = "file://" + os.path.abspath(page)
    browser.ask("Page.navigate", url=url)
    deadline = time.monotonic() + SECONDS_MAX
    while browser.value("document.readyState") != "complete" or not browser.value(
            "location.protocol == 'file:'"):
        if time.monotonic() > deadline:
            raise SystemExit("the page does not load")
    assert browser.value("document.querySelectorAll('.tile').length") > 0, "the map is empty"
    assert browser.value("document.querySelectorAll('#types .bar').length") > 0, "no bars"
    if screenshot:
        image = browser.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        with open(screenshot, "wb") as file:
            file.write(base64.b64decode(image))

    name = browser.value("document.querySelector('.tile.open').dataset.prefix")
    browser.click(".tile.open")
    assert browser.value("document.querySelectorAll('#path button').length") == 2, "no way in"
    assert browser.value("document.querySelectorAll('#path button')[1].textContent") == name
    assert "migr8sync sync" in browser.value("document.getElementById('command').textContent")
    browser.click("#path button")
    assert browser.value("document.querySelectorAll('#path button').length") == 1, "no way out"

    first = "document.querySelector('#prefixes tr:nth-child(2) td').textContent"
    before = browser.value("[...document.querySelectorAll('#prefixes tr td:first-child')]"
                           ".map(c => c.textContent)")
    browser.click("#prefixes th button")
    assert browser.value(first) == sorted(before)[0], "the table does not sort"

    for theme in ("dark", "light"):
        browser.ask("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": theme}])
        back = browser.value("getComputedStyle(document.body).backgroundColor")
        assert back == ("rgb(22, 24, 27)" if theme == "dark" else "rgb(255, 255, 255)"), back
    printed = browser.ask("Page.printToPDF", printBackground=True)["data"]
    assert base64.b64decode(printed).startswith(b"%PDF"), "it does not print"

    for event in browser.events:
        method, parameters = event.get("method"), event.get("params", {})
        if method in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
            raise SystemExit(f"the console says: {json.dumps(parameters)}")
        if method == "Network.requestWillBeSent":
            asked = parameters["request"]["url"]
            if asked != url and not asked.startswith(("data:", "about:")):
                raise SystemExit(f"a request leaves the page: {asked}")
    print("the page is good")


def main():
    program, page = sys.argv[1:3]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(program, folder)
        try:
            check(browser, page, sys.argv[3] if len(sys.argv) > 3 else None)
        finally:
            browser.process.kill()
            browser.process.wait()


main()
