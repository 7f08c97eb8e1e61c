"""What a page does in a real browser: it opens in silence, plays, seeks, redraws, and runs nothing it was not given."""

import zlib
from pathlib import Path

import numpy as np
import pytest

from seqaudio.cli.main import run
from seqaudio.report.page import Matrix, Page, Panel, Series, page_bytes, roll_of, write_page
from tests.browser import DARK, DESK, LIGHT, PHONE, Chromium, find_chromium
from tests.report.page.samples import HOSTILE, page_of
from tests.samples import tune

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.browser

CONTROLS = """[...document.querySelectorAll('a, button, input, summary, [tabindex="0"]')]
    .filter((element) => element.checkVisibility())"""
AT = "+document.querySelectorAll('.seek input')[{}].value"
PLAY = "document.querySelectorAll('.play')[{}]"


@pytest.fixture(scope="module")
def browser():
    assert find_chromium(), "no Chromium: apt-get install chromium, or name one in the variable CHROMIUM"
    with Chromium() as chromium:
        yield chromium


@pytest.fixture
def opened(browser, tmp_path):
    """Open a page and see that it opens without a word on the console, and asks for nothing."""

    def show(page=None, **how):
        path = tmp_path / "page.html"
        write_page(page or page_of(panels=2), path)
        browser.open(path, **how)
        assert browser.complaints == []
        assert browser.requests == [path.as_uri()]
        return browser

    yield show
    assert browser.complaints == []
    assert len(browser.requests) == 1


def inks(chromium, selector):
    """How many colours each canvas has that a selector finds."""
    script = f"""[...document.querySelectorAll({selector!r})].map((canvas) => {{
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return new Set(new Uint32Array(pixels.buffer)).size}})"""
    return chromium.run(script)


def box_of(chromium, selector):
    """Left, top, width and height of an element in the window, once it is scrolled there."""
    found = f"const element = document.querySelector({selector!r}); element.scrollIntoView();"
    script = f"(() => {{ {found} const box = element.getBoundingClientRect();"
    return chromium.run(script + " return [box.x, box.y, box.width, box.height] })()")


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("size", [DESK, PHONE])
def test_every_plot_is_there_and_nothing_is_wider_than_the_window(opened, size, theme):
    chromium = opened(size=size, theme=theme)
    for selector, count in (("figure.roll canvas", 2), ("figure.matrix canvas", 4), ("figure.series canvas", 4)):
        found = inks(chromium, selector)
        assert len(found) == count
        assert min(found) >= 4
    assert chromium.run("document.documentElement.scrollWidth") <= size[0]
    boxes = chromium.run(
        "[...document.querySelectorAll('canvas')].map((c) => [c.getBoundingClientRect().width, c.clientHeight])"
    )
    assert all(100 < width <= size[0] and height > 100 for width, height in boxes)


def test_the_theme_may_change_while_the_page_is_open(opened):
    chromium = opened()
    light = chromium.screenshot("figure.matrix")
    chromium.prefer(DARK)
    dark = chromium.screenshot("figure.matrix")
    chromium.prefer(LIGHT)
    assert light != dark
    assert chromium.screenshot("figure.matrix") == light


def test_play_moves_the_cursor_and_pause_stops_it(opened):
    chromium = opened()
    place = "document.querySelector('.cursor').getBoundingClientRect().x"
    before = chromium.run(place)
    chromium.run(PLAY.format(0) + ".click()")
    chromium.wait(AT.format(0) + " > 300")
    assert chromium.run(PLAY.format(0) + ".textContent") == "Pause"
    assert chromium.run("synth.context.state") == "running"
    assert chromium.run("document.querySelector('.trouble').textContent") == ""
    assert chromium.run(place) > before
    chromium.run(PLAY.format(0) + ".click()")
    stood = chromium.run(AT.format(0))
    chromium.run("new Promise((done) => setTimeout(() => done(1), 150))")
    assert chromium.run(AT.format(0)) == stood
    assert chromium.run(PLAY.format(0) + ".textContent") == "Play"


