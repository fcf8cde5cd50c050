"""Which classes are optimizers or schedulers, of which framework, and how their first argument is called.

The interpreter asks when the program calls or subclasses something of a library. Names of other packages were
read in those packages; what could not be confirmed is left out. Must not know syntax or abstract values.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

Framework: TypeAlias = Literal["torch", "keras", "tf1"]


class OptimizerClass(NamedTuple):
    """An optimizer class by its canonical name (``torch.optim.Adam``, not ``torch.optim.adam.Adam``).

    ``signature`` holds the names of the positional arguments, or only the first ones; ``checks_empty`` says
    that an empty list raises ``ValueError`` when the optimizer is built, as the base class in torch does.
    """

    qualified_name: str
    name: str
    framework: Framework
    signature: tuple[str, ...]
    checks_empty: bool


#: ``torch.optim``: positional arguments of each class, from torch 2.13.
TORCH_OPTIMIZERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        name: ("params", *arguments.split())
        for name, arguments in {
            "ASGD": "lr lambd alpha t0 weight_decay foreach maximize differentiable capturable",
            "Adadelta": "lr rho eps weight_decay foreach",
            "Adafactor": "lr beta2_decay eps d weight_decay",
            "Adagrad": "lr lr_decay weight_decay initial_accumulator_value eps foreach",
            "Adam": "lr betas eps weight_decay amsgrad",
            "AdamW": "lr betas eps weight_decay amsgrad",
            "Adamax": "lr betas eps weight_decay foreach",
            "LBFGS": "lr max_iter max_eval tolerance_grad tolerance_change history_size line_search_fn",
            "Muon": "lr weight_decay momentum nesterov ns_coefficients eps ns_steps adjust_lr_fn",
            "NAdam": "lr betas eps weight_decay momentum_decay decoupled_weight_decay",
            "Optimizer": "defaults",
            "RAdam": "lr betas eps weight_decay decoupled_weight_decay",
            "RMSprop": (
                "lr alpha eps weight_decay momentum centered capturable foreach maximize differentiable"
            ),
            "Rprop": "lr etas step_sizes",
            "SGD": "lr momentum dampening weight_decay nesterov",
            "SparseAdam": "lr betas eps maximize",
        }.items()
    }
)

#: ``torch.optim.lr_scheduler``.
TORCH_SCHEDULERS: Final = frozenset(
    {
        "ChainedScheduler",
        "ConstantLR",
        "CosineAnnealingLR",
        "CosineAnnealingWarmRestarts",
        "CyclicLR",
        "ExponentialLR",
        "LRScheduler",
        "LambdaLR",
        "LinearLR",
        "MultiStepLR",
        "MultiplicativeLR",
        "OneCycleLR",
        "PolynomialLR",
        "ReduceLROnPlateau",
        "SequentialLR",
        "StepLR",
        "_LRScheduler",
    }
)

#: ``keras.optimizers`` of Keras 3, and what Keras 2 had beside it.
KERAS_OPTIMIZERS: Final = frozenset(
    {
        "Adadelta",
        "Adafactor",
        "Adagrad",
        "Adam",
        "AdamW",
        "Adamax",
        "Ftrl",
        "Lamb",
        "Lion",
        "Muon",
        "Nadam",
        "Optimizer",
        "RMSprop",
        "SGD",
        "ScheduleFreeAdamW",
    }
)

#: ``tf.train`` of TensorFlow 1, ``tf.compat.v1.train`` since.
TF1_OPTIMIZERS: Final = frozenset(
    {
        "AdadeltaOptimizer",
        "AdagradDAOptimizer",
        "AdagradOptimizer",
        "AdamOptimizer",
        "FtrlOptimizer",
        "GradientDescentOptimizer",
        "MomentumOptimizer",
        "Optimizer",
        "ProximalAdagradOptimizer",
        "ProximalGradientDescentOptimizer",
        "RMSPropOptimizer",
    }
)

_KERAS_PACKAGES: Final = (
    "keras.optimizers",
    "keras.api.optimizers",
    "keras.src.optimizers",
    "tf_keras.optimizers",
    "tf_keras.src.optimizers",
    "tensorflow.keras.optimizers",
    "tensorflow.python.keras.optimizers",
    "tensorflow.compat.v1.keras.optimizers",
    "tensorflow.compat.v2.keras.optimizers",
)

_ADDONS: Final = frozenset(
    {
        "AdaBelief",
        "AdamW",
        "COCOB",
        "ConditionalGradient",
        "LAMB",
        "LazyAdam",
        "NovoGrad",
        "ProximalAdagrad",
        "RectifiedAdam",
        "SGDW",
        "Yogi",
    }
)


def _variants(stem: str) -> str:
    """Name the forms in which bitsandbytes has an optimizer."""
    return f"{stem} {stem}8bit {stem}32bit"


def _paged(stem: str) -> str:
    return f"{_variants(stem)} {_variants('Paged' + stem)}"


#: Packages whose optimizers subclass ``torch.optim.Optimizer`` and take ``params`` first.
_PACKAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "adabelief_pytorch": "AdaBelief",
        "adabound": "AdaBound",
        "adamp": "AdamP SGDP",
        "apex.optimizers": "FusedAdagrad FusedAdam FusedLAMB FusedMixedPrecisionLamb FusedNovoGrad FusedSGD",
        "bitsandbytes.optim": " ".join(
            (
                *map(_paged, ("Adam", "AdamW", "AdEMAMix", "Lion")),
                *map(_variants, ("Adagrad", "LAMB", "LARS", "RMSprop", "SGD")),
                "PytorchLARS",
            )
        ),
        "came_pytorch": "CAME",
        "dadaptation": "DAdaptAdaGrad DAdaptAdam DAdaptAdan DAdaptLion DAdaptSGD",
        "deepspeed.ops.adam": "DeepSpeedCPUAdam FusedAdam",
        "deepspeed.ops.adagrad": "DeepSpeedCPUAdagrad",
        "deepspeed.ops.lamb": "FusedLamb",
        "deepspeed.ops.lion": "DeepSpeedCPULion FusedLion",
        "fairscale.optim": "Adam OSS",
        "galore_torch": "GaLoreAdafactor GaLoreAdamW GaLoreAdamW8bit",
        "lion_pytorch": "Lion",
        "madgrad": "MADGRAD MirrorMADGRAD",
        "prodigyopt": "Prodigy",
        "pytorch_optimizer": (
            "A2Grad ADOPT APOLLO ASGD AccSGD AdEMAMix AdaBelief AdaBound AdaDelta AdaFactor AdaGC AdaGO"
            " AdaHessian AdaMax AdaMod AdaMuon AdaNorm AdaPNM AdaShift AdaSmooth AdaTAM Adai Adalite"
            " AdamC AdamG AdamP AdamS AdamWSN Adan AggMo Aida Alice AliG Amos Ano ApolloDQN AvaGrad BCOS"
            " BSAM CAME Conda DASH DAdaptAdaGrad DAdaptAdam DAdaptAdan DAdaptLion DAdaptSGD DeMo"
            " DiffGrad DistributedMuon DualAdam EXAdam EmoFact EmoLynx EmoNavi FAdam FOCUS FTRL Fira"
            " FlashAdamW FriendlySAM Fromage GSAM GaLore Grams Gravity GrokFastAdamW Kate Kron LARS"
            " LaProp Lamb Lion LoRARite LookSAM MADGRAD MARS MSVAG Muon MuonClip Nero NorMuon NovoGrad"
            " PAdam PID PNM Prodigy QHAdam QHM RACS RAdam ROSE Ranger Ranger21 SAM SCION SCIONLight SGDP"
            " SGDSaI SGDW SM3 SOAP SPAM SPlus SRMM SWATS SaRA ScalableShampoo ScheduleFreeAdamW"
            " ScheduleFreeRAdam ScheduleFreeSGD Shampoo SignSGD SimplifiedAdEMAMix SophiaH"
            " SpectralSphere StableAdamW StableSPAM TAM Tiger VSGD Yogi"
        ),
        "pytorch_pretrained_bert": "BertAdam",
        "pytorch_ranger": "Ranger RangerQH RangerVA",
        "pytorch_transformers": "AdamW",
        "ranger": "Ranger RangerQH RangerVA",
        "ranger21": "Ranger21",
        "schedulefree": (
            "AdamWScheduleFree AdamWScheduleFreeClosure AdamWScheduleFreePaper"
            " AdamWScheduleFreeReference RAdamScheduleFree RAdamScheduleFreeClosure SGDScheduleFree"
            " SGDScheduleFreeClosure SGDScheduleFreeReference"
        ),
        "timm.optim": (
            "AdaBelief Adadelta Adafactor AdafactorBigVision Adagrad Adahessian Adam AdamP AdamW"
            " AdamWLegacy Adamax Adan Adopt Kron LaProp Lamb Lars Lion MADGRAD Mars Muon NAdam"
            " NAdamLegacy NAdamW Nadam NvNovoGrad RAdam RAdamLegacy RMSprop RMSpropTF SGD SGDP SGDW"
        ),
        "torch.distributed.optim": "ZeroRedundancyOptimizer",
        "torch_optimizer": (
            "A2GradExp A2GradInc A2GradUni AccSGD AdaBelief AdaBound AdaMod Adafactor Adahessian AdamP"
            " AggMo Apollo DiffGrad LARS Lamb MADGRAD NovoGrad PID QHAdam QHM RAdam Ranger RangerQH"
            " RangerVA SGDP SGDW SWATS Shampoo Yogi"
        ),
        "torchao.optim": (
            "Adam4bit Adam8bit AdamFp8 AdamW4bit AdamW8bit AdamWFp8 GrokAdamW4bit GrokAdamW8bit"
            " GrokAdamWFp8 _AdamW"
        ),
        "transformers": "AdamW Adafactor",
    }
)


def _homes() -> Mapping[str, tuple[str, ...]]:
    """Turn the table round: most names that are looked up are no optimizer's and are turned away at once."""
    homes: dict[str, tuple[str, ...]] = {}
    for package, names in _PACKAGES.items():
        for name in names.split():
            homes[name] = (*homes.get(name, ()), package)
    return MappingProxyType(homes)


