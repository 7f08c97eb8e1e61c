"""The bar tokens of a score by their definition, one note, pedal and tempo at a time, in exact fractions.

Slow and plain on purpose: what the compiled loops do is compared with it.
"""

from collections import Counter, defaultdict
from fractions import Fraction
from math import log

from seqaudio.music import Score
from seqaudio.tokens import BarsTokenizer
from seqaudio.tokens.bars.metre import bar_steps, writable_metres

DURATIONS = [*range(1, 96), *range(96, 385, 12)]
MARKS = [
    octave * mark
    for octave in (Fraction(1, 2), 1, 2, 4)
    for mark in (40, 42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 63, 66, 69, 72, 76)
]


def slow_bars(tokenizer: BarsTokenizer, score: Score) -> tuple[list[str], dict[str, int]]:
    """Token names from BOS to EOS, and the losses that are not zero."""
    lost: Counter[str] = Counter()
    notes = grid_notes(tokenizer, score, lost)
    end = max((onset + length for onset, _, _, length, _ in notes), default=0)
    metre_rows = [(step(score, tick), n, d) for tick, n, d in score.metre_map().tolist()]
    metres, lost["metre_changes_replaced"] = writable_metres(metre_rows, end)
    bars = bars_of(metres, end)
    last_line = bars[-1][0] + bars[-1][1] if bars else 0

    at: dict[int, list[tuple[str, str]]] = defaultdict(list)  # step: (kind, value) in the order written
    add_tempos(tokenizer, score, last_line, at, lost)
    add_pedals(tokenizer, score, last_line, at, lost)
    running: dict[str, object] = {}
    for onset, voice, pitch, length, velocity in notes:
        at[onset] += [("Program", str(voice))] if tokenizer.programs and running.get("voice") != voice else []
        at[onset] += [("Velocity", str(velocity))] if tokenizer.velocities and running.get("loud") != velocity else []
        running = {"voice": voice, "loud": velocity}
        at[onset] += [
            ("PitchDrum" if voice < 0 else "Pitch", str(pitch)),
            ("Duration", f"{length // 12}.{length % 12}.12"),
        ]

    names = ["BOS_None"]
    metre = None
    for start, length, signature in bars:
        names += ["Bar_None"] if signature == metre else ["Bar_None", f"TimeSig_{signature[0]}/{signature[1]}"]
        metre = signature
        for place in range(start, start + length):
            if place in at:
                names += [f"Position_{place - start}", *(f"{kind}_{value}" for kind, value in at[place])]
    return [*names, "EOS_None"], {name: count for name, count in lost.items() if count}


def step(score: Score, tick: int) -> int:
    return int(Fraction(12 * tick, score.ticks_per_quarter) + Fraction(1, 2))  # int() of a positive number rounds down


def on_step(score: Score, tick: int, to: int) -> bool:
    return Fraction(12 * tick, score.ticks_per_quarter) == to


