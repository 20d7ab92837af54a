"""A program of its own: one page of the PDF on standard input as a grey picture (PGM) on standard output.

    python render.py INDEX DOTS_PER_INCH MOST_PIXELS

It imports PDFium alone. What a picture within the page takes to be decoded, in time and memory, nobody can
bound from within; whoever starts this sets limits. A page that is blank because PDFium cannot decode a picture
on it ends with the code ``UNDECODED``.
"""

from __future__ import annotations

import sys

UNDECODED = 65

_LONGEST = 20_000  # pixels of a side
_WHITE = b"\xff"


def main(index: int, resolution: int, most_pixels: int) -> None:
    """Draw the page, smaller where it would have too many pixels."""
    import pypdfium2 as pdfium
    import pypdfium2.raw as pdfium_c

    document = pdfium.PdfDocument(pdfium_c.FPDF_LoadDocument(b"/proc/self/fd/0\0", None))
    page = document[index]
    width, height = page.get_size()
    scale = min(resolution / 72, (most_pixels / (width * height)) ** 0.5, _LONGEST / max(width, height))
    bitmap = page.render(scale=scale, grayscale=True, may_draw_forms=False)
    rows, stride = memoryview(bitmap.buffer), bitmap.stride
    output = sys.stdout.buffer
    output.write(b"P5\n%d %d\n255\n" % (bitmap.width, bitmap.height))
    blank = True
    for row in range(bitmap.height):
        line = bytes(rows[row * stride : row * stride + bitmap.width])
        blank = blank and line.count(_WHITE) == bitmap.width
        output.write(line)
    pictures = page.get_objects([pdfium_c.FPDF_PAGEOBJ_IMAGE]) if blank else ()
    if not all(pdfium_c.FPDFImageObj_GetBitmap(picture) for picture in pictures):
        sys.exit(UNDECODED)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
