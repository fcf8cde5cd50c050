"""The execution proof: every fixture is run under its framework, and what its header claims must be seen.

Also tests the proof itself: a claim that is false must be called false.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixture_files import Fixture, FixtureError, Oracle, all_fixtures
from tests.oracle import proof
from tests.oracle.proof import CannotRunError, Runners, faults_of

HALF_TRAINED = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(3, 3)
        self.heads = [nn.Linear(3, 2), nn.Linear(3, 2)]
        self.scale = torch.ones(2, requires_grad=True)
        self.unused = nn.Linear(3, 2)

    def forward(self, x):
        x = self.body(x)
        return self.scale * sum(head(x) for head in self.heads)


def main():
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(4, 3)).pow(2).mean().backward()
        optimizer.step()


main()
"""

SHARED = """
import torch
from torch import nn

model = nn.Sequential(*[nn.Linear(3, 3)] * 2, nn.Linear(3, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model(torch.randn(4, 3)).sum().backward()
optimizer.step()
"""

EMPTY_GROUP = """
import torch

model = torch.nn.Linear(3, 2)
optimizer = torch.optim.Adam([{"params": []}])
model(torch.randn(4, 3)).sum().backward()
optimizer.step()
"""

LATENT = """
import torch

z = torch.zeros(3, requires_grad=True)
optimizer = torch.optim.Adam([z])
(z - 1).pow(2).sum().backward()
optimizer.step()
"""

PILING_UP = """
import torch

model = torch.nn.Linear(3, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    model(torch.randn(4, 3)).pow(2).sum().backward()
    optimizer.step()
"""

OUTDENTED = """
import torch

model = torch.nn.Linear(3, 2).eval()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

def epoch():
    for _ in range(2):
        loss = model(torch.randn(4, 3)).pow(2).sum()
    loss.backward()
    optimizer.step()

epoch()
"""

NO_STEP = """
import torch

model = torch.nn.Linear(3, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
optimizer.zero_grad()
model(torch.randn(4, 3)).pow(2).sum().backward()
"""

FROZEN_FIRST = """
import keras
import numpy as np

model = keras.Sequential([keras.layers.Dense(4, trainable=False), keras.layers.Dense(2)])
model.compile("sgd", "mse")
model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0)
"""

FROZEN_LOOP = """
import keras
import numpy as np
import tensorflow as tf


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.body = keras.layers.Dense(4)
        self.head = keras.layers.Dense(2)

    def call(self, x):
        return self.head(tf.stop_gradient(self.body(x)))


net = Net()
optimizer = keras.optimizers.SGD(0.1)


@tf.function
def train_step(x):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(net(x, training=True) ** 2)
    gradients = tape.gradient(loss, net.trainable_variables)
    optimizer.apply_gradients(zip(gradients, net.trainable_variables))


for _ in range(2):
    train_step(tf.ones((8, 3)))
"""

REBUILT = """
import torch

model = torch.nn.Linear(3, 2)
for _ in range(2):
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(4, 3)).pow(2).mean().backward()
    optimizer.step()
"""

RAISING = "raise ValueError('optimizer got an empty parameter list')\n"

