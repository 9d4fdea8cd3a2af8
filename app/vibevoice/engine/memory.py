"""The one store of keys and values that all streams share, and who has which part of it."""

from dataclasses import dataclass

import torch

# Tokens, the unit in which memory is given out.
PAGE = 256
GIB = 2**30
# Of a GPU's free memory, for what lies between layers: prompts, voices, and a step of all slots.
SPARE_BYTES, SPARE_PER_SLOT = 2 * GIB, GIB // 16


@dataclass(frozen=True)
class Extent:
    """Pages in a row: where they begin and how many they are."""

    page: int
    pages: int

    @property
    def base(self) -> int:
        """The first token's place in the store."""
        return self.page * PAGE


class Store:
    """Keys and values of every layer, [layers, 2, heads, tokens, width], given out in runs of pages.

    A stream's memory is one run, reserved for all of its length when it is let in: what is running never has
    to be thrown out, and a row's keys are one slice. The first page belongs to the slots that have no stream.
    """

    def __init__(
        self, layers: int, heads: int, width: int, pages: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        """`pages` that streams may have; one more is kept."""
        # On a CPU what nobody has written to takes no memory.
        shape = (layers, 2, 1, heads, (1 + pages) * PAGE, width)
        self.layers = [tuple(layer) for layer in torch.zeros(shape, dtype=dtype, device=device)]
        """Keys and values of each layer, both [1, heads, tokens, width]."""
        self.pages = pages
        self._free = [Extent(1, pages)]

    @staticmethod
    def page_bytes(layers: int, heads: int, width: int, dtype: torch.dtype) -> int:
        """Of one page over all layers."""
        return layers * PAGE * 2 * heads * width * dtype.itemsize

    @property
    def free_pages(self) -> int:
        return sum(extent.pages for extent in self._free)

    def take(self, pages: int) -> Extent | None:
        """The first run that is long enough; None if there is none at the moment."""
        for place, extent in enumerate(self._free):
            if extent.pages >= pages:
                rest = Extent(extent.page + pages, extent.pages - pages)
                self._free[place : place + 1] = [rest] if rest.pages else []
                return Extent(extent.page, pages)
        return None

    def give_back(self, extent: Extent) -> None:
        """Make a run free again, as one with its free neighbours."""
        merged: list[Extent] = []
        for one in sorted([*self._free, extent], key=lambda extent: extent.page):
            if merged and merged[-1].page + merged[-1].pages == one.page:
                one = Extent(merged[-1].page, merged.pop().pages + one.pages)
            merged.append(one)
        self._free = merged


def pages_for(tokens: int) -> int:
    """How many pages hold `tokens`."""
    return -(-tokens // PAGE)


def room(device: torch.device, slots: int, kv_bytes: int | None) -> int:
    """Bytes for keys and values: those asked for, else what a GPU has left, 1 GiB on a CPU."""
    if kv_bytes is not None:
        return kv_bytes
    if device.type != "cuda":
        return GIB
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    return max(0, free - SPARE_BYTES - slots * SPARE_PER_SLOT)
