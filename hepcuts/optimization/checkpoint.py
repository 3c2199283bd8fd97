"""The checkpoint of an optimization: its state after each stage, and the identity of the problem that it belongs to."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hepcuts._core import files
from hepcuts._core.errors import InputError
from hepcuts._core.identity import differing


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A file, and whose it may be.

    Attributes:
        path: of the file.
        identity: digests of the parts of the problem, see `hepcuts._core.identity.identify`.
    """

    path: Path
    identity: Mapping[str, str]

    def write(self, state: Mapping[str, Any]) -> None:
        """Replace the file by a state, which JSON can hold."""
        files.write_text(self.path, json.dumps({"problem": dict(self.identity), **state}) + "\n")

    def read(self) -> dict[str, Any] | None:
        """The state in the file, or None if there is no file.

        Raises:
            InputError: the file is no checkpoint, or that of another problem; the message says what differs.
        """
        if not self.path.exists():
            return None
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            problem = dict(found["problem"])
            state = {"walk": found["walk"], "validator": found["validator"]}
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"The checkpoint {self.path} cannot be read ({error}); delete it to start anew."
            ) from error
        parts = differing(problem, self.identity)
        if parts:
            raise InputError(
                f"The checkpoint {self.path} is that of another problem: not the same are {', '.join(parts)}. Delete "
                "it, or name another file."
            )
        return state
