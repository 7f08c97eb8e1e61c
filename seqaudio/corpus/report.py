"""What became of every piece, by which rule, and what can be changed about it, in words?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from seqaudio.files.limits import DEFAULT_LIMITS
from seqaudio.music.splits import SPLITS

if TYPE_CHECKING:
    from seqaudio.corpus.assembly import Head, Placed
    from seqaudio.corpus.options import PrepareOptions

SPLIT_OPTIONS = ("valid_share", "test_share", "seed")
EXAMPLES = 5  # of dropped pieces, for each rule, where a report is shortened
RELAXED_WITH = {  # the rule, the option that holds its threshold, and how to keep more
    "too few notes": ("min_notes", "lower --min-notes"),
    "too few bars": ("min_bars", "lower --min-bars"),
    "too long": ("max_tokens", "raise --max-tokens"),
}
OTHER_WAYS = {
    "over a limit": "raise the limit that the file's line names with --limit NAME=VALUE",
    "hung": "give each file longer with --timeout SECONDS",
    "crashed": "give each file more memory with --memory MB",
    "no melody": "leave out --melody or --lead-sheet",
}


def report_text(head: Head, kept: Sequence[Placed], dropped: Sequence[Placed], most: int | None = None) -> str:
    """Pieces kept by split, dropped by rule, thresholds, versions of one piece, and what was lost.

    ``most`` bounds how many dropped pieces are named for each rule, and how many groups of versions; of the budgets it
    leaves those that are as usual, if no file was over one.
    """
    options = head.options
    lines = [f"sources: {', '.join(head.sources)}", f"tokenizer: {options.tokenizer}{_settings(options)}", ""]
    lines.append(f"{len(kept)} of {len(kept) + len(dropped)} pieces kept")
    for split in SPLITS:
        of_split = [placed.piece for placed in kept if placed.split == split]
        tokens, notes, bars = (sum(getattr(p, what) for p in of_split) for what in ("tokens", "notes", "bars"))
        lines.append(f"  {split:6} {len(of_split):6} pieces {bars:8} bars {notes:9} notes {tokens:10} tokens")
    if head.passed_over:
        counts = ", ".join(f"{suffix} {count}" for suffix, count in head.passed_over.items())
        lines.append(f"files of other kinds, not looked at: {sum(head.passed_over.values())} ({counts})")
    over = most is None or any(placed.piece.rule == "over a limit" for placed in dropped)
    lines += _dropped(dropped, most) + _thresholds(options, over) + _versions(kept, most) + _lost(kept)
    return "\n".join(lines) + "\n"


def nothing_kept(sources: str, rules: Mapping[str, int], options: PrepareOptions, first: str) -> str:
    """Why there is no corpus, in one line: the commonest rules and how to relax them."""
    commonest = sorted(rules.items(), key=lambda item: (-item[1], item[0]))[:3]
    why = "; ".join(f"{count} x {rule}" for rule, count in commonest)
    ways = [way for rule, _ in commonest if (way := _relaxed_with(rule, options))]
    return f"no usable piece in {sources}: {why}; the first: {first}" + (
        f"; to keep more, {', '.join(ways)}" * bool(ways)
    )


def _relaxed_with(rule: str, options: PrepareOptions) -> str:
    if rule in RELAXED_WITH:
        name, way = RELAXED_WITH[rule]
        return f"{way} (now {getattr(options, name)})"
    return OTHER_WAYS.get(rule, "")


def _settings(options: PrepareOptions) -> str:
    settings = [f"{key}={value}" for key, value in sorted(options.settings.items())]
    return ", ".join(
        ["", *(["melody only"] if options.melody else ["lead sheets"] if options.lead_sheet else []), *settings]
    )


def _dropped(dropped: Sequence[Placed], most: int | None) -> list[str]:
    rules = Counter(placed.piece.rule for placed in dropped)
    lines = ["", f"dropped: {sum(rules.values())}"]
    for rule, count in rules.most_common():
        lines.append(f"  {rule}: {count}")
        named = [placed.piece for placed in dropped if placed.piece.rule == rule][:most]
        lines += [f"    {piece.name}: {piece.reason}" for piece in named]
        lines += [f"    ... and {count - len(named)} more (report.txt has all)"] if count > len(named) else []
    return lines


def _thresholds(options: PrepareOptions, all_budgets: bool) -> list[str]:
    lines = ["", "thresholds, and what changes them:"]
    for rule, (name, way) in RELAXED_WITH.items():
        lines.append(f"  {rule}: {name} is {getattr(options, name)}; {way} to keep more")
    usual = {} if all_budgets else asdict(DEFAULT_LIMITS)
    told = [f"{name} is {value}" for name, value in asdict(options.limits).items() if value != usual.get(name)]
    if told:
        lines.append(f"  over a limit: {', '.join(told)}; raise one with --limit NAME=VALUE")
    lines.append("  hung, crashed: what one file may take is up to each run; raise it with --timeout S, --memory MB")
    shares = ", ".join(f"--{name.replace('_', '-')} is {getattr(options, name)}" for name in SPLIT_OPTIONS)
    return [*lines, f"  sides of the split: {shares}"]


def _versions(kept: Sequence[Placed], most: int | None) -> list[str]:
    groups: dict[str, list[Placed]] = {}
    for placed in kept:
        groups.setdefault(placed.group, []).append(placed)
    together = [group for group in groups.values() if len(group) > 1]
    copies = sum(len(group) - len({placed.piece.marks[0] for placed in group}) for group in together)
    divided = [group for group in together if _is_divided(group)]
    whole = [group for group in together if not _is_divided(group)]
    lines = [
        "",
        f"copies and versions of one piece, kept on one side of the split: {len(whole)} groups"
        f" ({copies} copies in all)",
    ]
    if together:
        lines.append(
            "  (a = b: the same notes; a = b (+7): the same, 7 semitones higher; a ~ c: the same opening or number)"
        )
    lines += _groups(whole, most)
    if divided:
        lines += [
            f"versions that an official split puts on several sides: {len(divided)} groups",
            *_groups(divided, most),
        ]
    return lines


def _groups(groups: Sequence[list[Placed]], most: int | None) -> list[str]:
    named = [f"  {_group(group)}" for group in groups[:most]]
    return named + [f"  ... and {len(groups) - len(named)} more (report.txt has all)"] * (len(groups) > len(named))


def _is_divided(group: Sequence[Placed]) -> bool:
    return len({placed.split for placed in group}) > 1


def _group(group: Sequence[Placed]) -> str:
    """The pieces of a group, copies beside each other; with their sides where an official split divides them."""
    divided = _is_divided(group)
    clusters: dict[str, list[Placed]] = {}
    for placed in group:
        clusters.setdefault(placed.piece.marks[0], []).append(placed)

    def name(placed: Placed, first: Placed) -> str:
        up = placed.piece.lowest - first.piece.lowest
        return placed.piece.name + f" ({up:+})" * bool(up) + f" [{placed.split}]" * divided

    return " ~ ".join(" = ".join(name(placed, cluster[0]) for placed in cluster) for cluster in clusters.values())


def _lost(kept: Sequence[Placed]) -> list[str]:
    lost: Counter[str] = Counter()
    for placed in kept:
        lost.update(placed.piece.lost)
    lines = [f"  {what}: {count}" for what, count in sorted(lost.items())]
    return ["", "lost on the way to tokens:", *(lines or ["  nothing"])]
