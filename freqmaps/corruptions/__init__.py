"""Common corruptions of images: one file each; see docs/add-a-corruption.md."""
