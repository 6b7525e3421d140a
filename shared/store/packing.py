"""Texts of documents, compressed one by one with a dictionary of what documents of this project have in common.

The dictionary is trained on documents of made-up people (`python -m deploy.dictionary`) and shipped. A store's file
holds each dictionary that its rows name, so newer code reads them, and so does whoever has the file alone.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from importlib.resources import files

from zstandard import (
    FORMAT_ZSTD1,
    FRAME_HEADER,
    ZstdCompressionDict,
    ZstdCompressionParameters,
    ZstdCompressor,
    ZstdDecompressor,
)

WORDS_FILE = "documents.dictionary"
# The fastest level: the next ones are not shorter for texts of a kilobyte.
LEVEL = 1


def parameters() -> ZstdCompressionParameters:
    """The size is told, so that a frame is opened in one step; the dictionary is the row's to name."""
    return ZstdCompressionParameters.from_level(
        LEVEL, format=FORMAT_ZSTD1, write_content_size=True, write_checksum=False, write_dict_id=False
    )


class Packing:
    """Packs and unpacks by one dictionary, in any thread."""

    def __init__(self, words: bytes) -> None:
        self.words = words
        self._dictionary = ZstdCompressionDict(words)
        self._dictionary.precompute_compress(compression_params=parameters())
        # Neither a compressor nor a decompressor may be used by two threads at once.
        self._own = threading.local()

    def pack(self, text: bytes) -> bytes:
        try:
            compress = self._own.compress
        except AttributeError:
            compressor = ZstdCompressor(dict_data=self._dictionary, compression_params=parameters())
            compress = self._own.compress = compressor.compress
        # Every frame begins with the same four bytes.
        packed: bytes = compress(text)[len(FRAME_HEADER) :]
        return packed

    def unpack(self, packed: bytes) -> bytes:
        """Raises zstandard.ZstdError for what `pack` did not give."""
        try:
            decompress = self._own.decompress
        except AttributeError:
            decompress = self._own.decompress = ZstdDecompressor(dict_data=self._dictionary).decompress
        text: bytes = decompress(FRAME_HEADER + packed)
        return text


@lru_cache(maxsize=8)
def packing_by(words: bytes) -> Packing:
    """One object a dictionary: it is digested once a process."""
    return Packing(words)


@lru_cache(maxsize=1)
def shipped_words() -> bytes:
    """The dictionary of new rows."""
    return files(__package__).joinpath(WORDS_FILE).read_bytes()
