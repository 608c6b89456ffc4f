"""The devices by name: a TOML file that people read, comment and share.

    # Boards of the lab
    [devices.pi5]
    host = "pi@raspberrypi.local"

Read and written with tomlkit, which keeps comments and order where it changes an entry. It is
imported when a file is read: a board has the plain install, without it.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import shutil
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from bdnet_devices.errors import DeviceError
from bdnet_runtime import InputError

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

LOCAL = "local"
TABLE = "devices"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class DeviceEntry:
    """How a board is reached, and where things go on it.

    Args:
        name: what it is asked for by.
        host: ``user@host``, or an alias of ``~/.ssh/config``.
        jump: the host or hosts in between, as ``ssh -J`` takes them.
        port: where not 22, or what the alias says.
        folder: where all that bdnet puts there goes: absolute, or below the home folder there.
        python: a Python there; by default the newest that is found.
        ssh_config: a file that is read in place of ``~/.ssh/config``.
        packages: versions that are asked for there, such as ``onnxruntime==1.23.2``.
    """

    name: str
    host: str
    jump: str | None = None
    port: int | None = None
    folder: str = ".bdnet"
    python: str | None = None
    ssh_config: str | None = None
    packages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises `DeviceError` for values that would mean something else to ssh or to a shell."""
        if not NAME.fullmatch(self.name) or self.name == LOCAL:
            raise DeviceError(
                f"{self.name!r} is not a name for a device; expected letters, digits, '.', '_' "
                f"and '-', and not {LOCAL!r}, which is this machine"
            )
        for key in ("host", "jump", "folder", "python", "ssh_config"):
            value = getattr(self, key)
            if value is not None and (not value or value[0] == "-" or not value.isprintable()):
                raise DeviceError(
                    f"{self.name}: {key} is {value!r}; expected text that does not begin with '-'"
                )
        for key in ("host", "jump"):
            if " " in (getattr(self, key) or ""):
                raise DeviceError(
                    f"{self.name}: {key} is {getattr(self, key)!r}; expected user@host or an alias "
                    "of ~/.ssh/config, without spaces"
                )
        if self.port is not None and not 1 <= self.port <= 65535:
            raise DeviceError(f"{self.name}: port is {self.port}; expected 1 to 65535")
        folder = PurePosixPath(self.folder)
        # It is removed as a whole, so it must not hold anything else.
        if not folder.name or ".." in folder.parts or folder.parts[0].startswith("~"):
            raise DeviceError(
                f"{self.name}: folder is {self.folder!r}; expected one of its own, absolute or "
                "below the home folder there, for example '.bdnet'"
            )

    def ssh_options(self) -> list[str]:
        """Options of ssh that lead to this board."""
        options = [] if self.ssh_config is None else ["-F", self.ssh_config]
        options += [] if self.jump is None else ["-J", self.jump]
        options += [] if self.port is None else ["-p", str(self.port)]
        return options

    def by_hand(self) -> str:
        """The command with which a person connects to it."""
        return shlex.join(["ssh", *self.ssh_options(), self.host])


KEYS = {field.name: field.type for field in fields(DeviceEntry) if field.name != "name"}


