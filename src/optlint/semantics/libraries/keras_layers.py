"""The layers and ready-made models of Keras: which have weights to train, which wrap others.

The interpreter asks by name, whichever package the layer is imported from; a test builds them under the real
Keras. Must not know syntax or abstract values: arguments are constants, ``UNKNOWN`` or None where not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class KerasLayer(NamedTuple):
    """A class of ``keras.layers``.

    ``has_weights`` says whether it has weights that training changes unless it is frozen; None: its arguments
    or the layers that it is given decide (ask ``has_weights()``). ``wraps``: it is given layers or cells.
    """

    name: str
    has_weights: bool | None
    wraps: bool


#: Import prefixes, longest first, and the generations of Keras that each may mean.
KERAS_PREFIXES: Final[Mapping[str, frozenset[int]]] = MappingProxyType(
    {
        "tensorflow.compat.v1.keras": frozenset({2, 3}),
        "tensorflow.compat.v2.keras": frozenset({2, 3}),
        "tensorflow.contrib.keras": frozenset({2}),
        "tensorflow.python.keras": frozenset({2}),
        "tensorflow.keras": frozenset({2, 3}),
        "tf_keras.src": frozenset({2}),
        "tf_keras.api": frozenset({2}),
        "tf_keras": frozenset({2}),
        "keras.api": frozenset({2, 3}),
        "keras.src": frozenset({2, 3}),
        "keras": frozenset({2, 3}),
    }
)

_WITH_WEIGHTS: Final = (
    "Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D"
    " ConvLSTM3D Convolution1D Convolution1DTranspose Convolution2D Convolution2DTranspose"
    " Convolution3D Convolution3DTranspose CuDNNGRU CuDNNLSTM Dense DepthwiseConv1D DepthwiseConv2D"
    " EinsumDense Embedding GRU GRUCell GroupQueryAttention LSTM LSTMCell LocallyConnected1D"
    " LocallyConnected2D MultiHeadAttention PReLU RMSNormalization ReversibleEmbedding SeparableConv1D"
    " SeparableConv2D SeparableConvolution1D SeparableConvolution2D SimpleRNN SimpleRNNCell"
    " STFTSpectrogram"
)

_WITHOUT_WEIGHTS: Final = (
    "Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D"
    " AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add"
    " AlphaDropout AugMix AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D"
    " AvgPool1D AvgPool2D AvgPool3D CategoryEncoding CenterCrop Concatenate"
    " ContrastLimitedAdaptiveHistogramEqualization Cropping1D Cropping2D Cropping3D CutMix"
    " Discretization Dot Dropout ELU Equalization Flatten GaussianDropout GaussianNoise"
    " GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalAvgPool1D"
    " GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D"
    " GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D HashedCrossing Hashing Identity"
    " InputLayer IntegerLookup Lambda LeakyReLU Masking MaxNumBoundingBoxes MaxPool1D MaxPool2D MaxPool3D"
    " MaxPooling1D MaxPooling2D MaxPooling3D Maximum MelSpectrogram Minimum MixUp Multiply"
    " Normalization Permute RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter"
    " RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur"
    " RandomGrayscale RandomHeight RandomHue RandomInvert RandomPerspective RandomPosterization"
    " RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomWidth"
    " RandomZoom ReLU RepeatVector Rescaling Reshape Resizing Softmax Solarization SpatialDropout1D"
    " SpatialDropout2D SpatialDropout3D StringLookup Subtract TextVectorization ThresholdedReLU"
    " UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D"
    " ZeroPadding3D"
)

#: Are given other layers or cells, and have their weights.
_WRAPPERS: Final = "Bidirectional Pipeline RNN SpectralNormalization StackedRNNCells TimeDistributed Wrapper"

#: What they hold is made by the program, or by another framework.
_OPEN: Final = "AbstractRNNCell DenseFeatures FlaxLayer JaxLayer Layer TFSMLayer TorchModuleWrapper"

#: Have weights unless these arguments are all false.
_ONLY_IF: Final[Mapping[str, Mapping[str, bool]]] = MappingProxyType(
    {
        "AdditiveAttention": {"use_scale": True},
        "BatchNormalization": {"center": True, "scale": True},
        "GroupNormalization": {"center": True, "scale": True},
        "LayerNormalization": {"center": True, "scale": True},
        "SyncBatchNormalization": {"center": True, "scale": True},
    }
)

_LAYERS: Final[Mapping[str, KerasLayer]] = MappingProxyType(
    {
        **{name: KerasLayer(name, True, False) for name in _WITH_WEIGHTS.split()},
        **{name: KerasLayer(name, False, False) for name in _WITHOUT_WEIGHTS.split()},
        **{name: KerasLayer(name, None, True) for name in _WRAPPERS.split()},
        **{name: KerasLayer(name, None, False) for name in (*_OPEN.split(), *_ONLY_IF, "Attention")},
    }
)

_TOP: Final = "include_top weights input_tensor input_shape pooling classes classifier_activation"
_MOBILE: Final = "input_tensor pooling classes classifier_activation name"

_PLAIN_APPLICATIONS: Final = (
    "DenseNet121 DenseNet169 DenseNet201 EfficientNetB0 EfficientNetB1 EfficientNetB2 EfficientNetB3"
    " EfficientNetB4 EfficientNetB5 EfficientNetB6 EfficientNetB7 InceptionResNetV2 InceptionV3 ResNet101"
    " ResNet101V2 ResNet152 ResNet152V2 ResNet50 ResNet50V2 VGG16 VGG19 Xception"
)
_WITH_PREPROCESSING: Final = "B0 B1 B2 B3 L M S"
_CONVNEXT_SIZES: Final = "Base Large Small Tiny XLarge"


def _applications() -> Mapping[str, tuple[str, ...]]:
    signatures = dict.fromkeys(_PLAIN_APPLICATIONS.split(), f"{_TOP} name")
    for size in _WITH_PREPROCESSING.split():
        signatures[f"EfficientNetV2{size}"] = f"{_TOP} include_preprocessing name"
    for size in _CONVNEXT_SIZES.split():
        first, _, rest = _TOP.partition(" ")
        signatures[f"ConvNeXt{size}"] = f"{first} include_preprocessing {rest} name"
    for size in ("Large", "Mobile"):
        signatures[f"NASNet{size}"] = f"input_shape include_top weights {_MOBILE}"
    signatures["MobileNet"] = f"input_shape alpha depth_multiplier dropout include_top weights {_MOBILE}"
    signatures["MobileNetV2"] = f"input_shape alpha include_top weights {_MOBILE}"
    for size in ("Large", "Small"):
        signatures[f"MobileNetV3{size}"] = (
            "input_shape alpha minimalistic include_top weights input_tensor classes pooling dropout_rate"
            " classifier_activation include_preprocessing name"
        )
    return MappingProxyType({name: tuple(arguments.split()) for name, arguments in signatures.items()})


#: Ready-made models of ``keras.applications`` and the positional arguments of their constructors.
#: With ``include_top`` (the default) they end in a classifier of their own.
APPLICATIONS: Final = _applications()


def layer(qualified_name: str) -> KerasLayer | None:
    """Return what is known of a layer class, under any of the packages and modules that have it.

    ``keras.layers.Dense``, ``tensorflow.keras.layers.Dense``, ``keras.src.layers.core.dense.Dense`` and
    ``tensorflow.keras.layers.experimental.preprocessing.Resizing`` are found; None for all else.
    """
    prefix = next((prefix for prefix in KERAS_PREFIXES if qualified_name.startswith(f"{prefix}.")), None)
    if prefix is None:
        return None
    home, _, rest = qualified_name[len(prefix) + 1 :].partition(".")
    if home in {"layers", "engine"} and rest:
        return _LAYERS.get(rest.rpartition(".")[2])
    # `keras.Layer` stands at the top as well.
    return _LAYERS.get(home) if home == "Layer" and not rest else None


def known_layers() -> frozenset[str]:
    """Return the names of all layer classes that ``layer`` knows."""
    return frozenset(_LAYERS)


def has_weights(name: str, arguments: Mapping[str, object]) -> bool | None:
    """Say whether a layer has weights to train, given its constructor arguments by name.

    ``name`` is ``KerasLayer.name``. None when that cannot be said: the layer wraps others, its code is the
    program's, or an argument that decides is ``UNKNOWN`` or None.
    """
    known = _LAYERS.get(name)
    if known is None or known.has_weights is not None or known.wraps:
        return known.has_weights if known is not None else None
    if name == "Attention":
        return _attention_has_weights(arguments)
    if name not in _ONLY_IF:
        return None
    values = [_truth(arguments.get(argument, default)) for argument, default in _ONLY_IF[name].items()]
    return _any(values)


def _attention_has_weights(arguments: Mapping[str, object]) -> bool | None:
    mode = arguments.get("score_mode", "dot")
    concatenates = mode == "concat" if isinstance(mode, str) else None
    return _any([_truth(arguments.get("use_scale", False)), concatenates])


def _truth(value: object) -> bool | None:
    return bool(value) if isinstance(value, (bool, int)) else None


def _any(values: list[bool | None]) -> bool | None:
    if True in values:
        return True
    return None if None in values else False
