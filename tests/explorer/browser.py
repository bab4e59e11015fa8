"""Debian's Chromium, headless, driven by Selenium.

Selenium speaks WebDriver to the chromedriver that Debian builds with its Chromium, so browser and driver always fit and
nothing is downloaded; Playwright would bring a Node runtime along and is made for browsers of its own.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.daemon.process import TIMEOUT_S

Result = TypeVar("Result")

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
_FLAGS = (
    "--headless=new",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # requests to other hosts are recorded, and fail
    "--no-first-run",
)


class Screen(NamedTuple):
    """A viewport in CSS pixels."""

    width: int
    height: int
    mobile: bool


DESKTOP = Screen(1280, 900, mobile=False)
PHONE = Screen(390, 844, mobile=True)
MAX_SHOT_PX = 2_000
"""Of a picture's height."""
SMALL_PHONE = Screen(320, 640, mobile=True)


class Browser:
    """One browser, shown one site. As a context manager it is ended at the end."""

    def __init__(self, base: str = "") -> None:
        """`base`: the site's URL without a path; it may be set later."""
        assert CHROMIUM is not None
        assert DRIVER is not None
        options = ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in _FLAGS:
            options.add_argument(flag)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # Chromium's own sandbox needs a user who is not root
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.base = base
        self.driver = Chrome(options=options, service=Service(DRIVER))
        self.driver.set_script_timeout(TIMEOUT_S)
        self.view(DESKTOP)

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.driver.quit()

    # --- where one is

    def open(self, route: str = "/") -> None:
        """Load the site again at a route."""
        self.driver.get("about:blank")
        self.driver.get(f"{self.base}/#{route}")
        self.until(lambda: self.find("#pulse[data-state=live]") and self.find("#network:not([hidden])"))

    def visit(self, route: str = "/") -> None:
        """Be on a page of the site, which is loaded if it is not there yet."""
        if self.driver.current_url.startswith(f"{self.base}/#"):
            self.go(route)
        else:
            self.open(route)

    def go(self, route: str) -> None:
        """Follow a link to a route, without reloading."""
        self.js("location.hash = arguments[0]", f"#{route}")

    def view(self, screen: Screen, scheme: str = "light") -> None:
        """Be a screen of that size, on a system in light or dark."""
        metrics = {"width": screen.width, "height": screen.height, "deviceScaleFactor": 1, "mobile": screen.mobile}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self._scheme = scheme

    # --- content

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """The only element of that kind, as soon as it is there."""
        self.until(lambda: self.find(selector))
        (element,) = self.find(selector)
        return element

    def texts(self, selector: str) -> list[str]:
        """The text of each element of that kind, hidden parts and all."""
        found: list[str] = self.js(
            "return [...document.querySelectorAll(arguments[0])].map(each => each.textContent)", selector
        )
        return found

    @property
    def text(self) -> str:
        """The text of the page's main part."""
        text: str = self.js("return document.getElementById('main').innerText")
        return text

    def until(self, condition: Callable[[], Result]) -> Result:
        """Wait until something is so; pages change under one's hands."""
        wait = WebDriverWait(self.driver, TIMEOUT_S, 0.02, ignored_exceptions=(StaleElementReferenceException,))
        return wait.until(lambda _: condition(), f"never so; the page: {self.text[:2000]}")

    def says(self, text: str) -> None:
        """Wait until the page says something."""
        self.until(lambda: text in self.text)

    @property
    def overflow(self) -> int:
        """CSS pixels by which the page is wider than the screen."""
        wider: int = self.js("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return wider

    def screenshot(self, path: Path, screen: Screen) -> None:
        """The whole page as on a screen that is tall enough for it."""
        height: int = self.js("return document.documentElement.scrollHeight")
        self.view(Screen(screen.width, min(max(height, screen.height), MAX_SHOT_PX), screen.mobile), self._scheme)
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {})
        path.write_bytes(base64.b64decode(shot["data"]))
        self.view(screen, self._scheme)

    # --- activity

    def forget(self) -> None:
        """Clear the site's storage and its records."""
        if not self.driver.current_url.startswith(f"{self.base}/"):
            self.driver.get("about:blank")
        self.driver.execute_cdp_cmd(
            "Storage.clearDataForOrigin", {"origin": self.base, "storageTypes": "local_storage"}
        )
        self.complaints()
        self.requests()

    def complaints(self) -> list[str]:
        """The console's messages since the last call: errors, violations of the policy, failed loads."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The URLs requested since the last call."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]


@contextmanager
def same_document(browser: Browser) -> Iterator[None]:
    """Fails if the page is reloaded meanwhile."""
    browser.js("window.sameDocument = true")
    yield
    assert browser.js("return window.sameDocument === true")
