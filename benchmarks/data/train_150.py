"""Train a small residual network on CIFAR-10."""

import argparse
import logging
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

logger = logging.getLogger(__name__)


class Block(nn.Module):
    def __init__(self, channels, dropout=0.0):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x):
        out = F.relu(self.norm1(self.conv1(x)))
        out = self.norm2(self.conv2(self.dropout(out)))
        return F.relu(out + x)


class Network(nn.Module):
    def __init__(self, width=32, depth=4, classes=10, dropout=0.0):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        self.blocks = nn.ModuleList([Block(width, dropout) for _ in range(depth)])
        self.head = nn.Linear(width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.head(x)


def make_loaders(args):
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    augment = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
    )
    plain = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])
    train_set = datasets.CIFAR10(args.data, train=True, download=True, transform=augment)
    test_set = datasets.CIFAR10(args.data, train=False, transform=plain)
    train = DataLoader(train_set, args.batch_size, shuffle=True, num_workers=args.workers)
    test = DataLoader(test_set, args.batch_size, num_workers=args.workers)
    return train, test


def train_epoch(model, loader, optimizer, scheduler, device, args):
    model.train()
    total, seen = 0.0, 0
    for step, (images, labels) in enumerate(loader):
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels, label_smoothing=args.smoothing)
        loss.backward()
        if args.clip > 0:
            nn.utils.clip_grad_norm_(model.parameters(), args.clip)
        optimizer.step()
        scheduler.step()
        total += loss.item() * len(images)
        seen += len(images)
        if step % args.log_every == 0:
            logger.info("step %d: loss %.4f, rate %.5f", step, loss.item(), scheduler.get_last_lr()[0])
    return total / max(seen, 1)


@torch.no_grad()
def evaluate(model, loader, device):
    model.eval()
    right, seen = 0, 0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        right += (model(images).argmax(dim=1) == labels).sum().item()
        seen += len(images)
    return right / max(seen, 1)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--output", type=Path, default=Path("runs"))
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--smoothing", type=float, default=0.1)
    parser.add_argument("--clip", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--log-every", type=int, default=50)
    return parser.parse_args()


def main():
    args = parse_arguments()
    logging.basicConfig(level=logging.INFO)
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    args.output.mkdir(parents=True, exist_ok=True)

    train_loader, test_loader = make_loaders(args)
    model = Network(args.width, args.depth, dropout=args.dropout).to(device)
    if args.channels_last:
        model = model.to(memory_format=torch.channels_last)
    logger.info("%d parameters on %s", sum(p.numel() for p in model.parameters()), device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=args.weight_decay)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=args.lr, epochs=args.epochs, steps_per_epoch=len(train_loader)
    )
    best = 0.0
    for epoch in range(args.epochs):
        began = time.time()
        loss = train_epoch(model, train_loader, optimizer, scheduler, device, args)
        accuracy = evaluate(model, test_loader, device)
        logger.info("epoch %d: %.3f, %.2f%% in %.0f s", epoch, loss, 100 * accuracy, time.time() - began)
        if accuracy > best:
            best = accuracy
            torch.save(model.state_dict(), args.output / "best.pt")


if __name__ == "__main__":
    main()
