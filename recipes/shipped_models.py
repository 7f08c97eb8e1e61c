"""Which models are shipped, what stands beside each, and what is to be said of it? Only words and numbers.

A plain network is trained from a config with some changes, as ``seqaudio train CONFIG --set CHANGE`` would. Those of
`songs`, `chorales` and `drums` have the parameters of the model within 2 %, and its epochs; those of `folk`, which are
older, have more of both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seqaudio.music.score import Score

WITHOUT_MEMORY = "model.memory=null"


@dataclass(frozen=True)
class Plain:
    """A network without a memory, beside a shipped one.

    Attributes:
        row: its name in the tables.
        run: the folder of its training, inside ``runs``.
        config: the name of its config.
        changes: of the config.
        shipped: the name it is shipped by, if it is.
    """

    row: str
    run: str
    config: str
    changes: tuple[str, ...] = ()
    shipped: str = ""


@dataclass(frozen=True)
class Shipped:
    """A shipped model; its config and its training have its name.

    Attributes:
        name: as it is asked for.
        title: of its card.
        plain: networks without a memory, trained on the same pieces.
        bars: new bars behind primers of 8, where it is asked what continuations keep.
        order: of PPM, by validation.
        lengths: bars of primer and of all, for which the report is told what real pieces keep.
        pieces: what these pieces are, for people.
        reads: what it hears of a primer.
        data: a paragraph on its music and the licences.
        is_not: a paragraph on what it cannot do.
        temperatures: tried on validation pieces, each with every gate temperature.
        voices: whether there are several, whose new beats are also asked whether they are chords.
        view: how scores are looked at when it is measured what they keep, and that in words; None: as they are.
    """

    name: str
    title: str
    plain: tuple[Plain, ...]
    bars: int
    order: int
    lengths: tuple[tuple[int, int], ...]
    pieces: str
    reads: str
    data: str
    is_not: str
    temperatures: tuple[float, ...] = (0.9, 1.0)
    voices: bool = False
    view: Callable[[Score], Score] | None = None
    viewed: str = ""


def on_sixteenths(score: Score) -> Score:
    """Each note at the nearest sixteenth and a sixteenth long: played drums never repeat a bar to the tick."""
    sixteenth = score.ticks_per_quarter // 4
    onset = (score.onset + sixteenth // 2) // sixteenth * sixteenth
    return score.replaced(onset=onset, duration=np.full(len(score), sixteenth))


def plain_networks(name: str, lstm: int, rnn: int) -> tuple[Plain, Plain]:
    """An LSTM and an RNN of so many hidden units, trained as a shipped model; the RNN at a rate that it stands."""
    slower = "model.cell=rnn", f"model.hidden_size={rnn}", "training.learning_rate=0.001"
    return (
        Plain("plain LSTM", f"{name}-lstm", name, (WITHOUT_MEMORY, f"model.hidden_size={lstm}")),
        Plain("plain RNN", f"{name}-rnn", name, (WITHOUT_MEMORY, *slower)),
    )


FOLK = Shipped(
    name="folk",
    title="folk melodies by an LSTM with a memory of the tune",
    plain=(
        Plain("plain LSTM", "folk_lstm", "folk_lstm"),
        Plain("plain RNN", "folk_rnn", "folk_rnn", shipped="folk-rnn"),
    ),
    bars=24,
    order=6,
    lengths=((4, 8), (4, 12), (4, 16), (8, 12), (8, 16), (8, 20), (8, 24), (8, 32), (16, 24), (16, 32)),
    pieces="tunes of O'Neill's and Aird's collections that the model has not met",
    reads="Continues single-line melodies bar by bar, on a grid of 12 steps per quarter.",
    data="O'Neill's Music of Ireland (1903) and Aird's Airs (1782-1803): traditional tunes in the public domain. The "
    "transcriptions (by Norbert Paap, Jack Campin and others, named in the files) state no licence; the package "
    "music21 distributes them with the permission of their encoders, see its corpus/license.txt. They are not part "
    "of seqaudio.",
    is_not="It writes one line; of a piece with several tracks it continues the melody. The plain networks had more "
    "parameters and more epochs than it, and rates of their own, hardly tuned: they are what was shipped before, not "
    "a fair contest of cells.",
)
CHORALES = Shipped(
    name="chorales",
    title="four-part chorales by an LSTM with a memory of the piece",
    plain=plain_networks("chorales", lstm=407, rnn=790),
    bars=8,
    order=4,
    lengths=((4, 8), (4, 12), (4, 16), (8, 12), (8, 16), (8, 20)),
    pieces="chorales by Bach that the model has not met",
    reads="Continues pieces in several voices bar by bar, on a grid of 12 steps per quarter. It hears all pitched "
    "notes together and writes chords; each new note goes to the track of the primer that lies nearest.",
    data="The chorales of J. S. Bach (1685-1750), in the public domain, as MusicXML in the package music21. The files "
    "state no licence for the encodings; music21 distributes them with the permission of their encoders, see its "
    "corpus/license.txt, which says of its corpus as a whole that some encodings may not be used commercially. They "
    "are not part of seqaudio. The prelude BWV 846, which lies beside them, is left out.",
    is_not="It knows chorales alone: block harmony in 4/4 and 3/4, from the bass to the soprano of a choir. Of other "
    "music in several voices it makes a chorale. Voices are not told apart while it writes: each note goes to the "
    "voice that lies nearest, and a voice without one doubles, so that parallel fifths and octaves are nobody's care. "
    "What it does not bring back is rougher than Bach: at temperature 1 it has chords on 0.81 of the beats of "
    "validation pieces, real 0.90, bars that come back included. --min-p 0.1 or a lower temperature makes it plainer, "
    "and brings more back. Continuations of test pieces were heard before the rule that its temperatures follow was "
    "made stricter, so the figures of continuations above are not of pieces unheard; the nats are.",
    temperatures=(0.8, 0.9, 1.0),
    voices=True,
)
DRUMS = Shipped(
    name="drums",
    title="drums by an LSTM with a memory of the piece",
    plain=plain_networks("drums", lstm=279, rnn=520),
    bars=8,
    order=4,
    lengths=((4, 8), (4, 12), (4, 16), (8, 12), (8, 16), (8, 20), (8, 24), (8, 32)),
    pieces="performances of the Groove MIDI Dataset that the model has not met",
    reads="Continues drums bar by bar, with their loudness, on a grid of 12 steps per quarter.",
    data="The Groove MIDI Dataset 1.0.0 by Google LLC, under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/): "
    "Jon Gillick, Adam Roberts, Jesse Engel, Douglas Eck and David Bamman, Learning to Groove with Inverse Sequence "
    "Transformations, ICML 2019, https://magenta.tensorflow.org/datasets/groove. Changes: performances of fewer than "
    "4 bars or 16 notes are left out, onsets moved to the grid, loudness rounded to steps of 4. The official split is "
    "kept. The data are not part of seqaudio.",
    is_not="The grid takes what drummers play before and behind the beat. It hears drums alone: a bass line beside "
    "them is not heard. It holds a groove and brings back bars sometimes, those of the primer less than half as often "
    "as drummers do. Much of its small curve error is its "
    "low temperature: at temperature 1 it has 0.20 on validation pieces. Most of what it learnt from is rock, "
    "funk and jazz in 4/4. Two takes of one groove by one drummer may stand on both sides of the official "
    "split.",
    temperatures=(0.6, 0.75, 0.9, 1.0),
    view=on_sixteenths,
    viewed=" For this every drum is put on its nearest sixteenth and loudness is left out, for played drums never "
    "repeat a bar to the tick.",
)
SONGS = Shipped(
    name="songs",
    title="songs, melody and chords, by an LSTM with a memory of the song",
    plain=plain_networks("songs", lstm=395, rnn=750),
    bars=24,
    order=6,
    lengths=((4, 8), (4, 12), (4, 16), (8, 12), (8, 16), (8, 20), (8, 24), (8, 32), (16, 24), (16, 32)),
    pieces="lead sheets of OpenEWLD that the model has not met",
    reads="Continues songs bar by bar, on a grid of 12 steps per quarter: their melody, and the chords beside it, "
    "which it writes as they lie in a lead sheet, whole and held. Of any piece it hears the melody, and all other "
    "pitched notes as the chords; each goes on in its own tracks. A melody alone goes on alone.",
    data="OpenEWLD by Federico Simonetta (https://github.com/00sapo/OpenEWLD), under the MIT licence: Federico "
    "Simonetta, Filippo Carnovalini, Nicola Orio and Antonio Rodà, Symbolic Music Similarity through a Graph-Based "
    "Representation, Audio Mostly 2018. Lead sheets from the archive of Wikifonia, which the data set offers as free "
    "of copyright. Its own database does not say so of all: only 271 of 502 are learnt from, those that were first "
    "performed before 1931, and of those without a day the ones of which everybody that database and file name as an "
    "author had died by 1955. The data are not part of seqaudio.",
    is_not="It knows little: 200 songs, nearly all with English words, the middle one of those dated of 1923. "
    "Its chords are whole chords that are held; it writes no accompaniment in broken chords or a rhythm, and hears one "
    "as surprising. It has no bass line, no drums and no words. It brings back its primer less than songs do (0.13 of "
    "the new bars, real 0.21), and fewer of its beats have chords (0.74, real 0.81). At --temperature 0.8 it has more "
    "of both and repeats itself more than songs do: on validation pieces primer recall 0.29 in place of 0.18 (real "
    "0.23), chords 0.82 in place of 0.79 (real 0.82), far repeats 0.40 in place of 0.29 (real 0.22). --form AABA says "
    "where it shall return and what is to be new.",
    temperatures=(0.8, 0.9, 1.0),
    voices=True,
)
SHIPPED = {model.name: model for model in (FOLK, SONGS, CHORALES, DRUMS)}
