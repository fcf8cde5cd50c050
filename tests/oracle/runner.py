"""Runs fixtures under the real framework, each in its own process, and prints what was observed as JSON.

``python -m tests.oracle.runner FRAMEWORK FIXTURE`` runs one; with ``--serve`` it reads one path a line and
forks a child for each, so that the framework is imported once. Started by ``proof``; knows no claims.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import random
import re
import runpy
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, Protocol

from tests.fixture_files import Fixture, Oracle, fixture_at
from tests.oracle.observation import Failure, Observation
from tests.oracle.walking import UserCode

# One fixture takes about a second; a minute means that it hangs.
SECONDS_FOR_ONE = 60
SEED = 0
#: Imported before the fork for the first fixture that mentions them: each takes seconds.
TRAINERS = {
    "lightning": ("lightning.pytorch",),
    "pytorch_lightning": ("pytorch_lightning",),
    "accelerate": ("accelerate",),
    "transformers": ("transformers.trainer",),
    "peft": ("peft",),
}


class Observer(Protocol):
    """What a framework's observer offers."""

    def install(self) -> None:
        """Start watching."""

    def observation(self) -> Observation:
        """What was seen."""


def prepare(oracle: Oracle) -> None:
    """Import the framework, before any fork and before a thread is started."""
    os.environ.update(OMP_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
    os.environ["KERAS_BACKEND"] = "torch" if oracle is Oracle.KERAS_TORCH else "tensorflow"
    sys.dont_write_bytecode = True
    if oracle is not Oracle.KERAS:
        # The first optimizer of a process would load it, and take two seconds for that.
        importlib.import_module("torch._dynamo")
        importlib.import_module("tests.oracle.observe_torch")
    if oracle is not Oracle.TORCH:
        importlib.import_module("tests.oracle.observe_keras")
    if oracle is Oracle.KERAS:
        importlib.import_module("tensorflow")


def prepare_for(fixture: Fixture) -> None:
    """Import the training frameworks that a fixture uses; one that is missing is the fixture's own ImportError."""
    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    text = "\n".join(file.read_text(encoding="utf-8") for file in fixture.files())
    for name, imported in TRAINERS.items():
        if re.search(rf"^\s*(?:from|import) {name}\b", text, re.MULTILINE):
            for module in imported:
                with contextlib.suppress(ImportError):
                    importlib.import_module(module)


def run_program(oracle: Oracle, entry: Path) -> Observation:
    """Run ``entry`` as ``__main__`` in this process and folder, watched, and return what was seen."""
    folder = entry.resolve().parent
    observers = _observers(oracle, UserCode(folder))
    _fix_seeds(oracle)
    for observer in observers:
        observer.install()
    sys.argv = [entry.name]
    sys.path[0] = str(folder)
    failure = _run(str(entry.resolve()))
    seen = _merged([observer.observation() for observer in observers])
    seen.failure = failure
    return seen


def _observers(oracle: Oracle, user_code: UserCode) -> list[Observer]:
    observers: list[Observer] = []
    if oracle is not Oracle.KERAS:
        from tests.oracle.observe_torch import TorchObserver

        observers.append(TorchObserver(user_code))
    if oracle is not Oracle.TORCH:
        from tests.oracle.observe_keras import KerasObserver

        observers.append(KerasObserver(user_code))
    return observers


def _fix_seeds(oracle: Oracle) -> None:
    random.seed(SEED)
    if oracle is not Oracle.KERAS:
        import torch

        torch.manual_seed(SEED)
        torch.set_num_threads(1)
    if oracle is not Oracle.TORCH:
        import keras

        keras.utils.set_random_seed(SEED)


def _run(entry: str) -> Failure | None:
    try:
        runpy.run_path(entry, run_name="__main__")
    except SystemExit as stop:
        if stop.code in (None, 0):
            return None
        return Failure("SystemExit", str(stop.code), traceback.format_exc())
    except BaseException as error:  # whatever ends the program is what the claim is about
        return Failure(type(error).__name__, str(error), traceback.format_exc())
    return None


def _merged(observations: list[Observation]) -> Observation:
    merged = Observation()
    for seen in observations:
        offset = len(merged.tensors)
        for instance in seen.instances:
            instance.tensors = {path: index + offset for path, index in instance.tensors.items()}
        merged.steps += seen.steps
        merged.clip_used = merged.clip_used or seen.clip_used
        merged.batches_lost = merged.batches_lost or seen.batches_lost
        merged.places += seen.places
        merged.backwards += seen.backwards
        merged.piled_up = merged.piled_up or seen.piled_up
        merged.state_lost = merged.state_lost or seen.state_lost
        merged.rates += seen.rates
        merged.gradients += seen.gradients
        merged.instances += seen.instances
        merged.tensors += seen.tensors
    return merged


def run_forked(oracle: Oracle, entry: Path) -> dict[str, Any]:
    """Run ``entry`` in a forked child and return its observation as JSON data, or ``{"fault": why}``.

    The child works in a folder of its own: what programs write must not land among the fixtures.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _run_forked(oracle, entry.resolve(), Path(folder))


def _run_forked(oracle: Oracle, entry: Path, folder: Path) -> dict[str, Any]:
    reader, writer = os.pipe()
    # What is there already belongs to the frameworks: the child need not look through it for the program's objects,
    # nor collect it.
    gc.freeze()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.chdir(folder)
        _run_in_child(oracle, entry, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return {"fault": f"it did not end within {SECONDS_FOR_ONE} s"}
    if not answer:
        return {"fault": f"the process ended without an answer (status {status})"}
    data: dict[str, Any] = json.loads(answer)
    return data


def _run_in_child(oracle: Oracle, entry: Path, writer: int) -> None:
    signal.alarm(SECONDS_FOR_ONE)
    try:
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        try:
            answer = run_program(oracle, entry).to_json()
        except Exception:
            answer = {"fault": traceback.format_exc()}
        with os.fdopen(writer, "w") as pipe:
            json.dump(answer, pipe)
    finally:
        # Not exit(): the frameworks' own clean-up must not run in a forked child.
        os._exit(0)


def main(arguments: list[str]) -> int:
    """Serve paths from standard input, or run the one named; print one line of JSON for each."""
    name, *rest = arguments
    oracle = Oracle(name)
    prepare(oracle)
    paths = (line.strip() for line in sys.stdin) if rest == ["--serve"] else rest
    for path in paths:
        fixture = fixture_at(Path(path))
        prepare_for(fixture)
        print(json.dumps(run_forked(oracle, fixture.entry)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
