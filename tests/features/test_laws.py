"""Laws of every feature: rows do not know each other, kinds are kept, frames have times, gradients are right."""

import numpy as np
import pytest
import torch

from seqaudio.errors import OptionError
from seqaudio.features import FEATURES, Stream, feature, functions
from seqaudio.features.names import IN_TORCHAUDIO
from seqaudio.music.waveform import Waveform
from tests.features.sounds import RATE, WITHOUT_GRADIENT, chirp, tones

EVERY = [(name, "librosa") for name in FEATURES] + [(name, "torchaudio") for name in IN_TORCHAUDIO]
HIGH = {"n_octaves": 3, "fmin": 220.0}
SHORT = {"cqt": {"n_bins": 36, "fmin": 220.0}, "chroma_cqt": HIGH, "chroma_cens": HIGH, "tonnetz": HIGH}
SHORT |= {"pyin": {"fmin": 200.0, "fmax": 800.0}, "tempogram": {"win_length": 30}}
SHORT["hpss"] = {"n_fft": 512, "hop_length": 128, "kernel_size": 9}
pytestmark = pytest.mark.filterwarnings("ignore:At least one mel filterbank has all zero values:UserWarning")


def module(name, preset="librosa", **options):
    return feature(name, RATE, preset, **SHORT.get(name, {}), **options)


def streamable(name, preset):
    """The module with the options that let it stream, or None if nothing does."""
    found = module(name, preset)
    if "top_db" in str(found.reach):
        return module(name, preset, top_db=None)
    if "tuning" in str(found.reach):
        return module(name, preset, tuning=0.1)
    return None if isinstance(found.reach, str) else found


