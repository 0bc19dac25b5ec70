"""Label maps in files: the slice of a segmented image that says where a muscle is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from muemg.errors import FileFormatError, InvalidArgumentError

__all__ = ["read_label_map"]


def read_label_map(path: str | Path, slice_index: int = 0) -> tuple[np.ndarray, float | None]:
    """Labels of one slice, and how large its pixels are.

    Parameters
    ----------
    path : str or Path
        A NumPy archive (``.npz``) with ``labels``, whole numbers of shape (n_rows, n_columns) whose row 0 is
        the top, and perhaps ``pixel_mm``; or a NIfTI volume (needs ``nibabel``: ``pip install muemg[mri]``),
        cut across its head–foot axis, right to +x and anterior to +y.
    slice_index : int
        Of a volume: which slice, from the feet.

    Returns
    -------
    (labels, pixel) : ndarray of int64, shape (n_rows, n_columns); float or None
        Rows run down; side of a pixel in metres, where the file says it.

    Raises
    ------
    FileFormatError
        If the file cannot be read or holds no labels.
    InvalidArgumentError
        If the slice lies outside the volume.
    """
    file = Path(path)
    if not file.is_file():
        raise FileFormatError(f"cannot read label map {str(file)!r}: there is no such file")
    if file.name.endswith((".nii", ".nii.gz")):
        return _from_nifti(file, slice_index)
    try:
        with np.load(file) as archive:
            labels = archive["labels"]
            pixel = float(archive["pixel_mm"]) / 1e3 if "pixel_mm" in archive else None
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise FileFormatError(f"{file.name} is no NumPy archive with 'labels' ({error})") from error
    return _whole(file, labels), pixel


def _from_nifti(file: Path, slice_index: int) -> tuple[np.ndarray, float]:
    try:
        import nibabel
    except ImportError as error:
        raise FileFormatError("NIfTI files need nibabel: pip install muemg[mri]") from error
    try:
        image = nibabel.as_closest_canonical(nibabel.load(file))
        volume, size = np.asanyarray(image.dataobj), image.header.get_zooms()
    except (OSError, ValueError, nibabel.filebasedimages.ImageFileError) as error:
        raise FileFormatError(f"{file.name} is no NIfTI volume ({error})") from error
    if volume.ndim != 3:
        raise FileFormatError(f"{file.name} must hold a volume of three axes, got {volume.shape}")
    if not 0 <= slice_index < volume.shape[2]:
        raise InvalidArgumentError(
            f"muscle.label_slice must lie in 0 … {volume.shape[2] - 1} for {file.name}, got {slice_index}"
        )
    if not np.isclose(size[0], size[1], rtol=1e-3):
        raise FileFormatError(f"{file.name} must have square pixels, got {size[0]:g} × {size[1]:g} mm")
    return _whole(file, volume[:, ::-1, slice_index].T), float(size[0]) / 1e3


def _whole(file: Path, labels: np.ndarray) -> np.ndarray:
    if labels.ndim != 2 or labels.dtype.kind not in "iufb" or not (labels == np.rint(labels)).all():
        raise FileFormatError(
            f"{file.name} must hold whole numbers of shape (n_rows, n_columns), "
            f"got {labels.dtype} {labels.shape}"
        )
    return labels.astype(np.int64)
