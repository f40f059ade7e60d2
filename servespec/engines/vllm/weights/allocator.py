"""What PyTorch's caching allocator counts as allocated, which is what vLLM prints as the model's size.

Blocks are rounded, and a block that is not split counts whole. Source: c10/cuda/CUDACachingAllocator.cpp
(round_size, get_allocation_size, get_free_block, should_split); vllm/v1/worker/gpu_worker.py
_scoped_allocator_max_split: from 0.22 on blocks of 20 MiB and more are never split while a model loads.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from itertools import count

from servespec.memory.shards import round_up

MIB = 2**20
SMALLEST = 512
SMALL = MIB  # up to here the small pool
SMALL_SEGMENT = 2 * MIB
LARGE_SEGMENT = 20 * MIB
MINIMUM_OWN_SEGMENT = 10 * MIB  # from here a segment of its own, rounded to 2 MiB
SEGMENT_ROUNDING = 2 * MIB


class Block:
    """A piece of a segment."""

    __slots__ = ("before", "behind", "free", "number", "size", "small")

    def __init__(self, size: int, small: bool, number: int) -> None:
        """A block that is a whole segment, in use."""
        self.size = size
        self.small = small
        self.number = number
        self.free = False
        self.before: Block | None = None
        self.behind: Block | None = None


class CachingAllocator:
    """Allocations and frees in their order; ``allocated_bytes`` is torch.cuda.memory_allocated(), ``reserved_bytes``
    torch.cuda.memory_reserved(): what the driver sees as taken."""

    def __init__(self, never_split_from: int | None = None) -> None:
        """``never_split_from`` is max_split_size in bytes; None splits blocks of any size."""
        self.allocated_bytes = 0
        self.reserved_bytes = 0
        self._never_split_from = never_split_from
        self._pools: dict[bool, list[tuple[int, int, Block]]] = {True: [], False: []}
        self._numbers = count()

    def allocate(self, size: int) -> Block:
        """A block for ``size`` bytes."""
        size = max(SMALLEST, round_up(size, SMALLEST))
        small = size <= SMALL
        block = self._take_free(size, small) or self._new_segment(size, small)
        self._split(block, size)
        block.free = False
        self.allocated_bytes += block.size
        return block

    def release(self, block: Block) -> None:
        """Give a block back; free neighbours become one."""
        self.allocated_bytes -= block.size
        for neighbour in (block.before, block.behind):
            if neighbour is not None and neighbour.free:
                self._forget(neighbour)
                self._join(block, neighbour)
        block.free = True
        insort(self._pools[block.small], (block.size, block.number, block))

    def _new_segment(self, size: int, small: bool) -> Block:
        if small:
            segment = SMALL_SEGMENT
        elif size < MINIMUM_OWN_SEGMENT:
            segment = LARGE_SEGMENT
        else:
            segment = round_up(size, SEGMENT_ROUNDING)
        self.reserved_bytes += segment
        return Block(segment, small, next(self._numbers))

    def _take_free(self, size: int, small: bool) -> Block | None:
        pool = self._pools[small]
        place = bisect_left(pool, (size, -1))
        if place == len(pool):
            return None
        found = pool[place][2]
        limit = self._never_split_from
        if limit is not None and (
            (size < limit <= found.size) or (size >= limit and found.size >= size + LARGE_SEGMENT)
        ):
            return None
        pool.pop(place)
        return found

    def _split(self, block: Block, size: int) -> None:
        rest = block.size - size
        limit = self._never_split_from
        may_split = block.small or limit is None or size < limit
        if not may_split or rest < (SMALLEST if block.small else SMALL + 1):
            return
        remainder = Block(rest, block.small, next(self._numbers))
        remainder.free = True
        remainder.before, remainder.behind = block, block.behind
        if block.behind is not None:
            block.behind.before = remainder
        block.behind = remainder
        block.size = size
        insort(self._pools[block.small], (rest, remainder.number, remainder))

    def _forget(self, block: Block) -> None:
        pool = self._pools[block.small]
        pool.pop(bisect_left(pool, (block.size, block.number)))

    @staticmethod
    def _join(block: Block, neighbour: Block) -> None:
        block.size += neighbour.size
        if neighbour is block.behind:
            block.behind = neighbour.behind
            if neighbour.behind is not None:
                neighbour.behind.before = block
        else:
            block.before = neighbour.before
            if neighbour.before is not None:
                neighbour.before.behind = block