class Inventory:
    """The devices of one file. `load` makes one; changes are in the file after `save`."""

    def __init__(self, path: Path, document: TOMLDocument) -> None:
        self.path = path
        self._document = document
        self._entries = {
            name: _read_entry(path, name, table) for name, table in self._tables().items()
        }

    @classmethod
    def load(cls, path: Path | None = None) -> Inventory:
        """Reads ``path``, or the user's own file. A file that is not there is empty.

        Raises:
            InputError: it cannot be read or is not an inventory.
        """
        import tomlkit
        from tomlkit.exceptions import TOMLKitError

        path = default_path() if path is None else path
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            text = ""
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise InputError(f"the inventory {path} cannot be read: {why}") from None
        try:
            return cls(path, tomlkit.parse(text))
        except TOMLKitError as error:
            raise InputError(
                f"the inventory {path} is not TOML: {error}; mend it by hand"
            ) from None

    def entries(self) -> list[DeviceEntry]:
        """All devices, in the order of the file."""
        return list(self._entries.values())

    def get(self, name: str) -> DeviceEntry:
        """Raises `DeviceError` for a name that is not there, with those that are like it."""
        if name in self._entries:
            return self._entries[name]
        if name == LOCAL:
            raise DeviceError(
                f"{LOCAL}: this is this machine, which has what it needs and is not reached by "
                "ssh; name a board of the inventory ('bdnet-export devices list')"
            )
        close = difflib.get_close_matches(name, [LOCAL, *self._entries], n=1)
        known = ", ".join([LOCAL, *self._entries])
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise DeviceError(
            f"{name}: there is no such device in {self.path}; {hint}Known are {known}; add one "
            f"with 'bdnet-export devices add {name} USER@HOST'"
        )

    def add(self, entry: DeviceEntry) -> None:
        """Raises `DeviceError` for a name that is taken."""
        import tomlkit

        if entry.name in self._entries:
            raise DeviceError(
                f"{entry.name}: there is a device of this name in {self.path} already; remove it "
                f"with 'bdnet-export devices remove {entry.name}' or take another name"
            )
        table = tomlkit.table()
        for key in KEYS:
            value = getattr(entry, key)
            if value is not None and value != getattr(DeviceEntry, key, None):
                table.add(key, list(value) if isinstance(value, tuple) else value)
        if TABLE not in self._document:
            self._document.add(TABLE, tomlkit.table(is_super_table=True))
        self._tables()[entry.name] = table
        self._entries[entry.name] = entry

    def remove(self, name: str) -> None:
        """Raises `DeviceError` for a name that is not there."""
        self.get(name)
        del self._tables()[name]
        del self._entries[name]

    def save(self) -> None:
        """Writes the file as a whole or not at all. Raises `InputError` where it cannot."""
        import tomlkit

        path = self.path.resolve()  # a link stays one
        part = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            os.close(handle)
            Path(part).write_text(tomlkit.dumps(self._document), encoding="utf-8")
            if path.exists():
                shutil.copymode(path, part)
            Path(part).replace(path)
        except OSError as error:
            if part is not None:
                Path(part).unlink(missing_ok=True)
            raise InputError(
                f"the inventory {self.path} cannot be written: {error.strerror}"
            ) from None

    def _tables(self) -> dict[str, Any]:
        unknown = [key for key in self._document if key != TABLE]
        tables: Any = self._document.get(TABLE, {})
        if unknown or not isinstance(tables, dict):
            wrong = unknown[0] if unknown else TABLE
            raise InputError(
                f"the inventory {self.path} holds {wrong!r} where tables like "
                f"'[{TABLE}.pi5]' are expected; mend it by hand"
            )
        return tables


def default_path() -> Path:
    """The user's own inventory."""
    folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder).expanduser() / "bdnet" / "devices.toml"


def _read_value(where: str, key: str, value: Any) -> Any:
    """Without tomlkit's wrapping."""
    if key == "packages":
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(str(item) for item in value)
        expected = 'a list such as ["onnxruntime==1.23.2"]'
    elif key == "port":
        if isinstance(value, int) and not isinstance(value, bool):
            return int(value)
        expected = "a number"
    else:
        if isinstance(value, str):
            return str(value)
        expected = "text in quotes"
    raise InputError(f"{where} is {value!r}; expected {expected}")


def _read_entry(path: Path, name: str, table: Any) -> DeviceEntry:
    where = f"the inventory {path}, device {name!r}"
    if not isinstance(table, dict) or "host" not in table:
        raise InputError(f'{where}: no host; expected a line like host = "pi@raspberrypi.local"')
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in KEYS:
            close = difflib.get_close_matches(key, KEYS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"expected {', '.join(KEYS)}"
            raise InputError(f"{where}: {key!r} is not known; {hint}")
        values[key] = _read_value(f"{where}: {key}", key, value)
    if "ssh_config" in values:  # one that is shared with the inventory lies beside it
        config = Path(values["ssh_config"]).expanduser()
        values["ssh_config"] = str(path.parent / config)
    return DeviceEntry(name, **values)
