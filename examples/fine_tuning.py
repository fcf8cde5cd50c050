"""Transfer learning in its right order: train the head on a frozen backbone, then fine-tune all of it."""

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


def build(base: keras.Model) -> keras.Model:
    x = layers.GlobalAveragePooling2D()(base.output)
    outputs = layers.Dense(CLASSES, activation="softmax", name="head")(x)
    return keras.Model(base.input, outputs)


def main() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, size=128)
    images = rng.normal(size=(128, *IMAGE)) * 0.5 + labels[:, None, None, None]

    base = backbone()
    model = build(base)

    # Keep the pretrained weights, train the head only.
    base.trainable = False
    model.compile(
        optimizer=keras.optimizers.Adam(1e-2), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(images, labels, epochs=5, batch_size=32)

    # A new optimizer with a low rate: compile takes up what trains from now on.
    base.trainable = True
    model.compile(
        optimizer=keras.optimizers.Adam(1e-5), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(images, labels, epochs=2, batch_size=32)


if __name__ == "__main__":
    main()
