"""Spectra of images and maps: transforms, half and full planes, in one convention."""
