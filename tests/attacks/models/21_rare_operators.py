"""1x1 convolutions as bags of embeddings, as distances and as the solution of equations."""

import torch
from torch import nn
from torch.nn import functional

SUBMISSION = {"model": "Net", "data_range": 1}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Conv2d(3, 24, 3, padding=1)
        self.mid = nn.Conv2d(24, 24, 3, padding=1)
        self.tail = nn.Conv2d(24, 48, 3, padding=1)
        self.mid = nn.Identity()
        self.matrix = nn.Parameter(torch.eye(24) + torch.randn(24, 24).tril() / 50)

    def hidden(self, x):
        rows = x[0].flatten(1).T.contiguous()
        places = torch.zeros(rows.shape, dtype=torch.long, device=x.device) + torch.arange(24, device=x.device)
        rows = functional.embedding_bag(places, self.matrix, per_sample_weights=rows, mode="sum")
        rows = torch.cdist(rows, self.matrix)
        return torch.linalg.solve_triangular(self.matrix, rows.T, upper=False).unflatten(1, x.shape[-2:])[None]

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
