"""A process that tells what it does in JSON lines: its events, its end and its last words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bdnet_devices.errors import DeviceError, ProcessEndedError
from bdnet_devices.process import EventProcess, ProcessTurnTaker, ProcessWatch, wait_until_ready
from bdnet_runtime import InputError


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def test_events_come_in_order_and_what_is_none_is_passed_over() -> None:
    seen: list[tuple[str, float]] = []
    script = """
    echo 'Welcome to the board'; echo 3; echo '[1]'; echo '{"no": "event"}'
    echo '{"event": "progress", "stage": "loading", "fraction": 0.5}'
    echo '{"event": "result", "value": 7}'
    """
    with EventProcess(shell(script)) as process:
        assert process.result(lambda *event: seen.append(event))["value"] == 7
    assert seen == [("loading", 0.5)]


@pytest.mark.parametrize(
    ("script", "kind", "says"),
    [
        (
            "echo noise >&2; echo 'threads is 0; choose' >&2; exit 2",
            InputError,
            r"^threads is 0",
        ),
        ("kill -9 $$", ProcessEndedError, "the process was ended by SIGKILL: no message"),
        # What a shell says of a process that it waited for, as on a board.
        ("echo broken >&2; exit 139", ProcessEndedError, "was ended by SIGSEGV: broken"),
        ("exit 3", ProcessEndedError, "ended with status 3: no message"),
        ("exit 0", ProcessEndedError, "ended with status 0"),
        ('echo \'{"event": "result"}\'; exit 2', InputError, "no message"),
    ],
)
def test_an_end_without_a_result_is_told(script: str, kind: type[Exception], says: str) -> None:
    with EventProcess(shell(script)) as process, pytest.raises(kind, match=says):
        process.result()


def test_whoever_knows_better_explains_the_end() -> None:
    def explain(status: int, errors: str) -> Exception | None:
        return DeviceError(f"pi: status {status}, {errors.strip()}")

    with (
        EventProcess(shell("echo gone >&2; exit 255"), explain) as process,
        pytest.raises(DeviceError, match=r"^pi: status 255, gone$"),
    ):
        process.result()


def test_leaving_the_context_ends_the_process(tmp_path: Path) -> None:
    with EventProcess(shell("""echo '{"event": "ready"}'; exec sleep 600""")) as process:
        process.next_event("ready")
    assert process._process.returncode is not None


def test_a_watch_that_is_left_early_still_cleans_up(tmp_path: Path) -> None:
    """As a monitor does that has set the governor."""
    cleaned = tmp_path / "cleaned"
    script = f'echo \'{{"event": "ready"}}\'; cat; sleep 0.2; touch {cleaned}'
    watch = ProcessWatch(wait_until_ready(EventProcess(shell(script))))
    with pytest.raises(ZeroDivisionError), watch:
        raise ZeroDivisionError
    assert cleaned.exists()


def test_one_that_fails_before_it_is_ready_has_ended() -> None:
    process = EventProcess(shell("exec 1>&-; echo 'no governor' >&2; exit 2"))
    with pytest.raises(InputError, match=r"^no governor$"):
        wait_until_ready(process)
    assert process._process.returncode is not None


def test_a_turn_and_the_end_are_lines() -> None:
    script = (
        "import json, sys\n"
        "def say(**event): print(json.dumps(event), flush=True)\n"
        "say(event='ready'); lines = []\n"
        "for line in sys.stdin:\n"
        "    lines.append(line.strip())\n"
        "    if line.strip() == 'end': say(event='result', lines=lines); break\n"
        "    say(event='turn')\n"
    )
    process = wait_until_ready(EventProcess([sys.executable, "-c", script]))
    with ProcessTurnTaker(process) as taker:
        taker.turn(0.5)
        taker.turn(2)
        assert taker.finish()["lines"] == ["0.5", "2", "end"]
    watched = wait_until_ready(EventProcess([sys.executable, "-c", script]))
    with ProcessWatch(watched) as watch:
        assert watch.report()["lines"] == ["end"]


def test_a_process_that_writes_much_on_standard_error_does_not_stop() -> None:
    script = 'head -c 1000000 /dev/zero >&2; echo \'{"event": "result"}\''
    with EventProcess(shell(script)) as process:
        assert process.result() == {"event": "result"}
