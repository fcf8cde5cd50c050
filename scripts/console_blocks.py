"""Re-runs the commands that the README and ``docs`` show, and puts in what they print now.

``python scripts/console_blocks.py`` rewrites the pages; ``tests/test_docs.py`` fails when that would change one.

A page is followed from top to bottom in an empty folder that holds a copy of ``examples``. A code block with a title
(```` ```python title="train.py" ````) is written to the file of that name. In a block marked ``console`` each line
that starts with ``$`` is a command for bash, and the lines below it are what it prints.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS = 120
WIDTH = "100"

_BLOCK = re.compile(
    r"^(?P<head>```(?P<language>\w+)(?P<rest>[^\n]*)\n)(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE
)
_TITLE = re.compile(r'title="(?P<name>[^"]+)"')
_NEXT = "@@ next command @@"


def documents() -> list[Path]:
    """Every page that people read, less those that are generated from the rules."""
    pages = [path for path in (ROOT / "docs").rglob("*.md") if path.parent != ROOT / "docs" / "rules"]
    return sorted([*ROOT.glob("*.md"), *pages])


def rerun(text: str) -> str:
    """The page with what its commands print now. Raises ``ValueError`` for a block that cannot be shown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
        return _BLOCK.sub(lambda match: _block(match, folder), text)


def _block(match: re.Match[str], folder: Path) -> str:
    title = _TITLE.search(match["rest"])
    if title is not None:
        file = folder / title["name"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(match["body"], encoding="utf-8")
    if match["language"] != "console":
        return match[0]
    return f"{match['head']}{_run(match['body'], folder)}```"


def _run(body: str, folder: Path) -> str:
    commands = [line[2:] for line in body.splitlines() if line.startswith("$ ")]
    if not body.startswith("$ "):
        raise ValueError(f"a console block must start with a command:\n{body}")
    # The status of the command before is kept, so that a page may show it with `echo $?`.
    steps = [f"status=$?; echo '{_NEXT}'; (exit $status)\n{command}" for command in commands]
    function = f'optlint() {{ "{sys.executable}" -m optlint "$@"; }}'
    printed = subprocess.run(
        ["bash", "-c", "\n".join([function, "exec 2>&1", *steps])],
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    ).stdout
    if "```" in printed:
        raise ValueError(f"what these commands print would end their block:\n{body}")
    printed = printed.replace(f"{folder}{os.sep}", "")
    outputs = printed.split(f"{_NEXT}\n")[1:]
    return "".join(
        f"$ {command}\n{_ended(output)}" for command, output in zip(commands, outputs, strict=True)
    )


def _ended(output: str) -> str:
    lines = [line.rstrip() for line in output.splitlines()]
    return "".join(f"{line}\n" for line in lines)


def _environment() -> dict[str, str]:
    """The same for everyone: plain output, one width, this source tree."""
    kept = {
        key: os.environ[key] for key in ("PATH", "HOME", "SYSTEMROOT", "VIRTUAL_ENV") if key in os.environ
    }
    source = {"PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return kept | source | {"COLUMNS": WIDTH, "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}


def main() -> None:
    """Rewrite each page whose commands print something else now."""
    for path in documents():
        text = path.read_text(encoding="utf-8")
        renewed = rerun(text)
        if renewed != text:
            path.write_text(renewed, encoding="utf-8")
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
