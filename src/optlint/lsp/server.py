"""The server: which messages lead to a check, when it runs, and what goes back to the editor.

The command line calls ``serve``. Must not know how findings look in the protocol, nor how files are checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from optlint import __version__
from optlint.lsp import documents, translate
from optlint.lsp.documents import Checked, Preferences, Snapshot
from optlint.lsp.translate import Shown, Translator
from optlint.selection import UnknownSelectorError
from optlint.settings import SettingsError

#: Seconds without a keystroke after which a check begins: less than anybody waits, more than a typist pauses.
QUIET_SECONDS = 0.25

WATCHED = ("**/*.py", "**/*.ipynb", "**/pyproject.toml", "**/optlint.toml")
"""Files on the disk whose change can change what is found in open ones."""


class Server(LanguageServer):
    """A language server that checks all open documents together whenever one of them changes."""

    def __init__(self) -> None:
        super().__init__(
            "optlint",
            __version__,
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            notebook_document_sync=types.NotebookDocumentSyncOptions(
                notebook_selector=[
                    types.NotebookDocumentFilterWithCells(
                        cells=[types.NotebookCellLanguage(language="python")]
                    )
                ],
                save=True,
            ),
        )
        self.preferences = Preferences()
        self.translator: Translator | None = None
        self.shown: dict[str, list[Shown]] = {}
        self._wanted = 0
        self._working: asyncio.Task[None] | None = None
        self._complaint = ""

    def changed(self) -> None:
        """Take note that what is open, or how it is to be checked, is no longer what it was."""
        self._wanted += 1
        if self._working is None or self._working.done():
            self._working = asyncio.get_running_loop().create_task(self._work())

    async def settled(self) -> None:
        """Wait until the latest change has been checked."""
        while self._working is not None and not self._working.done():
            await asyncio.wait([self._working])

    async def _work(self) -> None:
        """Check until nothing has changed meanwhile. One check runs at a time, and beside the messages."""
        checked_for = None
        while checked_for != self._wanted:
            target = self._wanted
            await asyncio.sleep(QUIET_SECONDS)
            if target != self._wanted:
                continue
            checked = await self._check(documents.snapshot(self.workspace))
            if target == self._wanted:
                checked_for = target
                if checked is not None:
                    self._publish(checked)

    async def _check(self, taken: Snapshot) -> Checked | None:
        loop = asyncio.get_running_loop()
        try:
            checked = await loop.run_in_executor(None, documents.check_open, taken, self.preferences)
        except (SettingsError, UnknownSelectorError) as error:
            self.complain(str(error))
            return None
        except Exception:
            self._log(traceback.format_exc())
            return None
        self._complaint = ""
        for text in (*checked.report.faults, *checked.report.details):
            self._log(text)
        return checked

    def _publish(self, checked: Checked) -> None:
        """Send what was found, and an empty list where something stood before."""
        self.translator = Translator(checked, self.workspace.position_codec)
        found = self.translator.diagnostics()
        for uri in sorted({*self.shown, *found}):
            diagnostics = [one.diagnostic for one in found.get(uri, ())]
            if diagnostics or uri in checked.snapshot.versions or self.shown.get(uri):
                self.text_document_publish_diagnostics(
                    types.PublishDiagnosticsParams(uri, diagnostics, checked.snapshot.versions.get(uri))
                )
        self.shown = {uri: shown for uri, shown in found.items() if shown}

    def complain(self, message: str) -> None:
        """Show what the user has to mend, once."""
        if message != self._complaint:
            self._complaint = message
            self.window_show_message(types.ShowMessageParams(types.MessageType.Error, f"optlint: {message}"))

    def prefer(self, given: object) -> None:
        """Take the editor's settings; keep the old ones when they make no sense."""
        if isinstance(given, Mapping) and isinstance(given.get("settings"), Mapping):
            given = given["settings"]
        if isinstance(given, Mapping) and isinstance(given.get("optlint"), Mapping):
            given = given["optlint"]
        try:
            self.preferences = Preferences.read(given)
        except ValueError as error:
            self.complain(str(error))

    async def pull_preferences(self) -> None:
        """Ask the editor for its settings, where it can be asked."""
        capabilities = self.client_capabilities.workspace
        if capabilities is None or not capabilities.configuration:
            return
        items = [types.ConfigurationItem(section="optlint")]
        with contextlib.suppress(Exception):  # an editor that says it can be asked and cannot
            answers = await self.workspace_configuration_async(types.ConfigurationParams(items))
            if answers and answers[0]:
                self.prefer(answers[0])

    def watch(self) -> None:
        """Ask the editor to tell when files change on the disk, where it can be asked."""
        capabilities = self.client_capabilities.workspace
        watched = capabilities.did_change_watched_files if capabilities is not None else None
        if watched is None or not watched.dynamic_registration:
            return
        options = types.DidChangeWatchedFilesRegistrationOptions(
            [types.FileSystemWatcher(glob) for glob in WATCHED]
        )
        registration = types.Registration("optlint.watch", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
        self.client_register_capability(types.RegistrationParams([registration]))

    def _log(self, text: str) -> None:
        self.window_log_message(types.LogMessageParams(types.MessageType.Error, text))


def build() -> Server:
    """The server with everything that it answers."""
    server = Server()

    @server.feature(types.INITIALIZE)
    async def initialize(parameters: types.InitializeParams) -> None:
        server.prefer(parameters.initialization_options)

    @server.feature(types.INITIALIZED)
    async def initialized(parameters: types.InitializedParams) -> None:
        server.watch()
        await server.pull_preferences()
        server.changed()

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def configured(parameters: types.DidChangeConfigurationParams) -> None:
        if isinstance(parameters.settings, Mapping) and parameters.settings:
            server.prefer(parameters.settings)
        else:
            await server.pull_preferences()
        server.changed()

    _listen_to_changes(server)
    _answer_questions(server)
    return server


def _listen_to_changes(server: Server) -> None:
    """Check anew after everything that can change what is found."""
    for kind in (
        types.TEXT_DOCUMENT_DID_OPEN,
        types.TEXT_DOCUMENT_DID_CHANGE,
        types.TEXT_DOCUMENT_DID_SAVE,
        types.TEXT_DOCUMENT_DID_CLOSE,
        types.NOTEBOOK_DOCUMENT_DID_OPEN,
        types.NOTEBOOK_DOCUMENT_DID_CHANGE,
        types.NOTEBOOK_DOCUMENT_DID_SAVE,
        types.NOTEBOOK_DOCUMENT_DID_CLOSE,
        types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
        types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS,
    ):

        @server.feature(kind)
        async def changed(parameters: Any) -> None:
            server.changed()


def _answer_questions(server: Server) -> None:
    kinds = types.CodeActionOptions([types.CodeActionKind.QuickFix, translate.FIX_ALL])

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, kinds)
    async def actions(parameters: types.CodeActionParams) -> Sequence[types.CodeAction]:
        await server.settled()
        shown = server.shown.get(parameters.text_document.uri, [])
        if server.translator is None:
            return []
        return list(server.translator.actions(shown, parameters.range, parameters.context.only))

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(parameters: types.HoverParams) -> types.Hover | None:
        await server.settled()
        return translate.hover(server.shown.get(parameters.text_document.uri, []), parameters.position)


def serve() -> None:
    """Serve one editor on standard input and output until it says goodbye."""
    build().start_io()
