"""What are the features called?"""

FEATURES = {
    "stft": "short-time Fourier transform, complex",
    "spectrogram": "energy at each frequency",
    "mel": "energy in mel bands",
    "log_mel": "level in mel bands, in decibels",
    "mfcc": "mel-frequency cepstral coefficients",
    "cqt": "constant-Q transform, complex",
    "chroma_stft": "energy of each pitch class, from the Fourier transform",
    "chroma_cqt": "magnitude of each pitch class, from the constant-Q transform",
    "chroma_cens": "chroma energy statistics",
    "tonnetz": "tonal centroids: fifths, minor and major thirds",
    "spectral_centroid": "mean frequency",
    "spectral_bandwidth": "mean distance from the centroid",
    "spectral_contrast": "peaks over valleys in octave bands, in decibels",
    "spectral_rolloff": "frequency below which 85 % of the magnitude lies",
    "spectral_flatness": "how like noise it is, 0 to 1",
    "rms": "root of the mean square",
    "zero_crossing_rate": "changes of sign for each sample",
    "onset_strength": "how much begins",
    "tempogram": "autocorrelation of onsets, by lag",
    "beats": "1 where a beat is",
    "hpss": "harmonic and percussive magnitudes",
    "pyin": "fundamental frequency, whether there is one, how likely",
    "mu_law": "each sample as one of 256 codes",
}
IN_TORCHAUDIO = ("stft", "spectrogram", "mel", "log_mel", "mfcc", "spectral_centroid", "mu_law")