_HOMES: Final = _homes()

#: Where the first arguments of such a class are not just ``params``.
_SIGNATURES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "DeepSpeedCPUAdagrad": ("model_params",),
        "DeepSpeedCPUAdam": ("model_params",),
        "DeepSpeedCPULion": ("model_params",),
        "OSS": ("params", "optim"),
        "ZeroRedundancyOptimizer": ("params", "optimizer_class"),
    }
)

#: Classes that take an optimizer first and then stand for it, holding the same parameters.
OPTIMIZER_WRAPPERS: Final = frozenset(
    {
        "keras.optimizers.LossScaleOptimizer",
        "pytorch_optimizer.Lookahead",
        "pytorch_optimizer.Magma",
        "pytorch_optimizer.OrthoGrad",
        "pytorch_optimizer.PCGrad",
        "pytorch_optimizer.ScheduleFreeWrapper",
        "pytorch_optimizer.TRAC",
        "schedulefree.ScheduleFreeWrapper",
        "tensorflow.keras.mixed_precision.LossScaleOptimizer",
        "tensorflow.keras.optimizers.LossScaleOptimizer",
        "timm.optim.Lookahead",
        "torch_optimizer.Lookahead",
    }
)

_SCHEDULER_CLASSES: Final = frozenset(
    {
        "timm.scheduler.CosineLRScheduler",
        "timm.scheduler.MultiStepLRScheduler",
        "timm.scheduler.PlateauLRScheduler",
        "timm.scheduler.PolyLRScheduler",
        "timm.scheduler.StepLRScheduler",
        "timm.scheduler.TanhLRScheduler",
        "timm.scheduler.WSDLRScheduler",
        "torch.optim.swa_utils.SWALR",
        "transformers.AdafactorSchedule",
    }
)

