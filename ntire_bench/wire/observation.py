"""What was seen of one forward pass, operator by operator: the worker writes it, the parent reads it."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Observation"]


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Counts of one forward pass, as the worker claims them. A multiply-accumulate counts once.

    Attributes:
        pixels: Pixels of the input as the network got it, padding included.
        products: Multiply-accumulates of convolutions, matrix products and attention.
        counted: `products`, and what fvcore counts besides: interpolation, norms, pooling, by its own rules.
        convs: Number of convolutions.
        activations: Elements of all convolution outputs.
        by_hand: Work of the same kind as `products` in other operators: multiplications by weights, sums of
            products, Fourier transforms.
        lookups: Values read from a table of weights at places that the image decides.
        uncounted: Estimated cost of every other operator that computes, by name, largest first.
        unknown: Operators from outside of torch whose work could not be seen.
        uncountable: Operators of torch for which no cost is stated, with the elements that they read or gave.
        weights: Values of undeclared tensors (buffers, attributes, globals) that act as weights; of kernels
            that are the same for several channels, one.
        constants: Elements of other undeclared tensors, of small ones, and plain numbers that operators were
            given, if they are many; statistics of norms and indices do not count.
        tables: Of larger ones, by a name that says what lies in their memory: how many elements are read, and
            how many constants these are; none where patterns repeat, as in masks and coordinates.
        reachable: Values of 32 bits in tensors and arrays of the process that change the output, and are
            neither parameters nor structure, however they are used.
        wide: Values of parameters beyond their elements: of complex ones, and of 64 bits that are all used.
        generated: Elements of weights that forward makes of random numbers, ranges or nothing.
        packed: Elements of weights unpacked in forward, less the elements they were unpacked from.
        expanded: Elements of weights computed in forward, less the elements they were computed from.
        foreign: Elements of tensors that no operator computed and that change with the image.
        unwritten: Elements of tensors that were read although no operator had written them.
        from_image: Whether the output was computed from the image by operators that were seen.
        unread: Parameters that no operator read, by name.
        unread_values: Elements of these that do not change the output either.
        hidden: Those of them that change the output all the same: they are used where no operator is seen.
        hidden_work: Least cost of these: elements times the LR pixels whose SR pixels the largest changes.
        threads: Threads that were started in this pass, or that computed at the same time.
        files: Files, sockets and programs that were opened or started in this pass.
    """

    pixels: int
    products: int
    counted: int
    convs: int
    activations: int
    by_hand: int = 0
    lookups: int = 0
    uncounted: dict[str, int] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    uncountable: dict[str, int] = field(default_factory=dict)
    weights: int = 0
    constants: int = 0
    tables: dict[str, tuple[int, int]] = field(default_factory=dict)
    reachable: int = 0
    wide: int = 0
    generated: int = 0
    packed: int = 0
    expanded: int = 0
    foreign: int = 0
    unwritten: int = 0
    from_image: bool = True
    unread: tuple[str, ...] = ()
    unread_values: int = 0
    hidden: tuple[str, ...] = ()
    hidden_work: int = 0
    threads: int = 0
    files: tuple[str, ...] = ()