def test_what_is_played_are_the_notes_at_their_times(opened):
    """The notes that the synthesiser is given, against the score."""
    score = tune(2, tempos=[(0, 150_000)])  # more than a second, less than two
    chromium = opened(Page("x", panels=[Panel("y", roll=roll_of(score, int(score.bars()[1])))]))
    chromium.run(
        "window.struck = []; Synth.prototype.play = function (...note) { struck.push(note) };"
        + PLAY.format(0)
        + ".click()"
    )
    chromium.wait(PLAY.format(0) + ".textContent === 'Play'")
    struck = np.array(chromium.run("struck"))  # program, pitch, velocity, at, duration
    assert (struck[:, 1] == score.pitch).all()
    assert (struck[:, 2] == score.velocity).all()
    assert np.abs(np.diff(struck[:, 3]) - np.diff(score.seconds(score.onset))).max() < 0.0021
    assert np.abs(struck[:, 4] - score.seconds(score.duration)).max() < 0.0011
    assert chromium.run(AT.format(0)) == pytest.approx(1000 * score.seconds(score.bars()[-1]), abs=2)


def test_a_held_note_sounds_on_when_play_begins_in_its_middle(opened):
    score = tune(2).replaced(duration=np.full(len(tune(2)), 480 * 8))
    chromium = opened(Page("x", panels=[Panel("y", roll=roll_of(score))]))
    chromium.run(
        "window.struck = []; Synth.prototype.play = function (...note) { struck.push(note) };"
        "const s = document.querySelector('.seek input'); s.value = 2000; s.dispatchEvent(new Event('input'));"
        + PLAY.format(0)
        + ".click()"
    )
    begun = int((score.seconds(score.onset) < 2).sum())
    chromium.wait(f"struck.length >= {begun}")
    assert chromium.run(f"struck.slice(0, {begun}).map((note) => note[1])") == score.pitch[:begun].tolist()
    assert 2000 <= chromium.run(AT.format(0)) < 4000  # from where it was, not from the start, nor at the end
    chromium.run(PLAY.format(0) + ".click()")


def test_sound_comes_out(opened):
    """The synthesiser's notes and drums, rendered: neither silent nor clipped nor endless."""
    chromium = opened()
    script = """(async () => {
        const offline = new OfflineAudioContext(1, 2 * 22050, 22050);
        window.AudioContext = function () { return offline; };
        const synth = new Synth();
        synth.open();
        PLAYED
        const samples = (await offline.startRendering()).getChannelData(0);
        const loud = (from, to) => Math.sqrt(samples.slice(from * 22050, to * 22050).reduce((a, b) => a + b * b, 0));
        const peak = samples.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
        return [loud(0.35, 0.45), loud(0.55, 0.65), loud(1.5, 2), peak];
    })()"""
    for played in (
        "synth.play(0, 69, 100, 0.05, 0.4)",
        "synth.play(73, 69, 100, 0.05, 0.4)",
        "synth.play(128, 36, 100, 0.05, 0.1)",
        "synth.play(128, 42, 100, 0.05, 0.1)",
        "synth.play(128, 38, 100, 0.05, 0.1)",
    ):
        held, released, late, peak = chromium.run(script.replace("PLAYED", played))
        assert 0.02 < peak < 1, played
        assert late == 0
        if "128" not in played:
            assert held > 1
            assert released < 0.2 * held  # let go, and not cut off with a click
    whole = chromium.run(script.replace("PLAYED", "for (let p = 40; p < 80; p++) synth.play(0, p, 127, 0.05, 0.4)"))
    assert whole[3] < 2  # forty notes at full strength: held down by the limiter


def test_one_piece_sounds_at_a_time(opened):
    chromium = opened()
    chromium.run(PLAY.format(0) + ".click()")
    chromium.wait(AT.format(0) + " > 100")
    chromium.run(PLAY.format(1) + ".click()")
    chromium.wait(AT.format(1) + " > 100")
    assert chromium.run("[...document.querySelectorAll('.play')].map((b) => b.textContent)") == ["Play", "Pause"]
    chromium.run(PLAY.format(1) + ".click()")


def test_without_audio_the_cursor_moves_all_the_same(opened):
    chromium = opened()
    chromium.run("window.AudioContext = window.webkitAudioContext = undefined")
    chromium.run(PLAY.format(0) + ".click()")
    chromium.wait(AT.format(0) + " > 300")
    assert "No sound" in chromium.run("document.querySelector('.trouble').textContent")
    chromium.run(PLAY.format(0) + ".click()")


