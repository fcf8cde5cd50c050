"""What tutorials get wrong, and what must come out: complete scripts in the shape of popular tutorials.

Each script carries the same header and marks as a fixture; its findings are compared and its claims proved.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixture_files import Fixture, read_marks
from tests.linting import differences, lint
from tests.oracle.proof import CannotRunError, Runners, faults_of

RAISES = "# claim: raises ValueError: optimizer got an empty parameter list"

TORCH_HEAD = """
import torch
import torch.nn as nn
import torch.optim as optim
"""

TORCH_LOOP = """
criterion = nn.MSELoss()
inputs = torch.randn(16, 10)
targets = torch.randn(16, 1)
for epoch in range(3):
    optimizer.zero_grad()
    outputs = model(inputs)
    loss = criterion(outputs, targets)
    loss.backward()
    optimizer.step()
    print(f"Epoch [{epoch + 1}/3], Loss: {loss.item():.4f}")
"""

LINEAR_MODEL = """

class LinearModel(nn.Module):
    def __init__(self):
        super(LinearModel, self).__init__()
        self.linear = nn.Linear(10, 1)

    def forward(self, x):
        return self.linear(x)


model = LinearModel()
"""

NESTED_MODEL = """

class SubModel(nn.Module):
    def __init__(self):
        super(SubModel, self).__init__()
        self.fc1 = nn.Linear(10, 8)
        self.fc2 = nn.Linear(8, 8)

    def forward(self, x):
        return torch.tanh(self.fc2(torch.tanh(self.fc1(x))))


class MainModel(nn.Module):
    def __init__(self):
        super(MainModel, self).__init__()
        self.submodel = SubModel()
        self.layer = nn.Linear(8, 1)

    def forward(self, x):
        x = self.submodel(x)
        return self.layer(x)


model = MainModel()
"""


def torch_script(claims: str, *parts: str) -> str:
    """A PyTorch tutorial: header, imports, the parts, the loop."""
    return "\n".join(["# oracle: torch", claims.strip()]) + "".join([TORCH_HEAD, *parts, TORCH_LOOP])


KERAS_TAPE_LOOP = """
optimizer = tf.keras.optimizers.SGD(learning_rate=0.1)
loss_fn = tf.keras.losses.MeanSquaredError()
x_train = tf.random.normal((16, 8))
y_train = tf.random.normal((16, 1))
for epoch in range(2):
    with tf.GradientTape() as tape:
        predictions = model(x_train, training=True)
        loss = loss_fn(y_train, predictions)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
"""

KERAS_FIT = """
model.compile(optimizer=keras.optimizers.Adam(0.05), loss="mse")
model.fit(np.random.rand(16, 8), np.random.rand(16, 1), epochs=2, verbose=0)
"""

SCRIPTS = {
    "keras-first-layer-frozen-tape": """\
# oracle: keras
# claim: trains
# claim: still Sequential.layers.0.*
# claim: moves Sequential.layers.1.kernel
import tensorflow as tf

model = tf.keras.Sequential([
    tf.keras.Input(shape=(8,)),
    tf.keras.layers.Dense(16, activation="tanh", trainable=False),
    tf.keras.layers.Dense(1),
])
"""
    + KERAS_TAPE_LOOP,
    "keras-first-layer-frozen-minimize": """\
# oracle: none: optimizer.minimize exists in Keras 2 only; with it the second Dense trains
import tensorflow as tf
from tensorflow.keras.layers import Dense
from tensorflow.keras.models import Sequential

model = Sequential([
    Dense(64, activation="relu", input_shape=(784,), trainable=False),
    Dense(10, activation="softmax"),
])
x = tf.random.normal((4, 784))
y = tf.one_hot([0, 1, 2, 3], 10)
loss_fn = tf.keras.losses.CategoricalCrossentropy()
optimizer = tf.keras.optimizers.SGD(learning_rate=0.01)
for step in range(3):
    optimizer.minimize(lambda: loss_fn(y, model(x)), var_list=model.trainable_variables)
""",
    "keras-first-layer-frozen-fit": """\
# oracle: keras
# claim: trains
# claim: still Sequential.layers.0.*
import keras
import numpy as np
from keras import layers

model = keras.Sequential()
model.add(keras.Input((8,)))
model.add(layers.Dense(16, activation="tanh", trainable=False))
model.add(layers.Dense(1))
"""
    + KERAS_FIT,
    "keras-every-layer-frozen-fit": """\
# oracle: keras
# claim: nothing-moves
import keras
import numpy as np
from keras import layers

model = keras.Sequential([  # expect: OPT601
    keras.Input((8,)),
    layers.Dense(16, activation="tanh", trainable=False),
    layers.Dense(1, trainable=False),
])
"""
    + KERAS_FIT,
    "keras-every-layer-frozen-tape": """\
# oracle: keras
# claim: raises ValueError: not enough values to unpack
import tensorflow as tf

