"""Which endings of file names mean an image that can be read, and what to do about those that cannot.

Pillow tells a picture by its content; the ending only says which files are meant as images. So this is a fixed table
and not what the installed Pillow registers: the images of a folder are the same with every version.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

# Whatever Pillow decodes without a program or package besides, icons left out: those belong to a folder, not a class.
READ = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".png", ".apng", ".webp", ".bmp", ".dib", ".gif"),
        *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga", ".vda", ".icb", ".vst"),
        *(".jp2", ".j2k", ".jpc", ".j2c", ".jpf", ".jpx", ".qoi", ".pcx", ".dcx", ".sgi", ".rgb", ".rgba", ".bw"),
        *(".ras", ".dds", ".psd", ".xbm", ".xpm", ".msp", ".im", ".fit", ".fits"),
    }
)
HEIF = frozenset({".heic", ".heif", ".heics", ".heifs", ".hif"})  # by pillow-heif
AVIF = frozenset({".avif", ".avifs"})  # by Pillow from 11.3 on, where it was built with it

_ICON = "an icon, not an image of a class"
_RAW = "a camera's raw file; save it as JPEG, PNG or TIFF"
_DRAWING = "a drawing, not pixels; save it as PNG"
_OTHER = "a format that is not read; save it as PNG or TIFF"
_VIDEO = "a video; save its frames as images"
UNREAD = {
    **dict.fromkeys((".ico", ".cur", ".icns", ".ani"), _ICON),
    **dict.fromkeys((".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".raw"), _RAW),
    **dict.fromkeys((".svg", ".svgz", ".eps", ".ps", ".pdf", ".ai", ".wmf", ".emf"), _DRAWING),
    **dict.fromkeys((".mp4", ".mov", ".avi", ".mkv", ".mpg", ".mpeg", ".webm", ".fli", ".flc"), _VIDEO),
    **dict.fromkeys((".jxl", ".exr", ".hdr", ".dcm", ".npy", ".xcf"), _OTHER),
}
UNKNOWN = "its ending is none of an image"


def is_read(suffix: str) -> bool:
    """Whether files with this ending (with its dot, in any case) are read as images here."""
    suffix = suffix.lower()
    return suffix in READ or (suffix in HEIF and reads_heif()) or (suffix in AVIF and reads_avif())


def is_image(suffix: str) -> bool:
    """Whether files with this ending are images to people, read here or not."""
    suffix = suffix.lower()
    return suffix in READ or suffix in HEIF or suffix in AVIF or suffix in UNREAD


def why_not(suffix: str) -> str:
    """Why files with an ending that is not read are passed over, and what to do."""
    suffix = suffix.lower()
    if suffix in HEIF:
        return "HEIC, which is read once pillow-heif is installed: pip install pillow-heif"
    if suffix in AVIF:
        return "AVIF, which Pillow reads from 11.3 on: pip install -U pillow"
    return UNREAD.get(suffix, UNKNOWN)


@cache
def reads_heif() -> bool:
    """Whether pillow-heif is installed."""
    return find_spec("pillow_heif") is not None


@cache
def reads_avif() -> bool:
    """Whether this Pillow was built with AVIF."""
    from PIL import features

    return bool(features.check("avif")) or find_spec("pillow_avif") is not None


@cache
def register_plugins() -> None:
    """Tell Pillow of the packages that read more; once in each process."""
    if reads_heif():
        import pillow_heif

        pillow_heif.register_heif_opener()
    if find_spec("pillow_avif") is not None:
        import pillow_avif  # noqa: F401  # importing it is what registers it