HOLD = [
    ("torch", HALF_TRAINED, ["still Net.heads.*.weight", "moves Net.body.weight", "no-grad Net.unused.*"]),
    ("torch", HALF_TRAINED, ["trains", "still Net.unused.*", "still Net.heads.*", "still Net.scale"]),
    ("torch", HALF_TRAINED, ["still Net.scale"]),
    ("torch", EMPTY_GROUP, ["nothing-moves", "still Linear.weight"]),
    ("torch", LATENT, ["trains"]),
    ("torch", SHARED, ["shared Sequential.[01].weight"]),
    ("torch", PILING_UP, ["gradients-pile-up"]),
    ("torch", NO_STEP, ["never-stepped"]),
    ("torch", OUTDENTED, ["batches-lost", "steps-in epoch", "steps-in evaluation-mode"]),
    ("torch", REBUILT, ["state-lost", "moves Linear.weight"]),
    ("torch", REBUILT, ["rates 1e-3 1e-3"]),
    ("torch", REBUILT, ["gradients above 1e-6"]),
    ("torch", RAISING, ["raises ValueError: empty parameter list"]),
    ("keras", FROZEN_FIRST, ["still Sequential.layers.0.kernel", "moves Sequential.layers.1.*"]),
    ("keras", FROZEN_FIRST, ["trains"]),
    ("keras", FROZEN_LOOP, ["no-grad Net.body.kernel", "still Net.body.*", "moves Net.head.kernel"]),
    ("keras-torch", FROZEN_FIRST, ["still Sequential.layers.0.kernel", "moves Sequential.layers.1.*"]),
]

DO_NOT_HOLD = [
    ("torch", HALF_TRAINED, "still Net.body.weight", "Net.body.weight moved"),
    ("torch", HALF_TRAINED, "moves Net.heads.0.weight", "did not move"),
    ("torch", HALF_TRAINED, "moves Net.*", "did not move"),
    ("torch", HALF_TRAINED, "no-grad Net.scale", "had gradient"),
    ("torch", HALF_TRAINED, "trains", "Net.unused.weight did not move"),
    ("torch", HALF_TRAINED, "nothing-moves", "moved"),
    ("torch", HALF_TRAINED, "still Net.tail.weight", "no tensor there"),
    ("torch", HALF_TRAINED, "still Network.body.weight", "no instance of Network"),
    ("torch", HALF_TRAINED, "raises ValueError: empty", "it ran to its end"),
    ("torch", EMPTY_GROUP, "trains", "did not move"),
    ("torch", HALF_TRAINED, "gradients-pile-up", "fresh gradients"),
    ("torch", SHARED, "shared Sequential.*.weight", "one tensor in several"),
    ("torch", HALF_TRAINED, "shared Net.body.weight", "one tensor in several"),
    ("torch", NO_STEP, "gradients-pile-up", "no optimizer step was seen"),
    ("torch", LATENT, "never-stepped", "1 steps"),
    ("torch", PILING_UP, "batches-lost", "as many backward passes"),
    ("torch", OUTDENTED, "steps-in validate", "steps were taken in"),
    ("torch", HALF_TRAINED, "state-lost", "no optimizer took over"),
    ("torch", HALF_TRAINED, "rates 12 12", "the rates were"),
    ("torch", HALF_TRAINED, "gradients above 1e9", "the largest was"),
    ("torch", HALF_TRAINED, "gradients below 1e-9", "the largest was"),
    ("torch", "import torch\ntorch.nn.Linear(2, 2)\n", "trains", "no optimizer step was seen"),
    ("torch", "import torch\ntorch.nn.Linear(2, 2)\n", "still Linear.weight", "no optimizer step was seen"),
    ("torch", RAISING, "raises ValueError: something else", "empty parameter list"),
    ("torch", RAISING, "raises TypeError: empty", "ValueError"),
    ("torch", RAISING, "trains", "which no claim names"),
    ("keras", FROZEN_FIRST, "moves Sequential.layers.0.kernel", "did not move"),
    ("keras", FROZEN_FIRST, "nothing-moves", "moved"),
    ("keras", FROZEN_LOOP, "trains", "did not move"),
]


def short(value: object) -> str:
    """A readable test id: claims as they are, programs by their length."""
    text = str(value)
    return f"{len(text)} characters" if "\n" in text else text


def prove(fixture: Fixture, runners: Runners) -> list[str]:
    """The faults of a fixture; skips with the reason when it cannot be run here."""
    try:
        return faults_of(fixture, runners)
    except CannotRunError as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("fixture", all_fixtures(), ids=lambda fixture: fixture.name)
def test_the_claims_of_a_fixture_are_seen(fixture: Fixture, runners: Runners) -> None:
    assert prove(fixture, runners) == []