model = tf.keras.Sequential([  # expect: OPT601
    tf.keras.Input(shape=(8,)),
    tf.keras.layers.Dense(16, activation="tanh", trainable=False),
    tf.keras.layers.Dense(1, trainable=False),
])
"""
    + KERAS_TAPE_LOOP,
    "keras-every-layer-frozen-in-a-loop": """\
# oracle: keras
# claim: nothing-moves
import keras
import numpy as np
from keras import layers

model = keras.Sequential([keras.Input((8,)), layers.Dense(16, activation="tanh"), layers.Dense(1)])
for layer in model.layers:
    layer.trainable = False  # expect: OPT601
"""
    + KERAS_FIT,
    "torch-nested-submodel": torch_script(
        "# claim: trains", NESTED_MODEL, "optimizer = optim.Adam(model.parameters(), lr=0.001)\n"
    ),
    "torch-lists-that-cover-everything": torch_script(
        "# claim: trains",
        NESTED_MODEL,
        """params = list(model.submodel.parameters()) + list(model.layer.parameters())
optimizer = optim.Adam(params, lr=0.001)
""",
    ),
    "torch-submodel-left-out": torch_script(
        "# claim: still MainModel.submodel.*\n# claim: moves MainModel.layer.weight",
        NESTED_MODEL,
        'optimizer = optim.Adam(list(model.layer.parameters()), lr=0.001)  # expect: OPT102 "submodel"\n',
    ),
    "torch-layer-left-out": torch_script(
        "# claim: still MainModel.layer.*\n# claim: moves MainModel.submodel.fc1.weight",
        NESTED_MODEL,
        'optimizer = optim.Adam(model.submodel.parameters(), lr=0.001)  # expect: OPT102 "layer"\n',
    ),
    "torch-adam-of-nothing": torch_script(
        RAISES, LINEAR_MODEL, 'optimizer = optim.Adam([], lr=0.001)  # expect: OPT101 "ValueError"\n'
    ),
    "torch-sgd-of-nothing": torch_script(
        RAISES, LINEAR_MODEL, 'optimizer = optim.SGD([])  # expect: OPT101 "ValueError"\n'
    ),
    "torch-keyword-of-nothing": torch_script(
        RAISES, LINEAR_MODEL, 'optimizer = optim.RMSprop(params=[], lr=0.01)  # expect: OPT101 "ValueError"\n'
    ),
    "torch-empty-name": torch_script(
        RAISES,
        LINEAR_MODEL,
        'params = []\noptimizer = optim.Adam(params, lr=0.001)  # expect: OPT101 "ValueError"\n',
    ),
    "torch-empty-group": torch_script(
        "# claim: nothing-moves",
        LINEAR_MODEL,
        'optimizer = optim.Adam([{"params": []}])  # expect: OPT101 "nothing is raised" "nothing trains"\n',
    ),
    "torch-only-the-weight": torch_script(
        "# claim: still LinearModel.linear.bias\n# claim: moves LinearModel.linear.weight",
        LINEAR_MODEL,
        'optimizer = optim.Adam([model.linear.weight], lr=0.001)  # expect: OPT102 "linear.bias"\n',
    ),
    "torch-bias-that-is-no-parameter": torch_script(
        "# claim: still CustomLayer.bias\n# claim: moves CustomLayer.weight",
        """

class CustomLayer(nn.Module):
    def __init__(self):
        super(CustomLayer, self).__init__()
        self.weight = nn.Parameter(torch.randn(10, 1))
        self.bias = torch.randn(1, requires_grad=True)  # expect: OPT201 "bias"

    def forward(self, x):
        return torch.matmul(x, self.weight) + self.bias


model = CustomLayer()
optimizer = optim.SGD(model.parameters(), lr=0.01)
""",
    ),
    "torch-detached-weight": torch_script(
        "# claim: no-grad DetachedModel.weight\n# claim: still DetachedModel.weight",
        """

class DetachedModel(nn.Module):
    def __init__(self):
        super(DetachedModel, self).__init__()
        self.weight = nn.Parameter(torch.randn(10, 10))
        self.out = nn.Linear(10, 1)

    def forward(self, x):
        detached_weight = self.weight.detach()  # expect: OPT401 "weight"
        return self.out(torch.matmul(x, detached_weight))


model = DetachedModel()
optimizer = optim.SGD(model.parameters(), lr=0.01)
""",
    ),
    "torch-detached-weight-is-all-there-is": torch_script(
        "# claim: raises RuntimeError: element 0 of tensors does not require grad",
        """

class DetachedModel(nn.Module):
    def __init__(self):
        super(DetachedModel, self).__init__()
        self.weight = nn.Parameter(torch.randn(10, 1))

    def forward(self, x):
        detached_weight = self.weight.detach()  # expect: OPT401 "weight"
        return torch.matmul(x, detached_weight)


model = DetachedModel()
optimizer = optim.SGD(model.parameters(), lr=0.01)
""",
    ),
    "torch-unknown-dataloader": """\
# oracle: none: the loader is what the caller brings
import torch
import torch.nn as nn
import torch.optim as optim

