"""Small MusicXML documents, written by hand: one quarter is four divisions."""

import io
import zipfile

from seqaudio.music import Score

Notes = list[tuple[float, float, int]]  # onset, length in quarters; pitch

STANDARD = (
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">'
)
CONTAINER = '<container><rootfiles><rootfile full-path="{path}"/></rootfiles></container>'


def note(pitch: str, quarters: float = 1, *extra: str) -> str:
    """A note such as ``F#4``, ``Bb3`` or ``r`` for a rest; ``extra`` are further elements."""
    chord = "<chord/>" if "<chord/>" in extra else ""
    extra = tuple(element for element in extra if element != "<chord/>")
    if pitch == "r":
        what = "<rest/>"
    else:
        alter = pitch.count("#") - pitch.count("b")
        what = f"<pitch><step>{pitch[0]}</step><alter>{alter}</alter><octave>{pitch[-1]}</octave></pitch>"
    return f"<note>{chord}{what}<duration>{quarters * 4:g}</duration>{''.join(extra)}</note>"


def tie(*kinds: str) -> str:
    return "".join(f'<tie type="{kind}"/>' for kind in kinds)


def harmony(root: str, kind: str, *extra: str) -> str:
    alter = root.count("#") - root.count("b")
    return (
        f"<harmony><root><root-step>{root[0]}</root-step><root-alter>{alter}</root-alter></root>"
        f"<kind>{kind}</kind>{''.join(extra)}</harmony>"
    )


def attributes(metre: str = "4/4", *extra: str, divisions: int = 4) -> str:
    beats, kind = metre.split("/") if metre else ("", "")
    time = f"<time><beats>{beats}</beats><beat-type>{kind}</beat-type></time>" if metre else ""
    return f"<attributes><divisions>{divisions}</divisions>{time}{''.join(extra)}</attributes>"


def repeat(direction: str, location: str = "right", times: str = "") -> str:
    return f'<barline location="{location}"><repeat direction="{direction}"{times}/></barline>'


def ending(number: str, kind: str) -> str:
    return f'<barline><ending number="{number}" type="{kind}"/></barline>'


def volta(number: str, body: str) -> str:
    return ending(number, "start") + body + ending(number, "stop")


def words(text: str) -> str:
    return f"<direction><direction-type><words>{text}</words></direction-type></direction>"


def document(*parts: list[str], about: str = "", names: tuple[str, ...] = (), doctype: str = "") -> str:
    """A score of parts, each a list of the contents of its measures."""
    entries = "".join(
        f'<score-part id="P{i}"><part-name>{name}</part-name>{about}</score-part>'
        for i, name in enumerate([*names, *[""] * (len(parts) - len(names))])
    )
    bodies = ""
    for i, part in enumerate(parts):
        measures = "".join(f'<measure number="{n}">{body}</measure>' for n, body in enumerate(part, 1))
        bodies += f'<part id="P{i}">{measures}</part>'
    head = '<?xml version="1.0" encoding="UTF-8"?>' + doctype
    return f"{head}<score-partwise><part-list>{entries}</part-list>{bodies}</score-partwise>"


def zipped(text: str | bytes, path: str = "score.xml", container: str | None = CONTAINER) -> bytes:
    """The bytes of a compressed file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if container is not None:
            archive.writestr("META-INF/container.xml", container.format(path=path))
        archive.writestr(path, text)
    return buffer.getvalue()


def notes(score: Score, track: int | None = None) -> Notes:
    kept = score if track is None else score.notes(score.track == track)
    columns = (kept.onset / score.ticks_per_quarter, kept.duration / score.ticks_per_quarter, kept.pitch)
    return [tuple(row) for row in zip(*(column.tolist() for column in columns), strict=True)]
