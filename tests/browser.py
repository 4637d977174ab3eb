"""Opens pages in headless Chromium, as their readers do."""

import html
import json
import pathlib
import re
import shutil
import subprocess

import axe_core_python
import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
needs_browser = pytest.mark.skipif(not CHROMIUM, reason="no Chromium; `make browser` installs it")
AXE = pathlib.Path(axe_core_python.__file__).with_name("axe.min.js")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
DARK, LIGHT = "--blink-settings=preferredColorScheme=0", "--blink-settings=preferredColorScheme=1"


def run_in(page, script, folder, *flags):
    """Returns what `script`, the body of an async function, returns on the page, via JSON."""
    runner = (
        f"<script>(async () => {{{script}}})().then(found => {{const p = "
        "document.createElement('pre'); p.id = 'found'; p.textContent = JSON.stringify(found); "
        "document.body.appendChild(p);})</script></body>"
    )
    copy = folder / "copy.html"
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", runner), encoding="utf-8")
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [CHROMIUM, *QUIET, *flags, profile, "--virtual-time-budget=60000", "--dump-dom"]
    finished = subprocess.run(
        [*command, copy.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    found = re.search(r'<pre id="found">(.*?)</pre>', finished.stdout, re.DOTALL)
    assert found, finished.stderr[-2000:]
    return json.loads(html.unescape(found[1]))


def violations(page, folder, *flags):
    """Returns what axe-core has to say against the accessibility of a page."""
    script = AXE.read_text(encoding="utf-8").replace("</script", r"<\/script")
    found = run_in(page, f"{script}; return await axe.run();", folder, *flags)
    assert len(found["passes"]) > 10
    return [(each["id"], each["nodes"][0]["html"][:200]) for each in found["violations"]]
