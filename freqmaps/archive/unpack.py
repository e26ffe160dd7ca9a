"""Import an archive: everything is checked first, in a folder of its own; then result by result is moved in."""

from __future__ import annotations

import collections
import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from freqmaps.archive import check, layout
from freqmaps.archive.check import Packed
from freqmaps.core.errors import FreqmapsError, storage_problem
from freqmaps.core.files import write_text
from freqmaps.provenance import manifest, unfinished
from freqmaps.provenance.shared_root import lock, open_to_group
from freqmaps.results.scan import KeyedFolder, scan
from freqmaps.results.verify import content_problems

DECIDES_NUMBERS = False

#: What becomes of a result.
NEW, HERE, OTHER = "new", "here already", "here already with other bytes, which stay"


@dataclass
class Import:
    """An import of one archive into one results root.

    Attributes
    ----------
    archive
        The file.
    root
        The results root; made if there is none.
    say
        Called with a line for each result.
    """

    archive: Path
    root: Path
    say: Callable[[str], None] = print

    def run(self, *, dry: bool = False) -> collections.Counter[str]:
        """Check the whole archive, and move in what is not there yet; return how many results are of which sort.

        Killed at any time, it leaves whole results and none that are half there; the next run goes on.

        Parameters
        ----------
        dry
            Check names, keys and checksums, change nothing.

        Raises
        ------
        FreqmapsError
            The archive is truncated, damaged, hostile, or does not fit in; or a result of the same key lies damaged
            under the root. Nothing has been moved in then.
        """
        with check.open_archive(self.archive) as archive:
            results, sums = check.read(archive)
            states = self._states(results)
            counts = collections.Counter(states.values())
            missing, snapshots = self._missing(results), {key for result in results for key in result.snapshots}
            counts["missing inputs"] = len(missing - snapshots)
            counts["missing snapshots"] = len(missing & snapshots)
            new = [result for result in check.order(results) if states[result.path] == NEW]
            if dry or not new:  # who has all of it need not be able to write there
                self._hash(archive, sums)
            else:
                self._import(archive, sums, new)
        for result in results:
            self.say(f"{states[result.path]:12s}  {result.path}")
        return counts

    def _states(self, results: list[Packed]) -> dict[str, str]:
        stored = {result.path: result for result in scan(self.root)} if self.root.is_dir() else {}
        return {result.path: _state(result, stored.get(result.path)) for result in results}

    def _missing(self, results: list[Packed]) -> set[str]:
        """Return the keys of inputs that are neither in the archive nor under the root."""
        present = {result.key for result in scan(self.root) if result.complete} if self.root.is_dir() else set()
        return {key for result in results for key in result.inputs} - {result.key for result in results} - present

    def _hash(self, archive: zipfile.ZipFile, sums: dict[str, str]) -> None:
        for name in sums:
            _copy(archive, name, sums[name], None)

    def _import(self, archive: zipfile.ZipFile, sums: dict[str, str], new: list[Packed]) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._fits(sum(result.bytes for result in new))
            with self._staging() as staging:
                self._stage(archive, sums, new, staging)
                for result in new:
                    self._move(result, staging / result.path)
        except OSError as error:
            problem = storage_problem(error) or f"could not be written ({error})"
            raise FreqmapsError(
                f"{self.root}: {problem}; what was moved in is whole, import again for the rest"
            ) from error

    def _fits(self, needed: int) -> None:
        free = shutil.disk_usage(self.root).free
        if needed > free:
            raise FreqmapsError(
                f"{self.root}: {needed / 1e9:.2f} GB are needed, {free / 1e9:.2f} GB are free; nothing was imported"
            )

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """Hold a folder below the root, so that moving in is a rename; one import at a time uses it."""
        open_to_group(self.root)
        holder = self.root / ".import"
        holder.mkdir(exist_ok=True)
        with lock(holder):
            staging = holder / "staged"
            shutil.rmtree(staging, ignore_errors=True)
            try:
                yield staging
            finally:
                shutil.rmtree(staging, ignore_errors=True)

    def _stage(self, archive: zipfile.ZipFile, sums: dict[str, str], new: list[Packed], staging: Path) -> None:
        """Check every member's SHA-256; write and open the files that are new."""
        targets = {
            info.filename: staging / result.path / file for result in new for file, info in result.members.items()
        }
        for name, digest in sums.items():
            _copy(archive, name, digest, targets.get(name))
        for result in new:
            recorded = {file: sums[info.filename] for file, info in result.members.items()}
            if recorded != {file: entry["sha256"] for file, entry in result.manifest["files"].items()}:
                raise FreqmapsError(
                    f"{self.archive}: {result.path}: not the files that its manifest records; nothing was imported"
                )
            sizes = {file: info.file_size for file, info in result.members.items()}
            for problem in content_problems(KeyedFolder(staging, result.path, sizes, result.manifest)):
                message = problem.replace(f"{staging}/", "")
                raise FreqmapsError(f"{self.archive}: {message}; nothing was imported")

    def _move(self, result: Packed, staged: Path) -> None:
        """Move a result in, its manifest last, unless another run has made it meanwhile."""
        folder = self.root / result.path
        folder.mkdir(parents=True, exist_ok=True)
        with lock(folder):
            if (folder / manifest.NAME).exists():
                return
            for file in result.members:
                os.replace(staged / file, folder / file)
            write_text(folder / manifest.NAME, result.text.decode("utf-8"))
            unfinished.discard(folder)


def _state(packed: Packed, stored: KeyedFolder | None) -> str:
    if stored is None or (stored.manifest is None and stored.error is None):
        return NEW
    if not stored.complete or stored.manifest is None:
        raise FreqmapsError(
            f"{stored.folder}: lies damaged under this root; delete the folder and import again "
            f"(`freqmaps verify {stored.root}` says more)"
        )
    return HERE if stored.manifest["files"] == packed.manifest["files"] else OTHER


def _copy(archive: zipfile.ZipFile, name: str, digest: str, target: Path | None) -> None:
    """Read a member, compare its SHA-256, and write it to a file where there is a target."""
    sha256 = hashlib.sha256()
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with archive.open(name) as source, (target or Path(os.devnull)).open("wb") as sink:
            while block := source.read(layout.BLOCK):
                sha256.update(block)
                sink.write(block)
    except (zipfile.BadZipFile, EOFError) as error:
        raise FreqmapsError(
            f"{archive.filename}: {name} is damaged ({error}); fetch or export the archive again"
        ) from error
    if sha256.hexdigest() != digest:
        raise FreqmapsError(f"{archive.filename}: {name} differs from its SHA-256; fetch or export the archive again")