def inline_fixture(folder: Path, oracle: str, program: str, claims: list[str]) -> Fixture:
    """A fixture outside the tree."""
    header = "".join([f"# oracle: {oracle}\n", *(f"# claim: {claim}\n" for claim in claims)])
    path = folder / "program.py"
    path.write_text(header + program, encoding="utf-8")
    return Fixture(path, "inline", bad=not any(claim == "trains" for claim in claims))


@pytest.mark.parametrize(("oracle", "program", "claims"), HOLD, ids=short)
def test_true_claims_hold(
    tmp_path: Path, runners: Runners, oracle: str, program: str, claims: list[str]
) -> None:
    assert prove(inline_fixture(tmp_path, oracle, program, claims), runners) == []


@pytest.mark.parametrize(("oracle", "program", "claim", "told"), DO_NOT_HOLD, ids=short)
def test_false_claims_fail(
    tmp_path: Path, runners: Runners, oracle: str, program: str, claim: str, told: str
) -> None:
    faults = prove(inline_fixture(tmp_path, oracle, program, [claim]), runners)
    assert any(told in fault for fault in faults), faults


def test_bad_without_a_claim_and_good_without_trains_are_refused(tmp_path: Path, runners: Runners) -> None:
    path = inline_fixture(tmp_path, "torch", LATENT, []).path
    bad, good = Fixture(path, "inline", bad=True), Fixture(path, "inline", bad=False)
    assert faults_of(bad, runners) == ["a bad fixture must claim what goes wrong"]
    assert faults_of(good, runners) == ["a good fixture must claim 'trains'"]


def test_without_an_oracle_the_reason_is_told(tmp_path: Path, runners: Runners) -> None:
    fixture = inline_fixture(tmp_path, "none: needs lightning", LATENT, [])
    with pytest.raises(CannotRunError, match="needs lightning"):
        faults_of(fixture, runners)


def test_a_missing_framework_is_told(
    tmp_path: Path, runners: Runners, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(proof.PACKAGES, Oracle.TORCH, ("no_such_framework",))
    with pytest.raises(CannotRunError, match="no_such_framework not installed"):
        faults_of(inline_fixture(tmp_path, "torch", LATENT, ["trains"]), runners)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import torch\n", ":1: the header has no"),
        ("# oracle: torhc\n", ":1: no oracle 'torhc'"),
        ("# oracle: none\n", ":1: 'none' needs a reason"),
        ("# oracle: torch\n# claim: stil Net.fc.weight\n", ":2: no claim 'stil'"),
        ("# oracle: torch\n# claim: still weight\n", ":2: 'weight' is no path"),
        ("# oracle: torch\n# claim: raises ValueError\n", ":2: write 'raises TYPE"),
        ("# oracle: torch\n\n# claim: trains\n", ":3: a header line below the header"),
        ("# oracle: torch\n# oracle: keras\n", ":2: a second oracle"),
    ],
)
def test_a_faulty_header_is_named_by_file_and_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "program.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FixtureError) as error:
        Fixture(path, "inline", bad=True).header()
    assert str(error.value).startswith(f"{path}:")
    assert told in str(error.value)


def test_programs_see_their_own_folder_and_write_into_an_empty_one(tmp_path: Path, runners: Runners) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "model.py").write_text("import torch\nz = torch.zeros(2, requires_grad=True)\n")
    (folder / "train.py").write_text(
        "# oracle: torch\n# claim: trains\nimport os\nimport sys\nimport torch\nfrom model import z\n"
        "assert [os.path.basename(name) for name in sys.argv] == ['train.py']\n"
        "assert os.listdir('.') == [] and __name__ == '__main__'\n"
        "optimizer = torch.optim.SGD([z], lr=1.0)\nz.sum().backward()\noptimizer.step()\n"
    )
    assert prove(Fixture(folder, "inline", bad=False), runners) == []
    assert not (folder / "__pycache__").exists()
