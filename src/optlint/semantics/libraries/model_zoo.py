"""Models that come ready made: torchvision, timm, transformers, diffusers, torch.hub, segmentation models.

The interpreter asks when the program calls one of them: which family, how the head is called, which parts
there are, whether the weights are trained already. Must not know syntax or abstract values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from optlint.deferred import regex
from optlint.semantics.libraries.torch_nn import UNKNOWN


class LibraryModel(NamedTuple):
    """A ready-made model.

    ``heads`` is the attribute path of the part that people replace for their own (``("heads", "head")`` is
    ``model.heads.head``); ``children`` are the names of all direct submodules. Both are () when not known.
    ``pretrained`` is None when that is not known, or holds for a part only.
    """

    family: str
    heads: tuple[str, ...]
    children: tuple[str, ...]
    pretrained: bool | None


_Arguments: TypeAlias = Mapping[str, object]


class _Layout(NamedTuple):
    """How the models of a family are built."""

    head: str
    children: str = ""


_RESNET: Final = _Layout("fc", "conv1 bn1 relu maxpool layer1 layer2 layer3 layer4 avgpool fc")
_FEATURES: Final = _Layout("classifier", "features avgpool classifier")
_WITHOUT_POOL: Final = _Layout("classifier", "features classifier")
_VIDEO_RESNET: Final = _Layout("fc", "stem layer1 layer2 layer3 layer4 avgpool fc")
_R_CNN: Final = _Layout("roi_heads.box_predictor", "transform backbone rpn roi_heads")
_ONE_STAGE: Final = _Layout("head", "backbone anchor_generator head transform")

#: torchvision: the start of a function's name decides.
_TORCHVISION: Final[Mapping[str, _Layout]] = MappingProxyType(
    {
        "alexnet": _FEATURES,
        "convnext_": _FEATURES,
        "deeplabv3_": _Layout("classifier"),
        "densenet": _WITHOUT_POOL,
        "efficientnet_": _FEATURES,
        "fasterrcnn_": _R_CNN,
        "fcn_": _Layout("classifier"),
        "fcos_": _ONE_STAGE,
        "googlenet": _Layout("fc"),
        "inception_v3": _Layout("fc"),
        "keypointrcnn_": _Layout("roi_heads.keypoint_predictor", "transform backbone rpn roi_heads"),
        "lraspp_": _Layout("classifier", "backbone classifier"),
        "maskrcnn_": _R_CNN,
        "maxvit_": _Layout("classifier", "stem blocks classifier"),
        "mc3_18": _VIDEO_RESNET,
        "mnasnet": _Layout("classifier", "layers classifier"),
        "mobilenet_v2": _WITHOUT_POOL,
        "mobilenet_v3_": _FEATURES,
        "mvit_": _Layout("head", "conv_proj pos_encoding blocks norm head"),
        "r2plus1d_18": _VIDEO_RESNET,
        "r3d_18": _VIDEO_RESNET,
        "raft_": _Layout(""),
        "regnet_": _Layout("fc", "stem trunk_output avgpool fc"),
        "resnet": _RESNET,
        "resnext": _RESNET,
        "retinanet_": _ONE_STAGE,
        "s3d": _FEATURES,
        "shufflenet_v2_": _Layout("fc", "conv1 maxpool stage2 stage3 stage4 conv5 fc"),
        "squeezenet": _WITHOUT_POOL,
        "ssd300_": _ONE_STAGE,
        "ssdlite320_": _ONE_STAGE,
        "swin3d_": _Layout("head", "patch_embed pos_drop features norm avgpool head"),
        "swin_": _Layout("head", "features norm permute avgpool flatten head"),
        "vgg": _FEATURES,
        "vit_": _Layout("heads.head", "conv_proj encoder heads"),
        "wide_resnet": _RESNET,
    }
)

_TORCHVISION_FAMILIES: Final = tuple(sorted(_TORCHVISION, key=len, reverse=True))

#: Parts that people put into a ready-made model in the place of its own.
_TORCHVISION_HEAD: Final = regex(r"[A-Z]\w*(?:Predictor|Head)")

#: Begin like a model's name and are none.
_TORCHVISION_HELPERS: Final = frozenset({"resnet_fpn_backbone"})

#: What these load by default, or for a part, is more than ``weights=`` says.
_WITH_BACKBONE: Final = frozenset(
    {
        "deeplabv3_",
        "fasterrcnn_",
        "fcn_",
        "fcos_",
        "keypointrcnn_",
        "lraspp_",
        "maskrcnn_",
        "retinanet_",
        "ssd300_",
        "ssdlite320_",
    }
)

#: timm: the head by the start of the model's name, where all versions of timm agree.
_TIMM_HEADS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "convnext": "head.fc",
        "deit": "head",
        "densenet": "classifier",
        "efficientnet": "classifier",
        "mobilenetv2": "classifier",
        "mobilenetv3": "classifier",
        "regnet": "head.fc",
        "resnet": "fc",
        "resnext": "fc",
        "seresnet": "fc",
        "tf_efficientnet": "classifier",
        "vgg": "head.fc",
        "vit_": "head",
        "wide_resnet": "fc",
    }
)

_SEGMENTATION_MODELS: Final = frozenset(
    {
        "DPT",
        "DeepLabV3",
        "DeepLabV3Plus",
        "FPN",
        "Linknet",
        "MAnet",
        "PAN",
        "PSPNet",
        "Segformer",
        "UPerNet",
        "Unet",
        "UnetPlusPlus",
        "create_model",
    }
)

_DIFFUSERS: Final = frozenset(
    {
        "AutoencoderKL",
        "ControlNetModel",
        "Transformer2DModel",
        "UNet2DConditionModel",
        "UNet2DModel",
        "VQModel",
    }
)

#: Repositories whose entry points are all models.
_HUB_REPOSITORIES: Final = ("facebookresearch/deit", "facebookresearch/dino", "facebookresearch/WSL-Images")

_LOADERS: Final = frozenset({"from_pretrained", "from_config", "_from_config", "from_name"})

#: Model classes of transformers: `BertModel`, `AutoModelForCausalLM`, `GPT2LMHeadModel`, `CLIPModel`, ...
_TRANSFORMERS_MODEL: Final = regex(r"\w*(Model|For[A-Z]\w+|ModelFor[A-Z]\w+|ModelWith\w+)")
_TRANSFORMERS_OTHER: Final = regex(
    r"(TF|Flax)[A-Z]\w+|\w*(DataCollator|Dataset|Processor|Tokenizer|Config|Output|Criteria|Trainer|Loss|Cache)\w*"
)
_TRANSFORMERS_HEADS: Final = MappingProxyType(
    {
        "ForCausalLM": "lm_head",
        "ForQuestionAnswering": "qa_outputs",
        "ForSequenceClassification": "classifier",
        "ForTokenClassification": "classifier",
        "LMHeadModel": "lm_head",
    }
)

#: The families whose heads really have the names above.
_TRANSFORMERS_LIKE_BERT: Final = frozenset(
    {"Bert", "DistilBert", "Electra", "Albert", "Roberta", "XLMRoberta"}
)


def library_model(qualified_name: str, arguments: _Arguments) -> LibraryModel | None:
    """Return what is known of the model that a call gives, None if it is no model of these libraries.

    ``qualified_name`` is that of the called class or function, methods included
    (``transformers.BertModel.from_pretrained``); ``arguments`` holds the arguments by name: constants, or
    ``UNKNOWN``.
    """
    library, _, rest = qualified_name.partition(".")
    finder = _FINDERS.get(library)
    return finder(rest.split("."), arguments) if finder is not None and rest else None


def _path(text: str) -> tuple[str, ...]:
    return tuple(text.split(".")) if text else ()


def _given(arguments: _Arguments, *names: str) -> bool | None:
    """Say whether any of the arguments asks for trained weights: None when that is not known."""
    values = [arguments[name] for name in names if name in arguments]
    if any(value is UNKNOWN for value in values):
        return None
    return any(value is not None and value is not False for value in values)


def _torchvision(path: list[str], arguments: _Arguments) -> LibraryModel | None:
    if path[0] != "models":
        return None
    name: object = path[-1]
    if name == "get_model":
        name = arguments.get("name")
        if not isinstance(name, str):
            return LibraryModel("torchvision", (), (), _given(arguments, "weights"))
    if not isinstance(name, str) or name in _TORCHVISION_HELPERS:
        return None
    if _TORCHVISION_HEAD.fullmatch(name):
        return LibraryModel("torchvision.head", (), (), False)
    found = _torchvision_model(name, arguments)
    if found is not None and "quantization" in path:
        # A quantised model has other parts, and may hold no parameters at all.
        return found._replace(children=(), heads=())
    return found


def _torchvision_model(name: str, arguments: _Arguments) -> LibraryModel | None:
    family = next((start for start in _TORCHVISION_FAMILIES if name.startswith(start)), None)
    if family is None:
        return None
    layout = _TORCHVISION[family]
    pretrained = _given(arguments, "weights", "pretrained")
    if family in _WITH_BACKBONE and pretrained is False:
        pretrained = None
    label = f"torchvision.{family.rstrip('_')}"
    return LibraryModel(label, _path(layout.head), tuple(layout.children.split()), pretrained)


def _timm(path: list[str], arguments: _Arguments) -> LibraryModel | None:
    name: object = path[-1]
    if name == "create_model":
        name = arguments.get("model_name", UNKNOWN)
    elif path[0] != "models" or _timm_head(path[-1]) is None:
        return None
    head = _timm_head(name) if isinstance(name, str) else None
    without = arguments.get("num_classes", 1) in (0, UNKNOWN) or bool(arguments.get("features_only"))
    return LibraryModel("timm", () if without else _path(head or ""), (), _given(arguments, "pretrained"))


def _timm_head(name: str) -> str | None:
    return next((head for start, head in _TIMM_HEADS.items() if name.startswith(start)), None)


def _transformers(path: list[str], arguments: _Arguments) -> LibraryModel | None:
    method = path[-1] if path[-1] in _LOADERS else None
    name = path[-2] if method is not None and len(path) > 1 else path[-1]
    if not _TRANSFORMERS_MODEL.fullmatch(name) or _TRANSFORMERS_OTHER.fullmatch(name):
        return None
    heads: tuple[str, ...] = ()
    for suffix, head in _TRANSFORMERS_HEADS.items():
        if name.endswith(suffix) and name.removesuffix(suffix) in _TRANSFORMERS_LIKE_BERT | {"GPT2"}:
            heads = (head,)
    return LibraryModel("transformers", heads, (), method == "from_pretrained")


def _diffusers(path: list[str], arguments: _Arguments) -> LibraryModel | None:
    method = path[-1] if path[-1] in _LOADERS else None
    name = path[-2] if method is not None and len(path) > 1 else path[-1]
    return LibraryModel("diffusers", (), (), method == "from_pretrained") if name in _DIFFUSERS else None


def _hub(path: list[str], arguments: _Arguments) -> LibraryModel | None:
    if path != ["hub", "load"]:
        return None
    repository, model = arguments.get("repo_or_dir"), arguments.get("model")
    if not isinstance(repository, str):
        return None
    if repository.startswith("pytorch/vision") and isinstance(model, str):
        return _torchvision_model(model, arguments)
    if repository.startswith(_HUB_REPOSITORIES):
        return LibraryModel("torch.hub", (), (), _given(arguments, "pretrained") or None)
    return None


def _segmentation_models(path: list[str], arguments: _Arguments) -> LibraryModel | None:
    if path[-1] not in _SEGMENTATION_MODELS:
        return None
    children: tuple[str, ...] = ("encoder", "decoder", "segmentation_head")
    auxiliary = arguments.get("aux_params")
    if auxiliary is not None:
        children = () if auxiliary is UNKNOWN else (*children, "classification_head")
    weights = arguments.get("encoder_weights", "imagenet")
    # Only the encoder comes trained.
    pretrained = False if weights is None else None
    return LibraryModel("segmentation_models_pytorch", ("segmentation_head",), children, pretrained)


def _efficientnet(path: list[str], arguments: _Arguments) -> LibraryModel | None:
    if path[-1] not in _LOADERS or path[-2:-1] != ["EfficientNet"]:
        return None
    parts = "_conv_stem _bn0 _blocks _conv_head _bn1 _avg_pooling _dropout _fc _swish"
    return LibraryModel("efficientnet_pytorch", ("_fc",), tuple(parts.split()), path[-1] == "from_pretrained")


def _graph_layer(path: list[str], arguments: _Arguments) -> LibraryModel | None:
    """The convolutions of torch_geometric and dgl: layers with weights that nobody has trained."""
    name = path[-1]
    if path[0] != "nn" or re.fullmatch(r"[A-Z]\w*Conv\d*", name) is None:
        return None
    return LibraryModel(name, (), (), False)


_FINDERS: Final[Mapping[str, Callable[[list[str], _Arguments], LibraryModel | None]]] = MappingProxyType(
    {
        "dgl": _graph_layer,
        "diffusers": _diffusers,
        "efficientnet_pytorch": _efficientnet,
        "segmentation_models_pytorch": _segmentation_models,
        "timm": _timm,
        "torch": _hub,
        "torch_geometric": _graph_layer,
        "torchvision": _torchvision,
        "transformers": _transformers,
    }
)