def grid_notes(tokenizer: BarsTokenizer, score: Score, lost: Counter) -> list[tuple[int, int, int, int, int]]:
    """(step, program, pitch, steps, velocity) in the order they are written."""
    rows = []
    for i in range(len(score)):
        drum, program, velocity = bool(score.is_drum[i]), int(score.program[i]), int(score.velocity[i])
        if drum and not tokenizer.programs:
            lost["drums_dropped"] += 1
            continue
        lost["programs_dropped"] += not tokenizer.programs and program != 0
        voice = (-1 if drum else program) if tokenizer.programs else 0
        tick, duration = int(score.onset[i]), int(score.duration[i])
        onset = step(score, tick)
        steps = max(1, step(score, tick + held(tokenizer, score, i)) - onset)
        length = min(DURATIONS, key=lambda d: (abs(d - steps), -d))
        loud = 4 * (velocity // 4) + 3 if tokenizer.velocities else 80
        lost["onsets_moved"] += not on_step(score, tick, onset)
        lost["durations_changed"] += not on_step(score, duration, length)
        lost["velocities_rounded"] += tokenizer.velocities and loud != velocity
        rows.append((onset, voice, int(score.pitch[i]), length, loud))
    best: dict[tuple[int, int, int], tuple[int, int]] = {}
    for *key, length, loud in rows:
        best[tuple(key)] = max(best.get(tuple(key), (0, 0)), (length, loud))
    lost["notes_merged"] = len(rows) - len(best)
    notes = []
    for (onset, voice, pitch), (length, loud) in sorted(best.items()):
        later = [other for other, v, p in best if (v, p) == (voice, pitch) and other > onset]
        fits = max(d for d in DURATIONS if d <= min(later) - onset) if later else DURATIONS[-1]
        lost["overlaps_cut"] += length > fits
        notes.append((onset, voice, pitch, min(length, fits), loud))
    return notes


def held(tokenizer: BarsTokenizer, score: Score, i: int) -> int:
    """The duration of note i in ticks, with its track's pedal."""
    onset, release = int(score.onset[i]), int(score.onset[i] + score.duration[i])
    spans = [(tick, tick + long) for tick, long, track in score.pedals.tolist() if track == score.track[i]]
    if tokenizer.pedals != "durations" or score.is_drum[i] or not any(a <= release < b for a, b in spans):
        return release - onset
    lift = max(b for a, b in spans if a <= release < b)
    while any(a < lift < b for a, b in spans):
        lift = max(b for a, b in spans if a < lift < b)
    strikes = [
        int(score.onset[j])
        for j in range(len(score))
        if score.onset[j] > onset
        and score.pitch[j] == score.pitch[i]
        and not score.is_drum[j]
        and (score.program[j] == score.program[i] or not tokenizer.programs)
    ]
    if strikes and min(strikes) < release:
        return release - onset
    return min([lift, *strikes]) - onset


def bars_of(metres: list[tuple[int, int, int]], end: int) -> list[tuple[int, int, tuple[int, int]]]:
    """Step, length and metre of each bar."""
    bars = []
    at = 0
    while at < end:
        _, n, d = max(row for row in metres if row[0] <= at)
        bars.append((at, bar_steps(n, d), (n, d)))
        at += bar_steps(n, d)
    return bars


def add_tempos(tokenizer: BarsTokenizer, score: Score, end: int, at: dict, lost: Counter) -> None:
    if not tokenizer.tempos:
        lost["tempo_changes_dropped"] += len(score.tempos)
        return
    holds = {step(score, tick): us for tick, us in score.tempos.tolist() if step(score, tick) < end}
    lost["tempo_changes_dropped"] += len(score.tempos) - len(holds)
    running = 120
    for place, us in sorted(holds.items()):
        mark = min(MARKS, key=lambda m: abs(log(us / round(6e7 / m))))
        lost["tempos_rounded"] += us != round(6e7 / mark)
        if mark != running:
            at[place].append(("Tempo", f"{float(mark):g}"))
        running = mark


def add_pedals(tokenizer: BarsTokenizer, score: Score, end: int, at: dict, lost: Counter) -> None:
    players: dict[int, set[int]] = defaultdict(set)  # programs that each track plays
    for track, program, drum in zip(score.track.tolist(), score.program.tolist(), score.is_drum.tolist(), strict=True):
        players[track] |= set() if drum else {program if tokenizer.programs else 0}
    spans = score.pedals.tolist()
    silent = sum(not players[track] for _, _, track in spans)
    match tokenizer.pedals:
        case "drop":
            lost["pedal_spans_dropped"] += len(spans)
        case "durations":
            lost["pedal_spans_dropped"] += silent
        case "tokens":
            lost["pedal_spans_dropped"] += silent
            for program in sorted(set().union(*players.values())):
                own = [(tick, tick + long) for tick, long, track in sorted(spans) if program in players[track]]
                pedal_of(program, [(a, b) for a, b in sorted(own)], score, end, at, lost)
            for place, events in at.items():
                order = ("Tempo", "PedalUp", "PedalDown")
                at[place] = sorted(events, key=lambda event: (order.index(event[0]), float(event[1])))


def pedal_of(program: int, own: list[tuple[int, int]], score: Score, end: int, at: dict, lost: Counter) -> None:
    joined: list[list[int]] = []
    for a, b in own:
        down, up = step(score, a), step(score, b)
        lifted = min(max(up, down + 1), end)
        if down >= end:
            lost["pedal_spans_dropped"] += 1
        elif joined and down < joined[-1][1]:
            lost["pedal_spans_dropped"] += 1
            joined[-1][1] = max(joined[-1][1], lifted)
        else:
            joined.append([down, lifted])
            lost["pedal_spans_moved"] += not (on_step(score, a, down) and on_step(score, b, lifted))
    for down, up in joined:
        at[down].append(("PedalDown", str(program)))
        if up < end:
            at[up].append(("PedalUp", str(program)))