from data import get_dataloader


def train(model, dataloader, epochs=5):
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=0.001)
    for epoch in range(epochs):
        for inputs, labels in dataloader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), labels)
            loss.backward()
            optimizer.step()


if __name__ == "__main__":
    train(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), get_dataloader("train"))
""",
    "torch-empty-dataloader": """\
# oracle: none: no batch comes, so no optimizer step can be seen; the optimizer holds all parameters
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(torch.randn(3, 10), torch.randn(3, 1)), batch_size=8, drop_last=True)
model = nn.Linear(10, 1)
optimizer = optim.SGD(model.parameters(), lr=0.01)
for inputs, targets in loader:
    optimizer.zero_grad()
    nn.functional.mse_loss(model(inputs), targets).backward()
    optimizer.step()
""",
    "torch-correct-linear-regression": torch_script(
        "# claim: trains", LINEAR_MODEL, "optimizer = optim.SGD(model.parameters(), lr=0.01)\n"
    ),
    "torch-correct-custom-layer": torch_script(
        "# claim: trains",
        """

class CustomLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(10, 1))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x @ self.weight + self.bias


model = CustomLayer()
optimizer = optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-5)
""",
    ),
    "torch-correct-groups": torch_script(
        "# claim: trains",
        NESTED_MODEL,
        """optimizer = optim.SGD([
    {"params": model.submodel.parameters()},
    {"params": model.layer.parameters(), "lr": 1e-3},
], lr=1e-2, momentum=0.9)
""",
    ),
    "torch-correct-detach-for-a-metric": torch_script(
        "# claim: trains",
        """

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(10, 1))
        self.norms = []

    def forward(self, x):
        self.norms.append(self.weight.detach().norm().item())
        return x @ self.weight


model = Net()
optimizer = optim.SGD(model.parameters(), lr=0.01)
""",
    ),
    "torch-correct-image-classifier": """\
# oracle: torch
# claim: trains
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, 1)
        self.dropout = nn.Dropout(0.25)
        self.fc1 = nn.Linear(4 * 5 * 5, 16)
        self.fc2 = nn.Linear(16, 10)

    def forward(self, x):
        x = F.max_pool2d(F.elu(self.conv1(x)), 2)
        x = self.dropout(torch.flatten(x, 1))
        x = F.elu(self.fc1(x))
        return F.log_softmax(self.fc2(x), dim=1)


def train(model, device, train_loader, optimizer, epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(train_loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()


def test(model, device, test_loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for data, target in test_loader:
            output = model(data.to(device))
            correct += output.argmax(dim=1).eq(target.to(device)).sum().item()
    return correct


def main():
    device = torch.device("cpu")
    data = TensorDataset(torch.rand(16, 1, 12, 12), torch.randint(0, 10, (16,)))
    loader = DataLoader(data, batch_size=8, shuffle=True)
    model = Net().to(device)
    optimizer = optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    for epoch in range(1, 3):
        train(model, device, loader, optimizer, epoch)
        test(model, device, loader)
        scheduler.step()


if __name__ == "__main__":
    main()
""",
    "keras-correct-fit": """\
# oracle: keras
# claim: trains
import keras
import numpy as np
from keras import layers

inputs = keras.Input(shape=(8,))
x = layers.Dense(16, activation="tanh")(inputs)
outputs = layers.Dense(1)(x)
model = keras.Model(inputs, outputs)
"""
    + KERAS_FIT,
    "keras-correct-tape": """\
# oracle: keras
# claim: trains
import tensorflow as tf


class MyModel(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.d1 = tf.keras.layers.Dense(16, activation="tanh")
        self.d2 = tf.keras.layers.Dense(1)

    def call(self, x):
        return self.d2(self.d1(x))


model = MyModel()
"""
    + KERAS_TAPE_LOOP,
    "keras-correct-transfer-learning": """\
# oracle: keras
# claim: trains
# claim: still Functional.base.*
import keras
import numpy as np
from keras import layers

base = keras.Sequential([keras.Input((8,)), layers.Dense(6, activation="tanh")], name="base")
base.trainable = False
inputs = keras.Input((8,))
model = keras.Model(inputs, layers.Dense(1)(base(inputs, training=False)))
"""
    + KERAS_FIT,
}


def written(name: str, folder: Path) -> Fixture:
    """The script as a fixture in ``folder``; it is a bad one when it has a mark."""
    path = folder / "train.py"
    path.write_text(SCRIPTS[name], encoding="utf-8")
    return Fixture(path, "tutorial-table", bad="# expect:" in SCRIPTS[name])


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_must_come_out(name: str, tmp_path: Path) -> None:
    fixture = written(name, tmp_path)
    assert differences(list(read_marks(fixture.path, tmp_path)), lint(tmp_path)) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_really_happens(name: str, tmp_path: Path, runners: Runners) -> None:
    try:
        assert faults_of(written(name, tmp_path), runners) == []
    except CannotRunError as reason:
        pytest.skip(str(reason))
