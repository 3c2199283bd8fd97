"""Words of messages."""

from collections.abc import Collection


def listed(names: Collection[object], most: int = 5) -> str:
    """Names in a row; of many the first few, and how many more there are.

    Args:
        names: what to list.
        most: how many are written out.

    Example:
        >>> listed(["a", "b"]), listed(range(300), most=3)
        ('a, b', '0, 1, 2 and 297 more')
    """
    shown = [str(name) for name, _ in zip(names, range(most), strict=False)]
    more = len(names) - len(shown)
    # "and 1 more" is not shorter than most names.
    if more == 1:
        return ", ".join(map(str, names))
    return ", ".join(shown) + (f" and {more} more" if more else "")
