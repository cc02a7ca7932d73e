"""torch.nn.modules: the layers under torch's module paths, e.g. `nn.modules.conv.Conv2d`.

Thin names: each path below is a module that holds what `workbench.nn` has of its names.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from workbench import nn

from . import utils

# torch's path -> its layers
_PATHS = {
    "activation": "CELU ELU GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU "
    "LogSigmoid LogSoftmax Mish MultiheadAttention PReLU RReLU ReLU ReLU6 SELU SiLU Sigmoid "
    "Softmax Softmax2d Softmin Softplus Softshrink Softsign Tanh Tanhshrink Threshold",
    "adaptive": "AdaptiveLogSoftmaxWithLoss",
    "batchnorm": "BatchNorm1d BatchNorm2d BatchNorm3d LazyBatchNorm1d LazyBatchNorm2d "
    "LazyBatchNorm3d SyncBatchNorm",
    "channelshuffle": "ChannelShuffle",
    "container": "ModuleDict ModuleList ParameterDict ParameterList Sequential",
    "conv": "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d LazyConv1d "
    "LazyConv2d LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d",
    "distance": "CosineSimilarity PairwiseDistance",
    "dropout": "AlphaDropout Dropout Dropout1d Dropout2d Dropout3d FeatureAlphaDropout",
    "flatten": "Flatten Unflatten",
    "fold": "Fold Unfold",
    "instancenorm": "InstanceNorm1d InstanceNorm2d InstanceNorm3d LazyInstanceNorm1d "
    "LazyInstanceNorm2d LazyInstanceNorm3d",
    "linear": "Bilinear Identity LazyLinear Linear",
    "loss": "BCELoss BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss CrossEntropyLoss "
    "GaussianNLLLoss HingeEmbeddingLoss HuberLoss KLDivLoss L1Loss LinearCrossEntropyLoss MSELoss "
    "MarginRankingLoss "
    "MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss NLLLoss2d "
    "PoissonNLLLoss SmoothL1Loss SoftMarginLoss TripletMarginLoss TripletMarginWithDistanceLoss",
    "module": "Module",
    "normalization": "CrossMapLRN2d GroupNorm LayerNorm LocalResponseNorm RMSNorm",
    "padding": "CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d "
    "ConstantPad3d ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d "
    "ReplicationPad2d ReplicationPad3d ZeroPad1d ZeroPad2d ZeroPad3d",
    "pixelshuffle": "PixelShuffle PixelUnshuffle",
    "pooling": "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d "
    "AdaptiveMaxPool2d AdaptiveMaxPool3d AvgPool1d AvgPool2d AvgPool3d FractionalMaxPool2d "
    "FractionalMaxPool3d LPPool1d LPPool2d LPPool3d MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d "
    "MaxUnpool2d MaxUnpool3d",
    "rnn": "GRU GRUCell LSTM LSTMCell RNN RNNBase RNNCell RNNCellBase",
    "sparse": "Embedding EmbeddingBag",
    "transformer": "Transformer TransformerDecoder TransformerDecoderLayer TransformerEncoder "
    "TransformerEncoderLayer",
    "upsampling": "Upsample UpsamplingBilinear2d UpsamplingNearest2d",
}

# what torch names apart from the layers: path -> {its name: ours}
_OTHERS: dict[str, dict[str, Any]] = {
    "batchnorm": {"_BatchNorm": nn.norm._BatchNorm},
    "conv": {"_ConvNd": nn.conv._ConvNd},
    "loss": {"_Loss": nn.loss._Loss, "_WeightedLoss": nn.loss._WeightedLoss},
    "lazy": {"LazyModuleMixin": nn.lazy.LazyMixin},
    "linear": {"NonDynamicallyQuantizableLinear": nn.multihead.NonDynamicallyQuantizableLinear},
}


def _thin(path: str) -> ModuleType:
    made = ModuleType(f"{__name__}.{path}", f"torch.nn.modules.{path}'s path.")
    names = {n: getattr(nn, n) for n in _PATHS.get(path, "").split() if hasattr(nn, n)}
    names |= _OTHERS.get(path, {})
    shown = sorted(n for n in names if not n.startswith("_"))
    made.__dict__.update(names, __all__=shown, __package__=__name__)
    sys.modules[made.__name__] = made
    globals().update(names)
    return made


_made = {path: _thin(path) for path in sorted({*_PATHS, *_OTHERS})}
globals().update(_made)

__all__: list[str] = ["utils"]
__all__.extend(sorted({*_made, *(n for one in _made.values() for n in one.__all__)}))
