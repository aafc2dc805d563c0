"""A graph as lines of text, with rails between what belongs together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def draw(order: Sequence[str], after: Mapping[str, Sequence[str]]) -> list[tuple[str, str | None]]:
    """Lines of a drawing from top to bottom: the rails, and the node that stands on the line, if one does.

    :param order: Nodes, each after those before it.
    :param after: The nodes that directly follow a node.

    Each column of rails leads to one node further down; where several do they join above it.
    """
    lines: list[tuple[str, str | None]] = []
    rails: list[str] = []  # what each column leads to
    for node in order:
        mine = [column for column, target in enumerate(rails) if target == node]
        place = mine[0] if mine else len(rails)
        if len(mine) > 1:
            lines.append((_joining(rails, mine), None))
        kept = [target for column, target in enumerate(rails) if column not in mine[1:]]
        if not mine:
            kept.append(node)
        lines.append((" ".join("●" if column == place else "│" for column in range(len(kept))), node))
        following = list(dict.fromkeys(after.get(node, ())))
        if len(following) > 1:
            lines.append((_forking(len(kept), place, len(following)), None))
        rails = kept[:place] + following + kept[place + 1 :]
        if not following and place < len(rails):
            lines.append((("│ " * place + "  " + "/ " * (len(kept) - place - 1)).rstrip(), None))
    return lines


def _joining(rails: Sequence[str], mine: Sequence[int]) -> str:
    """Rails that end in the leftmost of them; others between are crossed, others behind move up."""
    text = ""
    for column in range(len(rails)):
        if column == mine[0]:
            text += "├─"
        elif column == mine[-1]:
            text += "╯ "
        elif mine[0] < column < mine[-1]:
            text += "┴─" if column in mine else "┼─"
        else:
            text += "│ " if column < mine[0] else "/ "
    return text.rstrip()


def _forking(width: int, place: int, branches: int) -> str:
    text = "│ " * place + "├─" + "┬─" * (branches - 2) + "╮ "
    return (text + "\\ " * (width - place - 1)).rstrip()