_SCHEDULER_FUNCTIONS: Final = ("transformers.get_", "diffusers.get_")


@functools.lru_cache(maxsize=4096)
def optimizer_class(qualified_name: str, extra: frozenset[str] = frozenset()) -> OptimizerClass | None:
    """Return what is known of an optimizer class, None if it is none that we know.

    ``extra`` holds the qualified names that the configuration adds: they count as optimizers of torch that
    take ``params`` first, and nothing is claimed about how they treat an empty list.
    """
    package, _, name = qualified_name.rpartition(".")
    if name in TORCH_OPTIMIZERS and _is_in(package, "torch.optim"):
        return OptimizerClass(f"torch.optim.{name}", name, "torch", TORCH_OPTIMIZERS[name], checks_empty=True)
    found = _of_keras(package, name) or _of_tensorflow_1(package, name) or _of_a_package(package, name)
    if found is None and qualified_name in extra:
        return OptimizerClass(qualified_name, name, "torch", ("params",), checks_empty=False)
    return found


@functools.lru_cache(maxsize=4096)
def is_scheduler(qualified_name: str) -> bool:
    """Say whether calling this gives a learning-rate scheduler over an optimizer."""
    package, _, name = qualified_name.rpartition(".")
    if package == "torch.optim.lr_scheduler":
        return name in TORCH_SCHEDULERS
    name_at_top = _without_submodules(qualified_name)
    if name_at_top.startswith(_SCHEDULER_FUNCTIONS):
        return "schedule" in name_at_top
    return name_at_top in _SCHEDULER_CLASSES


