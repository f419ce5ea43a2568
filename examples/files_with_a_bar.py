"""Send a file, or fetch one, with a progress bar: in constant memory, whatever its size."""

import os
import sys
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from openai_client import Client, OpenAIError

USAGE = "usage: python files_with_a_bar.py BASE_URL send PATH [PURPOSE] | fetch FILE_ID PATH"


def main(base_url: str, command: str, *words: str) -> None:
    """Do what the command line says."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    key = os.environ.get("OPENAI_API_KEY")
    # a timeout is for the whole call, so a large file needs a long one
    with Client(base_url=base_url, api_key=key, timeout=3600.0) as client, Progress(*columns) as bars:
        bar = bars.add_task(command, total=None)

        def advance(done: int, total: int | None) -> None:
            bars.update(bar, completed=done, total=total)

        match command, *words:
            case "send", path, *purpose:
                sent = client.files.create(
                    file=Path(path), purpose=purpose[0] if purpose else "batch", on_progress=advance
                )
                bars.print(f"{sent.id}: {sent.bytes} bytes")
            case "fetch", file_id, path:
                with client.files.download(file_id, on_progress=advance) as download:
                    bars.print(f"{path}: {download.write_to(path)} bytes")
            case _:
                sys.exit(USAGE)


if __name__ == "__main__":
    if len(sys.argv) < 4:  # noqa: PLR2004 - the words of the shortest command
        sys.exit(USAGE)
    try:
        main(*sys.argv[1:])
    except (OpenAIError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
