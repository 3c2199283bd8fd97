"""Workspaces with their patches: signals that are added to a background-only workspace, as HEPData has them.

A patch is a list of JSON operations on the whole workspace, its measurements included. A *patch set* holds one for each
point of a grid of signals, with the digest of the workspace that it was made for.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hepcuts._core.errors import InputError
from hepcuts._core.lazy import jsonpatch, pyhf
from hepcuts._core.texts import listed

from .documents import archive_of, foreign, is_patch_set, is_path, load


def source_of(workspace: Any) -> str:
    """How messages call a workspace: by its file, if it has one."""
    return f"The workspace {workspace}" if is_path(workspace) else "The workspace"


def read(workspace: Any, patches: Iterable[Any] = (), *, point: str | None = None, verify: bool = True) -> Any:
    """The workspace as JSON has it, with its patches applied one after the other.

    Args:
        workspace: a workspace or its path, see `hepcuts.histfactory.documents.load`.
        patches: lists of operations, patch sets, or their paths. With a `point` and no patches, the patch set in the
            same archive.
        point: which patch of a patch set, by its name.
        verify: whether the digest of a patch set has to be that of the workspace (before any patch).

    Raises:
        InputError: a file cannot be read, or a patch not applied; there is no such point; or the patch set was made for
            another workspace. The message names it.
    """
    source = source_of(workspace)
    document = original = _document(workspace)
    found = _loaded(workspace, patches, search=point is not None)
    if point is not None and not any(isinstance(patch, pyhf.PatchSet) for _, patch in found):
        raise InputError(f"The point {point!r} is one of a patch set, and there is none; pass it as a patch.")
    for name, patch in found:
        operations: Any = patch
        if isinstance(patch, pyhf.PatchSet):
            operations = _of_point(patch, point, name)
            if verify:
                _verify(patch, original, name, source)
        with foreign(f"{name} cannot be applied to {_small(source)}"):
            document = jsonpatch.JsonPatch(operations).apply(document)
    return document


def patch_set(workspace: Any, patches: Iterable[Any] = ()) -> "pyhf.PatchSet":
    """The patch set among the patches, or of the workspace's archive; arguments as `read`.

    Raises:
        InputError: there is none, or more than one.
    """
    sets = [patch for _, patch in _loaded(workspace, patches, search=True) if isinstance(patch, pyhf.PatchSet)]
    if len(sets) != 1:
        raise InputError(
            f"There {'is no patch set' if not sets else 'are several patch sets'}; expected one as a patch (--patch "
            "patchset.json), or in the archive of the workspace."
        )
    return sets[0]


def loaded(workspace: Any, patches: Iterable[Any] = ()) -> tuple[Any, list[Any]]:
    """Workspace and patches, the patch set in its archive if there are none, as `read` takes them without a file."""
    return _document(workspace), [patch for _, patch in _loaded(workspace, patches, search=True)]


def _document(workspace: Any) -> Any:
    return load(workspace, source_of(workspace)) if is_path(workspace) else workspace


def _small(source: str) -> str:
    return source[0].lower() + source[1:]


def _loaded(workspace: Any, patches: Iterable[Any], *, search: bool) -> list[tuple[str, Any]]:
    """The patches with their names: patch sets as pyhf's, others as operations."""
    given, archive = list(patches), archive_of(workspace) if search else None
    if not given and archive is not None:
        given = [archive]
    return [_read(patch, number) for number, patch in enumerate(given, start=1)]


def _read(patch: Any, number: int) -> tuple[str, Any]:
    name = f"The patch {patch}" if is_path(patch) else f"Patch {number}"
    found = load(patch, name, is_patch_set) if is_path(patch) else patch
    if isinstance(found, pyhf.PatchSet):
        return name, found
    if is_patch_set(found):
        with foreign(f"{name} is not a valid patch set"):
            return name, pyhf.PatchSet(found)
    # One that was taken out of a patch set comes with its metadata.
    return name, found["patch"] if isinstance(found, Mapping) and "patch" in found else found


def _of_point(found: "pyhf.PatchSet", point: str | None, name: str) -> Any:
    names = [patch.name for patch in found]
    if point is None:
        raise InputError(
            f"{name} is a patch set; expected one of its patches, {listed(names)}: say which with point=... (on the "
            "command line --point NAME; --list-points shows them all)."
        )
    if point not in names:
        near = [known for known in names if point.lower() in known.lower()] or names
        raise InputError(f"{name} has no point {point!r}; it has {listed(near)}.")
    return found[point].patch


def _verify(found: "pyhf.PatchSet", workspace: Any, name: str, source: str) -> None:
    """Check that a patch set was made for this workspace."""
    for algorithm, digest in found.digests.items():
        with foreign(f"{name} has a digest that cannot be verified"):
            actual = pyhf.utils.digest(dict(workspace), algorithm=algorithm)
        if actual != digest:
            raise InputError(
                f"{name} was made for another workspace: its {algorithm} is {digest}, and that of {_small(source)} is "
                f"{actual}. If it was changed on purpose, pass verify_digest=False (on the command line --no-verify)."
            )


def point_values(found: "pyhf.PatchSet") -> Sequence[tuple[str, tuple[float | str, ...]]]:
    """The points of a patch set with their values, such as masses."""
    return [(patch.name, tuple(patch.values)) for patch in found]
