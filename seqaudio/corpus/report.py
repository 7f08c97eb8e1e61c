"""What became of every piece, in words?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seqaudio.corpus.splits import SPLITS

if TYPE_CHECKING:
    from seqaudio.corpus.prepare import Prepared, PrepareOptions

EXAMPLES = 5  # of dropped pieces, for each rule


def report_text(
    sources: Sequence[str], options: PrepareOptions, kept: Sequence[Prepared], dropped: Sequence[Prepared]
) -> str:
    """Pieces kept by split, dropped by rule with examples, versions of one piece, and what the grid lost."""
    lines = [f"sources: {', '.join(sources)}", f"options: {options.model_dump()}", ""]
    lines.append(f"{len(kept)} of {len(kept) + len(dropped)} pieces kept")
    for split in SPLITS:
        of_split = [piece for piece in kept if piece.split == split]
        tokens = sum(len(piece.ids) for piece in of_split if piece.ids is not None)
        notes, bars = sum(p.notes for p in of_split), sum(p.bars for p in of_split)
        lines.append(f"  {split:6} {len(of_split):6} pieces {bars:8} bars {notes:9} notes {tokens:10} tokens")
    return "\n".join(lines + _dropped(dropped) + _versions(kept) + _lost(kept)) + "\n"


def _dropped(pieces: Sequence[Prepared]) -> list[str]:
    rules = Counter(piece.rule for piece in pieces)
    lines = ["", f"dropped: {sum(rules.values())}"]
    for rule, count in rules.most_common():
        lines.append(f"  {rule}: {count}")
        examples = [piece for piece in pieces if piece.rule == rule]
        lines += [f"    {piece.name}: {piece.reason}" for piece in examples[:EXAMPLES]]
        lines += [f"    ... and {count - EXAMPLES} more (manifest.json has all)"] if count > EXAMPLES else []
    return lines


def _versions(kept: Sequence[Prepared]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for piece in kept:
        groups.setdefault(piece.group, []).append(piece.name)
    together = [names for names in groups.values() if len(names) > 1]
    lines = ["", f"copies and versions of one piece, kept on one side of the split: {len(together)} groups"]
    return lines + [f"  {' = '.join(names)}" for names in together]


def _lost(kept: Sequence[Prepared]) -> list[str]:
    lost: Counter[str] = Counter()
    for piece in kept:
        lost.update(dict(piece.lost))
    return ["", "lost on the way to tokens:"] + [f"  {what}: {count}" for what, count in sorted(lost.items())]
