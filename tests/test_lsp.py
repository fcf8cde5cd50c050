"""The editor server, as an editor meets it: over standard input and output, in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.lsp.client import LanguageClient

from optlint.rules import all_rules

SECONDS = 60

BROKEN = """\
from torch import nn, optim

net = nn.Linear(4, 1)  # größer 𝛿
optimizer = optim.SGD([], lr=0.1)
"""
MODEL = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = LAYERS

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
"""
LOOP = """\
import torch
from torch import nn, optim

net = nn.Linear(4, 1)
optimizer = optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    net(torch.randn(2, 4)).sum().backward()
    "𝛿𝛿"; optimizer.step
"""


class Editor:
    """A client that keeps the latest diagnostics of each document and the messages that it was shown."""

    def __init__(self, folder: Path, **capabilities: Any) -> None:
        self.folder = folder
        self.client = LanguageClient("test-editor", "1")
        self.diagnostics: dict[str, list[types.Diagnostic]] = {}
        self.messages: list[str] = []
        self.settings: object = None
        self.registered: list[str] = []
        self.published = asyncio.Event()
        self._capabilities = types.ClientCapabilities(**capabilities)
        self._versions: dict[str, int] = {}

    async def start(self, options: object = None) -> types.InitializeResult:
        @self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def published(parameters: types.PublishDiagnosticsParams) -> None:
            self.diagnostics[parameters.uri] = list(parameters.diagnostics)
            self.published.set()

        @self.client.feature(types.WINDOW_SHOW_MESSAGE)
        def message(parameters: types.ShowMessageParams) -> None:
            self.messages.append(parameters.message)
            self.published.set()

        @self.client.feature(types.WORKSPACE_CONFIGURATION)
        def configuration(parameters: types.ConfigurationParams) -> list[object]:
            return [self.settings]

        @self.client.feature(types.CLIENT_REGISTER_CAPABILITY)
        def register(parameters: types.RegistrationParams) -> None:
            self.registered += [registration.method for registration in parameters.registrations]

        await self.client.start_io(sys.executable, "-m", "optlint", "--lsp")
        result = await self.client.initialize_async(
            types.InitializeParams(
                capabilities=self._capabilities,
                root_uri=self.folder.as_uri(),
                initialization_options=options,
            )
        )
        self.client.initialized(types.InitializedParams())
        return result

    async def stop(self) -> None:
        await self.client.shutdown_async(None)
        self.client.exit(None)
        await self.client.stop()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for the server to say something after which ``holds`` is true."""

        async def wait() -> None:
            while not holds():
                await self.published.wait()
                self.published.clear()

        await asyncio.wait_for(wait(), SECONDS)

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def codes(self, name: str) -> list[object] | None:
        found = self.diagnostics.get(self.uri(name))
        return None if found is None else [diagnostic.code for diagnostic in found]

    def open(self, name: str, text: str) -> None:
        item = types.TextDocumentItem(self.uri(name), "python", 1, text)
        self._versions[name] = 1
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def change(self, name: str, place: types.Range | None, text: str) -> None:
        self._versions[name] += 1
        document = types.VersionedTextDocumentIdentifier(self._versions[name], self.uri(name))
        change = (
            types.TextDocumentContentChangeWholeDocument(text)
            if place is None
            else types.TextDocumentContentChangePartial(place, text)
        )
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    def close(self, name: str) -> None:
        document = types.TextDocumentIdentifier(self.uri(name))
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(document))

    async def actions(
        self, uri: str, place: types.Range, only: list[types.CodeActionKind | str] | None = None
    ) -> list[types.CodeAction]:
        found = await self.client.text_document_code_action_async(
            types.CodeActionParams(
                types.TextDocumentIdentifier(uri), place, types.CodeActionContext([], only=only)
            )
        )
        return [action for action in found or [] if isinstance(action, types.CodeAction)]


def session(
    folder: Path, talk: Callable[[Editor], Awaitable[None]], options: object = None, **capabilities: Any
) -> None:
    """Start a server, talk to it, and end it in an orderly way."""

    async def run() -> None:
        editor = Editor(folder, **capabilities)
        await editor.start(options)
        try:
            await talk(editor)
        finally:
            await asyncio.wait_for(editor.stop(), SECONDS)

    asyncio.run(run())


def span(line: int, start: int, end: int) -> types.Range:
    return types.Range(types.Position(line, start), types.Position(line, end))


def edits_of(action: types.CodeAction) -> list[tuple[str, int | None, list[tuple[types.Range, str]]]]:
    assert action.edit is not None
    found = []
    for change in action.edit.document_changes or []:
        assert isinstance(change, types.TextDocumentEdit)
        edits = [(edit.range, edit.new_text) for edit in change.edits if isinstance(edit, types.TextEdit)]
        found.append((change.text_document.uri, change.text_document.version, edits))
    return found


def test_open_change_fix_close(tmp_path: Path) -> None:
    async def talk(editor: Editor) -> None:
        editor.open("train.py", BROKEN)
        await editor.until(lambda: editor.codes("train.py") == ["OPT101"])
        (found,) = editor.diagnostics[editor.uri("train.py")]
        assert found.range.start == types.Position(3, 12)
        assert found.source == "optlint"
        assert found.severity == types.DiagnosticSeverity.Error
        assert found.code_description is not None
        assert found.code_description.href.endswith("/rules/empty-parameter-list/")
        editor.change("train.py", span(3, 22, 24), "net.parameters()")
        await editor.until(lambda: editor.codes("train.py") == [])

        editor.change("train.py", None, LOOP)
        await editor.until(lambda: editor.codes("train.py") == ["OPT501"])
        (found,) = editor.diagnostics[editor.uri("train.py")]
        # Columns count in UTF-16 units, in which each of the two letters before it is two.
        assert found.range == span(8, 12, 26)
        fix, suppress = await editor.actions(editor.uri("train.py"), span(8, 14, 14))
        assert fix.is_preferred
        assert edits_of(fix) == [(editor.uri("train.py"), 3, [(span(8, 26, 26), "()")])]
        ((_, _, [(place, text)]),) = edits_of(suppress)
        assert (place, text) == (span(8, 26, 26), "  # optlint: ignore[OPT501]")
        assert await editor.actions(editor.uri("train.py"), span(0, 0, 0)) == []

        (everything,) = await editor.actions(
            editor.uri("train.py"), span(0, 0, 0), [types.CodeActionKind.SourceFixAll]
        )
        assert edits_of(everything) == edits_of(fix)
        editor.change("train.py", span(8, 26, 26), "()")
        await editor.until(lambda: editor.codes("train.py") == [])

        editor.change("train.py", None, BROKEN)
        await editor.until(lambda: editor.codes("train.py") == ["OPT101"])
        editor.close("train.py")
        await editor.until(lambda: editor.codes("train.py") == [])

    session(tmp_path, talk)


def test_hover_shows_the_page_of_the_rule(tmp_path: Path) -> None:
    async def talk(editor: Editor) -> None:
        editor.open("train.py", BROKEN)
        document = types.TextDocumentIdentifier(editor.uri("train.py"))
        at = await editor.client.text_document_hover_async(types.HoverParams(document, types.Position(3, 14)))
        assert at is not None
        assert isinstance(at.contents, types.MarkupContent)
        assert at.contents.value.startswith("# empty-parameter-list (OPT101)")
        beside = types.HoverParams(document, types.Position(0, 0))
        assert await editor.client.text_document_hover_async(beside) is None

    session(tmp_path, talk)


def test_other_files_count_as_they_are_in_the_editor(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL.replace("LAYERS", "nn.Sequential(nn.Linear(4, 1))"))
    broken = MODEL.replace("LAYERS", "[nn.Linear(4, 1)]")
    script = "from torch import optim\n\nfrom model import Net\n\nnet = Net()\noptim.SGD(net.parameters(), lr=0.1)\n"

    async def talk(editor: Editor) -> None:
        editor.open("train.py", script)
        await editor.until(lambda: editor.codes("train.py") == [])
        editor.open("model.py", broken)
        await editor.until(lambda: bool(editor.codes("model.py")))
        assert editor.codes("model.py") == ["OPT202"]
        editor.change("model.py", None, MODEL.replace("LAYERS", "nn.Sequential(nn.Linear(4, 1))"))
        await editor.until(lambda: editor.codes("model.py") == [])
        editor.close("model.py")
        (tmp_path / "model.py").write_text(broken)
        changed = types.FileEvent(editor.uri("model.py"), types.FileChangeType.Changed)
        editor.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([changed]))
        await editor.until(lambda: editor.codes("model.py") == ["OPT202"])

    session(tmp_path, talk)


def test_cells_of_a_notebook(tmp_path: Path) -> None:
    async def talk(editor: Editor) -> None:
        texts = ["# Title", "from torch import nn, optim\n", "%time optimizer = optim.SGD([], lr=0.1)"]
        cells = [f"vscode-notebook-cell:{tmp_path.as_posix()}/a.ipynb#{name}" for name in "abc"]
        kinds = [types.NotebookCellKind.Markup, types.NotebookCellKind.Code, types.NotebookCellKind.Code]
        editor.client.notebook_document_did_open(
            types.DidOpenNotebookDocumentParams(
                types.NotebookDocument(
                    editor.uri("a.ipynb"),
                    "jupyter-notebook",
                    1,
                    [types.NotebookCell(kind, uri) for kind, uri in zip(kinds, cells, strict=True)],
                ),
                [
                    types.TextDocumentItem(uri, "markdown" if "#a" in uri else "python", 1, text)
                    for uri, text in zip(cells, texts, strict=True)
                ],
            )
        )
        await editor.until(lambda: bool(editor.diagnostics.get(cells[2])))
        (found,) = editor.diagnostics[cells[2]]
        assert (found.code, found.range.start) == ("OPT101", types.Position(0, 18))
        await editor.until(lambda: editor.diagnostics.get(cells[1]) == [])
        (suppress,) = await editor.actions(cells[2], found.range)
        assert edits_of(suppress)[0][0] == cells[2]
        change = types.NotebookDocumentCellContentChanges(
            types.VersionedTextDocumentIdentifier(2, cells[2]),
            [types.TextDocumentContentChangeWholeDocument("x = 1\n")],
        )
        editor.client.notebook_document_did_change(
            types.DidChangeNotebookDocumentParams(
                types.VersionedNotebookDocumentIdentifier(2, editor.uri("a.ipynb")),
                types.NotebookDocumentChangeEvent(
                    cells=types.NotebookDocumentCellChanges(text_content=[change])
                ),
            )
        )
        await editor.until(lambda: editor.diagnostics[cells[2]] == [])

    session(tmp_path, talk)


def test_settings_of_the_editor_and_of_the_project(tmp_path: Path) -> None:
    async def talk(editor: Editor) -> None:
        editor.settings = {"ignore": ["OPT101"]}
        editor.open("train.py", BROKEN)
        await editor.until(lambda: editor.codes("train.py") == [])
        assert types.WORKSPACE_DID_CHANGE_WATCHED_FILES in editor.registered
        editor.settings = {"ignore": []}
        editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
        await editor.until(lambda: editor.codes("train.py") == ["OPT101"])
        sent = types.DidChangeConfigurationParams({"optlint": {"select": ["OPT9999"]}})
        editor.client.workspace_did_change_configuration(sent)
        await editor.until(lambda: any("OPT9999" in message for message in editor.messages))
        sent = types.DidChangeConfigurationParams({"optlint": {"colour": 1}})
        editor.client.workspace_did_change_configuration(sent)
        await editor.until(lambda: any("optlint.colour" in message for message in editor.messages))
        sent = types.DidChangeConfigurationParams({"optlint": {"extendSelect": []}})
        editor.client.workspace_did_change_configuration(sent)
        (tmp_path / "pyproject.toml").write_text('[tool.optlint]\nignore = ["OPT1"]\n')
        changed = types.FileEvent(editor.uri("pyproject.toml"), types.FileChangeType.Created)
        editor.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([changed]))
        await editor.until(lambda: editor.codes("train.py") == [])

    workspace = types.WorkspaceClientCapabilities(
        configuration=True,
        did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True),
    )
    session(tmp_path, talk, workspace=workspace)


def test_broken_text_and_files_that_are_excluded(tmp_path: Path) -> None:
    (tmp_path / "optlint.toml").write_text('extend-exclude = ["old"]\n')

    async def talk(editor: Editor) -> None:
        editor.open("old/train.py", BROKEN)
        editor.open("train.py", "def f(:\n")
        await editor.until(lambda: editor.codes("train.py") == ["OPT901"])
        assert editor.codes("old/train.py") == []
        editor.change("train.py", None, "# coding: latin-1\n" + BROKEN.replace("𝛿", ""))
        await editor.until(lambda: editor.codes("train.py") == ["OPT101"])
        editor.change("train.py", None, "")
        await editor.until(lambda: editor.codes("train.py") == [])

    session(tmp_path, talk)


@pytest.mark.parametrize("options", [{"settings": {"ignore": ["OPT1"]}}, {"optlint": {"ignore": ["OPT101"]}}])
def test_settings_given_at_the_start(tmp_path: Path, options: object) -> None:
    async def talk(editor: Editor) -> None:
        editor.open("train.py", BROKEN)
        await editor.until(lambda: editor.codes("train.py") == [])

    session(tmp_path, talk, options)


def test_every_rule_can_be_shown() -> None:
    from optlint.rulepages import page

    assert all(page(rule) for rule in all_rules())