def test_the_keyboard_plays_and_goes_from_bar_to_bar(opened):
    chromium = opened()
    chromium.run(PLAY.format(0) + ".focus()")
    chromium.press("Enter")
    chromium.wait(AT.format(0) + " > 50")
    chromium.press(" ")
    chromium.wait(PLAY.format(0) + ".textContent === 'Play'")
    chromium.run("document.querySelector('.seek input').focus()")
    chromium.press("Home")
    said = "document.querySelector('.seek input').getAttribute('aria-valuetext')"
    assert chromium.run(said).startswith("bar 1, 0:00 of")
    for _ in range(3):
        chromium.press("ArrowRight")
    assert chromium.run(said).startswith("bar 4, 0:06 of")
    chromium.press("ArrowLeft")
    assert chromium.run(said).startswith("bar 3, 0:04 of")
    chromium.press("End")
    assert chromium.run(said).startswith("bar 20, 0:40 of 0:40")


def test_tab_reaches_every_control_in_the_order_of_the_page(opened):
    chromium = opened()
    wanted = chromium.run(CONTROLS + ".length")
    chromium.run("document.activeElement.blur()")
    for number in range(wanted):
        chromium.press("Tab")
        chromium.run("document.activeElement.reached = " + str(number))
    reached = chromium.run(CONTROLS + ".map((element) => element.reached ?? -1)")
    assert reached == sorted(reached)
    assert min(reached) == 0


def test_a_click_on_the_roll_goes_there(opened):
    chromium = opened()
    x, y, width, _ = box_of(chromium, ".scroll")
    chromium.click(x + 34 + (width - 42) / 2, y + 60)
    assert chromium.run(AT.format(0)) == pytest.approx(20_000, abs=200)  # the middle of forty seconds
    chromium.run("document.querySelector('.to-new').click()")
    assert chromium.run(AT.format(0)) == 24_000
    chromium.run("document.querySelector('.to-start').click()")
    assert chromium.run(AT.format(0)) == 0


def test_a_long_piece_scrolls_and_the_cursor_stays_in_view(opened):
    score = tune(300)
    page = Page("x", panels=[Panel("y", roll=roll_of(score, int(score.bars()[250])))])
    chromium = opened(page, size=PHONE)
    shift = "document.querySelector('.scroll').scrollLeft"
    assert chromium.run(shift) > 3000  # the continuation is in view
    first = chromium.screenshot(".scroll")
    chromium.run("document.querySelector('.to-start').click()")
    assert chromium.run(shift) == 0
    assert chromium.screenshot(".scroll") != first
    width = "document.querySelector('.strip').clientWidth"
    before = chromium.run(width)
    chromium.run("document.querySelector('.wider').click()")
    assert chromium.run(width) == pytest.approx(1.5 * before, rel=0.02)
    assert min(inks(chromium, "figure.roll canvas")) >= 3
    chromium.run("document.querySelector('.to-new').click()")
    cursor = chromium.run("document.querySelector('.cursor').getBoundingClientRect().x")
    assert 0 < cursor < PHONE[0]


def test_a_cell_of_the_matrix_says_which_bars_it_compares(opened):
    page = page_of()
    chromium = opened(page)
    x, y, width, height = box_of(chromium, "figure.matrix canvas")
    cell = (width - 42) / 20
    chromium.hover(x + 34 + 2.5 * cell, y + height - 28 - 7.5 * cell)
    value = page.panels[0].matrices[0].values[2, 7]
    said = chromium.run("document.querySelector('figure.matrix .readout').textContent")
    assert said == f"Bars 3 and 8: {round(100 * round(value * 255) / 255)} % alike."


