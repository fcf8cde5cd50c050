"""What the engine knows of training frameworks against the frameworks themselves, where they are installed."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from optlint.semantics.interpreter import Interpreter
from optlint.semantics.libraries import lightning, lightning_callbacks, peft_injection, transformers_trainer
from optlint.semantics.program import Run
from optlint.semantics.project import Project
from optlint.semantics.roots import follow
from optlint.settings import Settings
from optlint.syntax.source_module import SourceModule


class TestLightning:
    """The trainer's hooks and callbacks."""

    def test_the_hooks_run_in_this_order(self, tmp_path: Path) -> None:
        pl = pytest.importorskip("lightning.pytorch")
        torch = pytest.importorskip("torch")
        seen: list[str] = []

        def noting(name: str) -> Any:
            def hook(self: Any, *args: Any, **kwargs: Any) -> None:
                seen.append(name)

            return hook

        class Module(pl.LightningModule):  # type: ignore[misc,name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.layer = torch.nn.Linear(2, 1)

            def training_step(self, batch: Any, batch_idx: int) -> Any:
                seen.append("training_step")
                return self.layer(batch[0]).mean()

            def configure_optimizers(self) -> Any:
                seen.append("configure_optimizers")
                return torch.optim.SGD(self.parameters(), lr=0.1)

        old = {"configure_sharded_model"}
        wanted = [
            *(name for name in lightning.BEFORE_OPTIMIZERS if hasattr(Module, name) and name not in old),
            "configure_optimizers",
            *(name for name in lightning.BEFORE_TRAINING if hasattr(Module, name)),
            *(name for name in lightning.BEFORE_STEP if hasattr(Module, name)),
            "training_step",
        ]
        for name in wanted:
            if name not in ("training_step", "configure_optimizers"):
                setattr(Module, name, noting(name))
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(2, 2)))
        trainer = pl.Trainer(
            default_root_dir=tmp_path,
            max_steps=1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Module(), loader)
        assert seen == wanted

    def test_callbacks_that_look_on_exist(self) -> None:
        callbacks = pytest.importorskip("lightning.pytorch.callbacks")
        old = {"GPUStatsMonitor", "XLAStatsMonitor"}
        known = {name for name in dir(callbacks) if not name.startswith("_")}
        assert lightning_callbacks.ONLOOKERS - old <= known


class TestTransformers:
    """The constructor and the methods of ``Trainer``."""

    def test_positions_of_the_arguments(self) -> None:
        trainer = pytest.importorskip("transformers.trainer").Trainer
        names = list(inspect.signature(trainer.__init__).parameters)[1:]
        assert {name: names.index(name) for name in transformers_trainer.POSITIONS} == dict(
            transformers_trainer.POSITIONS
        )

    def test_callbacks_that_look_on_exist(self) -> None:
        transformers = pytest.importorskip("transformers")
        integrations = pytest.importorskip("transformers.integrations")
        for name in transformers_trainer.ONLOOKERS - {"NotebookProgressCallback"}:
            assert hasattr(transformers, name) or hasattr(integrations, name), name


class TestPeft:
    """Where adapters are put, and how their weights are called."""

    def test_kinds_of_configurations_exist(self) -> None:
        peft = pytest.importorskip("peft")
        for name in peft_injection.INTO_LAYERS:
            assert hasattr(peft, name), name

    def test_names_of_adapter_weights(self) -> None:
        peft = pytest.importorskip("peft")
        pytest.importorskip("torch")
        program = (
            "from peft import LoraConfig, get_peft_model\n"
            "from torch import nn\n"
            "net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))\n"
            "config = LoraConfig(r=2, target_modules=['0'], modules_to_save=['2'])\n"
            "model = get_peft_model(net, config)\n"
        )
        really: dict[str, Any] = {"peft": peft}
        exec(program, really)
        flags = {name: p.requires_grad for name, p in really["model"].named_parameters()}
        assert followed(program, "model") == flags


def followed(program: str, variable: str) -> dict[str, bool | None]:
    """The parameters that the engine gives the model called ``variable``, and whether they want a gradient."""
    found: dict[str, bool | None] = {}

    def check(run: Run) -> None:
        for model in run.root_models:
            if run.root == "<module>" and run.name_of(model) == variable:
                found.update({e.name: e.leaf.requires_grad for e in run.parameters(model).parameters})

    project = Project(Settings(), lambda path: None)
    it = Interpreter(project, frozenset(), frozenset())
    follow(it, SourceModule("program.py", program), "program.py", check)
    return found
