"""axe-core in the browser tests: where it comes from, and what it finds on a page.

The package is fetched from the npm registry, a fixed version of it, into ``node_modules``, which git
ignores; ``make test`` does it beforehand. Without npm or a network the tests are skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any, Final

VERSION: Final = "4.10.3"
ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "node_modules" / "axe-core"
SCRIPT: Final = FOLDER / "axe.min.js"
SERIOUS: Final = frozenset({"serious", "critical"})


def script() -> Path | None:
    """The file of axe-core, fetched if it is not there; ``None`` where it cannot be had."""
    if _version() == VERSION:
        return SCRIPT
    npm = shutil.which("npm")
    if npm is None:
        return None
    FOLDER.mkdir(parents=True, exist_ok=True)
    packed = subprocess.run(
        [npm, "pack", "--silent", f"axe-core@{VERSION}"],
        cwd=FOLDER, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    archive = FOLDER / f"axe-core-{VERSION}.tgz"
    if packed.returncode or not archive.exists():
        return None
    with tarfile.open(archive) as files:
        for name in ("axe.min.js", "package.json"):
            content = files.extractfile(f"package/{name}")
            if content is None:
                return None
            (FOLDER / name).write_bytes(content.read())
    archive.unlink()
    return SCRIPT


def _version() -> str:
    manifest = FOLDER / "package.json"
    if not (manifest.exists() and SCRIPT.exists()):
        return ""
    return str(json.loads(manifest.read_text())["version"])


def violations(page: Any, source: Path) -> list[tuple[str, str, str]]:
    """Serious and critical violations of WCAG 2.2 A and AA on a page: rule, widget, markup.

    The widget is the nearest element around it that Streamlit gives a ``data-testid``, text aside.
    """
    page.add_script_tag(path=str(source))
    found: list[dict[str, Any]] = page.evaluate(
        """async () => {
            const said = await axe.run(document, {
                resultTypes: ['violations'],
                runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
            });
            const widget = target => {
                const node = document.querySelector(target.flat(9).at(-1));
                return node?.closest('[data-testid]:not([data-testid=stMarkdownContainer])')
                    ?.dataset.testid ?? '';
            };
            return said.violations.flatMap(each => each.nodes.map(node => ({
                rule: each.id, impact: each.impact, widget: widget(node.target), html: node.html,
            })));
        }"""
    )
    return [
        (each["rule"], each["widget"], each["html"][:300])
        for each in found
        if each["impact"] in SERIOUS
    ]


if __name__ == "__main__":
    found = script()
    print(f"==> axe-core {VERSION}: {'there' if found else 'cannot be had, its tests are skipped'}")