def test_bar_one_is_at_the_lower_left_and_each_cell_is_as_dark_as_it_is_like(opened):
    values = np.eye(4)
    values[0, 2] = values[2, 0] = 0.5
    chromium = opened(Page("x", panels=[Panel("y", matrices=[Matrix("m", values)])]))
    script = """(() => {
        const canvas = document.querySelector('figure.matrix canvas');
        const side = canvas.width - 42;
        const red = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        const [x, y] = [(column) => 34 + side * (column + 0.3) / 4, (row) => 4 + side * (1 - (row + 0.3) / 4)];
        return [0, 1, 2, 3].map((row) => [0, 1, 2, 3].map((column) =>
            red[4 * (Math.round(y(row)) * canvas.width + Math.round(x(column)))]));
    })()"""
    red = np.array(chromium.run(script))
    pale, dark = (int(chromium.run(f"channels('{name}')[0]")) for name in ("raised", "alike"))
    assert np.abs(red - (pale + values * (dark - pale))).max() <= 1.5


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_shares_stand_on_one_another_in_the_order_and_colours_of_the_legend(opened, theme):
    shares = np.array([[0.5, 0.2, 1.0, np.nan], [0.25, 0.6, 0.0, np.nan], [0.25, 0.2, 0.0, np.nan]])
    lines = dict(zip("abc", shares, strict=True))
    series = Series("s", "", lines, top=1.0, shares=True)
    chromium = opened(Page("x", panels=[Panel("y", series=[series])]), theme=theme)
    swatches = chromium.run(
        "[...document.querySelectorAll('.share')].map((e) => getComputedStyle(e, '::before').borderTopColor)"
    )
    assert len(set(swatches)) == 3
    columns = chromium.run(
        """(() => {
        const canvas = document.querySelector('figure.series canvas');
        const data = canvas.getContext('2d').getImageData(0, 8, canvas.width, 150).data;
        const pixel = (x, y) => data.slice(4 * (y * canvas.width + x), 4 * (y * canvas.width + x) + 4);
        return [0, 1, 2, 3].map((bar) => {
            const x = Math.round(40 + ((canvas.width - 44) * (bar + 0.5)) / 4);
            return Array.from({ length: 150 }, (_, y) => `rgb(${[...pixel(x, y)].slice(0, 3).join(', ')})`);
        });
    })()"""
    )
    for column, parts in zip(columns, shares.T, strict=True):
        for swatch, share in zip(swatches, parts, strict=True):
            assert column.count(swatch) == pytest.approx(150 * np.nan_to_num(share), abs=3)
        shown = [swatches.index(pixel) for pixel in reversed(column) if pixel in swatches]
        assert shown == sorted(shown)


def test_the_page_of_a_real_command_has_every_plot(browser, tmp_path):
    path = tmp_path / "page.html"
    primer, piece = ROOT / "examples" / "tune.abc", tmp_path / "out.mid"
    arguments = ["continue", primer, "--primer-bars", 8, "--bars", 8, "--seed", 1, "-o", piece, "--report", path]
    run([str(argument) for argument in arguments])
    browser.open(path)
    assert (browser.complaints, browser.requests) == ([], [path.as_uri()])
    for selector, count in (("figure.roll canvas", 1), ("figure.matrix canvas", 2), ("figure.series canvas", 2)):
        assert len(inks(browser, selector)) == count
        assert min(inks(browser, selector)) >= 4
    assert browser.run("document.querySelectorAll('table.figures svg').length") == 6


def test_a_screen_reader_meets_names_and_pictures_with_words(opened):
    chromium = opened()
    nodes = chromium.accessible()
    by_role = {}
    for role, name in nodes:
        by_role.setdefault(role, []).append(name)
    for role in ("button", "slider", "image", "region", "link", "heading"):
        assert by_role[role]
        assert all(by_role[role]), f"a {role} without a name"
    assert len(by_role["image"]) == 11
    assert by_role["slider"][:2] == ["Place", "Volume"]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_run_nothing(opened, name):
    chromium = opened(page_of(name))
    assert chromium.run("window.broken") is None
    assert min(inks(chromium, "canvas")) >= 3
    touch = "(e) => { e.focus && e.focus(); e.dispatchEvent(new Event('mouseover')) }"
    chromium.run(f"document.querySelectorAll('*').forEach({touch})")
    assert chromium.run("window.broken") is None
    assert chromium.run("document.querySelectorAll('script').length") == 2


def test_a_script_that_got_in_would_not_run(browser, tmp_path):
    """The policy's own test: the page as it would be if a name had not been escaped."""
    text = page_bytes(page_of("NAME")).decode()
    inserted = "<script>window.broken=1</script><img src=x onerror=window.broken=1>"
    broken = text.replace("<h1>NAME</h1>", f"<h1>{inserted}</h1>")
    assert broken != text
    path = tmp_path / "broken.html"
    path.write_text(broken, encoding="utf-8")
    browser.open(path)
    assert browser.run("window.broken") is None
    assert browser.complaints  # the browser says what it refused
    assert browser.requests == [path.as_uri()]


def test_a_piece_without_notes_and_a_page_without_pieces(opened):
    opened(Page("nothing"))
    chromium = opened(Page("silent", panels=[Panel("y", roll=roll_of(tune(4).notes(np.zeros(len(tune(4)), bool))))]))
    chromium.run(PLAY.format(0) + ".click()")
    chromium.wait(PLAY.format(0) + ".textContent === 'Play'")


def test_two_screens_of_one_page_are_the_same(opened):
    assert zlib.crc32(opened().screenshot()) == zlib.crc32(opened().screenshot())
