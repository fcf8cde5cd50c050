"""A prototype classifier that runs to its end without a word, and hardly trains: try optlint on it.

Its corrected twin is fixed_classifier.py.
"""

import torch
import torch.nn.functional as F
from torch import nn, optim


class PrototypeClassifier(nn.Module):
    """Scores each class by the similarity of the features to its prototype."""

    def __init__(self, n_features: int, n_classes: int, width: int = 32) -> None:
        super().__init__()
        self.encoder = nn.Linear(n_features, width)
        self.prototypes = nn.Parameter(torch.randn(n_classes, width))
        self.temperature = torch.ones(1, requires_grad=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = F.normalize(torch.tanh(self.encoder(x)), dim=1)
        prototypes = F.normalize(self.prototypes.detach(), dim=1)
        return features @ prototypes.T / self.temperature


def main() -> None:
    torch.manual_seed(0)
    x = torch.randn(256, 20)
    y = x[:, :4].argmax(dim=1)

    model = PrototypeClassifier(n_features=20, n_classes=4)

    # Biases get a rate of their own.
    weights = [model.encoder.weight, model.prototypes]
    biases: list[nn.Parameter] = []
    optimizer = optim.Adam(weights, lr=1e-2)
    bias_optimizer = optim.SGD([{"params": biases}], lr=1e-1)

    for epoch in range(20):
        for start in range(0, len(x), 64):
            logits = model(x[start : start + 64])
            loss = F.cross_entropy(logits, y[start : start + 64])
            optimizer.zero_grad()
            bias_optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            bias_optimizer.step()
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1:2d}  loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
