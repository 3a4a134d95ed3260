"""Drives Chromium over a page and says what happened, as JSON: run by the environment that has playwright, and only
that.

    python drive.py '{"url": ..., "steps": [["wait", 2], ["text", "[data-field=deleted]"], ["axe"]], "dark": false}'
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

AXE = Path(__file__).parents[2] / ".venv-browser/node_modules/axe-core/axe.min.js"


def step(page: Any, name: str, *arguments: Any) -> Any:
    match name:
        case "wait":
            return page.wait_for_timeout(arguments[0] * 1000)
        case "changed":  # a selector's text differs from what it is now
            page.wait_for_function(
                "([selector, was]) => document.querySelector(selector).textContent !== was",
                arg=[arguments[0], page.text_content(arguments[0])],
                timeout=120_000,
            )
            return page.text_content(arguments[0])
        case "turn":  # whoever drives does something meanwhile
            print("turn", file=sys.stderr, flush=True)
            return sys.stdin.readline()
        case "text":
            return page.text_content(arguments[0])
        case "evaluate":
            return page.evaluate(arguments[0])
        case "axe":
            page.evaluate(AXE.read_text("utf-8"))
            found = page.evaluate("axe.run({resultTypes: ['violations']})")
            return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]
        case "screenshot":
            return page.screenshot(path=arguments[0], full_page=True) and None
    raise ValueError(name)


def main() -> None:
    order = json.loads(sys.argv[1])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(
            color_scheme="dark" if order.get("dark") else "light",
            viewport={"width": order.get("width", 900), "height": 900},
            bypass_csp=order.get("bypass_csp", False),
        )
        page = context.new_page()
        requests: list[str] = []
        said: list[str] = []
        failed: list[str] = []

        def refuse(dialog: Any) -> None:
            failed.append(f"dialog {dialog.message}")
            dialog.dismiss()

        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.on("dialog", refuse)
        page.goto(order["url"], wait_until="load" if order["url"].startswith("file") else "domcontentloaded")
        results = [step(page, *one) for one in order.get("steps", [])]
        print(
            json.dumps(
                {"results": results, "requests": requests, "console": said, "errors": failed, "title": page.title()}
            )
        )
        browser.close()


main()
