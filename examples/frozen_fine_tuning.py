"""Transfer learning whose loop freezes the new head along with the backbone: fit runs, nothing trains.

Its corrected twin is fine_tuning.py.
"""

import keras
import numpy as np
from keras import layers

IMAGE = (32, 32, 3)
CLASSES = 4


def backbone() -> keras.Model:
    """Stand in for a pretrained network, so that the example needs no download."""
    inputs = keras.Input(IMAGE)
    x = layers.Conv2D(8, 3, strides=2, activation="relu", name="block1")(inputs)
    x = layers.Conv2D(16, 3, strides=2, activation="relu", name="block2")(x)
    return keras.Model(inputs, x, name="backbone")


def build() -> keras.Model:
    base = backbone()
    x = layers.GlobalAveragePooling2D()(base.output)
    outputs = layers.Dense(CLASSES, activation="softmax", name="head")(x)
    model = keras.Model(base.input, outputs)

    # Keep the pretrained weights, train the head only.
    for layer in model.layers:
        layer.trainable = False
    return model


def main() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, size=128)
    images = rng.normal(size=(128, *IMAGE)) * 0.5 + labels[:, None, None, None]

    model = build()
    model.compile(
        optimizer=keras.optimizers.Adam(1e-2), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(images, labels, epochs=5, batch_size=32)


if __name__ == "__main__":
    main()
