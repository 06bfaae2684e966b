"""Headless Chromium for tests of the page: the system's own, driven by Playwright.

``python -m tests.harness.page_browser PAGE FOLDER`` takes the pictures of ``docs/images``.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_SWITCHES = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-first-run",
]


def missing() -> str:
    """What is not installed of what the tests need; empty when everything is."""
    if CHROMIUM is None:
        return "needs chromium"
    absent = [name for name in ("playwright", "axe_playwright_python") if find_spec(name) is None]
    return f"needs {absent[0]}" if absent else ""


@dataclass
class Window:
    """One window on a page, with what its console said and what it asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """Addresses that were asked for, but for the page itself."""

    def ask(self, script: str, argument: object = None) -> Any:
        return self.page.evaluate(script, argument)


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser; as root without its sandbox, which would not start."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=_SWITCHES, chromium_sandbox=False
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def window(
    browser: Any, page: Path, *, width: int = 1200, height: int = 900, dark: bool = False
) -> Iterator[Window]:
    """The page in a fresh profile."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        has_touch=width < 600,
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown = Window(context.new_page())
    url = page.resolve().as_uri()
    shown.page.on("console", lambda message: shown.complaints.append(message.text))
    shown.page.on("pageerror", lambda error: shown.complaints.append(str(error)))
    shown.page.on(
        "request",
        lambda asked: asked.url.partition("#")[0] == url or shown.requests.append(asked.url),
    )
    try:
        shown.page.goto(url)
        yield shown
    finally:
        context.close()


FIRST_PAINT = """() => new Promise((done) => {
  const look = () => {
    const [found] = performance.getEntriesByName("first-contentful-paint");
    return found ? done(found.startTime) : setTimeout(look, 20);
  };
  look();
})"""
"""Milliseconds from the begin of loading to the first contentful paint."""

OVERFLOWING = """() => {
  const width = document.documentElement.clientWidth;
  const wrong = [];
  for (const one of document.body.querySelectorAll("*")) {
    const box = one.getBoundingClientRect();
    const out = box.width && (box.right > width + 1 || box.left < -1);
    if (out && !one.closest(".scroll, .hidden, .skip, thead")) {
      wrong.push(`${one.tagName}.${one.getAttribute("class")} ${box.left} ${box.right}`);
    }
  }
  if (document.documentElement.scrollWidth > width) {
    wrong.push(`the page is ${document.documentElement.scrollWidth} wide`);
  }
  return wrong.slice(0, 20);
}"""
"""Elements that stand out of the window sideways and are not inside a scroller."""


def main(page: str, folder: str) -> None:
    """Screenshots of the page: light, dark, on a phone; two plots, a refuted claim."""
    with chromium() as browser:
        for name, width, height, dark in (
            ("light", 1200, 1000, False),
            ("dark", 1200, 1000, True),
            ("phone", 360, 800, False),
        ):
            with window(browser, Path(page), width=width, height=height, dark=dark) as shown:
                shown.page.screenshot(path=str(Path(folder) / f"page-{name}.png"))
        with window(browser, Path(page)) as shown:
            parts = {kind: f"figure[id$=plot-{kind}]" for kind in ("time", "map")}
            for name, selector in (*parts.items(), ("refuted", "tr.refuted")):
                if shown.page.locator(selector).count():
                    part = shown.page.locator(selector).first
                    part.screenshot(path=str(Path(folder) / f"page-{name}.png"))


if __name__ == "__main__":
    main(*sys.argv[1:3])
