"""Which generation of Keras a file is for."""

from __future__ import annotations

import pytest

from optlint.semantics.libraries.keras_generation import of_file


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        ("import keras\nfrom keras import layers, ops\n", {3}),
        ("import os\nos.environ['KERAS_BACKEND'] = 'torch'\nimport keras\n", {3}),
        ("import keras\nx = keras.ops.ones((1, 2))\n", {3}),
        ("import tf_keras as keras\n", {2}),
        ("os.environ['TF_USE_LEGACY_KERAS'] = '1'\nfrom tensorflow import keras\n", {2}),
        ("from keras.layers.core import Dense\n", {2}),
        ("import keras\nmodel.fit_generator(batches)\n", {2}),
        ("from tensorflow import keras\nopt = keras.optimizers.legacy.Adam()\n", {2}),
        ("import tensorflow as tf\nmodel = tf.keras.Sequential()\n", {2, 3}),
        ("from keras.models import Sequential\n", {2, 3}),
    ],
)
def test_what_the_file_says(text: str, versions: set[int]) -> None:
    assert of_file(text).versions == versions


@pytest.mark.parametrize(
    ("requirements", "versions"),
    [
        ("numpy\ntensorflow==2.10.0\n", {2}),
        ("tensorflow-gpu==1.14\n", {2}),
        ("tensorflow>=2.4\n", {2, 3}),
        ("tensorflow>=2.16,<3\n", {3}),
        ("tensorflow<2.16\n", {2}),
        ("keras>=3.0\ntensorflow\n", {3}),
        ("Keras==2.2.4\n", {2}),
        ("tensorflow==2.17\ntf-keras\n", {2}),
        ("install_requires=[\n    'tensorflow~=2.11',\n]\n", {2}),
        ("dependencies:\n  - tensorflow=2.8\n", {2}),
        ("keras-tuner==1.0\n", {2, 3}),
    ],
)
def test_what_the_project_requires(requirements: str, versions: set[int]) -> None:
    text = "import tensorflow as tf\nmodel = tf.keras.Sequential()\n"
    assert of_file(text, [requirements]).versions == versions


def test_the_file_counts_before_the_project() -> None:
    assert of_file("from keras import ops\n", ["keras==2.2.4\n"]).is_3
