"""Do batches that workers pin reach a CUDA GPU unchanged?"""

from pathlib import Path

import numpy as np
import pytest
import torch

from seqaudio.corpus.loader import CorpusLoader, StreamBatches
from seqaudio.corpus.prepared import PreparedCorpus
from tests.samples import MELODY, write_corpus

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # torch has threads
def test_pinned_batches_arrive_unchanged(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pieces = [rng.integers(1, 400, n) for n in rng.integers(50, 400, 60)]
    corpus = PreparedCorpus.open(write_corpus(tmp_path / "corpus", pieces, pieces[:1], MELODY))
    batches = StreamBatches(corpus, "train", streams=8, window=64)
    expected = list(CorpusLoader(batches))
    found = [
        [part.to("cuda", non_blocking=True) for part in batch]
        for batch in CorpusLoader(batches, workers=2, pin_memory=True)
    ]
    torch.cuda.synchronize()
    assert len(found) == len(expected) > 10
    for there, here in zip(found, expected, strict=True):
        assert all(torch.equal(a.cpu(), b) for a, b in zip(there, here, strict=True))