def largest(tensor):
    return float(tensor.abs().nan_to_num().max())


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_a_row_is_as_if_it_came_alone(name, preset):
    """Whatever its neighbours are: loud, silent, or no numbers at all."""
    if name == "pyin":
        sounds = [tones(0.4), chirp(0.4)]
    else:
        sounds = [tones(1.1), 3e-3 * chirp(1.1), np.zeros(len(tones(1.1))), tones(1.1)[::-1].copy()]
    batch = torch.from_numpy(np.stack(sounds))
    found = module(name, preset)
    made = found(batch.reshape(2, -1, batch.shape[-1]))
    assert made.shape[:2] == (2, len(sounds) // 2)
    for row, alone in zip(made.flatten(0, 1), map(found, batch), strict=True):
        assert torch.allclose(row, alone, rtol=1e-9, atol=1e-12 * largest(alone), equal_nan=True)


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_frames_are_what_the_module_says(name, preset):
    samples = torch.from_numpy(tones(0.7)).float()
    found = module(name, preset)
    made = found(samples)
    assert made.shape[-2] == found.bins == len(found.names) == len(set(found.names))
    times = found.times(made.shape[-1])
    assert times.shape == made.shape[-1:]
    assert np.all(np.diff(times) > 0)
    assert 0 <= len(samples) / RATE - times[-1] < 2 * found.hop_length / RATE
    assert made.dtype in (torch.float32, torch.complex64, torch.int64)
    numbers = getattr(functions, name)(tones(0.7).astype(np.float32), RATE, preset, **SHORT.get(name, {}))
    assert isinstance(numbers, np.ndarray)
    assert np.array_equal(numbers, made.numpy(), equal_nan=True)
    assert found(samples.double()).dtype in (torch.float64, torch.complex128, torch.int64)


@pytest.mark.parametrize("center", [True, False])
def test_the_time_of_a_frame_is_where_its_sound_is(center):
    """A click in the middle of a window is loudest there."""
    samples = np.zeros(RATE)
    samples[10_000] = 1.0
    for name, options in (("rms", {}), ("spectrogram", {}), ("mel", {"n_fft": 1024})):
        hop = {"hop_length": 64, "center": center} | options
        found = feature(name, RATE, **hop)
        loud = found(torch.from_numpy(samples)).sum(0)
        heard = found.times(len(loud))[(loud > 0.99 * loud.max()).numpy()]
        assert abs(heard.mean() - 10_000 / RATE) < 64 / RATE


@pytest.mark.parametrize(("name", "preset"), EVERY)
@pytest.mark.parametrize("size", [700, 9000])
def test_blocks_give_the_frames_of_one_call(name, preset, size):
    found = streamable(name, preset)
    if found is None:
        with pytest.raises(OptionError, match=r"cannot be streamed: .* the recording as a whole$"):
            Stream(module(name, preset))
        return
    if module(name, preset).reach != found.reach:
        with pytest.raises(OptionError, match=r"cannot be streamed: .*give t"):
            Stream(module(name, preset))
    # a chirp leaves the bins of chroma: what is all but silent is divided by itself there, rounding included
    samples = torch.from_numpy(np.stack([tones(1.9), chirp(1.9) + 0.01 * tones(1.9)]))
    whole, stream = found(samples), Stream(found)
    for _ in range(2):  # a stream that is finished begins anew
        made = [stream.push(block) for block in samples.split(size, -1)]
        assert sum(part.shape[-1] for part in made) > 0
        made.append(stream.finish())
        assert torch.allclose(torch.cat(made, -1), whole, rtol=1e-9, atol=1e-9 * largest(whole), equal_nan=True)


def test_a_stream_hands_out_a_frame_as_soon_as_it_is_certain():
    stream = Stream(feature("mel", RATE))
    sizes = [stream.push(np.zeros(512, np.float32)).shape for _ in range(4)]
    assert sizes == [(128, 0), (128, 1), (128, 1), (128, 1)]
    last = stream.finish()
    assert isinstance(last, np.ndarray)
    assert last.shape == (128, 2)
    with pytest.raises(OptionError, match="nothing was pushed"):
        stream.finish()
    stream.push(np.zeros(512, np.float32))
    with pytest.raises(OptionError, match="push the same rows each time"):
        stream.push(np.zeros((2, 512), np.float32))


def test_a_stream_that_is_finished_takes_other_rows():
    stream = Stream(feature("mel", RATE))
    assert stream.push(np.zeros((2, 512), np.float32)).shape == (2, 128, 0)
    stream.finish()
    assert stream.push(torch.zeros(512, dtype=torch.float64)).shape == (128, 0)
    assert stream.finish().dtype == torch.float64


def test_a_stream_keeps_only_what_it_still_needs():
    stream = Stream(feature("mel", RATE))
    for _ in range(50):
        stream.push(torch.zeros(5000))
    assert stream._kept.shape[-1] < 10_000


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_gradients_are_those_of_differences(name, preset):
    """Along a direction in which the sound is changed; or there is none, and the page says so."""
    found = module(name, preset)
    generator = torch.Generator().manual_seed(1)
    samples = torch.from_numpy(tones(0.4)).requires_grad_()
    made = found(samples)
    if name in WITHOUT_GRADIENT:
        assert not made.requires_grad
        return
    weights = torch.randn(made.shape, generator=generator, dtype=torch.float64)
    direction = torch.randn(samples.shape, generator=generator, dtype=torch.float64)

    def value(sound):
        frames = found(sound)
        return (weights * (torch.view_as_real(frames).sum(-1) if frames.is_complex() else frames)).sum()

    value(samples).backward()
    slope = float(samples.grad @ direction)
    step = 1e-9
    with torch.no_grad():
        difference = float(value(samples + step * direction) - value(samples - step * direction)) / (2 * step)
    assert abs(slope) > 0
    assert slope == pytest.approx(difference, rel=2e-3)


@pytest.mark.parametrize("name", FEATURES)
def test_silence_has_finite_gradients(name):
    found = module(name)
    if name not in WITHOUT_GRADIENT:
        samples = torch.zeros(9000, dtype=torch.float64, requires_grad=True)
        made = found(samples)
        (torch.view_as_real(made) if made.is_complex() else made).sum().backward()
        assert torch.isfinite(samples.grad).all()


def test_what_was_made_without_gradients_has_gradients_later():
    """Filters are kept, and those made in inference mode must not stay so; nor does mixed precision reach them."""
    samples = torch.from_numpy(tones(0.4)).float()
    for name in ("mel", "cqt"):
        found = module(name)
        with torch.inference_mode():
            found(samples)
        asked = samples.clone().requires_grad_()
        found(asked).abs().sum().backward()
        assert asked.grad.abs().sum() > 0
        whole = found(samples)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(found(samples), whole)


@pytest.mark.gpu
@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_a_gpu_gives_the_same(name, preset):
    samples = torch.from_numpy(np.stack([tones(1.1), chirp(1.1)]))
    found = module(name, preset)
    made = found(samples.cuda())
    assert made.is_cuda
    whole = found(samples)
    assert torch.allclose(made.cpu(), whole, rtol=1e-6, atol=1e-9 * largest(whole), equal_nan=True)


def test_what_cannot_be_is_refused_in_one_line():
    cases = [
        (lambda: feature("mell", RATE), "'mell' is no feature; there are stft, "),
        (lambda: feature("mel", RATE, "kaldi"), "preset is 'kaldi', it must be one of librosa, torchaudio"),
        (lambda: feature("mel", RATE, n_mel=3), "mel has no option 'n_mel'; it has center, fmax, "),
        (lambda: feature("rms", RATE, window="hann"), "rms has no option 'window'; it has center, frame_length, "),
        (lambda: feature("mel", RATE, n_mels=0), "n_mels is 0, it must be a whole number of 1 or more"),
        (lambda: feature("mel", RATE, n_mels=10**8), "n_mels is 100000000, it must be at most 16384"),
        (lambda: feature("mel", RATE, n_mels=2**14, n_fft=2**20), "filters of 16384 bands would be 8.59e.09 numbers"),
        (lambda: feature("stft", RATE, n_fft=10**9), "n_fft is 1000000000, it must be at most 1048576"),
        (lambda: feature("rms", RATE, frame_length=10**9), "n_fft is 1000000000, it must be at most 1048576"),
        (lambda: feature("cqt", RATE, n_bins=10**9), "n_bins is 1000000000, it must be at most 16384"),
        (lambda: feature("cqt", RATE, n_bins=8000), "n_bins is 8000, it must be at most 32 octaves of 12"),
        (lambda: feature("cqt", RATE, filter_scale=1e9), "give fewer n_bins, a higher fmin or less filter_scale"),
        (lambda: feature("chroma_stft", RATE, n_chroma=10**7), "give fewer n_chroma or less n_fft"),
        (lambda: feature("cqt", RATE, tuning=1e6), "tuning is 1000000.0, it must be from -100 to 100 bins"),
        (lambda: feature("cqt", RATE, norm=-1), "cqt: Unsupported norm: -1; check the settings"),
        (lambda: feature("tempogram", RATE, win_length=10**8), "win_length is 100000000, it must be"),
        (lambda: feature("spectral_contrast", RATE, n_bands=10**8), "n_bands is 100000000, it must be at most 64"),
        (lambda: feature("pyin", RATE, resolution=1e-6), "give a coarser resolution"),
        (lambda: feature("hpss", RATE, kernel_size=10**7 + 1), "kernel_size is 10000001, it must be at most 4097"),
        (lambda: feature("stft", RATE, n_fft=float("inf")), "stft: cannot convert float infinity"),
        (lambda: feature("mel", RATE, n_mels="many"), "n_mels is 'many', it must be a whole number of 1 or more"),
        (lambda: feature("log_mel", RATE, amin=1e300), "amin is 1e.300, it must be above 0 and at most 1e.30"),
        (lambda: feature("mel", RATE, fmin=9000.0, fmax=100.0), "give 0 <= fmin < fmax"),
        (lambda: feature("mel", 0), "sample_rate is 0"),
        (lambda: feature("mfcc", RATE, n_mfcc=200), "n_mfcc is 200, it must be at most n_mels .128."),
        (
            lambda: feature("mel", RATE, pad_mode="wrap"),
            "pad_mode is 'wrap', it must be one of constant, reflect, edge",
        ),
        (lambda: feature("mel", RATE, win_length=4096), "win_length is 4096, it must be 1 to n_fft .2048."),
        (lambda: feature("cqt", 8000), "above half of 8000 Hz; give fewer n_bins or a lower fmin"),
        (lambda: feature("chroma_cqt", RATE, n_chroma=7), "bins_per_octave is 36, it must be a multiple of 7"),
        (lambda: feature("spectral_contrast", 8000), "give fewer n_bands"),
        (lambda: feature("hpss", RATE, kernel_size=4), "kernel_size is 4, it must be an odd whole number"),
        (lambda: feature("pyin", RATE, fmin=20.0, frame_length=512), "no period of 20 Hz; give more frame_length"),
        (lambda: feature("pyin", 8000, fmin=200.0, fmax=500.0), "may move 28 semitones, and 200 to 500 Hz have 15.9"),
        (lambda: feature("mel", RATE, "torchaudio")(torch.zeros(100)), "100 samples are too few to reflect 200"),
        (lambda: feature("mel", RATE, center=False)(torch.zeros(100)), "100 samples are fewer than a frame of 2048"),
        (lambda: functions.mel(Waveform(np.zeros(9000), RATE), RATE), "samples are of type Waveform, .* its .samples"),
        (lambda: functions.mel(["a"], RATE), "samples are of type list, which is no array of numbers"),
        (lambda: feature("mel", "22050"), "sample_rate is '22050', it must be a whole number of 1 or more"),
        (lambda: functions.mel(np.zeros(9000, np.int16), RATE), "samples are torch.int16; give float32 or float64"),
        (
            lambda: feature("mel", RATE)(np.zeros(9000)),
            "samples are a ndarray; a module takes a tensor, as torch.from_n",
        ),
        (lambda: feature("mel", RATE)([0.0]), "samples are a list; a module takes a tensor"),
        (lambda: functions.mel(np.zeros((2, 0)), RATE), r"samples of shape \(2, 0\)"),
        (lambda: functions.mel(np.zeros((0, 900)), RATE), r"samples of shape \(0, 900\); give .* one recording"),
        (lambda: functions.mel(np.zeros(9000), RATE, fmax=[1]), "an option of mel is neither a number nor a text"),
        (lambda: functions.mu_law(np.full(9, 1.5), RATE), "samples are beyond -1 to 1"),
    ]
    for call, text in cases:
        with pytest.raises(OptionError, match=text) as problem:
            call()
        assert "\n" not in str(problem.value)
