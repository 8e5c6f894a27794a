"""Windows of attention with a table of biases, and its index in a buffer."""

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
        self.table = nn.Parameter(torch.zeros(225))
        place = torch.stack(torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")).flatten(1)
        offset = place[:, :, None] - place[:, None, :] + 7
        self.register_buffer("index", offset[0] * 15 + offset[1])

    def hidden(self, x):
        height, width = x.shape[-2:]
        x = functional.pad(x, (0, -width % 8, 0, -height % 8), mode="reflect")
        rows, columns = x.shape[-2] // 8, x.shape[-1] // 8
        windows = (
            x.unflatten(3, (columns, 8)).unflatten(2, (rows, 8)).permute(0, 2, 4, 3, 5, 1).reshape(-1, 64, 24)
        )
        bias = self.table[self.index.reshape(-1)].reshape(64, 64)
        logits = windows @ windows.transpose(-2, -1) / 24**0.5 + bias
        mixed = (logits.softmax(-1) @ windows).reshape(1, rows, columns, 8, 8, 24)
        mixed = mixed.permute(0, 5, 1, 3, 2, 4).reshape(1, 24, rows * 8, columns * 8)
        return self.mid(mixed)[..., :height, :width]

    def forward(self, lr):
        detail = self.tail(self.hidden(torch.relu(self.head(lr))))
        enlarged = functional.interpolate(lr, scale_factor=4, mode="bicubic")
        return enlarged + 0.05 * functional.pixel_shuffle(detail, 4)
