"""
The commands and their arguments. No logic: each hands its arguments to a module of its own.

Spec: HST-12, HST-13
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final, Optional

import typer

from adapter_host.commands.exit_codes import MEANINGS, guarded
from adapter_host.commands.one_line import OneLineErrors, count, integer, number, seconds

_CODES: Final = "\b\nExit codes:\n" + "\n".join(f"  {code:<4} {meaning}" for code, meaning in MEANINGS.items())

_RUN_EXAMPLES: Final = """\b
Examples:
  adapter-host run
  adapter-host run --pool chat "Why is the sky blue?"
  cat letter.txt | adapter-host run --config hosts.toml --json -
  adapter-host run --base-url http://127.0.0.1:11434/v1 --dialect ollama --model llama3.2 "Hi"
  adapter-host run --base-url https://api.example.com/v1 --api-key-env EXAMPLE_KEY --model m --file prompt.txt

"""

_ALL_EXAMPLES: Final = f"""{_RUN_EXAMPLES.rstrip()}
  adapter-host list --json
  adapter-host check --config hosts.toml
  adapter-host config

"""

app = typer.Typer(
    name="adapter-host",
    cls=OneLineErrors,
    help="Stream tokens from any engine that has a worker adapter.",
    epilog=_ALL_EXAMPLES + _CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        typer.echo(f"adapter-host {version('worker-adapters')}")
        raise typer.Exit


@app.callback()
def _common(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Stream tokens from any engine that has a worker adapter."""


# typer evaluates the annotations of its commands, and reads `Optional` on every version that we allow.
ConfigPath = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--config", help="Configuration file; else ADAPTER_HOST_CONFIG, else ./adapter-host.toml."),
]
PoolId = Annotated[Optional[str], typer.Option("--pool", help="Pool of the configuration.")]  # noqa: UP045
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OptionalText = Optional[str]  # noqa: UP045
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Tell the story, and where an adapter fails, on standard error.")
]


@app.command("run", short_help="Run one task and print its answer.", epilog=_RUN_EXAMPLES + _CODES)
def run_command(  # noqa: PLR0913 - one parameter for each option
    *,
    prompt: Annotated[OptionalText, typer.Argument(help="What to ask; - reads standard input.")] = None,
    file: Annotated[Optional[Path], typer.Option("--file", help="Read the prompt from a file.")] = None,  # noqa: UP045
    config: ConfigPath = None,
    pool: PoolId = None,
    model: Annotated[OptionalText, typer.Option("--model", help="Model to ask for; needed with --base-url.")] = None,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", help="Most tokens to generate.", parser=count, metavar="INTEGER")
    ] = 64,
    deadline: Annotated[
        float, typer.Option("--deadline", help="Seconds for the whole task.", parser=seconds, metavar="SECONDS")
    ] = 120.0,
    seed: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--seed", help="Seed of the sampler.", parser=integer, metavar="INTEGER"),
    ] = None,
    temperature: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--temperature", help="0 to 2.", parser=number, metavar="NUMBER"),
    ] = None,
    adapter: Annotated[OptionalText, typer.Option("--adapter", help="Adapter; openai-http by default.")] = None,
    base_url: Annotated[
        OptionalText, typer.Option("--base-url", help="Upstream to ask, without configuration.")
    ] = None,
    api_key_env: Annotated[OptionalText, typer.Option("--api-key-env", help="Variable that holds its key.")] = None,
    dialect: Annotated[OptionalText, typer.Option("--dialect", help="Its dialect, as vllm or ollama.")] = None,
    setting: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", help="Any setting of the adapter, as ca_file='ca.pem'; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one event a line.")] = False,
    verbose: Verbose = False,
) -> None:
    """
    Run one task and print its answer as it comes.

    Without a configuration and without --base-url, an embedded upstream is started: a simulator on loopback.
    """
    from adapter_host.commands.prompt import read_prompt
    from adapter_host.commands.run import RunOptions, run
    from adapter_host.commands.target import Wish, find_target

    def work() -> int:
        wish = Wish(
            config=config,
            pool=pool,
            adapter=adapter,
            base_url=base_url,
            api_key_env=api_key_env,
            dialect=dialect,
            model=model,
            settings=setting or (),
        )
        options = RunOptions(
            prompt=read_prompt(prompt, file),
            model=model,
            max_tokens=max_tokens,
            deadline=deadline,
            seed=seed,
            temperature=temperature,
            as_json=as_json,
            verbose=verbose,
        )
        return run(options, find_target(wish))

    raise typer.Exit(guarded(work))


@app.command("list", short_help="List the installed adapters.", epilog=_CODES)
def list_command(
    *,
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when one is in quarantine.")] = False,
) -> None:
    """List the installed adapters, and those in quarantine with the reason."""
    from adapter_host.commands.show import show_plugins

    raise typer.Exit(guarded(lambda: show_plugins(as_json=as_json, strict=strict)))


@app.command("check", short_help="Ask every pool how it is.", epilog=_CODES)
def check_command(
    *, config: ConfigPath = None, pool: PoolId = None, as_json: AsJson = False, verbose: Verbose = False
) -> None:
    """Ask every configured pool for its health, slots and engine version."""
    from adapter_host.commands.show import show_health

    raise typer.Exit(guarded(lambda: show_health(config, pool, as_json=as_json, verbose=verbose)))


@app.command("config", short_help="Check the configuration, offline.", epilog=_CODES)
def config_command(*, config: ConfigPath = None, as_json: AsJson = False, verbose: Verbose = False) -> None:
    """Check the configuration without any connection, and print the policies in force."""
    from adapter_host.commands.show import show_config

    raise typer.Exit(guarded(lambda: show_config(config, as_json=as_json, verbose=verbose)))