def _of_keras(package: str, name: str) -> OptimizerClass | None:
    if name in KERAS_OPTIMIZERS:
        home = next((home for home in _KERAS_PACKAGES if _is_in(package, home, depth=2)), None)
        if home is not None:
            return OptimizerClass(f"{home}.{name}", name, "keras", ("learning_rate",), checks_empty=False)
    if name in _ADDONS and _is_in(package, "tensorflow_addons.optimizers"):
        home = "tensorflow_addons.optimizers"
        return OptimizerClass(f"{home}.{name}", name, "keras", ("learning_rate",), checks_empty=False)
    return None


def _of_tensorflow_1(package: str, name: str) -> OptimizerClass | None:
    if name in TF1_OPTIMIZERS and package in {"tensorflow.train", "tensorflow.compat.v1.train"}:
        # Its check of an empty list is in `minimize`, not in the constructor.
        first = "use_locking" if name == "Optimizer" else "learning_rate"
        return OptimizerClass(f"{package}.{name}", name, "tf1", (first,), checks_empty=False)
    return None


def _of_a_package(package: str, name: str) -> OptimizerClass | None:
    for home in _HOMES.get(name, ()):
        if _is_in(package, home, depth=2):
            signature = _SIGNATURES.get(name, ("params",))
            return OptimizerClass(f"{home}.{name}", name, "torch", signature, checks_empty=True)
    return None


def _is_in(package: str, home: str, depth: int = 1) -> bool:
    """Say whether ``package`` is ``home`` or a module up to ``depth`` levels inside it."""
    return package == home or (package.startswith(f"{home}.") and package[len(home) :].count(".") <= depth)


def _without_submodules(qualified_name: str) -> str:
    """Return the name as the package exports it: ``timm.scheduler.cosine_lr.X`` is ``timm.scheduler.X``."""
    parts = qualified_name.split(".")
    keep = 2 if parts[:2] == ["timm", "scheduler"] else 1
    if parts[0] in {"timm", "transformers", "diffusers"}:
        return ".".join((*parts[:keep], parts[-1]))
    return qualified_name
