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
    "onset_strength": "how much begins",
    "tempogram": "autocorrelation of onsets, by lag",
    "beats": "1 where a beat is",
}
IN_TORCHAUDIO = ("stft", "spectrogram", "mel", "log_mel", "mfcc")
