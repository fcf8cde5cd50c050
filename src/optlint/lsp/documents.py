"""The open documents of an editor, as the files that the engine can check, and one check of all of them.

The server calls it. Must not know how the protocol's messages travel, nor what findings mean.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any
from urllib.parse import unquote, urlsplit

from lsprotocol import types
from pygls import uris
from pygls.workspace import Workspace

from optlint.deferred import dataclass
from optlint.discovery import Excluder
from optlint.engine import Report
from optlint.engine import run as check_files
from optlint.rules import all_rules
from optlint.selection import Selection, check
from optlint.settings import Configuration
from optlint.source import NOTEBOOK_SUFFIX, SourceStore, encode

_PYTHON = "python"


@dataclass(frozen=True)
class Preferences:
    """What the editor's own settings say: the options of the same names."""

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    config: str | None = None

    @classmethod
    def read(cls, given: object) -> Preferences:
        """The preferences in what an editor sent. Raises ``ValueError`` with a text for the user."""
        if given is None:
            return cls()
        if not isinstance(given, Mapping):
            raise ValueError("optlint's settings must be an object")
        known = {"select": None, "extendSelect": (), "ignore": (), "config": None}
        for key in given:
            if key not in known:
                raise ValueError(f"unknown setting `optlint.{key}`; known settings: {', '.join(known)}")
        values: dict[str, Any] = {**known, **given}
        if values["config"] is not None and not isinstance(values["config"], str):
            raise ValueError("`optlint.config` must be a path")
        return cls(
            None if values["select"] is None else _words("select", values["select"]),
            _words("extendSelect", values["extendSelect"] or ()),
            _words("ignore", values["ignore"] or ()),
            values["config"] or None,
        )

    def configuration(self) -> Configuration:
        """The configuration of all folders under these preferences. Raises what the command line would report."""
        selection = Selection(self.select, self.extend_select, self.ignore)
        check(selection.selectors(), all_rules())
        return Configuration(config=self.config, isolated=False, command_line=selection)


def _words(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(v, str) for v in value):
        return tuple(value)
    raise ValueError(f"`optlint.{name}` must be a list of rules")


@dataclass
class Snapshot:
    """What was open at one moment: the bytes by path, the address and version of each document.

    ``uris`` and ``versions`` are by path and cell; a file that is no notebook has the cell ``None``.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    uris: dict[tuple[str, int | None], str] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def uri(self, path: str, cell: int | None) -> str:
        """The address of a file or cell, as the editor calls it."""
        known = self.uris.get((path, cell))
        return known or uris.from_fs_path(path) or path


@dataclass(frozen=True)
class Checked:
    """A report on what was open, and the texts that its lines and columns count in."""

    snapshot: Snapshot
    report: Report
    store: SourceStore


def snapshot(workspace: Workspace) -> Snapshot:
    """What is open now."""
    taken = Snapshot()
    for document in workspace.text_documents.values():
        if workspace.get_notebook_document(cell_uri=document.uri) is not None:
            continue
        path = path_of(document.uri, workspace.root_path)
        if document.language_id == _PYTHON or path.endswith((".py", ".pyi", ".pyw")):
            taken.files[path] = encode(document.source)
            taken.uris[path, None] = document.uri
            taken.versions[document.uri] = document.version or 0
    for notebook in workspace.notebook_documents.values():
        _add_notebook(taken, notebook, workspace)
    return taken


def _add_notebook(taken: Snapshot, notebook: types.NotebookDocument, workspace: Workspace) -> None:
    path = path_of(notebook.uri, workspace.root_path)
    if not path.endswith(NOTEBOOK_SUFFIX):
        path += NOTEBOOK_SUFFIX
    cells: list[dict[str, object]] = []
    for number, cell in enumerate(notebook.cells, start=1):
        document = workspace.get_text_document(cell.document)
        code = cell.kind == types.NotebookCellKind.Code and document.language_id in (_PYTHON, None)
        cells.append({"cell_type": "code" if code else "raw", "metadata": {}, "source": document.source})
        taken.uris[path, number] = cell.document
        taken.versions[cell.document] = document.version or 0
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    taken.files[path] = json.dumps(content).encode()
    taken.uris[path, None] = notebook.uri


def path_of(uri: str, root: str | None) -> str:
    """The absolute path of a document; one that has none yet stands in the root folder."""
    if urlsplit(uri).scheme == "file":
        path = uris.to_fs_path(uri)
        if path:
            return os.path.abspath(path)
    name = os.path.basename(unquote(urlsplit(uri).path)) or "untitled"
    return os.path.join(os.path.abspath(root or os.getcwd()), name)


def check_open(taken: Snapshot, preferences: Preferences) -> Checked:
    """Check every open file that the configuration does not exclude. Raises what reading the configuration raises."""
    configuration = preferences.configuration()
    excluder = Excluder(configuration.for_folder)
    store = SourceStore(taken.files)
    files = [path for path in taken.files if not excluder.excludes_anywhere(path)]
    return Checked(taken, check_files(files, configuration.for_folder, store=store, jobs=1), store)
