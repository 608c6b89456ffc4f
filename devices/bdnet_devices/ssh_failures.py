"""What ssh and the commands on a board say when they fail, as one sentence with what to do."""

from __future__ import annotations

import re

from bdnet_devices.errors import DeviceError
from bdnet_devices.inventory import DeviceEntry

NOT_FOUND, CANNOT_RUN = 127, 126
SIGNALLED = 128  # and the signal's number, as shells say it; 255 is ssh's own failure
SHOWN = 80  # characters of a command


def explain_ssh(entry: DeviceEntry, errors: str) -> DeviceError:
    """Why ssh itself has failed.

    Args:
        errors: what it wrote to its standard error.
    """
    host = entry.host.rpartition("@")[2]
    by_hand = entry.by_hand()
    again = "then run this again"
    if "HOST IDENTIFICATION HAS CHANGED" in errors:
        offending = re.search(r"Offending \S+ key in (\S+?):(\d+)", errors)
        where = f" (line {offending[2]} of {offending[1]})" if offending else ""
        what = (
            f"the host key of {host} is another than the known one{where}; find out why, since "
            "somebody may stand in between. Where the board was set up anew, remove the old key "
            f"with 'ssh-keygen -R', connect once by hand with '{by_hand}', {again}"
        )
    elif "host key is known" in errors or "Host key verification failed" in errors:
        what = (
            f"the host key of {host} is not known; connect once by hand with '{by_hand}' and "
            f"compare its fingerprint, {again}"
        )
    elif "Too many authentication failures" in errors:
        what = (
            f"{host} refused after too many keys; name the right one in ~/.ssh/config "
            f"(IdentityFile, IdentitiesOnly yes), try '{by_hand}', {again}"
        )
    elif "Permission denied (" in errors:
        bad_file = re.search(r"Permissions \S+ for '(\S+)' are too open", errors)
        why = f" (other users may read {bad_file[1]}: 'chmod 600' it)" if bad_file else ""
        what = (
            f"{host} refused the key{why}; copy yours there with 'ssh-copy-id' or load it with "
            f"'ssh-add', see that '{by_hand}' asks for no password, {again}"
        )
    elif unresolved := re.search(r"Could not resolve hostname (\S+?):", errors):
        what = (
            f"there is no host {unresolved[1]!r}; see that the name is right and the board in this "
            f"network, {again}"
        )
    elif "Connection refused" in errors:
        what = (
            f"{host} is there but refuses connections; start the SSH server on it (Debian: "
            f"'sudo systemctl enable --now ssh') or put the port right, {again}"
        )
    elif re.search(r"timed out|Timeout|No route to host|Network is unreachable", errors):
        what = f"{host} does not answer; see that it is on and in this network, {again}"
    elif re.search(r"onfiguration|onfig file|permissions on", errors):
        what = f"ssh does not accept its configuration: {last_line(errors)}; mend it, {again}"
    elif re.search(r"[Cc]onnection (closed|reset)|Broken pipe|kex_exchange|disconnect", errors):
        what = f"{host} closed the connection; see that '{by_hand}' works, {again}"
    else:
        what = f"ssh failed: {last_line(errors)}; see that '{by_hand}' works, {again}"
    return DeviceError(f"{entry.name}: {what}")


def explain_loss(entry: DeviceEntry) -> DeviceError:
    """The connection was there and is not any more."""
    return DeviceError(
        f"{entry.name}: the connection was lost, or the board has restarted; see that it is on and "
        "in this network, then run this again: what has arrived is not sent again"
    )


def explain_time_out(entry: DeviceEntry, seconds: float, what: str) -> DeviceError:
    return DeviceError(
        f"{entry.name}: no answer within {seconds:g} s ({what}); see that the board is not frozen "
        f"or overloaded with '{entry.by_hand()}', then run this again"
    )


def explain_command(entry: DeviceEntry, command: str, status: int, errors: str) -> DeviceError:
    """Why a command on the board has failed."""
    said = last_line(errors)
    shown = shorten(command)
    if "No space left on device" in errors or "Disk quota exceeded" in errors:
        what = (
            f"its disk is full; make room there (what bdnet put there goes with 'bdnet-export "
            f"devices clean {entry.name}'), then run this again"
        )
    elif "Read-only file system" in errors:
        what = f"its disk may not be written ({said}); mount it for writing, then run this again"
    elif status == NOT_FOUND:
        what = f"a command is not there ({said}); install it on the board, then run this again"
    elif "Permission denied" in errors:
        what = (
            f"not allowed there ({said}); give the user of '{entry.by_hand()}' the right to it, "
            "or use another folder, then run this again"
        )
    else:
        what = f"{shown!r} ended there with status {status} ({said}); try it by hand on the board"
    return DeviceError(f"{entry.name}: {what}")


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def shorten(command: str) -> str:
    line = " ".join(command.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 4] + " ..."
