"""The golden files of all alerts; after a change that was meant, python -m tests.message.golden writes them anew."""

import json
from pathlib import Path

from padlock.message import Message

from tests.message.stories import alerts

GOLDEN = Path(__file__).parent.parent / "golden" / "alerts"


def files(name: str, message: Message) -> dict[str, str]:
    """Return an alert's files: the mail, if there is one, the chat message and the event."""
    texts = {f"{name}.event.json": _indented(message.event)}
    if message.subject:
        texts[f"{name}.txt"] = f"Subject: {message.subject}\n\n{message.body}"
        texts[f"{name}.chat.json"] = _indented(message.chat)
    return texts


def _indented(text: str) -> str:
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"


def all_files() -> dict[str, str]:
    """Return every golden file's name and text."""
    return {file: text for name, message in alerts().items() for file, text in files(name, message).items()}


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for stale in GOLDEN.iterdir():
        stale.unlink()
    for file, text in all_files().items():
        (GOLDEN / file).write_text(text, encoding="utf-8")
