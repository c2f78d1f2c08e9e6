"""One optimiser step as the reference implementation does it, written from the sheet: float64, torch modules, autograd.

Nothing here is shared with our fast path.
"""

from __future__ import annotations

import itertools

import torch
from torch import nn


class PublishedField(nn.Module):
    def __init__(self, iterations: int = 10) -> None:
        super().__init__()
        self.iterations = iterations
        self.cosine = nn.Parameter(2.0 ** torch.arange(5))
        self.sine = nn.Parameter(2.0 ** torch.arange(5))
        self.logit = nn.Parameter(torch.rand(1))
        self.hidden = nn.Parameter(torch.rand(32))
        sizes = [66, *[64] * 7, 33]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        for layer in self.layers:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.uniform_(layer.bias)
        self.activation = nn.LeakyReLU()

    def forward(self, points: torch.Tensor) -> list[torch.Tensor]:
        cosine = torch.cos(points[:, :, None] * self.cosine).flatten(1)
        sine = torch.sin(points[:, :, None] * self.sine).flatten(1)
        encoded = torch.cat([points, cosine, sine], dim=1)
        logit, hidden = self.logit.expand(len(points), 1), self.hidden.expand(len(points), 32)
        powers = 2.0 ** torch.arange(16, dtype=points.dtype)
        found = []
        for i in range(self.iterations):
            embedding = torch.cat([torch.sin(powers * i), torch.cos(powers * i)])
            x = torch.cat([encoded, logit, hidden + embedding], dim=1)
            for layer in self.layers[:-1]:
                x = self.activation(layer(x))
            x = self.layers[-1](x)
            logit, hidden = logit + x[:, :1], x[:, 1:]
            found.append(logit)
        return found


class PublishedTraining:
    """Adam(1e-2, weight decay 1e-3) on BCE of every iteration and the hinge on the last slope."""

    def __init__(self, iterations: int = 10) -> None:
        self.field = PublishedField(iterations).double()
        self.optimiser = torch.optim.Adam(self.field.parameters(), lr=1e-2, weight_decay=1e-3)
        self.loss = nn.BCEWithLogitsLoss()

    def step(self, points: torch.Tensor, labels: torch.Tensor) -> float:
        points.requires_grad_(True)
        self.optimiser.zero_grad()
        logits = self.field(points)
        loss = torch.stack([self.loss(l[:, 0], labels) for l in logits]).mean()
        (slope,) = torch.autograd.grad(logits[-1].mean() * len(points), points, create_graph=True)
        loss = loss + 1e-4 * torch.relu(slope.norm(dim=1) - 100).mean()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())
